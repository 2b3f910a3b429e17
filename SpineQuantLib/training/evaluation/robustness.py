"""How far Dice falls when a volume is scanned worse: thicker slices, other pixels, noise, shading, a tilt.

The changed volume is segmented on its own grid; the result is carried back, with its soft borders, to the grid on
which the annotators drew. What is lost on the way back counts as a fall too, so that falls are upper bounds.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ...anatomy.levels import SACRUM_VALUE
from ...anatomy.structures import NetworkClass, Structure
from ...case.grid import Grid, to_reading_order
from ...images.detached import files_of
from ...images.resample import resample_like, resample_to_spacing
from ...images.turn import turned
from ..collect import LabelledVolume
from ..partial import bit
from ..statistics import mean_estimate
from .metrics import overlap
from .predict import Prediction, PredictionStore
from .reference import read_references

__all__ = ["CONDITIONS", "UNCHANGED", "Change", "RobustnessScore", "degrade", "robustness_table", "score_robustness"]

_SCORED = {NetworkClass.BODY: Structure.VERTEBRA, NetworkClass.CANAL: Structure.CANAL}


@dataclass(frozen=True)
class Change:
    """What is done to a volume.

    Attributes
    ----------
    name : str
        In words.
    slices, pixels : float or None
        Millimetres between slices, and in plane; None leaves them.
    noise : float
        Standard deviation of Rician noise, relative to the 99th percentile.
    bias : float
        Natural logarithm of the brightest over the darkest shading.
    tilt : tuple of float
        Degrees by which the scanner's axes are turned about the left–right, the front–back and the long axis.
    """

    name: str
    slices: float | None = None
    pixels: float | None = None
    noise: float = 0.0
    bias: float = 0.0
    tilt: tuple[float, float, float] = (0.0, 0.0, 0.0)


UNCHANGED = "unchanged"
"""Name of the baseline."""
CONDITIONS = (
    Change(UNCHANGED),
    *(Change(f"slices {mm} mm", slices=float(mm)) for mm in (2, 3, 4, 5, 6)),
    *(Change(f"pixels {mm} mm", pixels=mm) for mm in (0.4, 0.7, 1.5)),
    Change("noise 5 %", noise=0.05),
    Change("noise 10 %", noise=0.10),
    Change("shading 3 : 1", bias=math.log(3)),
    Change("tilt 30° in the sagittal plane", tilt=(30.0, 0.0, 0.0)),
    Change("tilt 30° in the coronal plane", tilt=(0.0, 30.0, 0.0)),
)


@dataclass(frozen=True)
class RobustnessScore:
    """Dice of one structure under one change; ``unchanged`` is the baseline."""

    id: str
    subject: str
    contrast: str
    rater: str
    change: str
    structure: str
    dice: float


def degrade(image: sitk.Image, change: Change, seed: int = 0) -> sitk.Image:
    """The volume as a worse scan would show it; patient coordinates stay true.

    Parameters
    ----------
    image : sitk.Image
        In reading order.
    change : Change
        What is done.
    seed : int
        Of noise and shading.
    """
    image = sitk.Cast(image, sitk.sitkFloat32)
    grid = Grid.of(image)
    array = sitk.GetArrayFromImage(image)
    rng = np.random.default_rng(seed)
    if change.bias:
        array = _shade(array, change.bias, rng)
    if change.noise:
        sigma = change.noise * float(np.percentile(array, 99))
        first, second = (rng.normal(0, sigma, array.shape).astype(np.float32) for _ in range(2))
        array = np.hypot(array + first, second)
    image = grid.image(array)
    if any(change.tilt):
        turn = Rotation.from_euler("xyz", change.tilt, degrees=True).as_matrix()
        image = turned(image, np.array(grid.directions) @ turn.T)
    spacing = Grid.of(image).spacing
    wanted = (change.slices or spacing[0], *((change.pixels or s) for s in spacing[1:]))
    return resample_to_spacing(image, wanted)


def _shade(array: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth field that runs from 1 to exp(−strength)."""
    coarse = rng.normal(size=(3, 4, 4))
    field = ndimage.zoom(coarse, np.array(array.shape) / coarse.shape, order=3, mode="nearest", grid_mode=True)
    field = (field - field.min()) / max(float(np.ptp(field)), 1e-6)
    return array * np.exp(-strength * field).astype(np.float32)


def score_robustness(
    volumes: Sequence[LabelledVolume], store: PredictionStore, conditions: Sequence[Change] = CONDITIONS
) -> list[RobustnessScore]:
    """Dice of bodies and sac of each volume under each change, against every annotation."""
    out = []
    for volume in volumes:
        references = read_references(volume)
        image = to_reading_order(sitk.ReadImage(str(volume.image)))
        for change in conditions:
            found = _predicted(volume, image, change, store)
            masks = {kind: _carried(found, kind, references[0].grid) for kind in _SCORED}
            for reference in references:
                for kind, mask in masks.items():
                    one = bit(kind)
                    truth = reference.target == one
                    if kind not in reference.classes or not truth.any():
                        continue
                    known = truth | (reference.target & one == 0)
                    dice = overlap(mask & known, truth, reference.grid.spacing, surfaces=False).dice
                    who = (volume.id, volume.subject, volume.contrast, reference.rater)
                    out.append(RobustnessScore(*who, change.name, kind.name.lower(), dice))
    return out


def _predicted(volume: LabelledVolume, image: sitk.Image, change: Change, store: PredictionStore) -> Prediction:
    if change.name == UNCHANGED:
        return store.get(volume.id, volume.image)
    stored = b"".join(path.read_bytes() for path in files_of(volume.image))
    mark = hashlib.sha256(stored + repr(change).encode()).hexdigest()
    name = f"{volume.id}@{re.sub('[^a-z0-9]+', '-', change.name)}"
    return store.of(name, mark, lambda: to_reading_order(degrade(image, change)))


def _carried(found: Prediction, kind: NetworkClass, grid: Grid) -> np.ndarray:
    """A predicted class on another grid."""
    spine = found.spine
    soft = resample_like(spine.occupancy[_SCORED[kind]], spine.grid, grid)
    mask = soft > 0.5
    if kind is NetworkClass.BODY:
        sacrum = resample_like((spine.labels == SACRUM_VALUE).astype(np.uint8), spine.grid, grid, "nearest")
        mask &= sacrum == 0
    return mask


def robustness_table(scores: Sequence[RobustnessScore]) -> pd.DataFrame:
    """Mean Dice per structure and change, and its fall against the unchanged volume with an interval by subject."""
    frame = pd.DataFrame([asdict(s) for s in scores], columns=list(RobustnessScore.__dataclass_fields__))
    keys = ["id", "rater", "structure"]
    base = frame[frame["change"] == UNCHANGED].set_index(keys)["dice"]
    frame["fall"] = frame.set_index(keys).index.map(base).astype(float) - frame["dice"]
    rows = []
    for (structure, change), part in frame.groupby(["structure", "change"], sort=False):
        fall = mean_estimate(part["fall"].tolist(), part["subject"].tolist())
        row = {"structure": structure, "change": change, "volumes": part["id"].nunique(), "dice": part["dice"].mean()}
        rows.append({**row, "fall": fall.value, "fall_lower": fall.lower, "fall_upper": fall.upper})
    return pd.DataFrame(rows)
