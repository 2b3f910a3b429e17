"""The dural sac: the one long tube among what was taken for it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..anatomy.structures import Structure
from .curve import Curve, principal_curve, track
from .regions import Region

__all__ = ["find_sac"]

_AREA = 200.0
_NEAR = 14.0
_MIN_LENGTH = 25.0
_MIN_FRAGMENT = 60.0


def find_sac(region: Region) -> tuple[np.ndarray, Curve | None]:
    """Mask of the dural sac in the box, and its centre line; an empty mask and None where there is none.

    Pieces of a sac that is interrupted, as by a tight stenosis, all belong to it; the gap is left open, because a
    bridge drawn across would be measured as if it had been seen. Blobs beside its course are removed.
    """
    mask = region.mask(Structure.CANAL)
    empty = np.zeros(mask.shape, bool)
    chain = track(mask, region.spacing, _AREA)
    if chain is None:
        return empty, None
    index, points = region.points(mask)
    curve = principal_curve(chain, points, radius=_NEAR)
    if curve.length < _MIN_LENGTH:
        return empty, None
    labels, number = ndimage.label(mask, np.ones((3, 3, 3)))
    arc, distance = curve.project(points)
    # A piece must lie on the course itself, not on its straight extension far beyond.
    near = (distance <= _NEAR) & (arc > -20.0) & (arc < curve.length + 20.0)
    which = labels[tuple(index.T)]
    size = np.bincount(which, minlength=number + 1)
    share = np.bincount(which, near, minlength=number + 1) / np.maximum(size, 1)
    keep = (share > 0.5) & (size * np.prod(region.spacing) >= _MIN_FRAGMENT)
    keep[0] = False
    kept = keep[which]
    sac = empty
    # A leak out of the sac is cut off well outside of any dura.
    inside = kept & (distance <= 2 * _NEAR)
    sac[tuple(index[inside].T)] = True
    return sac, principal_curve(chain, points[inside], radius=_NEAR)
