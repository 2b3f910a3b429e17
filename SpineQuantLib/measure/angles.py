"""Angles between endplates, as seen from the side and from the front.

An endplate is its unit normal in LPS, pointing upwards. Angles are read in a plane that two objects share: the
sagittal plane is perpendicular to the mean of their left axes, the coronal plane to the mean of their anterior axes, so
that the way a patient lies in the scanner does not matter.
"""

from __future__ import annotations

import numpy as np

from .frames import SUPERIOR, Frame, unit

__all__ = ["coronal_angle", "sagittal_angle", "slope"]


def _tilt(normal: np.ndarray, towards: np.ndarray, up: np.ndarray) -> float:
    """Degrees by which a normal leans towards a direction, in the plane of that direction and up."""
    return float(np.degrees(np.arctan2(normal @ towards, normal @ up)))


def _difference(upper: np.ndarray, lower: np.ndarray, towards: np.ndarray, up: np.ndarray) -> float:
    between = _tilt(lower, towards, up) - _tilt(upper, towards, up)
    return (between + 180.0) % 360.0 - 180.0


def sagittal_angle(above: Frame, upper: np.ndarray, below: Frame, lower: np.ndarray) -> float:
    """Degrees between two endplates seen from the side; positive where they diverge to the front, as in lordosis.

    Parameters
    ----------
    above, below : Frame
        Frames of the objects that the endplates belong to.
    upper, lower : np.ndarray
        Normals of the upper and of the lower one of the two endplates.
    """
    left = unit(above.left + below.left)
    up = above.up + below.up
    up = unit(up - (up @ left) * left)
    return _difference(upper, lower, np.cross(left, up), up)


def coronal_angle(above: Frame, upper: np.ndarray, below: Frame, lower: np.ndarray) -> float:
    """Degrees between two endplates seen from the front; positive where the spine is convex to the left."""
    anterior = unit(above.anterior + below.anterior)
    up = above.up + below.up
    up = unit(up - (up @ anterior) * anterior)
    return _difference(upper, lower, np.cross(up, anterior), up)


def slope(frame: Frame, endplate: np.ndarray) -> float:
    """Degrees by which an endplate leans forwards against the plane across the scanner's long axis."""
    left = unit(frame.left - (frame.left @ SUPERIOR) * SUPERIOR)
    return _tilt(endplate, np.cross(left, SUPERIOR), SUPERIOR)
