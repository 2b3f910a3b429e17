"""A finished case under review: corrections, what follows from them, undo, and acceptance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..anatomy.structures import Structure
from ..case.correction import Edit
from ..case.errors import InputError
from ..case.folder import mend_case_folder
from ..case.measurement import Measurement
from ..case.opinion import Score
from ..case.progress import ProgressEvent
from ..case.record import read_record
from ..case.result import CaseResult
from ..measure.landmarks import Landmarks
from .accepting import Signed, write_signed
from .levels import names_of, renamed_state, table_under_new_names
from .lines import move_line, reset_rows
from .masks import voxels_of
from .measuring import measure
from .opening import OpenedCase, open_case
from .remeasure import with_mask
from .rows import in_ranges
from .saved import is_elsewhere, saved_labels, saved_lines
from .state import State
from .timeline import Timeline

__all__ = ["CaseReview"]

_Told = Callable[[State], dict[str, Any]]


class CaseReview:
    """A case that a reader looks at and corrects.

    Nothing on disk changes before :meth:`accept`. Every method that edits either makes the whole edit or, with an
    error, none of it, and returns the rows of the table that are new or differ.

    Parameters
    ----------
    opened : OpenedCase
        From :func:`~SpineQuantLib.review.opening.open_case`.

    Attributes
    ----------
    rater : str
        Who edits; may be set at any time and is set by :meth:`accept`.
    """

    def __init__(self, opened: OpenedCase) -> None:
        self.rater = ""
        self._opened = opened
        self._timeline = Timeline(opened.state)
        self._landmarks: Landmarks | None = None

    @classmethod
    def open(cls, folder: Path) -> CaseReview:
        """Take up a case folder, with what was corrected in it before.

        Raises
        ------
        InputError
            If it is no case folder, or is broken.
        """
        mend_case_folder(Path(folder))
        return cls(open_case(Path(folder)))

    @property
    def folder(self) -> Path:
        """Where the case lies."""
        return self._opened.folder

    @property
    def stamp(self) -> str:
        """Tells the folder, as it was opened or written last, from every other and from any later one."""
        return self._opened.stamp

    @property
    def native(self) -> sitk.Image:
        """The input volume on its own grid, with its own numbers."""
        return self._opened.native

    @property
    def _state(self) -> State:
        return self._timeline.now

    @property
    def result(self) -> CaseResult:
        """The case as it is now."""
        return self._state.result

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """Rows of the table as they are now."""
        return self.result.measurements

    @property
    def scores(self) -> tuple[Score, ...]:
        """How far the committee agreed: the case first, then structures, then single objects."""
        return self.result.assessment.scores

    @property
    def history(self) -> tuple[Edit, ...]:
        """Edits in force, oldest first, those of earlier raters included."""
        return self.result.edits

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit of this session to take back."""
        return self._timeline.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit that was taken back."""
        return self._timeline.can_redo

    @property
    def changed(self) -> bool:
        """Whether the case differs from what is on disk."""
        return self._timeline.changed

    def row(self, key: str) -> Measurement:
        """The row with a key.

        Raises
        ------
        InputError
            If there is none.
        """
        row = self._state.rows.get(key)
        if row is None:
            raise InputError(f"the case has no measurement '{key}'; it may have been renamed")
        return row

    def can_move(self, key: str) -> bool:
        """Whether the value of a row is the size of its line or contour, so that :meth:`move` can change it."""
        return self.row(key).can_be_moved

    def move(self, key: str, points_ras: np.ndarray | Sequence[Sequence[float]]) -> tuple[Measurement, ...]:
        """A reader dragged the line or contour of a row, or placed one where there was no value.

        Parameters
        ----------
        key : str
            Key of the measurement.
        points_ras : array
            (n, 3) RAS millimetres: two ends of a line, or the corners of a contour in order.

        Returns
        -------
        tuple of Measurement
            Rows that changed: this one, those that share its line, and what is computed from them.

        Raises
        ------
        InputError
            If the row is not the size of a line or contour, or the points are unfit.
        """
        points = np.asarray(points_ras, float)
        before = self.row(key)
        return self._edit(
            move_line(self._state, key, points),
            "line",
            f"{key} moved" if before.value is not None else f"{key} placed",
            {"value": before.value, "points": [list(p) for p in before.geometry.points] if before.geometry else None},
            lambda state: {"value": state.rows[key].value, "points": points.tolist()},
        )

    def reset(self, key: str) -> tuple[Measurement, ...]:
        """Take a row, and those that share its line, back to what the software measured.

        Raises
        ------
        InputError
            If there is no such row, or it is not corrected.
        """
        value = self.row(key).value
        after = reset_rows(self._state, key)
        return self._edit(
            after, "reset", f"{key} reset", {"value": value}, lambda state: {"value": state.rows[key].value}
        )

    def edit_mask(self, labels: np.ndarray) -> tuple[Measurement, ...]:
        """A reader edited the label map.

        Parameters
        ----------
        labels : np.ndarray
            (nk, nj, ni) label values in reading order on the case's grid, all of them.

        Returns
        -------
        tuple of Measurement
            Rows that changed; only what depends on edited objects is measured again.

        Raises
        ------
        InputError
            If it does not lie on the grid, or what was drawn contradicts the names or the patient's sides.
        """
        before = self._state
        done = with_mask(before, labels, self._landmarks)
        if done is None:
            return ()
        spine, edited, values = before.result.spine, done.state.result.spine, done.values
        self._landmarks = done.landmarks
        names = ", ".join(edited.label(value).name for value in values)
        return self._edit(
            done.state, "mask", f"mask of {names} edited", voxels_of(spine, values), lambda _: voxels_of(edited, values)
        )

    @property
    def prepared(self) -> bool:
        """Whether what most edits of a mask lean on is measured."""
        return self._landmarks is not None

    def prepare(self) -> None:
        """Measure what most edits of a mask lean on, for the first one to take no longer than those after it."""
        if not self.prepared:
            landmarks = Landmarks(self.result.spine)
            measure(self.result, lambda structure, _level: structure is Structure.CANAL, landmarks)
            self._landmarks = landmarks

    def rename(self, lowest_disc: str, *, s1_becomes_lumbar: bool = False) -> tuple[Measurement, ...]:
        """Rename all levels at once.

        Parameters
        ----------
        lowest_disc : str
            True name of the lowest disc between two vertebrae in view, for example ``L4-L5``.
        s1_becomes_lumbar : bool
            Confirms that what the case holds for S1 is a lumbar vertebra.

        Returns
        -------
        tuple of Measurement
            All rows under new names, and those that there were not before.

        Raises
        ------
        InputError
            If the names are impossible.
        NeedsConfirmationError
            If S1 would become a lumbar vertebra and that was not confirmed.
        """
        before = self._state
        named = renamed_state(before, lowest_disc, s1_becomes_lumbar)
        if named.result.spine.vertebrae == before.result.spine.vertebrae:
            after = named
        else:
            landmarks = Landmarks(named.result.spine, known=self._landmarks)
            after = table_under_new_names(before, named, measure(named.result, landmarks=landmarks))
            self._landmarks = landmarks
        return self._edit(
            after,
            "levels",
            f"lowest disc set to {lowest_disc}",
            names_of(before.result),
            lambda state: names_of(state.result),
        )

    def _edit(self, after: State, kind: str, what: str, before: dict[str, Any], told: _Told) -> tuple[Measurement, ...]:
        """Make a state the present one, with its edit in the history."""
        after = in_ranges(self._state, after)
        return self._timeline.edit(self.rater, after, kind, what, before, told(after))

    def saved_labels(self) -> np.ndarray | None:
        """Labels of a segmentation that another program saved into the case folder; None where none was.

        Returns
        -------
        np.ndarray or None
            (nk, nj, ni) in reading order, to be given to :meth:`edit_mask`.

        Raises
        ------
        InputError
            If both segmentations in the folder were changed, each in another way, or one cannot be read.
        """
        return saved_labels(self._opened)

    def saved_lines(self) -> list[tuple[str, np.ndarray]]:
        """Key and points (n, 3) of each markup that another program saved into the case folder at another place.

        Raises
        ------
        InputError
            If a markup cannot be read.
        """
        return saved_lines(self._opened)

    def is_elsewhere(self, key: str, points: np.ndarray) -> bool:
        """Whether points lie elsewhere than the row's own geometry as far as a stored markup can tell (0.03 mm).

        Parameters
        ----------
        key : str
            Key of the row.
        points : np.ndarray
            (n, 3) RAS millimetres: a line's ends, or the corners of a contour, which may be fewer than the row has.
        """
        return is_elsewhere(self.row(key), np.asarray(points, float))

    def undo(self) -> tuple[Measurement, ...]:
        """Take the last edit of this session back; nothing happens where there is none."""
        return self._timeline.go(-1) if self.can_undo else ()

    def redo(self) -> tuple[Measurement, ...]:
        """Make the edit again that was taken back last; nothing happens where there is none."""
        return self._timeline.go(1) if self.can_redo else ()

    def accept(
        self,
        rater: str,
        folder: Path | None = None,
        *,
        source: Path | None = None,
        progress: Callable[[ProgressEvent], None] | None = None,
    ) -> Path:
        """Take the case as it is, and write its folder again with what changed.

        Written aside and renamed at the end: whatever happens midway, the folder is what it was. Files in it that
        SpineQuant did not write are kept.

        Parameters
        ----------
        rater : str
            Who accepts it; also of the edits of this session that name nobody.
        folder : Path, optional
            Where to write; the case's own folder by default. A folder that exists must be a case folder.
        source : Path, optional
            Where the DICOM images are now, if they were moved; SEG and SR refer to them.
        progress : callable, optional
            Told about each step.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            If there is no name.
        OutputError
            If it cannot be written, or somebody else has changed the folder meanwhile.
        """
        signed = self.sign(rater)
        target = Path(folder) if folder is not None else self.folder
        self.written(signed, write_signed(signed, target, source=source, progress=progress).stamp, target)
        return target

    def sign(self, rater: str) -> Signed:
        """The present state as a rater accepts it, to be written here or by another process.

        Nothing is written, and the case counts as changed until :meth:`written`. Edits that named nobody are the
        rater's from now on.

        Raises
        ------
        InputError
            If there is no name.
        """
        rater = rater.strip()
        if not rater:
            raise InputError("say who accepts the case")
        self.rater = rater
        accepted = self._timeline.sign(rater)
        after = replace(self._state, result=replace(self._state.result, accepted=accepted))
        return Signed(self._state, after, self.native, self.folder, self.stamp)

    def unsigned(self) -> Signed:
        """The present state to be kept although nobody accepts it; see :mod:`~SpineQuantLib.review.second_reading`."""
        return Signed(self._state, self._state, self.native, self.folder, self.stamp)

    def written(self, signed: Signed, stamp: str, folder: Path | None = None) -> None:
        """Take note that a signed state is on disk. What was edited since then stays, and counts as changed.

        Parameters
        ----------
        signed : Signed
            From :meth:`sign` or :meth:`unsigned`.
        stamp : str
            Stamp of what was written, from who wrote it: the folder may have been changed again since.
        folder : Path, optional
            Where it was written; the case's own folder by default.

        Raises
        ------
        InputError
            If the folder cannot be read.
        """
        folder = signed.folder if folder is None else folder
        self._opened = OpenedCase(folder, signed.after, self.native, read_record(folder / "case.json"), stamp)
        self._timeline.written(signed.before, signed.after)
