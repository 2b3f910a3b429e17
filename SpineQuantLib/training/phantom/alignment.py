"""True angles and slips of a phantom, from the frames and wedges that it was built with.

An endplate is the plane of its rim. Angles are those of the endplates' normals in a plane that both vertebrae share:
seen from the side, perpendicular to the mean of their left axes, and from the front, of their posterior axes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from ...anatomy.structures import Structure
from ...case.measurement import Measurement
from .skeleton import Body

__all__ = ["between_endplates", "true_alignment"]

_SLIP = "posterior corners, supine"
_UPPER_TO_LOWER = {"from_lower": False, "to_lower": True}
_LOWER_TO_LOWER = {"from_lower": True, "to_lower": True}


def _normal(body: Body, lower: bool) -> np.ndarray:
    """Upward normal of an endplate's rim plane, in the body frame; a wedged body is higher in front."""
    angle = body.wedge / 2 * (-1 if lower else 1)
    return np.cos(angle) * body.frame.axes[2] + np.sin(angle) * body.frame.axes[1]


def _angle(upper: np.ndarray, lower: np.ndarray, axis: np.ndarray) -> float:
    """Degrees from one normal to another about an axis, after both are laid into the plane across it."""
    axis = axis / np.linalg.norm(axis)
    a, b = (v - (v @ axis) * axis for v in (upper, lower))
    return float(np.degrees(np.arctan2(np.cross(a, b) @ axis, a @ b)))


def between_endplates(above: Body, below: Body, *, from_lower: bool, to_lower: bool) -> float:
    """Degrees between two endplates seen from the side, positive where they open to the front."""
    left = above.frame.axes[0] + below.frame.axes[0]
    return _angle(_normal(above, from_lower), _normal(below, to_lower), left)


def true_alignment(bodies: Sequence[Body], upright: np.ndarray) -> Iterator[Measurement]:
    """Lordosis, segmental angles, sacral slope, coronal Cobb angle and slips of the bodies that are in view.

    Parameters
    ----------
    bodies : sequence of Body
        Those in view, top down.
    upright : np.ndarray
        (3,) the scanner's long axis, upwards, in the body frame.
    """
    seen = {body.name: body for body in bodies}

    def row(level: str, name: str, method: str, value: float, unit: str = "deg") -> Measurement:
        return Measurement(Structure.SPINE, level, None, name, method, float(value), unit)

    if {"L1", "S1"} <= seen.keys():
        angle = between_endplates(seen["L1"], seen["S1"], from_lower=False, to_lower=False)
        yield row("L1-S1", "lordosis", "Cobb", angle)
    if {"T4", "T12"} <= seen.keys():
        yield row("T4-T12", "thoracic kyphosis", "Cobb", -between_endplates(seen["T4"], seen["T12"], **_UPPER_TO_LOWER))
    if {"C2", "C7"} <= seen.keys():
        yield row("C2-C7", "cervical lordosis", "Cobb", between_endplates(seen["C2"], seen["C7"], **_LOWER_TO_LOWER))
    pairs = [(a, b) for a, b in itertools.pairwise(bodies)]
    for above, below in pairs:
        if above.dens:
            # C2 has no upper endplate.
            continue
        angle = between_endplates(above, below, from_lower=False, to_lower=False)
        yield row(f"{above.name}-{below.name}", "segmental angle", "upper endplates", angle)
    if "S1" in seen:
        left = seen["S1"].frame.axes[0]
        level = left - (left @ upright) * upright
        angle = _angle(upright, _normal(seen["S1"], False), level)
        yield row("S1", "sacral slope", "supine, to the scanner's axial plane", angle)
    yield from _coronal([b for b in bodies if b.name != "S1" and not b.dens], row)
    for above, below in pairs:
        plate = below.rim(lower=False, behind=False) - below.rim(lower=False, behind=True)
        step = above.rim(lower=True, behind=True) - below.rim(lower=False, behind=True)
        # What lies aside counts for nothing: the step is seen in the sagittal plane between the two vertebrae.
        left = above.frame.axes[0] + below.frame.axes[0]
        left = left / np.linalg.norm(left)
        plate, step = (v - (v @ left) * left for v in (plate, step))
        length = float(np.linalg.norm(plate))
        slip = float(step @ plate) / length
        name = f"{above.name}-{below.name}"
        yield row(name, "slip", _SLIP, slip, "mm")
        yield row(name, "slip ratio", _SLIP, 100.0 * slip / length, "%")


def _coronal(bodies: Sequence[Body], row: object) -> Iterator[Measurement]:
    """Greatest angle seen from the front between an upper endplate and a lower one at least two vertebrae below."""
    found = [
        (_angle(_normal(a, False), _normal(b, True), a.frame.axes[1] + b.frame.axes[1]), f"{a.name}-{b.name}")
        for n, a in enumerate(bodies)
        for b in bodies[n + 2 :]
    ]
    if found:
        angle, level = max(found, key=lambda pair: abs(pair[0]))
        yield row(level, "coronal Cobb angle", "greatest between endplates", angle)
