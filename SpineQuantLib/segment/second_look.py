"""A second look at levels that lie unlike those the networks learnt from: turned level, and with a slip undone.

Where the sacrum is steep, or a vertebra has slipped on the next, a foramen lies flat instead of upright, and the
networks may see nothing of it. The neighbourhood of such a level is shown to them once more in the disc's own frame.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import map_coordinates

from ..anatomy.labels import disc_value, foramen_value
from ..anatomy.levels import vertebra_value
from ..anatomy.structures import NetworkClass, Side
from ..case.errors import UnsuitableError
from ..case.grid import Grid
from ..case.opinion import CommitteeOpinion
from ..case.spine import NamedSpine
from ..models.committee import Committee
from .inference import Witness, ask_committee
from .spine import name_spine
from .upright import lean_of, look_upright

__all__ = ["Level", "levels_to_see_again", "look", "look_again"]

log = logging.getLogger(__name__)

_STEEP = np.deg2rad(45.0)
"""Slope from which a level is looked at again although its foramina were found; training volumes have up to 44°."""
_MOST = 3
"""Levels looked at again at most, the lowest first: a volume in which more is missing is no matter of slopes."""
_CRUMB = 10
"""Voxels below which an object shows no slope, and does not count as found."""
_UNDONE = (8.0, 16.0)
"""Slips in mm that are undone, what lies above moved backwards along the disc against what lies below."""
_BAND = 6.0
"""Millimetres across the disc within which the step spreads."""
_ABOVE, _BELOW = 30.0, 12.0
"""Millimetres above and below the disc's plane within which its foramina are sought."""
_NEXT = 3.0
"""Millimetres below the plane of the disc above from which they are sought."""
_BEFORE, _BEHIND = 15.0, 35.0
"""Millimetres before and behind the disc's hindmost end within which its foramina are sought."""


@dataclass(frozen=True)
class Level:
    """Where a disc lies in the sagittal plane.

    Attributes
    ----------
    name : str
        For example ``L5-S1``.
    centre : tuple of float
        Millimetres (j, i) of the disc's middle from the middle of voxel 0.
    tilt : float
        Slope in radians; positive where the disc descends forwards, as at L5-S1.
    rear : float
        Millimetres from the middle to the disc's hindmost end, along the disc.
    above : Level or None
        The disc above, where one was found.
    slices : tuple of int
        First slice, and the one after the last, in which something is sought; (0, None) for all.
    """

    name: str
    centre: tuple[float, float]
    tilt: float
    rear: float
    above: Level | None = None
    slices: tuple[int, int | None] = (0, None)

    @property
    def across(self) -> np.ndarray:
        """(2,) unit vector (j, i) across the disc, towards the feet."""
        return np.array([np.cos(self.tilt), np.sin(self.tilt)])

    @property
    def along(self) -> np.ndarray:
        """(2,) unit vector (j, i) along the disc, backwards."""
        return np.array([-np.sin(self.tilt), np.cos(self.tilt)])


def levels_to_see_again(spine: NamedSpine) -> tuple[Level, ...]:
    """Levels that are steep, or that lack a foramen although the disc and the bodies beside it were found.

    Higher than the lumbar spine foramina are small and often out of view: nothing is sought there. Where levels have
    no names, those between the highest and the lowest that show a foramen are taken. Where one of the two foramina was
    found at a level that is not steep, it stays as it is: the other one is sought beside it.

    Returns
    -------
    tuple of Level
        The lowest first; at most three.
    """
    values, counts = np.unique(spine.labels, return_counts=True)
    present = set(values[counts >= _CRUMB].tolist())
    pairs = list(zip(spine.vertebrae, spine.vertebrae[1:], spine.levels, strict=False))
    lacking = [[side for side in Side if foramen_value(upper, side) not in present] for upper, _, _ in pairs]
    shown = [n for n, sides in enumerate(lacking) if len(sides) < len(Side)]
    found = []
    for n, (upper, lower, name) in reversed(list(enumerate(pairs))):
        expected = upper.startswith("L") if spine.naming.named else bool(shown) and shown[0] <= n <= shown[-1]
        if not expected or not {vertebra_value(upper), vertebra_value(lower), disc_value(upper)} <= present:
            continue
        level = _place(spine, disc_value(upper), name)
        if n > 0 and disc_value(pairs[n - 1][0]) in present:
            level = replace(level, above=_place(spine, disc_value(pairs[n - 1][0]), pairs[n - 1][2]))
        steep = level.tilt > _STEEP
        if len(lacking[n]) == 1 and not steep:
            level = replace(level, slices=_opposite(spine, upper, lacking[n][0]))
        if lacking[n] or steep:
            found.append(level)
    return tuple(found[:_MOST])


