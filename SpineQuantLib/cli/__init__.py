"""``spinequant``: the shell's door to the library, a module a command."""

from .app import app
from .main import main

__all__ = ["app", "main"]
