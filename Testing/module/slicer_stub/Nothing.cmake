# Slicer generates the extension's package configuration here; there is nothing to look at without Slicer.
