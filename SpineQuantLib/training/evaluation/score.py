"""Masks against masks: one row a structure, and one a drawn object."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ...anatomy.labels import Label, describe
from ...anatomy.levels import SACRUM_VALUE
from ...anatomy.structures import NetworkClass, Side, Structure
from ...case.spine import NamedSpine
from ..collect import LabelledVolume
from ..partial import bit
from ..targets import network_classes
from .metrics import overlap
from .predict import Prediction
from .reference import BETWEEN_BODIES, DRAWN, LABELS, Reference, shows_sacrum

__all__ = ["COMMITTEE", "MaskScore", "NameScore", "level_names", "score_masks", "score_names", "score_raters"]

COMMITTEE = "committee"
_FOUND = 0.25
"""Share of a drawn object that must be covered for it to count as found."""
_FORAMEN_CLASSES = (NetworkClass.FORAMEN,)


@dataclass(frozen=True)
class MaskScore:
    """Agreement of one structure, or one object of it, with one annotation.

    Attributes
    ----------
    id, subject, source, contrast : str
        The volume.
    judged, rater : str
        Whose mask is compared with whose: :data:`COMMITTEE` or a rater, and the annotator.
    structure : str
        Network class in words.
    level, side : str
        Empty for the structure as a whole.
    reference : str
        What the annotator's mask rests on: ``drawn``, or ``gap between drawn bodies`` for discs that nobody drew.
    dice : float
        Over the voxels of which it is known whether they belong to the structure.
    nsd, hd95 : float or None
        None where the border was not drawn; ``hd95`` also where nothing was found.
    found : bool or None
        Whether at least a quarter of a drawn object was covered; None for whole structures.
    """

    id: str
    subject: str
    source: str
    contrast: str
    judged: str
    rater: str
    structure: str
    level: str
    side: str
    reference: str
    dice: float
    nsd: float | None
    hd95: float | None
    found: bool | None = None


@dataclass(frozen=True)
class NameScore:
    """Whether the levels of a volume were named rightly.

    Attributes
    ----------
    id, subject, source, contrast : str
        The volume.
    sacrum : bool
        Whether S1 is in view: labelled, or seen by the committee.
    outcome : str
        ``right``, ``wrong``, ``abstained`` (objects but no names), or ``no spine``.
    sides_wrong, sides : int
        Foramina found on the other side than drawn, and all that were found.
    """

    id: str
    subject: str
    source: str
    contrast: str
    sacrum: bool
    outcome: str
    sides_wrong: int
    sides: int


def _identity(volume: LabelledVolume) -> tuple[str, str, str, str]:
    return volume.id, volume.subject, volume.source, volume.contrast


def score_masks(volume: LabelledVolume, prediction: Prediction, references: tuple[Reference, ...]) -> list[MaskScore]:
    """The committee against every annotation of a volume."""
    out = []
    classes = network_classes(prediction.labels)
    for reference in references:
        for kind in reference.classes:
            one = bit(kind)
            truth = reference.target == one
            if not truth.any():
                continue
            known = truth | (reference.target & one == 0)
            values = _values(reference.objects, kind)
            # Where only some discs were drawn, the border of them all together is not known either.
            derived = not reference.derived.isdisjoint(values)
            guess = (classes == kind) & known
            score = overlap(guess, truth, reference.grid.spacing, surfaces=not derived)
            head = (*_identity(volume), COMMITTEE, reference.rater, kind.name.lower())
            basis = BETWEEN_BODIES if derived else DRAWN
            out.append(MaskScore(*head, "", "", basis, score.dice, score.nsd, score.hd95))
            if kind is NetworkClass.CANAL:
                continue
            for value in values:
                drawn = (reference.objects == value) & truth
                if not drawn.any():
                    continue
                own = _partner(prediction.labels, drawn, kind)
                guess = (prediction.labels == own) & known if own else np.zeros(drawn.shape, bool)
                derived = value in reference.derived
                basis = BETWEEN_BODIES if derived else DRAWN
                score = overlap(guess, drawn, reference.grid.spacing, surfaces=not derived)
                found = bool((guess & drawn).sum() >= _FOUND * drawn.sum())
                label = describe(value)
                side = label.side.value if label.side else ""
                out.append(MaskScore(*head, label.level, side, basis, score.dice, score.nsd, score.hd95, found))
    return out


def _values(objects: np.ndarray, kind: NetworkClass) -> list[int]:
    """Label values of a class."""
    return [int(v) for v in np.unique(objects[objects > 0]) if network_classes(np.array([v]))[0] == kind]


def _partner(labels: np.ndarray, drawn: np.ndarray, kind: NetworkClass) -> int:
    """Label of the predicted object of a kind that covers most of a drawn one; 0 where none does.

    A body that was called S1, or the other way round, is still the object that was meant.
    """
    values, counts = np.unique(labels[drawn], return_counts=True)
    wanted = _structure(kind)
    own = [(int(n), int(v)) for v, n in zip(values, counts, strict=True) if v and describe(int(v)).structure is wanted]
    return max(own)[1] if own else 0


def _structure(kind: NetworkClass) -> Structure:
    return {
        NetworkClass.DISC: Structure.DISC,
        NetworkClass.CANAL: Structure.CANAL,
        NetworkClass.FORAMEN: Structure.FORAMEN,
    }.get(kind, Structure.VERTEBRA)


def score_raters(volume: LabelledVolume, references: tuple[Reference, ...]) -> list[MaskScore]:
    """Each rater against each rater before, on what both drew."""
    raters = [r for r in references if r.rater != LABELS]
    out = []
    for n, second in enumerate(raters):
        for first in raters[:n]:
            common = set(np.unique(first.objects).tolist()) & set(np.unique(second.objects).tolist()) - {0}
            for kind in (NetworkClass.CANAL, NetworkClass.FORAMEN):
                values = [v for v in sorted(common) if network_classes(np.array([v]))[0] == kind]
                for label, group in _groups(values, kind):
                    a, b = (np.isin(r.objects, group) for r in (first, second))
                    score = overlap(a, b, first.grid.spacing)
                    level, side = (label.level, label.side.value) if label and label.side else ("", "")
                    head = (*_identity(volume), first.rater, second.rater, kind.name.lower(), level, side, DRAWN)
                    found = bool((a & b).sum() >= _FOUND * b.sum()) if label else None
                    out.append(MaskScore(*head, score.dice, score.nsd, score.hd95, found))
    return out


def _groups(values: list[int], kind: NetworkClass) -> list[tuple[Label | None, list[int]]]:
    """The structure as a whole, then its objects."""
    if not values:
        return []
    single = [(describe(v), [v]) for v in values] if kind in _FORAMEN_CLASSES else []
    return [(None, values), *single]


def level_names(prediction: NamedSpine, truth: NamedSpine) -> dict[str, str]:
    """True name of each predicted vertebra, by which drawn objects it and its discs lie on.

    Both columns are without gaps, so that one shift holds for all; the one that most objects speak for is taken.
    """
    votes: Counter[int] = Counter()
    for value in np.unique(truth.labels[truth.labels > 0]):
        label = truth.label(int(value))
        if label.structure not in (Structure.VERTEBRA, Structure.DISC):
            continue
        own = _partner(
            prediction.labels,
            truth.labels == value,
            NetworkClass.DISC if label.structure is Structure.DISC else NetworkClass.BODY,
        )
        upper = prediction.label(own).level.split("-")[0] if own else ""
        if upper in prediction.vertebrae:
            votes[truth.vertebrae.index(label.level.split("-")[0]) - prediction.vertebrae.index(upper)] += 1
    if not votes:
        return {}
    shift = votes.most_common(1)[0][0]
    places = {name: n + shift for n, name in enumerate(prediction.vertebrae)}
    return {name: truth.vertebrae[n] for name, n in places.items() if 0 <= n < len(truth.vertebrae)}


def score_names(
    volume: LabelledVolume, prediction: Prediction, references: tuple[Reference, ...], truth: NamedSpine
) -> NameScore:
    """Whether the names of levels and sides are the annotators'."""
    wrong = total = 0
    for reference in references:
        for value in _values(reference.objects, NetworkClass.FORAMEN):
            own = _partner(prediction.labels, reference.objects == value, NetworkClass.FORAMEN)
            if own:
                total += 1
                wrong += _side(own) is not _side(value)
    sacrum = any(map(shows_sacrum, references)) or bool((prediction.labels == SACRUM_VALUE).any())
    if prediction.problem:
        outcome = "no spine"
    else:
        names = level_names(prediction.spine, truth)
        if not prediction.spine.naming.named or not names:
            outcome = "abstained"
        else:
            outcome = "right" if all(a == b for a, b in names.items()) else "wrong"
    return NameScore(*_identity(volume), sacrum, outcome, wrong, total)


def _side(value: int) -> Side | None:
    return describe(value).side
