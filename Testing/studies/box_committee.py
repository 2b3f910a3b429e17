"""A committee without networks: it reads classes off brightness, so that what spoils the image spoils its answer."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from SpineQuantLib.anatomy.labels import CANAL_VALUE, describe, disc_value, foramen_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import NetworkClass, Side, Structure
from SpineQuantLib.case.grid import Grid
from SpineQuantLib.case.opinion import CommitteeOpinion

NAMES = ("L1", "L2", "L3", "L4", "L5", "S1")
SHAPE = (12, 150, 80)
SPACING = (4.0, 1.0, 1.0)
MEMBERS = 4
STEP = 100.0
KINDS = {
    Structure.VERTEBRA: NetworkClass.BODY,
    Structure.DISC: NetworkClass.DISC,
    Structure.CANAL: NetworkClass.CANAL,
    Structure.FORAMEN: NetworkClass.FORAMEN,
}


def box_spine(height: int = 16) -> np.ndarray:
    """Label values of a spine of boxes: S1 is low and wide."""
    out = np.zeros(SHAPE, np.uint16)
    out[5:7, :, 46:58] = CANAL_VALUE
    row = 6
    for name in NAMES:
        out[2:10, row : row + height, 12:40] = vertebra_value(name)
        if name != "S1":
            out[2:10, row + height : row + height + 6, 12:40] = disc_value(name)
            for slices, side in ((slice(2, 4), Side.RIGHT), (slice(8, 10), Side.LEFT)):
                out[slices, row + 8 : row + 20, 46:54] = foramen_value(name, side)
        row += height + 6
    return out


def brightness(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    classes = np.zeros(labels.shape)
    for value in np.unique(labels[labels > 0]):
        classes[labels == value] = KINDS[describe(int(value)).structure]
    classes[labels == vertebra_value("S1")] = NetworkClass.SACRUM
    return (STEP * classes + rng.normal(0, 12, labels.shape)).clip(0).astype(np.float32)


def member_probabilities(image: np.ndarray, member: int) -> np.ndarray:
    """Softmax over the distance of each voxel's brightness from that of each class; members are biased differently."""
    seen = image + (member - 1.5) * 14 + np.random.default_rng(member).normal(0, 10, image.shape)
    away = np.stack([(seen - STEP * c) ** 2 for c in NetworkClass])
    p = np.exp(-away / (2 * 30.0**2) + (away / (2 * 30.0**2)).min(axis=0))
    return (p / p.sum(axis=0)).astype(np.float32)


def ask_brightness(_committee, image, progress=None, witness=None) -> CommitteeOpinion:
    array = sitk.GetArrayFromImage(image)
    own = [member_probabilities(array, m) for m in range(MEMBERS)]
    entropy = np.mean([-(p * np.log2(np.maximum(p, 1e-12))).sum(axis=0) for p in own], axis=0)
    for m, p in enumerate(own):
        if witness:
            witness(m, p)
    members = np.stack([p.argmax(axis=0) for p in own]).astype(np.uint8)
    mean = np.mean(own, axis=0).astype(np.float16)
    return CommitteeOpinion(Grid.of(image), mean, members, entropy.astype(np.float16), embed_brightness(None, image))


def embed_brightness(_committee, image) -> np.ndarray:
    """Quantiles over slabs of rows: where in the image it is how bright."""
    array = sitk.GetArrayFromImage(image)
    return np.array(
        [np.quantile(part, [0.2, 0.5, 0.9]) for part in np.array_split(array, 6, axis=1)], np.float32
    ).ravel()