def _opposite(spine: NamedSpine, upper: str, lost: Side) -> tuple[int, int | None]:
    """Slices beside a level's one foramen, on the side of the lost one."""
    (found,) = (side for side in Side if side is not lost)
    own = np.flatnonzero((spine.labels == foramen_value(upper, found)).any(axis=(1, 2)))
    disc = np.flatnonzero((spine.labels == disc_value(upper)).any(axis=(1, 2)))
    return (int(own[-1]) + 1, None) if own.mean() < disc.mean() else (0, int(own[0]))


def _place(spine: NamedSpine, value: int, name: str) -> Level:
    """A disc's place and slope: the direction in which its sagittal outline is thinnest is across it."""
    points = np.argwhere(spine.labels == value)[:, 1:] * np.array(spine.grid.spacing[1:])
    centre = points.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov((points - centre).T) + np.diag(np.square(spine.grid.spacing[1:])) / 12)
    across = vectors[:, 0] * (1.0 if vectors[0, 0] >= 0 else -1.0)
    level = Level(name, (float(centre[0]), float(centre[1])), float(np.arctan2(across[1], across[0])), 0.0)
    return replace(level, rear=float(np.percentile((points - centre) @ level.along, 98)))


def look(committee: Committee, image: sitk.Image, witness: Witness | None = None) -> CommitteeOpinion:
    """The committee's opinion of a volume, upright where the spine leans, with a second look at levels that need one.

    Parameters and errors as of :func:`~SpineQuantLib.segment.inference.ask_committee`; ``witness`` is shown the first
    look alone.
    """
    opinion = ask_committee(committee, image, witness=witness)
    try:
        spine = name_spine(opinion)
    except UnsuitableError:
        # Whoever names the spine is told so; without one there is no level to look at.
        return opinion
    lean = lean_of(spine)
    if lean is not None and lean.matters:
        opinion, spine = look_upright(committee, image, opinion, spine, lean)
    return look_again(committee, image, opinion, levels_to_see_again(spine))


def look_again(
    committee: Committee,
    image: sitk.Image,
    opinion: CommitteeOpinion,
    levels: tuple[Level, ...],
    tell: Callable[[str], None] = log.warning,
) -> CommitteeOpinion:
    """Ask the committee about the foramina of some levels once more, each in its disc's own frame.

    A piece of the volume as large as the networks' patch is sampled so that the disc lies level, as at L3-L4, and what
    lies above it is moved backwards by 8 and by 16 mm: a step tanh(d / 6 mm) at distance d from the disc's plane. The
    mean of the answers replaces the foramina's probabilities behind the disc; other classes keep their proportions.

    Parameters
    ----------
    committee : Committee
        The networks.
    image : sitk.Image
        3D scalar in reading order, on the grid of ``opinion``.
    opinion : CommitteeOpinion
        The first look; it is not changed.
    levels : tuple of Level
        What to look at again.
    tell : callable
        As in :func:`~SpineQuantLib.segment.inference.ask_committee`.

    Returns
    -------
    CommitteeOpinion
        With the names of the levels in ``seen_again``; ``opinion`` itself where there are none.
    """
    if not levels:
        return opinion
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    probabilities, members = opinion.probabilities.copy(), opinion.members.copy()
    entropy = None if opinion.member_entropy is None else opinion.member_entropy.copy()
    for level in levels:
        zone = _zone(level, opinion.grid)
        if zone is None:
            continue
        answer = _ask_in_frames(committee, array, opinion.grid, level, zone, tell)
        sought = slice(*level.slices)
        rows, columns, mask = zone
        _replace(probabilities[:, sought], members[:, sought], zone, answer.within(sought))
        if entropy is not None:
            new = answer.entropy[sought]
            entropy[sought, rows, columns] = np.where(mask, new, entropy[sought, rows, columns])
    names = (*opinion.seen_again, *(level.name for level in levels))
    return replace(opinion, probabilities=probabilities, members=members, member_entropy=entropy, seen_again=names)


def _zone(level: Level, grid: Grid) -> tuple[slice, slice, np.ndarray] | None:
    """Box (rows, columns) and bool mask (nj, ni) of it in which a level's foramina are sought.

    None where the view ends before it.
    """
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape[1:]), indexing="ij"), axis=-1)
    points = index * np.array(grid.spacing[1:])
    offset = points - np.array(level.centre)
    across, behind = offset @ level.across, offset @ level.along - level.rear
    mask = (across > -_ABOVE) & (across < _BELOW) & (behind > -_BEFORE) & (behind < _BEHIND)
    if level.above is not None:
        # Above the next disc's plane lies the foramen of the next level.
        mask &= (points - np.array(level.above.centre)) @ level.above.across > _NEXT
    if not mask.any():
        return None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return *box, mask[box]


