"""Whether a probability means what it says: temperature, reliability diagram, expected calibration error.

For each structure the probability that a voxel belongs to it is compared with how often it does, over voxels near the
labelled spine whose class is known, and to which the committee gives at least 1 %. Far background, where all is
certain and right, is left out: it would make any error look small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar

from ..anatomy.structures import CLASSES_OF, Structure
from ..uncertainty.voxelwise import temper
from .opinions import read_voxels

__all__ = ["Reliability", "VoxelSample", "expected_calibration_error", "fit_temperature", "study_reliability"]

_BINS = 15
_MOST = 30_000
_LEAST = 0.01


@dataclass(frozen=True)
class VoxelSample:
    """Voxels of one volume for one structure.

    Attributes
    ----------
    subject : str
        Whose.
    probability : np.ndarray
        float32 (n,).
    inside : np.ndarray
        bool (n,): the truth.
    """

    subject: str
    probability: np.ndarray
    inside: np.ndarray


def fit_temperature(probability: np.ndarray, inside: np.ndarray) -> float:
    """Temperature with the least cross-entropy, within 0.2 to 5."""

    def loss(log_t: float) -> float:
        p = temper(probability, float(np.exp(log_t))).astype(np.float64)
        return float(-np.log(np.where(inside, p, 1 - p) + 1e-12).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.2), np.log(5.0)), method="bounded").x))


def _bins(probability: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean probability and share inside of each of 15 equal bins; NaN where a bin is empty."""
    which = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    count = np.bincount(which, minlength=_BINS)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(which, probability, _BINS) / count
        share = np.bincount(which, inside, _BINS) / count
    return count, mean, share


def expected_calibration_error(probability: np.ndarray, inside: np.ndarray) -> float:
    """Mean distance of probability and frequency over 15 equal bins, weighted by their voxels."""
    count, mean, share = _bins(np.asarray(probability, float), np.asarray(inside, float))
    seen = count > 0
    return float((count[seen] * np.abs(mean[seen] - share[seen])).sum() / count.sum())


@dataclass(frozen=True)
class Reliability:
    """One structure's probability before and after its temperature.

    Attributes
    ----------
    structure : Structure
        Which.
    temperature : float
        From all subjects.
    before, after : float
        Expected calibration error; after: with the temperature of the other subjects.
    diagram : dict of str to list
        ``probability_before, share_before, probability_after, share_after`` by bin; None where a bin is empty.
    voxels, subjects : int
        How many.
    """

    structure: Structure
    temperature: float
    before: float
    after: float
    diagram: dict[str, list[float | None]]
    voxels: int
    subjects: int


def _samples(path: Path, subject: str) -> dict[Structure, VoxelSample]:
    known = read_voxels(path)
    mean = known.probabilities.astype(np.float32).mean(axis=0)
    out = {}
    rng = np.random.default_rng(0)
    for structure, classes in CLASSES_OF.items():
        p = mean[list(classes)].sum(axis=0)
        inside = np.isin(known.classes, list(classes))
        # Where nobody drew a structure, all that is known of it is where it is not.
        if not inside.any():
            continue
        at = np.flatnonzero(p >= _LEAST)
        if len(at) > _MOST:
            at = rng.choice(at, _MOST, replace=False)
        out[structure] = VoxelSample(subject, p[at], inside[at])
    return out


def study_reliability(voxels: Mapping[str, Path], subjects: Mapping[str, str]) -> list[Reliability]:
    """Temperatures and errors of every structure.

    Parameters
    ----------
    voxels : mapping of str to Path
        Known voxels of each clean volume.
    subjects : mapping of str to str
        Whose each volume is.
    """
    gathered: dict[Structure, list[VoxelSample]] = {}
    for name, path in voxels.items():
        for structure, sample in _samples(path, subjects[name]).items():
            gathered.setdefault(structure, []).append(sample)
    return [_study(structure, gathered[structure]) for structure in CLASSES_OF if structure in gathered]


def _study(structure: Structure, samples: list[VoxelSample]) -> Reliability:
    def joined(which: list[VoxelSample]) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate([s.probability for s in which]), np.concatenate([s.inside for s in which])

    people = sorted({s.subject for s in samples})
    p, y = joined(samples)
    after_p, after_y = [], []
    for person in people:
        others = [s for s in samples if s.subject != person]
        own = joined([s for s in samples if s.subject == person])
        temperature = fit_temperature(*joined(others)) if others else 1.0
        after_p.append(temper(own[0], temperature))
        after_y.append(own[1])
    q, z = np.concatenate(after_p), np.concatenate(after_y)
    return Reliability(
        structure,
        fit_temperature(p, y),
        expected_calibration_error(p, y),
        expected_calibration_error(q, z),
        {**_diagram("before", p, y), **_diagram("after", q, z)},
        len(p),
        len(people),
    )


def _diagram(when: str, p: np.ndarray, y: np.ndarray) -> dict[str, list[float | None]]:
    _, mean, share = _bins(np.asarray(p, float), np.asarray(y, float))
    return {
        f"probability_{when}": [None if np.isnan(v) else round(float(v), 4) for v in mean],
        f"share_{when}": [None if np.isnan(v) else round(float(v), 4) for v in share],
    }
