"""Measure again what an edited mask touches, and leave the rest as it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ..anatomy.labels import CANAL_VALUE, CORD_VALUE
from ..anatomy.levels import split_level
from ..anatomy.structures import Structure
from ..case.measurement import Measurement
from ..case.spine import NamedSpine
from ..measure.landmarks import Landmarks
from .lines import follow
from .masks import edited_spine, touched_values
from .measuring import measure, measure_with_sac
from .rows import corrected
from .state import State, identity, place_may_change, same, single_rows
from .verdict import reassessed

__all__ = ["Remeasured", "Touched", "remeasured", "with_mask"]

_NEGLIGIBLE = {"mm": 0.05, "deg": 0.2, "%": 0.5, "1": 0.005}
_NEGLIGIBLE_SHARE = 5e-3
"""Changes, in a unit or as a share, up to which an object that was not edited itself counts as unchanged: a sac edited
at one level shifts its smoothed centre line by a hair everywhere."""


class Touched:
    """What depends on edited objects.

    Parameters
    ----------
    spine : NamedSpine
        Before or after the edit.
    values : iterable of int
        Label values of the edited objects.
    """

    def __init__(self, spine: NamedSpine, values: Iterable[int]) -> None:
        labels = [spine.label(value) for value in values]
        self.objects = {(x.structure, x.level, x.side) for x in labels}
        self.sac = any(x.value in (CANAL_VALUE, CORD_VALUE) for x in labels)
        names = {x.level for x in labels if x.structure in (Structure.VERTEBRA, Structure.DISC)}
        beside = {level for level in spine.levels if names & set(split_level(level))}
        self._discs = (names & set(spine.levels)) | beside
        self._frames = names | beside
        self._foramina = {x.level for x in labels if x.structure is Structure.FORAMEN} | self._discs
        self._bodies = names

    def depends(self, structure: Structure, level: str) -> bool:
        """Whether rows of a structure at a level are to be measured again."""
        if structure is Structure.DISC:
            return level in self._discs
        if structure is Structure.CANAL:
            return self.sac or level in self._frames
        if structure is Structure.FORAMEN:
            return level in self._foramina
        if structure is Structure.VERTEBRA:
            return level in self._bodies
        # Angles and slips are between vertebrae.
        return any("-" not in name for name in self._frames)

    def itself(self, row: Measurement) -> bool:
        """Whether the row is about an edited object itself; of the sac, which spans all levels, it is not known."""
        return (row.structure, row.level, row.side) in self.objects


@dataclass(frozen=True, eq=False)
class Remeasured:
    """A case after an edit of its masks.

    Attributes
    ----------
    state : State
        With the edited spine and its rows.
    landmarks : Landmarks
        Of the edited spine, for the next edit to take over what it leaves as it is.
    values : tuple of int
        Label values of the edited objects.
    """

    state: State
    landmarks: Landmarks
    values: tuple[int, ...]


def with_mask(before: State, labels: np.ndarray, known: Landmarks | None = None) -> Remeasured | None:
    """Edit the label map of a case, judge it anew, and measure again what depends on the edit.

    Parameters
    ----------
    before : State
        The case.
    labels : np.ndarray
        (nk, nj, ni) label values in reading order on the case's grid, all of them.
    known : Landmarks, optional
        Of the case before, or of any other state of it.

    Returns
    -------
    Remeasured or None
        None where the labels are what they were.

    Raises
    ------
    InputError
        If it does not lie on the grid, or what was drawn contradicts the names or the patient's sides.
    """
    spine = before.result.spine
    edited = edited_spine(spine, labels)
    values = touched_values(spine.labels, edited.labels)
    if not values:
        return None
    assessment = reassessed(before.result.assessment, spine, edited)
    changed = replace(before, result=replace(before.result, spine=edited, assessment=assessment))
    landmarks = Landmarks(edited, known=known)
    return Remeasured(remeasured(before, changed, Touched(edited, values), landmarks), landmarks, values)


def remeasured(before: State, after: State, touched: Touched, landmarks: Landmarks | None = None) -> State:
    """Rows after an edit of the mask.

    A line that a reader placed stays, unless the object itself was edited after that.

    Parameters
    ----------
    before : State
        Before the edit.
    after : State
        With the edited spine and the rows of before.
    touched : Touched
        What depends on the edit.
    landmarks : Landmarks, optional
        Of the edited spine.
    """
    rows = after.rows
    hand = set(after.by_hand)
    automatic = dict(after.automatic)
    single = single_rows(rows.values())
    if touched.sac:
        measured, profile = measure_with_sac(after.result, touched.depends, landmarks)
        after = replace(after, result=replace(after.result, canal_profile=profile))
    else:
        measured = measure(after.result, touched.depends, landmarks)
    for fresh in measured:
        own = touched.itself(fresh)
        key = fresh.key
        if key not in rows and place_may_change(fresh):
            key = single.get(identity(fresh), key)
        old = rows.get(key)
        if (key in hand or old is None) and not own:
            continue
        if old is not None and (same(old.value, fresh.value) if own else _negligible(old, fresh)):
            if own:
                rows[key] = replace(old, geometry=fresh.geometry)
            continue
        original = before.original(key)
        if original is not None:
            automatic[fresh.key] = original
        rows = {fresh.key if k == key else k: m for k, m in rows.items()}
        rows[fresh.key] = corrected(replace(before, automatic=automatic), fresh)
        hand.discard(key)
    after = replace(after, automatic=automatic)
    result = after.with_rows(_in_order(rows, after), hand)
    # Measuring has worked out anew what follows from masks; what follows from a reader's lines has to be again.
    return follow(before, result, hand) if hand else result


def _negligible(old: Measurement, fresh: Measurement) -> bool:
    if old.value is None or fresh.value is None:
        return old.value is fresh.value
    change = abs(fresh.value - old.value)
    return change <= max(_NEGLIGIBLE.get(old.unit, 0.0), _NEGLIGIBLE_SHARE * abs(old.value))


def _in_order(rows: dict[str, Measurement], state: State) -> list[Measurement]:
    """Rows in the table's order; a row that is new comes behind the others of its object."""
    known = set(state.rows)
    out = [m for key, m in rows.items() if key in known]
    for key, m in rows.items():
        if key in known:
            continue
        about = (m.structure, m.level, m.side)
        fellows = [n for n, r in enumerate(out) if (r.structure, r.level, r.side) == about]
        out.insert(fellows[-1] + 1 if fellows else len(out), m)
    return out
