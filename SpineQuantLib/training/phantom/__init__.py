"""A procedural spine MRI, from C2 to S1, with exact truth for every mask and every measurement."""

from __future__ import annotations

from .make import Phantom, make_phantom, save_phantom
from .regions import REGIONS
from .spec import CONTRASTS, PhantomSpec

__all__ = ["CONTRASTS", "REGIONS", "Phantom", "PhantomSpec", "make_phantom", "save_phantom"]
