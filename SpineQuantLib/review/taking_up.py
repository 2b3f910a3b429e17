"""What a stored scene holds of a reader's corrections, taken up as far as it can be right."""

from __future__ import annotations

import numpy as np

from ..case.errors import InputError
from ..case.spine import NamedSpine
from .case_review import CaseReview
from .masks import touched_values

__all__ = ["take_up_mask"]


def take_up_mask(review: CaseReview, labels: np.ndarray) -> list[str]:
    """Edit the masks of a case as far as a drawing can be right.

    A drawing that cannot be right as a whole is taken apart into what is independent of each other: objects that took
    voxels from one another belong together.

    Parameters
    ----------
    review : CaseReview
        The case; edits that can be right are made, each of them one that can be undone.
    labels : np.ndarray
        (nk, nj, ni) label values in reading order on the case's grid.

    Returns
    -------
    list of str
        For each drawing that was left out: of what, and why.
    """
    try:
        review.edit_mask(labels)
    except InputError as error:
        before = review.result.spine
        if labels.shape != before.labels.shape:
            return [f"masks: {error}"]
    else:
        return []
    left = []
    for values, changed in _parts(before, labels):
        try:
            review.edit_mask(np.where(changed, labels, review.result.spine.labels))
        except InputError as error:
            left.append(f"{', '.join(_name(before, value) for value in values)}: {error}")
    return left


def _name(spine: NamedSpine, value: int) -> str:
    try:
        return spine.label(value).name
    except ValueError:
        return f"label value {value}"


def _parts(spine: NamedSpine, labels: np.ndarray) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """Groups of objects that exchanged voxels, each with the voxels (bool, whole volume) that changed for it."""
    before, differ = spine.labels, spine.labels != labels
    group = {value: {value} for value in touched_values(before, labels)}
    for pair in np.unique(np.stack([before[differ], labels[differ]]).astype(int), axis=1).T.tolist():
        if 0 not in pair:
            together = group[pair[0]] | group[pair[1]]
            group |= dict.fromkeys(together, together)
    parts = {tuple(sorted(values)) for values in group.values()}
    return [(values, differ & (np.isin(before, values) | np.isin(labels, values))) for values in sorted(parts)]
