"""Local frames of vertebral bodies and discs: where up, left and front are for each of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .field import Field
from .sampling import BORDER
from .section import Plane

__all__ = ["Frame", "between", "estimate", "seen_in", "unit"]

SUPERIOR = np.array([0.0, 0.0, 1.0])
LEFT = np.array([1.0, 0.0, 0.0])
_PRIOR = 0.1
"""Weight of the expected direction against the object's own shape, as a share of its in-plane variance."""
_STEEP = 0.6
"""Slope, in the object's frame, beyond which a surface is a wall and not an endplate (31°)."""
_CENTRAL = 0.7
"""Share of the object's extent, around its centre, whose endplates set the frame; rims are rounded and lipped."""
_TURNED = 0.866
"""Cosine of the angle to the expected direction beyond which the long axis is not the lateral one (30°; whole discs and
bodies have 19° at most): of an object of which the middle slices alone are seen it runs from front to back."""
_LOWEST = 0.3
"""Share of its height in the middle below which an object is not taken to fall at its rims: planes go on, rims end."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Frame of an object in the patient.

    Attributes
    ----------
    centre : np.ndarray
        LPS millimetres: in the middle between the endplates, and of the object's outline seen along ``up``.
    anterior, left, up : np.ndarray
        Orthogonal unit vectors in LPS; ``up`` is perpendicular to the plane that halves the angle between the
        endplates.
    endplates : tuple of np.ndarray or None
        Unit normals in LPS, pointing upwards, of the planes fitted to the upper and the lower endplate (of a disc: its
        upper and lower surface); None where too little of them is seen.
    """

    centre: np.ndarray
    anterior: np.ndarray
    left: np.ndarray
    up: np.ndarray
    endplates: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def mid_sagittal(self) -> Plane:
        """Plane through the centre with the axes anterior and up."""
        return Plane(self.centre, self.anterior, self.up)

    @property
    def across(self) -> Plane:
        """Plane through the centre with the axes left and anterior."""
        return Plane(self.centre, self.left, self.anterior)


def unit(vector: np.ndarray) -> np.ndarray:
    """Vector of length one; zero stays zero."""
    length = math.sqrt(vector @ vector)
    return np.asarray(vector, dtype=float) / length if length > 1e-9 else np.zeros(3)


def _perpendicular(vector: np.ndarray, axis: np.ndarray) -> np.ndarray:
    return unit(vector - (vector @ axis) * axis)


def _covariance(field: Field, weights: np.ndarray) -> np.ndarray:
    """(3, 3) covariance in mm² of weighted voxels, counted as boxes so that a single slice has some depth."""
    share = weights / weights.sum()
    relative = field.points - share @ field.points
    spread = (relative * share[:, None]).T @ relative
    directions = np.array(field.grid.directions)
    return spread + directions.T @ np.diag(field.spacing**2 / 12.0) @ directions