@dataclass(frozen=True)
class _Frame:
    """A sagittal piece in which a disc lies level and a slip is undone.

    ``size`` counts its rows and columns, ``spacing`` their millimetres, ``slip`` what is undone in mm. The step runs
    along the disc, so a point keeps its distance from the disc's plane and the way back is known in closed form.
    """

    level: Level
    size: tuple[int, int]
    spacing: tuple[float, float]
    slip: float

    def _turn(self) -> np.ndarray:
        angle = self.level.tilt
        return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def _middle(self) -> np.ndarray:
        return (np.array(self.size) - 1) / 2

    def _step(self, offset: np.ndarray) -> np.ndarray:
        """Way (…, 2) from a point of the piece to the same point of the patient, at offsets (…, 2) from the disc."""
        rise = -np.tanh(offset @ self.level.across / _BAND)
        return -0.5 * self.slip * rise[..., None] * self.level.along

    def to_volume(self) -> np.ndarray:
        """Millimetres (rows, columns, 2) in the volume of the piece's pixels."""
        index = np.stack(np.meshgrid(*(np.arange(n) for n in self.size), indexing="ij"), axis=-1)
        offset = (index - self._middle()) * np.array(self.spacing) @ self._turn().T
        return offset + self._step(offset) + np.array(self.level.centre)

    def to_piece(self, points: np.ndarray) -> np.ndarray:
        """Indices (…, 2) in the piece of points (…, 2) of the volume in mm; the inverse of ``to_volume``."""
        offset = points - np.array(self.level.centre)
        return (offset - self._step(offset)) @ self._turn() / np.array(self.spacing) + self._middle()


@dataclass(frozen=True)
class _Answer:
    """What was seen at the second look, (nk, rows, columns) of a zone's box.

    ``share`` is the probability of foramen, ``votes`` (members first) tells where it is a member's most probable
    class, and ``entropy`` is the mean of the members' own, in bits.
    """

    share: np.ndarray
    votes: np.ndarray
    entropy: np.ndarray

    def within(self, slices: slice) -> _Answer:
        """The part of the answer in some slices."""
        return _Answer(self.share[slices], self.votes[:, slices], self.entropy[slices])


def _ask_in_frames(
    committee: Committee,
    array: np.ndarray,
    grid: Grid,
    level: Level,
    zone: tuple[slice, slice, np.ndarray],
    tell: Callable[[str], None],
) -> _Answer:
    """The mean of what the committee says with each slip undone, on the volume's own grid."""
    network = committee.network
    rows, columns, mask = zone
    steps = np.array(grid.spacing[1:])
    index = np.stack(np.mgrid[rows, columns], axis=-1)
    shape = (array.shape[0], *mask.shape)
    share, entropy = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    lead = np.zeros((len(committee.members), *shape), np.float32)
    for slip in _UNDONE:
        frame = _Frame(level, network.patch[1:], network.spacing[1:], slip)
        source = np.moveaxis(frame.to_volume() / steps, -1, 0)
        piece = np.stack([map_coordinates(plane, source, order=1, mode="nearest") for plane in array])
        back = np.moveaxis(frame.to_piece(index * steps), -1, 0)

        def carry(volume: np.ndarray, beyond: float = 0.0, back: np.ndarray = back) -> np.ndarray:
            planes = volume.astype(np.float32, copy=False)
            return np.stack([map_coordinates(p, back, order=1, mode="constant", cval=beyond) for p in planes])

        def keep(n: int, own: np.ndarray, carry: Callable[..., np.ndarray] = carry) -> None:
            mine = carry(own[NetworkClass.FORAMEN])
            share[:] += mine / (len(lead) * len(_UNDONE))
            lead[n] += mine - carry(np.delete(own, NetworkClass.FORAMEN, axis=0).max(axis=0), 1.0)

        shown = Grid(piece.shape, (grid.spacing[0], *network.spacing[1:]), grid.origin, grid.directions)
        opinion = ask_committee(committee, shown.image(piece), witness=keep, tell=tell)
        entropy += carry(opinion.member_entropy) / len(_UNDONE)
    return _Answer(share, lead > 0, entropy)


def _replace(
    probabilities: np.ndarray, members: np.ndarray, zone: tuple[slice, slice, np.ndarray], answer: _Answer
) -> None:
    """Write what was seen at the second look into an opinion's arrays; in place."""
    rows, columns, mask = zone
    old = probabilities[:, :, rows, columns].astype(np.float32)
    rest = 1.0 - old[NetworkClass.FORAMEN]
    # Where the first look saw nothing but foramen, what is left goes to the background.
    known = rest > 1e-3
    new = old * np.where(known, (1.0 - answer.share) / np.maximum(rest, 1e-3), 0.0)
    new[NetworkClass.BACKGROUND] += np.where(known, 0.0, 1.0 - answer.share)
    new[NetworkClass.FORAMEN] = answer.share
    probabilities[:, :, rows, columns] = np.where(mask, new, old)
    own = members[:, :, rows, columns]
    free = np.isin(own, (NetworkClass.BACKGROUND, NetworkClass.FORAMEN)) & mask
    seen = np.where(answer.votes, np.uint8(NetworkClass.FORAMEN), np.uint8(NetworkClass.BACKGROUND))
    members[:, :, rows, columns] = np.where(free, seen, own)
