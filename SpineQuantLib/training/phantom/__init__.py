"""A procedural lumbar spine MRI with exact truth for every mask and every measurement."""

from __future__ import annotations

from .make import Phantom, make_phantom, save_phantom
from .spec import CONTRASTS, PhantomSpec

__all__ = ["CONTRASTS", "Phantom", "PhantomSpec", "make_phantom", "save_phantom"]
