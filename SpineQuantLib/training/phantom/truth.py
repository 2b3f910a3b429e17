"""What every measurement of a phantom should give, from its shapes and not from voxels.

Definitions are those of the measuring room. Where a shape is not disturbed by another, its value is analytic; areas
and volumes that others may reach into are sums over a lattice much finer than any voxel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import ndimage

from ...anatomy.structures import Side, Structure
from ...case.measurement import Measurement
from .canal import Sac
from .foramen import Foramen
from .frames import Frame, Points
from .skeleton import INSET, Body, Disc

__all__ = ["true_measurements"]

MID_SAGITTAL = "mid-sagittal"
PERPENDICULAR = "perpendicular to centre line"
NARROWEST = "narrowest sagittal section"
SOFT_VOXELS = "soft voxels"
_STEP = 0.1
_STEP_VOLUME = 0.4

InView = Callable[[np.ndarray], bool]


def true_measurements(
    bodies: tuple[Body, ...], discs: tuple[Disc, ...], foramina: tuple[Foramen, ...], sac: Sac, in_view: InView
) -> tuple[Measurement, ...]:
    """True values of everything that lies in the field of view.

    Heights of discs and bodies are read at 10, 50 and 90 % of the depth, see :meth:`Disc.height_at` and
    :meth:`Body.height_at`. The sac is cut perpendicular to its centre line where that crosses the middle plane of a
    disc or body; the AP diameter runs through the centroid of the section. The foramen's section is the one with the
    smallest area in the central half between the medial and the lateral border of the pedicles.

    Parameters
    ----------
    bodies, discs, foramina, sac
        Shapes, in the body frame.
    in_view : callable
        Whether all of some body-frame points (n, 3) lie in the field of view.
    """
    rows: list[Measurement] = []
    for disc in discs:
        rows += _disc(disc, in_view)
    for place in sorted((*bodies, *discs), key=lambda s: -s.frame.origin[2]):
        rows += _canal(sac, place.frame, place.level if isinstance(place, Disc) else place.name, in_view)
    for foramen in foramina:
        rows += _foramen(foramen, sac, in_view)
    for body in bodies:
        rows += _vertebra(body, in_view)
    return tuple(rows)


def _row(
    structure: Structure, level: str, side: Side | None, name: str, method: str, value: float, unit: str
) -> Measurement:
    return Measurement(structure, level, side, name, method, float(value), unit)


def _share(depth: np.ndarray, step: float) -> np.ndarray:
    """Share of the cell around each point of a lattice that lies inside."""
    return np.clip(0.5 + depth / step, 0.0, 1.0)


def _plane(frame: Frame, left: float, posterior: np.ndarray, up: np.ndarray) -> Points:
    """Points (posterior-major) of a sagittal plane of a frame."""
    y, z = np.meshgrid(posterior, up, indexing="ij")
    return Points(frame.to_body(np.stack([np.full(y.size, left), y.ravel(), z.ravel()], axis=1)))


def _disc(disc: Disc, in_view: InView) -> Iterator[Measurement]:
    half = disc.ap / 2 + disc.bulge + 1.0
    tall = disc.height / 2 + 7.0
    posterior, up = np.arange(-half, half, _STEP), np.arange(-tall, tall, _STEP)
    points = _plane(disc.frame, 0.0, posterior, up)
    depth = disc.depth(points)
    if in_view(points.body[depth > 0]):
        front, middle, back = (disc.height_at(s) for s in (INSET, 0.5, 1.0 - INSET))
        for name, method, value in (
            ("height", "Hurxthal", middle),
            ("height", "Dabbs", (front + back) / 2),
            ("height", "Fyllos", (front + middle + back) / 3),
            ("anterior height", MID_SAGITTAL, front),
            ("middle height", MID_SAGITTAL, middle),
            ("posterior height", MID_SAGITTAL, back),
        ):
            yield _row(Structure.DISC, disc.level, None, name, method, value, "mm")
        area = _share(depth, _STEP).sum() * _STEP**2
        yield _row(Structure.DISC, disc.level, None, "area", MID_SAGITTAL, area, "mm2")
    if in_view(disc.corners):
        wide = disc.rl / 2 + 1.0
        axes = [np.arange(-n, n, _STEP_VOLUME) for n in (wide, half, tall)]
        lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        inside = _share(disc.depth(Points(disc.frame.to_body(lattice))), _STEP_VOLUME)
        yield _row(Structure.DISC, disc.level, None, "volume", SOFT_VOXELS, inside.sum() * _STEP_VOLUME**3, "mm3")


def _canal(sac: Sac, frame: Frame, level: str, in_view: InView) -> Iterator[Measurement]:
    at = sac.crossing(frame.origin, frame.axes[2])
    if at is None:
        return
    place, behind, along = (sac.at(v, at) for v in (sac.line, sac.posteriors, sac.tangents))
    left = np.cross(behind, along)
    wide, deep = (sac.at(v, at) * 1.4 + 1.0 for v in (sac.half_rl, sac.half_ap))
    x, y = np.arange(-wide, wide, _STEP), np.arange(-deep, deep, _STEP)
    grid = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    body = place + grid[..., :1] * left + grid[..., 1:] * behind
    inside = _share(sac.depth(Points(body.reshape(-1, 3))).reshape(grid.shape[:2]), _STEP)
    if inside.sum() == 0 or not in_view(body[inside > 0]):
        return
    centroid = float((inside.sum(axis=1) * x).sum() / inside.sum())
    line = np.arange(-deep, deep, _STEP / 5)
    chord = _share(sac.depth(Points(place + centroid * left + line[:, None] * behind)), _STEP / 5).sum() * _STEP / 5
    for name, value, unit in (
        ("area", inside.sum() * _STEP**2, "mm2"),
        ("AP diameter", chord, "mm"),
        ("transverse diameter", inside.sum(axis=0).max() * _STEP, "mm"),
    ):
        yield _row(Structure.CANAL, level, None, name, PERPENDICULAR, value, unit)


def _foramen(foramen: Foramen, sac: Sac, in_view: InView) -> Iterator[Measurement]:
    if not in_view(foramen.corners()):
        return
    posterior = np.arange(foramen.front.min() - 0.5, foramen.back.max() + 0.5, _STEP)
    up = np.arange(foramen.up[0] - 0.5, foramen.up[-1] + 0.5, _STEP)
    sign = 1.0 if foramen.side is Side.LEFT else -1.0
    found = []
    for share in np.linspace(0.25, 0.75, 5):
        left = sign * (foramen.medial + share * (foramen.lateral - foramen.medial))
        points = _plane(foramen.disc.frame, left, posterior, up)
        depth = foramen.depth(points)
        for solid in (foramen.disc, foramen.disc.upper, foramen.disc.lower, sac):
            depth = np.minimum(depth, -solid.depth(points))
        found.append(_share(depth, _STEP).reshape(len(posterior), len(up)))
    inside = min((_largest_piece(f) for f in found), key=np.sum)
    columns, rows = inside.sum(axis=1) * _STEP, inside.sum(axis=0) * _STEP
    for name, value, unit in (
        ("area", columns.sum() * _STEP, "mm2"),
        ("height", inside.max(axis=0).sum() * _STEP, "mm"),
        ("width", rows.max(), "mm"),
    ):
        yield _row(Structure.FORAMEN, foramen.disc.level, foramen.side, name, NARROWEST, value, unit)


def _largest_piece(inside: np.ndarray) -> np.ndarray:
    """A section without the smaller parts into which a bulging disc may divide it."""
    pieces, count = ndimage.label(inside > 0)
    if count < 2:
        return inside
    sizes = ndimage.sum_labels(inside, pieces, np.arange(1, count + 1))
    return np.where(pieces == 1 + int(np.argmax(sizes)), inside, 0.0)


def _vertebra(body: Body, in_view: InView) -> Iterator[Measurement]:
    rims = np.array([body.rim(lower, behind) for lower in (True, False) for behind in (True, False)])
    if not in_view(rims):
        return
    for name, value in (
        ("anterior height", body.height_at(INSET)),
        ("middle height", body.height_at(0.5)),
        ("posterior height", body.height_at(1.0 - INSET)),
        ("depth", body.ap),
    ):
        yield _row(Structure.VERTEBRA, body.name, None, name, MID_SAGITTAL, value, "mm")
