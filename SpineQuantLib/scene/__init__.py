"""MRML scene of a case; the only room of the library that knows Slicer."""
