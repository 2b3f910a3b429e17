"""How well a committee does on volumes it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..anatomy.labels import CANAL_VALUE
from ..anatomy.structures import NetworkClass
from ..case.grid import Grid, to_reading_order
from ..models.committee import Committee, load_committee
from ..segment.inference import ask_committee
from .collect import LabelledVolume
from .partial import bit
from .targets import target_of

__all__ = ["VolumeScore", "score_model", "score_volume"]


@dataclass(frozen=True)
class VolumeScore:
    """Agreement with one annotation of one volume.

    Attributes
    ----------
    id, contrast : str
        The volume.
    rater : str
        Whose annotation: ``labels`` for bodies and discs, the rater's folder for sac and foramina.
    structure : str
        Network class in words.
    dice : float
        Dice over the voxels where the annotation is known.
    found, of : int
        Drawn objects of the structure that the prediction meets with at least a quarter of their voxels, and how
        many were drawn; for foramina.
    """

    id: str
    contrast: str
    rater: str
    structure: str
    dice: float
    found: int = 0
    of: int = 0


def _read(path: str) -> tuple[np.ndarray, Grid]:
    image = to_reading_order(sitk.ReadImage(path))
    return sitk.GetArrayFromImage(image), Grid.of(image)


def _dice(prediction: np.ndarray, target: np.ndarray, network_class: int) -> float | None:
    """Dice where it is known whether a voxel belongs to the class; None if none does."""
    one = bit(network_class)
    truth = target == one
    known = truth | (target & one == 0)
    if not truth.any():
        return None
    guess = (prediction == network_class) & known
    return float(2 * (guess & truth).sum() / (guess.sum() + truth.sum()))


def _found(prediction: np.ndarray, annotation: np.ndarray) -> tuple[int, int]:
    drawn = [v for v in np.unique(annotation[annotation > 0]) if v != CANAL_VALUE]
    hits = [(prediction[annotation == v] == NetworkClass.FORAMEN).mean() >= 0.25 for v in drawn]
    return sum(map(int, hits)), len(drawn)


def score_volume(committee: Committee, volume: LabelledVolume) -> tuple[list[VolumeScore], np.ndarray]:
    """Score the committee's mean opinion, and each annotation on its own.

    Returns
    -------
    scores : list of VolumeScore
        One for each structure and annotation.
    prediction : np.ndarray
        uint8 (nk, nj, ni) network classes in reading order, to look at.
    """
    image = to_reading_order(sitk.Cast(sitk.ReadImage(str(volume.image)), sitk.sitkFloat32))
    prediction = ask_committee(committee, image).probabilities.argmax(axis=0).astype(np.uint8)
    labels, grid = _read(str(volume.labels))
    scores = []
    bony = (NetworkClass.BODY, NetworkClass.SACRUM, NetworkClass.DISC)
    target = target_of(labels, grid.spacing, None, volume.complete, volume.sacrum)
    kinds = tuple(NetworkClass)[1:] if volume.complete else bony
    for kind in kinds:
        dice = _dice(prediction, target, kind)
        if dice is not None:
            scores.append(VolumeScore(volume.id, volume.contrast, "labels", kind.name.lower(), dice))
    for path in volume.annotations:
        annotation, _ = _read(str(path))
        drawn = target_of(labels, grid.spacing, annotation)
        for kind in (NetworkClass.CANAL, NetworkClass.FORAMEN):
            dice = _dice(prediction, drawn, kind)
            if dice is not None:
                hits = _found(prediction, annotation) if kind is NetworkClass.FORAMEN else (0, 0)
                scores.append(VolumeScore(volume.id, volume.contrast, path.parent.name, kind.name.lower(), dice, *hits))
    return scores, prediction


def score_model(model: str, volumes: Sequence[LabelledVolume], device: str = "auto") -> list[VolumeScore]:
    """Score a model on labelled volumes.

    Parameters
    ----------
    model : str
        Name of a shipped model or path of a model folder.
    volumes : sequence of LabelledVolume
        Of subjects that were not trained on.
    device : str
        As for :func:`SpineQuantLib.models.committee.load_committee`.
    """
    committee = load_committee(model, device)
    return [score for volume in volumes for score in score_volume(committee, volume)[0]]
