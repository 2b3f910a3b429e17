"""Agreement and doubt of the members about each structure and each object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..anatomy.structures import CLASSES_OF, Side, Structure
from ..case.opinion import CommitteeOpinion, Score, Verdict
from ..case.spine import NamedSpine
from .agreement import agreement_of, dice_matrix
from .territory import Territory, class_masks
from .voxelwise import expected_dice, temper, voxel_scores

__all__ = ["NOUNS", "score_objects", "score_structures"]

NOUNS = {
    Structure.VERTEBRA: "vertebral bodies",
    Structure.DISC: "discs",
    Structure.CANAL: "dural sac",
    Structure.FORAMEN: "foramina",
}
"""What a structure is called in a reason."""


def score_structures(
    opinion: CommitteeOpinion, spine: NamedSpine, temperatures: Mapping[Structure, float]
) -> tuple[dict[Structure, np.ndarray], dict[Structure, Score]]:
    """Dice matrix of each structure that any member saw, over the whole volume, and the scores that follow.

    Verdicts are not given here: every score says pass.
    """
    box = _box(opinion.members.max(axis=0) > 0)
    members = opinion.members[(slice(None), *box)]
    kinds = {label.value: label.structure for label in spine.objects}
    labels = spine.labels[box]
    matrices, scores = {}, {}
    for structure in CLASSES_OF:
        masks = class_masks(members, structure)
        if not masks.any():
            continue
        own = np.isin(labels, [v for v, kind in kinds.items() if kind is structure])
        matrices[structure] = dice_matrix(masks)
        scores[structure] = _score(
            opinion, structure, ("", None), (masks, own, None), box, temperatures.get(structure, 1.0)
        )
    return matrices, scores


def score_objects(
    opinion: CommitteeOpinion, objects: Sequence[Territory], temperatures: Mapping[Structure, float]
) -> list[Score]:
    """Scores of objects, each within its own territory, so that a neighbour's error is not counted here.

    Verdicts are not given here: every score says pass.
    """
    return [
        _score(
            opinion,
            t.structure,
            (t.level, t.label.side),
            (t.masks(opinion), t.own, t.inside),
            t.box,
            temperatures.get(t.structure, 1.0),
        )
        for t in objects
    ]


def _score(
    opinion: CommitteeOpinion,
    structure: Structure,
    place: tuple[str, Side | None],
    masks: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    box: tuple[slice, ...],
    temperature: float,
) -> Score:
    """Every score of one region: members' masks, the committee's own, and where the region is."""
    members, own, inside = masks
    seen = members.any(axis=0)
    found = agreement_of(dice_matrix(members))
    probabilities = opinion.probabilities[(slice(None), *box)]
    doubt = opinion.member_entropy
    voxels = voxel_scores(probabilities[:, seen], None if doubt is None else doubt[box][seen])
    share = probabilities[list(CLASSES_OF[structure])].astype(np.float32).sum(axis=0)
    # The tail of a sigmoid never ends: only voxels with a share worth the name are summed.
    within = (share > 0.01) | own
    if inside is not None:
        within &= inside | own
    chance = temper(share[within], temperature)
    return Score(
        structure,
        *place,
        found.entropy,
        found.eigenvalue,
        found.mean_dice,
        Verdict.PASS,
        "",
        voxels.entropy,
        voxels.mutual_information,
        expected_dice(chance, own[within]),
    )


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """Box around a mask; empty where the mask is."""
    box = []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(int(hit[0]), int(hit[-1]) + 1) if len(hit) else slice(0, 0))
    return tuple(box)
