"""DICOM series in: found, grouped into stacks of slices, chosen, checked, decoded."""
