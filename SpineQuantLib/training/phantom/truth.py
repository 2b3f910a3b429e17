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
from .alignment import between_endplates, true_alignment
from .canal import Sac
from .cord import Cord
from .foramen import Foramen
from .frames import Frame, Points
from .skeleton import INSET, Body, Disc

__all__ = ["true_measurements"]

MID_SAGITTAL = "mid-sagittal"
PERPENDICULAR = "perpendicular to centre line"
MID_PLANE = "mid-plane"
CORNER_LINE = "corner line"
GREATEST_BULGE = "greatest beyond corner line"
NARROWEST = "narrowest sagittal section"
SOFT_VOXELS = "soft voxels"
_STEP = 0.1
_STEP_VOLUME = 0.4

UPRIGHT = np.array([0.0, 0.0, 1.0])
"""The scanner's long axis of a patient who lies straight, in the body frame."""

InView = Callable[[np.ndarray], bool]


def true_measurements(
    bodies: tuple[Body, ...],
    discs: tuple[Disc, ...],
    foramina: tuple[Foramen, ...],
    sac: Sac,
    in_view: InView,
    upright: np.ndarray = UPRIGHT,
    cord: Cord | None = None,
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
    upright : np.ndarray
        (3,) the scanner's long axis, upwards, in the body frame.
    cord : Cord, optional
        For the space that the sac leaves for it. C2 has a dens and no upper endplate: of its body only what needs
        none has a true value.
    """
    rows: list[Measurement] = []
    for disc in discs:
        rows += _disc(disc, in_view)
    for place in sorted((*bodies, *discs), key=lambda s: -s.frame.origin[2]):
        rows += _canal(sac, place.frame, place.level if isinstance(place, Disc) else place.name, in_view, cord)
    rows += _compression(discs, rows)
    for foramen in foramina:
        rows += _foramen(foramen, sac, in_view)
    rows += _asymmetry(rows)
    whole = [body for body in bodies if in_view(_rims(body))]
    for body in whole:
        rows += _vertebra(body, whole, in_view)
    return (*rows, *true_alignment(whole, upright))


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
        inside = _share(depth, _STEP).reshape(len(posterior), len(up))
        yield _row(Structure.DISC, disc.level, None, "area", MID_SAGITTAL, inside.sum() * _STEP**2, "mm2")
        yield _row(Structure.DISC, disc.level, None, "depth", MID_SAGITTAL, _extent(inside) * _STEP, "mm")
        yield from _between_bodies(disc, (front + middle + back) / 3, in_view)
    if in_view(disc.corners):
        wide = disc.rl / 2 + 1.0
        axes = [np.arange(-n, n, _STEP_VOLUME) for n in (wide, half, tall)]
        lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        inside = _share(disc.depth(Points(disc.frame.to_body(lattice))), _STEP_VOLUME)
        yield _row(Structure.DISC, disc.level, None, "volume", SOFT_VOXELS, inside.sum() * _STEP_VOLUME**3, "mm3")
        yield _row(Structure.DISC, disc.level, None, "width", MID_PLANE, disc.rl, "mm")


def _extent(inside: np.ndarray) -> float:
    """Steps from front to back of a section (posterior, up), at each end over the middle 40 % of its height there."""
    along = np.flatnonzero(inside.max(axis=1) >= 0.5)
    first, last = int(along[0]), int(along[-1])
    middle, total = (first + last) // 2, 0.0
    for share, half in ((INSET, inside[:middle]), (1.0 - INSET, inside[middle:])):
        high = np.flatnonzero(inside[round(first + share * (last - first))] >= 0.5)
        low, top = high[0] + 0.3 * (high[-1] - high[0]), high[0] + 0.7 * (high[-1] - high[0])
        total += float(half[:, int(np.ceil(low)) : int(top) + 1].sum(axis=0).mean())
    return total


def _between_bodies(disc: Disc, fyllos: float, in_view: InView) -> Iterator[Measurement]:
    """What a disc has in common with the bodies above and below it."""

    def row(name: str, method: str, value: float, unit: str, side: Side | None = None) -> Measurement:
        return _row(Structure.DISC, disc.level, side, name, method, value, unit)

    upper, lower = disc.upper, disc.lower
    # The height against the body above needs that body whole, the rest only the ends that face the disc.
    if in_view(_rims(upper)) and not upper.dens:
        yield row("height index", "Fyllos over depth above", fyllos / upper.ap, "1")
        if in_view(_rims(lower)):
            yield row("height", "Frobin", _frobin(disc), "mm")
    yield row(
        "wedge angle", "facing endplates", between_endplates(upper, lower, from_lower=True, to_lower=False), "deg"
    )
    yield row("anterior bulge", CORNER_LINE, _bulge(disc, 0.0, behind=False), "mm")
    for share, side in ((0.0, None), (-0.25, Side.RIGHT), (0.25, Side.LEFT)):
        yield row("posterior bulge", CORNER_LINE, _bulge(disc, share * disc.rl, behind=True), "mm", side)
    across = disc.rl * np.linspace(-0.375, 0.375, 31)
    bulges = np.array([_bulge(disc, left, behind=True) for left in across])
    greatest = bulges[np.abs(across) <= 0.2501 * disc.rl].max()
    yield row("posterior bulge", GREATEST_BULGE, greatest, "mm")
    if greatest >= 1.0 and bulges.max() == greatest >= max(bulges[0], bulges[-1]) + 0.5:
        top = np.maximum(bulges - bulges.max() + 0.5, 0.0)
        yield row("place of posterior bulge", f"{GREATEST_BULGE}, left positive", top @ across / top.sum(), "mm")


def _frobin(disc: Disc) -> float:
    """Distance of the facing anterior corners across the line that halves the angle between the midplanes."""

    def seen(point: np.ndarray) -> np.ndarray:
        return disc.frame.to_local(point)[1:]

    along = []
    for body in (disc.upper, disc.lower):
        ends = {(low, behind): seen(body.rim(low, behind)) for low in (True, False) for behind in (True, False)}
        if body.name == "S1":
            midplane = ends[False, False] - ends[False, True]
        else:
            midplane = ends[True, False] + ends[False, False] - ends[True, True] - ends[False, True]
        along.append(midplane / np.linalg.norm(midplane))
    halving = sum(along)
    step = seen(disc.upper.rim(True, False)) - seen(disc.lower.rim(False, False))
    return float(abs(halving[0] * step[1] - halving[1] * step[0]) / np.linalg.norm(halving))


def _bulge(disc: Disc, left: float, *, behind: bool) -> float:
    """How far the disc's margin lies beyond the line through the facing corners, in a sagittal plane of the disc."""
    sign = 1.0 if behind else -1.0
    corners = np.array(
        [_corner(body, low, left, sign, disc) for body, low in ((disc.upper, True), (disc.lower, False))]
    )
    swell = float(disc.bulge_at(np.array([left]))[0]) * (1.0 if behind else 0.35)
    margin = sign * (disc.ap / 2 + swell) * _rounded(left, disc.rl, behind)
    top, bottom = corners[0], corners[1]
    along = (top - bottom) / np.linalg.norm(top - bottom)
    out = sign * np.array([along[1], -along[0]])
    # The margin runs straight up; the line is nearest to it, or farthest from it, at one of its two ends.
    share = np.linspace(0.0, 1.0, 101) if swell > 0 else np.linspace(0.25, 0.75, 51)
    points = np.stack([np.full(len(share), margin), bottom[1] + share * (top[1] - bottom[1])], axis=1)
    return float(((points - bottom) @ out).max())


def _rounded(left: float, width: float, behind: bool) -> float:
    """Share of the depth that an outline has beside its middle: a quartic behind, an ellipse in front."""
    x = (2.0 * left / width) ** 2
    return float((1.0 - x * x) ** 0.25 if behind else (1.0 - x) ** 0.5)


def _corner(body: Body, lower: bool, left: float, sign: float, disc: Disc) -> np.ndarray:
    """Posterior and up, in the disc's frame, of the edge of an endplate beside the middle."""
    scale = 1.0 - body.taper if lower else 1.0
    # The disc's sagittal plane may lie obliquely in the body: its place there is found by moving along the edge.
    aside = left
    for _ in range(4):
        posterior = sign * scale * body.ap / 2 * _rounded(aside, body.rl * scale, sign > 0)
        up = (body.bottom if lower else body.top)(np.array([aside]), np.array([posterior]))[0]
        local = disc.frame.to_local(body.frame.to_body(np.array([aside, posterior, up])))
        aside += left - float(local[0])
    return local[1:]


def _canal(sac: Sac, frame: Frame, level: str, in_view: InView, cord: Cord | None) -> Iterator[Measurement]:
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
    if cord is not None:
        thick = 2.0 * float(sac.at(cord.half_ap, at))
        if thick > 2.0:
            yield _row(Structure.CANAL, level, None, "space for the cord", "AP less cord AP", chord - thick, "mm")


def _compression(discs: tuple[Disc, ...], rows: list[Measurement]) -> Iterator[Measurement]:
    """How much smaller the sac is at a disc than beside the bodies above and below, in per cent."""
    value = {(r.level, r.name): float(r.value or 0.0) for r in rows if r.structure is Structure.CANAL}
    for disc in discs:
        for name, method in (("area", "area against mid-bodies"), ("AP diameter", "AP diameter against mid-bodies")):
            places = [(place, name) for place in (disc.level, disc.upper.name, disc.lower.name)]
            if all(place in value for place in places):
                here, above, below = (value[place] for place in places)
                ratio = 100.0 * (1.0 - 2.0 * here / (above + below))
                yield _row(Structure.CANAL, disc.level, None, "compression ratio", method, ratio, "%")


def _asymmetry(rows: list[Measurement]) -> Iterator[Measurement]:
    """Difference of the left and the right foramen over their mean, in per cent."""
    value = {(r.level, r.name, r.side): float(r.value or 0.0) for r in rows if r.structure is Structure.FORAMEN}
    for (level, name, side), right in value.items():
        left = value.get((level, name, Side.LEFT))
        if side is Side.RIGHT and name in ("area", "height") and left is not None:
            share = 200.0 * (left - right) / (left + right)
            yield _row(Structure.FORAMEN, level, None, f"{name} asymmetry", "left less right over mean", share, "%")


def _foramen(foramen: Foramen, sac: Sac, in_view: InView) -> Iterator[Measurement]:
    if not in_view(foramen.corners()):
        return
    posterior = np.arange(foramen.front.min() - 0.5, foramen.back.max() + 0.5, _STEP)
    up = np.arange(foramen.up[0] - 0.5, foramen.up[-1] + 0.5, _STEP)
    sign = 1.0 if foramen.side is Side.LEFT else -1.0
    found = []
    for share in np.linspace(0.25, 0.75, 5):
        left = sign * (foramen.medial + share * (foramen.lateral - foramen.medial))
        points = _plane(foramen.disc.frame, left, posterior + foramen.shift_at(abs(left)), up)
        depth = foramen.depth(points)
        for solid in (foramen.disc, foramen.disc.upper, foramen.disc.lower, sac):
            depth = np.minimum(depth, -solid.depth(points))
        found.append(_share(depth, _STEP).reshape(len(posterior), len(up)))
    inside = min((_largest_piece(f) for f in found), key=np.sum)
    columns, rows = inside.sum(axis=1) * _STEP, inside.sum(axis=0) * _STEP
    high = np.flatnonzero(inside.max(axis=0) >= 0.5)
    third = (high[-1] - high[0] + 1) / 3.0
    for name, value, unit in (
        ("area", columns.sum() * _STEP, "mm2"),
        ("height", inside.max(axis=0).sum() * _STEP, "mm"),
        ("width", rows.max(), "mm"),
        ("upper width", rows[int(np.ceil(high[0] + 2 * third)) :].max(), "mm"),
        ("lower width", rows[: int(high[0] + third) + 1].max(), "mm"),
    ):
        yield _row(Structure.FORAMEN, foramen.disc.level, foramen.side, name, NARROWEST, value, unit)


def _largest_piece(inside: np.ndarray) -> np.ndarray:
    """A section without the smaller parts into which a bulging disc may divide it."""
    pieces, count = ndimage.label(inside > 0)
    if count < 2:
        return inside
    sizes = ndimage.sum_labels(inside, pieces, np.arange(1, count + 1))
    return np.where(pieces == 1 + int(np.argmax(sizes)), inside, 0.0)


def _rims(body: Body) -> np.ndarray:
    """(4, 3) corners of a body in its median plane, in the body frame."""
    return np.array([body.rim(lower, behind) for lower in (True, False) for behind in (True, False)])


def _vertebra(body: Body, whole: list[Body], in_view: InView) -> Iterator[Measurement]:
    if not body.dens:
        yield from _heights(body, whole)
    if not in_view(body.corners):
        return
    if not body.dens:
        yield _row(Structure.VERTEBRA, body.name, None, "width", MID_PLANE, _waist(body), "mm")
    axes = [np.arange(-n / 2 - 2.0, n / 2 + 2.0, _STEP_VOLUME) for n in (body.rl, body.ap, body.height + 4.0)]
    if body.dens:
        axes[2] = np.arange(-body.height / 2 - 4.0, body.height / 2 + body.dens + 2.0, _STEP_VOLUME)
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = _share(body.depth(Points(body.frame.to_body(lattice))), _STEP_VOLUME)
    volume = inside.sum() * _STEP_VOLUME**3
    yield _row(Structure.VERTEBRA, body.name, None, "volume", SOFT_VOXELS, volume, "mm3")


def _heights(body: Body, whole: list[Body]) -> Iterator[Measurement]:
    """Heights, depth, wedge and deformity of a body with two endplates."""
    front, middle, back = (body.height_at(s) for s in (INSET, 0.5, 1.0 - INSET))
    for name, value in (
        ("anterior height", front),
        ("middle height", middle),
        ("posterior height", back),
        ("depth", body.ap),
    ):
        yield _row(Structure.VERTEBRA, body.name, None, name, MID_SAGITTAL, value, "mm")
    yield _row(Structure.VERTEBRA, body.name, None, "wedge angle", "endplates", np.degrees(body.wedge), "deg")
    for method, lost in (("Genant wedge", front), ("Genant biconcave", middle)):
        yield _row(Structure.VERTEBRA, body.name, None, "deformity", method, 100.0 * (1.0 - lost / back), "%")
    n = whole.index(body)
    if 0 < n < len(whole) - 1 and whole[n + 1].name != "S1" and not whole[n - 1].dens:
        beside = (whole[n - 1].height_at(1.0 - INSET) + whole[n + 1].height_at(1.0 - INSET)) / 2
        yield _row(Structure.VERTEBRA, body.name, None, "deformity", "Genant crush", 100.0 * (1.0 - back / beside), "%")


def _waist(body: Body) -> float:
    """Width halfway between the endplates, where the wall is drawn in most."""
    return body.rl * float(body.scale_at(np.zeros(1))[0]) * (1.0 - body.waist)
