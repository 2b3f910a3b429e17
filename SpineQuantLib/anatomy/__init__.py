"""What exists: structures, levels, label values, colours, codes and reference ranges."""
