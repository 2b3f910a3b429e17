"""A finished case opened again: corrected lines, masks and names, and the numbers that follow from them."""
