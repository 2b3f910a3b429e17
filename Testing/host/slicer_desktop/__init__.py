"""A stand-in for the desktop of 3D Slicer, to test a scripted module with: real MRML, Qt off-screen.

Test equipment, never shipped. It offers the namespaces ``qt``, ``ctk`` and ``slicer`` with PythonQt's habits, no more
of them than the module uses; asked for anything else it fails.
"""

from .desktop import Desktop, missing

__all__ = ["Desktop", "missing"]