def _footprint(field: Field, frame: Frame, planes: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """(n,) weights of the voxels so that every place of the footprint counts alike, however high the object is there.

    A disc that is higher on one side has its mass on that side, and the long axis of its mass turns with it; those of
    its outline, seen from above, do not.
    """
    relative = field.points - frame.centre
    u, v = relative @ frame.anterior, relative @ frame.left
    a, b, c = planes[0] - planes[1]
    return field.weights / np.maximum(a * u + b * v + c, _LOWEST * max(float(c), 1e-3))


def _first_up(covariance: np.ndarray, hint: np.ndarray, flat: bool) -> np.ndarray:
    """Thin axis of a flat object where that agrees with the hint, else the hint."""
    values, vectors = np.linalg.eigh(covariance)
    thin = vectors[:, 0] * (1.0 if vectors[:, 0] @ hint >= 0 else -1.0)
    return thin if flat and values[0] < 0.5 * values[1] and thin @ hint > 0.7 else hint


def _lateral(covariance: np.ndarray, up: np.ndarray, expected: np.ndarray, trust_shape: bool) -> np.ndarray:
    """Left axis: the long axis of the footprint, drawn towards the expected direction as that gets rounder.

    The expected direction itself where the shape is not to be trusted, or its long axis lies far from it.
    """
    expected = _perpendicular(expected, up)
    if not expected.any():
        expected = _perpendicular(LEFT if abs(up @ LEFT) < 0.9 else SUPERIOR, up)
    if not trust_shape:
        return expected
    front = np.cross(expected, up)
    basis = np.stack([expected, front])
    footprint = basis @ covariance @ basis.T
    footprint[0, 0] += _PRIOR * np.trace(footprint)
    long_axis = np.linalg.eigh(footprint)[1][:, 1] @ basis
    left = unit(long_axis * (1.0 if long_axis @ expected >= 0 else -1.0))
    return left if left @ expected >= _TURNED else expected


def _median(values: np.ndarray) -> float:
    """Median of (n,) finite values; NumPy's own takes most of its time for what cannot be here."""
    low, high = (len(values) - 1) // 2, len(values) // 2
    parted = np.partition(values, (low, high))
    return float(parted[low] + parted[high]) / 2


def _fit_plane(u: np.ndarray, v: np.ndarray, height: np.ndarray) -> np.ndarray:
    """(a, b, c) of height = a u + b v + c by reweighted least squares with Tukey's bisquare."""
    design = np.column_stack([u, v, np.ones_like(u)])
    weights = np.ones_like(u)
    for _ in range(6):
        weighted = design * weights[:, None]
        solution = np.linalg.lstsq(weighted.T @ design, weighted.T @ height, rcond=None)[0]
        residual = height - design @ solution
        scale = max(1.4826 * _median(np.abs(residual)), 1e-3)
        weights = np.clip(1.0 - (residual / (4.685 * scale)) ** 2, 0.0, None) ** 2
    return solution


def _endplates(field: Field, frame: Frame, level_only: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """Planes (a, b, c) of the upper and lower endplate in the frame; None where too little is seen of them.

    With ``level_only`` what falls off steeply to the front or back is no part of the upper endplate: the sacrum's
    posterior wall faces upwards, too.
    """
    axes = np.stack([frame.anterior, frame.left, frame.up])
    relative = (field.points - frame.centre) @ axes.T
    low, high = relative.min(axis=0), relative.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-6)
    pad = float(field.spacing.max())
    step = float(field.spacing.min()) / 2
    us, vs = (np.linspace(middle[n] - _CENTRAL * half[n], middle[n] + _CENTRAL * half[n], 25) for n in (0, 1))
    count = int(np.clip(np.ceil((2 * half[2] + 2 * pad) / step), 8, 400))
    ws = np.linspace(low[2] - pad, high[2] + pad, count)
    u, v = (a.ravel() for a in np.meshgrid(us, vs, indexing="ij"))
    # The corners of the window lie near the rim in front and not behind: hollow endplates would seem tilted.
    round_window = ((u - middle[0]) / half[0]) ** 2 + ((v - middle[1]) / half[1]) ** 2 <= _CENTRAL**2 + 1e-9
    u, v = u[round_window], v[round_window]
    base = frame.centre + u[:, None] * frame.anterior + v[:, None] * frame.left
    values = field.sampler.lattice(base, ws[:, None] * frame.up, rows_only=True)
    inside = values >= BORDER
    seen = inside.any(axis=1) & ~inside[:, 0] & ~inside[:, -1]
    if seen.sum() < 12:
        return None
    values, inside, u, v = values[seen], inside[seen], u[seen], v[seen]
    rows = np.arange(len(u))
    first = inside.argmax(axis=1)
    last = count - 1 - inside[:, ::-1].argmax(axis=1)

    def crossing(within: np.ndarray, beyond: np.ndarray) -> np.ndarray:
        a, b = values[rows, within], values[rows, beyond]
        return ws[within] + (a - BORDER) / np.maximum(a - b, 1e-6) * (ws[beyond] - ws[within])

    bottom, top = crossing(first, first - 1), crossing(last, last + 1)
    full = top - bottom > 0.5 * np.median(top - bottom)
    if full.sum() < 12:
        return None
    lower = _fit_plane(u[full], v[full], bottom[full])
    if level_only:
        cells = np.flatnonzero(round_window)[seen]
        surface = np.full(len(round_window), np.nan)
        surface[cells] = top
        slope = np.gradient(surface.reshape(len(us), len(vs)), us, axis=0).ravel()[cells]
        level = np.abs(slope) < _STEEP
        full = level if level.sum() >= 12 else full
    return _fit_plane(u[full], v[full], top[full]), lower


def _expected_left(centre: np.ndarray, behind: np.ndarray | None, up: np.ndarray, aside: np.ndarray) -> np.ndarray:
    """Left as it is if the front lies opposite of what is behind; ``aside`` where nothing is."""
    front = _perpendicular(centre - behind, up) if behind is not None else np.zeros(3)
    return np.cross(up, front) if front.any() else aside


def _halfway(point: np.ndarray, frame: Frame, planes: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The point moved along the frame's up axis until it lies halfway between the endplates."""
    place = point - frame.centre
    a, b, c = (planes[0] + planes[1]) / 2
    u, v, w = place @ frame.anterior, place @ frame.left, place @ frame.up
    return point + (a * u + b * v + c - w) * frame.up


def estimate(
    field: Field,
    up_hint: np.ndarray,
    *,
    flat: bool,
    behind: np.ndarray | None = None,
    cut_sideways: bool = False,
    sideways: np.ndarray | None = None,
    upper_counts: bool = False,
    lower_counts: bool = False,
) -> Frame:
    """Frame of a disc or vertebral body from its own shape.

    ``up`` is the bisector of planes fitted robustly to the upper and lower endplates; ``left`` is the long axis of
    the footprint, drawn towards the expected direction where the footprint is nearly round.

    Parameters
    ----------
    field : Field
        The object.
    up_hint : np.ndarray
        Unit LPS vector along the spine at the object, upwards.
    flat : bool
        Whether the object is flat, so that its thin axis is a better start than the hint.
    behind : np.ndarray, optional
        LPS millimetres of a point straight behind it (the dural sac's centre line); the patient's own axes are
        taken where there is none.
    cut_sideways : bool
        Whether the field of view cuts its right or left end, so that its footprint tells nothing about direction.
    sideways : np.ndarray, optional
        LPS vector to the left as what lies beside it tells; of an object that is cut sideways its left axis is taken
        from it, and from the patient's own axes where there is none.
    upper_counts : bool
        Whether ``up`` is the normal of the upper endplate alone, as of the sacrum: where S1 ends below is no endplate,
        and a bisector would turn away from the one it has.
    lower_counts : bool
        The same of the lower endplate, as of the axis below its dens.
    """
    covariance = _covariance(field, field.weights)
    up = _first_up(covariance, up_hint, flat)
    centre = field.centroid
    tilts: tuple[np.ndarray, np.ndarray] | None = None
    # The middle of what a narrow field of view leaves of an object says nothing about where its front is.
    before = behind if not cut_sideways else None
    aside = sideways if cut_sideways and sideways is not None else LEFT
    for _ in range(4):
        expected = _expected_left(centre, before, up, aside)
        left = _lateral(covariance, up, expected, not cut_sideways)
        frame = Frame(centre, np.cross(left, up), left, up)
        planes = _endplates(field, frame, upper_counts)
        if planes is None:
            return Frame(centre, frame.anterior, left, up, tilts)
        upper, lower = (unit(-a * frame.anterior - b * left + up) for a, b, _ in planes)
        tilts = upper, lower
        if upper_counts:
            centre = centre + up * (planes[0][2] + planes[1][2]) / 2
        else:
            weights = _footprint(field, frame, planes)
            covariance = _covariance(field, weights)
            centre = _halfway(weights @ field.points / weights.sum(), frame, planes)
        turned = upper if upper_counts else lower if lower_counts else unit(upper + lower)
        if turned @ up_hint < 0.5 or turned @ up > 1 - 1e-6:
            break
        up = turned
    left = _lateral(covariance, up, _expected_left(centre, before, up, aside), not cut_sideways)
    if cut_sideways and behind is not None:
        centre = centre + ((behind - centre) @ left) * left
    return Frame(centre, np.cross(left, up), left, up, tilts)


def seen_in(field: Field, frame: Frame, *, upper_counts: bool = False) -> Frame:
    """Another mask of an object in the frame that the object has: only the endplates are the mask's own.

    ``upper_counts`` as of :func:`estimate`.
    """
    planes = _endplates(field, frame, upper_counts)
    if planes is None:
        return replace(frame, endplates=None)
    upper, lower = (unit(-a * frame.anterior - b * frame.left + frame.up) for a, b, _ in planes)
    return replace(frame, endplates=(upper, lower))


def between(above: Frame, below: Frame) -> Frame:
    """Frame midway between two."""
    up = unit(above.up + below.up)
    left = _perpendicular(above.left + below.left, up)
    return Frame((above.centre + below.centre) / 2, np.cross(left, up), left, up)
