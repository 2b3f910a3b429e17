"""Tissues of the phantom and how bright they are in each weighting."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

__all__ = ["Tissue", "intensities"]


class Tissue(IntEnum):
    """What a point of the phantom is made of."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    MARROW = 4
    CORTEX = 5
    ANNULUS = 6
    NUCLEUS = 7
    CSF = 8
    CORD = 9
    ROOT = 10
    LIGAMENT = 11
    VESSEL = 12
    VEIN = 13
    BOWEL = 14
    GAS = 15
    EPIDURAL_FAT = 16
    CLEFT = 17
    FATTY_MUSCLE = 18


# Mean intensity relative to the brightest tissue, and standard deviation inside the tissue, relative to its mean.
_MEANS: dict[str, dict[Tissue, float]] = {
    "T2": {
        Tissue.AIR: 0.0, Tissue.SKIN: 0.3, Tissue.FAT: 0.74, Tissue.MUSCLE: 0.15, Tissue.MARROW: 0.36,
        Tissue.CORTEX: 0.05, Tissue.ANNULUS: 0.11, Tissue.NUCLEUS: 0.58, Tissue.CSF: 0.95, Tissue.CORD: 0.5,
        Tissue.ROOT: 0.42, Tissue.LIGAMENT: 0.1, Tissue.VESSEL: 0.06, Tissue.VEIN: 0.6, Tissue.BOWEL: 0.3,
        Tissue.GAS: 0.03, Tissue.EPIDURAL_FAT: 0.66, Tissue.CLEFT: 0.36, Tissue.FATTY_MUSCLE: 0.33,
    },
    "T1": {
        Tissue.AIR: 0.0, Tissue.SKIN: 0.35, Tissue.FAT: 0.95, Tissue.MUSCLE: 0.27, Tissue.MARROW: 0.47,
        Tissue.CORTEX: 0.08, Tissue.ANNULUS: 0.22, Tissue.NUCLEUS: 0.28, Tissue.CSF: 0.15, Tissue.CORD: 0.36,
        Tissue.ROOT: 0.3, Tissue.LIGAMENT: 0.13, Tissue.VESSEL: 0.09, Tissue.VEIN: 0.25, Tissue.BOWEL: 0.3,
        Tissue.GAS: 0.03, Tissue.EPIDURAL_FAT: 0.85, Tissue.CLEFT: 0.26, Tissue.FATTY_MUSCLE: 0.48,
    },
    "STIR": {
        Tissue.AIR: 0.0, Tissue.SKIN: 0.25, Tissue.FAT: 0.07, Tissue.MUSCLE: 0.2, Tissue.MARROW: 0.13,
        Tissue.CORTEX: 0.05, Tissue.ANNULUS: 0.1, Tissue.NUCLEUS: 0.42, Tissue.CSF: 0.95, Tissue.CORD: 0.45,
        Tissue.ROOT: 0.4, Tissue.LIGAMENT: 0.09, Tissue.VESSEL: 0.07, Tissue.VEIN: 0.55, Tissue.BOWEL: 0.28,
        Tissue.GAS: 0.03, Tissue.EPIDURAL_FAT: 0.09, Tissue.CLEFT: 0.3, Tissue.FATTY_MUSCLE: 0.16,
    },
    "water": {
        Tissue.AIR: 0.0, Tissue.SKIN: 0.4, Tissue.FAT: 0.06, Tissue.MUSCLE: 0.4, Tissue.MARROW: 0.44,
        Tissue.CORTEX: 0.14, Tissue.ANNULUS: 0.42, Tissue.NUCLEUS: 0.85, Tissue.CSF: 0.92, Tissue.CORD: 0.7,
        Tissue.ROOT: 0.62, Tissue.LIGAMENT: 0.22, Tissue.VESSEL: 0.3, Tissue.VEIN: 0.6, Tissue.BOWEL: 0.42,
        Tissue.GAS: 0.04, Tissue.EPIDURAL_FAT: 0.12, Tissue.CLEFT: 0.7, Tissue.FATTY_MUSCLE: 0.3,
    },
}  # fmt: skip
_SPREAD = {
    Tissue.FAT: 0.10, Tissue.MUSCLE: 0.16, Tissue.MARROW: 0.10, Tissue.BOWEL: 0.35, Tissue.CSF: 0.05,
    Tissue.NUCLEUS: 0.08, Tissue.ANNULUS: 0.15, Tissue.LIGAMENT: 0.3, Tissue.EPIDURAL_FAT: 0.2, Tissue.CORD: 0.05,
    Tissue.FATTY_MUSCLE: 0.3,
}  # fmt: skip


def intensities(contrast: str, jitter: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mean intensity (0 to about 1) and relative standard deviation of every tissue, each (tissues,) float32.

    The means are those of the weighting times a random factor per tissue, and a random gamma for all, in the manner
    of generators that train networks for any contrast (Billot et al. 2023, doi:10.1016/j.media.2023.102789).

    Parameters
    ----------
    contrast : str
        Weighting, a key of the table of means.
    jitter : float
        Relative standard deviation of the factors; 0 gives the table's means.
    rng : np.random.Generator
        Source of the factors.
    """
    means = np.array([_MEANS[contrast][t] for t in Tissue])
    means = means * np.clip(1.0 + jitter * rng.normal(size=len(means)), 0.3, 1.8)
    means = np.clip(means, 0.0, 1.5) ** np.exp(0.6 * jitter * rng.normal())
    spread = np.array([_SPREAD.get(t, 0.04) for t in Tissue])
    return means.astype(np.float32), spread.astype(np.float32)
