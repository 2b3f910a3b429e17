"""Agreement of the members about each structure and each object."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..anatomy.labels import Label
from ..anatomy.structures import CLASSES_OF, Structure
from ..case.opinion import CommitteeOpinion, Score, Verdict
from ..case.spine import NamedSpine
from .agreement import agreement_of, dice_matrix
from .thresholds import Thresholds

__all__ = ["NOUNS", "score_objects", "score_structures"]

_MARGIN = 6.0

NOUNS = {
    Structure.VERTEBRA: "vertebral bodies",
    Structure.DISC: "discs",
    Structure.CANAL: "dural sac",
    Structure.FORAMEN: "foramina",
}
"""What a structure is called in a reason."""


def score_structures(
    opinion: CommitteeOpinion, thresholds: Thresholds
) -> tuple[dict[Structure, np.ndarray], list[Score]]:
    """Dice matrix of each structure that any member saw, over the whole volume, and the scores that follow."""
    members = opinion.members[(slice(None), *_box(opinion.members.max(axis=0) > 0))]
    matrices, scores = {}, []
    for structure in CLASSES_OF:
        masks = _masks(members, structure)
        if not masks.any():
            scores.append(Score(structure, "", None, None, None, None, Verdict.REVIEW, f"no {NOUNS[structure]} found"))
            continue
        matrices[structure] = dice_matrix(masks)
        found = agreement_of(matrices[structure])
        verdict = thresholds.verdict(structure, found.mean_dice)
        reason = "" if verdict is Verdict.PASS else f"{NOUNS[structure]}: members disagree, Dice {found.mean_dice:.2f}"
        scores.append(Score(structure, "", None, found.entropy, found.eigenvalue, found.mean_dice, verdict, reason))
    return matrices, scores


def score_objects(opinion: CommitteeOpinion, spine: NamedSpine, thresholds: Thresholds) -> list[Score]:
    """Scores of every vertebra, disc and foramen, in the spine's order.

    Members are compared within 6 mm of the box around an object, in voxels nearer to it than to any other object of
    its structure, so that a neighbour's error is not counted here.
    """
    boxes = ndimage.find_objects(spine.labels)
    return [
        _score_object(opinion, spine, label, boxes[label.value - 1], thresholds)
        for label in spine.objects
        if label.structure is not Structure.CANAL
    ]


def _score_object(
    opinion: CommitteeOpinion, spine: NamedSpine, label: Label, box: tuple[slice, ...], thresholds: Thresholds
) -> Score:
    spacing = spine.grid.spacing
    near = _grown(box, spacing, _MARGIN, spine.labels.shape)
    crop = spine.labels[near]
    own = crop == label.value
    rivals = np.isin(crop, [v for v in np.unique(crop) if v and v != label.value and _same(spine, int(v), label)])
    masks = _masks(opinion.members[(slice(None), *near)], label.structure)
    if rivals.any():
        to_own = ndimage.distance_transform_edt(~own, sampling=spacing)
        to_rival = ndimage.distance_transform_edt(~rivals, sampling=spacing)
        masks &= to_own < to_rival
    found = agreement_of(dice_matrix(masks))
    verdict = thresholds.verdict(label.structure, found.mean_dice)
    reason = "" if verdict is Verdict.PASS else f"{label.name}: members disagree, Dice {found.mean_dice:.2f}"
    return Score(
        label.structure, label.level, label.side, found.entropy, found.eigenvalue, found.mean_dice, verdict, reason
    )


def _same(spine: NamedSpine, value: int, label: Label) -> bool:
    return spine.label(value).structure is label.structure


def _masks(members: np.ndarray, structure: Structure) -> np.ndarray:
    """bool (members, …): where each member saw a structure."""
    first, *others = CLASSES_OF[structure]
    masks = members == first
    for other in others:
        masks |= members == other
    return masks


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """Box around a mask; empty where the mask is."""
    box = []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(int(hit[0]), int(hit[-1]) + 1) if len(hit) else slice(0, 0))
    return tuple(box)


def _grown(
    box: tuple[slice, ...], spacing: tuple[float, float, float], margin: float, shape: tuple[int, ...]
) -> tuple[slice, ...]:
    """Box with so many mm around it, within the volume."""
    steps = [max(int(np.ceil(margin / s)), 1) for s in spacing]
    return tuple(
        slice(max(b.start - n, 0), min(b.stop + n, size)) for b, n, size in zip(box, steps, shape, strict=True)
    )
