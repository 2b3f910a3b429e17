"""Spines with known names: built from simple shapes along a curve, and real ones with manual labels."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from SpineQuantLib.anatomy.labels import CANAL_VALUE, describe, disc_value, foramen_value
from SpineQuantLib.anatomy.levels import SACRUM_VALUE, vertebra_value
from SpineQuantLib.anatomy.structures import NetworkClass, Side, Structure
from SpineQuantLib.case.grid import Grid, to_reading_order
from SpineQuantLib.case.opinion import CommitteeOpinion

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
BODY, DISC = 26.0, 9.0
_TRIMMED = 0.7
LUMBAR = ("L1", "L2", "L3", "L4", "L5", "S1")


@dataclass
class Truth:
    """Labels with known names on a grid in reading order."""

    labels: np.ndarray
    grid: Grid
    vertebrae: tuple[str, ...]

    def classes(self) -> np.ndarray:
        """Network classes, uint8."""
        out = np.zeros(self.labels.shape, np.uint8)
        kinds = {
            Structure.VERTEBRA: NetworkClass.BODY,
            Structure.DISC: NetworkClass.DISC,
            Structure.CANAL: NetworkClass.CANAL,
            Structure.FORAMEN: NetworkClass.FORAMEN,
        }
        for value in np.unique(self.labels[self.labels > 0]):
            out[self.labels == value] = kinds[describe(int(value)).structure]
        out[self.labels == SACRUM_VALUE] = NetworkClass.SACRUM
        return out

    def points(self) -> np.ndarray:
        """Millimetres (nk, nj, ni, 3) along the array axes."""
        return np.stack(np.meshgrid(*map(np.arange, self.labels.shape), indexing="ij"), -1) * self.grid.spacing

    def middle(self, value: int) -> np.ndarray:
        """Centre of an object in mm along the array axes."""
        return np.argwhere(self.labels == value).mean(axis=0) * self.grid.spacing


def opinion_of(classes: np.ndarray, grid: Grid, members: np.ndarray | None = None) -> CommitteeOpinion:
    """A committee that is certain of its classes."""
    probabilities = np.stack([classes == c for c in NetworkClass]).astype(np.float16)
    if members is None:
        members = np.repeat(classes[None], 5, axis=0)
    return CommitteeOpinion(grid, probabilities, members)


@lru_cache(maxsize=12)
def _build(
    names: tuple[str, ...],
    spacing: tuple[float, float, float],
    lordosis: float,
    scoliosis: float,
    rotation: tuple[float, float, float],
    rows: int,
) -> Truth:
    pitch = BODY + DISC
    length = pitch * len(names) - DISC
    arc = np.arange(-60.0, length + 60.0)
    share = np.clip(arc / length, 0, 1)
    # Direction towards the feet: lordotic in the sagittal plane, most of all above S1, sinusoidal in the coronal one.
    top = length - min(length, pitch * len(LUMBAR) - DISC)
    lumbar = np.clip((arc - top) / (length - top - 0.7 * BODY), 0, 1)
    tilt = np.deg2rad(-0.3 * lordosis + lordosis * lumbar**3)
    bend = np.deg2rad(scoliosis / 2 * np.cos(2 * np.pi * share))
    down = np.stack([np.sin(bend), np.cos(bend) * np.cos(tilt), np.cos(bend) * np.sin(tilt)], axis=1)
    curve = np.cumsum(down, axis=0)
    curve -= curve[np.argmin(np.abs(arc - length / 2))]
    turn = Rotation.from_euler("xyz", rotation, degrees=True)
    curve, down = turn.apply(curve), turn.apply(down)
    back = turn.apply([0.0, 0.0, 1.0]) - (down @ turn.apply([0.0, 0.0, 1.0]))[:, None] * down
    back /= np.linalg.norm(back, axis=1, keepdims=True)
    left = np.cross(down, back)

    shape = (int(96 / spacing[0]), int(rows / spacing[1]), int(170 / spacing[2]))
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 3)
    points = index * spacing - np.array(shape) * spacing / 2
    _, near = cKDTree(curve).query(points, distance_upper_bound=60.0)
    inside = near < len(curve)
    index, points, near = index[inside], points[inside], near[inside]
    offset = points - curve[near]
    s = arc[near] + np.einsum("na,na->n", offset, down[near])
    u, v = np.einsum("na,na->n", offset, left[near]), np.einsum("na,na->n", offset, back[near])

    value = np.zeros(len(index), np.uint16)
    value[np.hypot(u / 9, (v - 25) / 7) < 1] = CANAL_VALUE
    for n, name in enumerate(names):
        start, low = n * pitch, name != names[-1]
        if low:
            between = (s >= start + BODY) & (s < start + pitch)
            value[between & (np.abs(u / 22) ** 3 + np.abs(v / 16) ** 3 < 1)] = disc_value(name)
            for side, sign in ((Side.RIGHT, -1), (Side.LEFT, 1)):
                middle = start + BODY + DISC / 2 - 8
                hole = (np.abs(u - 18 * sign) < 5) & (((s - middle) / 9) ** 2 + ((v - 22) / 5) ** 2 < 1)
                value[hole & (value == 0)] = foramen_value(name, side)
        depth = 16 - (0.3 * (s - start) if name == "S1" else 0)
        within = (s >= start) & (s < start + BODY)
        value[within & (np.abs(u / 22) ** 3 + np.abs(v / np.maximum(depth, 1)) ** 3 < 1)] = vertebra_value(name)
    labels = np.zeros(shape, np.uint16)
    labels[tuple(index.T)] = value
    grid = Grid(shape, spacing, (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)))
    return Truth(labels, grid, names)


@pytest.fixture(scope="session")
def make_spine() -> Callable[..., Truth]:
    """Build a spine: names top down, spacing, lordosis and scoliosis in degrees, rotation, height of the view in mm."""

    def make(
        names: tuple[str, ...] = LUMBAR,
        spacing: tuple[float, float, float] = (4.0, 1.0, 1.0),
        lordosis: float = 45.0,
        scoliosis: float = 0.0,
        rotation: tuple[float, float, float] = (0.0, 0.0, 0.0),
        rows: int = 250,
    ) -> Truth:
        built = _build(names, spacing, lordosis, scoliosis, rotation, rows)
        return Truth(built.labels.copy(), built.grid, built.vertebrae)

    return make


def _with_discs(labels: np.ndarray) -> np.ndarray:
    """Fill what lies straight between two neighbouring bodies."""
    out = labels.copy()
    values = [v for v in range(8, 27) if (labels == v).any()]
    rows = np.arange(labels.shape[1])[None, :, None]
    for upper, lower in itertools.pairwise(values):
        above, below = labels == upper, labels == lower
        last = np.where(above.any(1), labels.shape[1] - 1 - above[:, ::-1].argmax(1), -1)[:, None]
        first = np.where(below.any(1), below.argmax(1), -1)[:, None]
        gap = (last >= 0) & (first - last < 25) & (rows > last) & (rows < first) & (out == 0)
        out[gap] = 100 + upper
    return out


@pytest.fixture(scope="session")
def real_spine() -> Callable[[str], Truth]:
    """Manual labels of a real volume, with discs between its bodies, and the sac and foramina that a rater drew."""

    @lru_cache(maxsize=2)
    def load(name: str) -> Truth:
        path = DATA / "lumbar-mri" / "labels" / f"{name}.nii.gz"
        if not path.exists():
            pytest.skip(f"real labels are not here: {path}")
        image = to_reading_order(sitk.ReadImage(str(path)))
        labels = _with_discs(sitk.GetArrayFromImage(image).astype(np.uint16))
        for rater in "ABCD":
            drawn = DATA / "rater-annotations" / rater / f"{name}.nii.gz"
            if drawn.exists():
                more = sitk.GetArrayFromImage(to_reading_order(sitk.ReadImage(str(drawn))))
                labels = np.where(labels > 0, labels, more).astype(np.uint16)
                break
        vertebrae = tuple(describe(v).level for v in range(8, 27) if (labels == v).any())
        return Truth(labels, Grid.of(image), vertebrae)

    return load


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Dice of two masks."""
    return 2 * np.count_nonzero(a & b) / max(np.count_nonzero(a) + np.count_nonzero(b), 1)


@pytest.fixture(scope="session")
def as_opinion() -> Callable[..., CommitteeOpinion]:
    """Turn classes on a grid into the opinion of a committee that is certain of them."""
    return opinion_of


@pytest.fixture(scope="session")
def assert_same() -> Callable[..., None]:
    """Compare every object of a segmentation with the truth, the names included; values may be left out.

    Foramina are trimmed where they are not seen whole, so they may differ more.
    """

    def check(labels: np.ndarray, truth: np.ndarray, least: float = 0.98, but: tuple[int, ...] = ()) -> None:
        values = np.union1d(np.unique(labels), np.unique(truth))
        found = {describe(int(v)): overlap(labels == v, truth == v) for v in values if v and v not in but}
        wrong = {
            label.name: round(dice, 3)
            for label, dice in found.items()
            if dice < (_TRIMMED if label.structure is Structure.FORAMEN else least)
        }
        assert not wrong

    return check
