"""The case that a reader has open: its folder, its review and its nodes in the scene, kept in step."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ..anatomy.structures import Side, Structure
from ..case.errors import InputError, OutputError
from ..case.measurement import Measurement
from ..review.case_review import CaseReview
from ..review.second_reading import keep_beside
from ..review.stamp import what_changed
from ..review.taking_up import take_up_mask
from ..scene.build import SceneNodes
from ..scene.markups import measurement_keys, points_of
from ..scene.members import remove_members, show_members
from ..scene.read_back import labels_of
from ..scene.reopen import add_case_folder, is_unaccepted, mark_case, stamp_of, vertebrae_of
from ..scene.update import ensure_segment, show_result, show_segmentation
from ..scene.volume import add_volume
from .places import value_of

__all__ = ["EXPORTS", "OpenCase"]

EXPORTS = {
    "CSV table": "measurements.csv",
    "Excel workbook": "measurements.xlsx",
    "HTML report": "report.html",
    "PDF report": "report.pdf",
    "Slicer scene": "scene.mrb",
    "DICOM SEG and SR": "dicom",
}
"""Files of a case folder that can be exported, by what people call them."""


class OpenCase:
    """A case under review, shown in a scene.

    Parameters
    ----------
    scene : vtkMRMLScene
        Scene.
    folder : Path
        Case folder.
    volume_node : vtkMRMLScalarVolumeNode or None
        The volume that was analysed, where the scene has it; otherwise the case's own copy is added.
    nodes : SceneNodes or None
        Nodes of the case where the scene has them already, as in a stored scene that was opened again.

    Attributes
    ----------
    left_out : tuple of str
        What a stored scene, or a file that another program saved into the folder, held that cannot be right, and why;
        the case is shown without it.
    changed_since : tuple of (Path, str) or None
        Where a stored scene held corrections that nobody had accepted, and their case folder was changed since: that
        folder, and how it was changed. The case that is open is then another one, of the corrections.

    Raises
    ------
    InputError
        If the folder is no whole case, or was changed so that nothing of what a stored scene holds fits it.
    OutputError
        If corrections in a stored scene have to be kept beside their folder, and cannot be.
    """

    def __init__(self, scene: Any, folder: Path, volume_node: Any = None, nodes: SceneNodes | None = None) -> None:
        self.scene = scene
        self.review = CaseReview.open(folder)
        result = self.review.result
        self._own_volume = volume_node is None and nodes is None
        stored = nodes is not None
        if nodes is None:
            if volume_node is None:
                volume_node = add_volume(scene, self.review.native, scene.GenerateUniqueName(folder.name))
            nodes = add_case_folder(
                scene, folder, volume_node, result.measurements, result.assessment.scores, result.references
            )
        self.nodes = nodes
        self._members = ""
        self._refused = False
        self.left_out: tuple[str, ...] = ()
        self.changed_since: tuple[Path, str] | None = None
        if stored:
            self._take_up()
        else:
            self._take_up_saved()
        self.mark()

    def _take_up_saved(self) -> None:
        """Masks and lines that another program saved into the folder: they are shown, so the numbers must follow."""
        left: list[str] = []
        try:
            labels = self.review.saved_labels()
            if labels is not None:
                left += take_up_mask(self.review, labels)
            for key, points in self.review.saved_lines():
                try:
                    self.review.move(key, points)
                except InputError as error:
                    left.append(f"{key}: {error}")
        except InputError as error:
            left.append(str(error))
        self.left_out = tuple(left)
        if left or self.review.changed:
            self.show(masks=True)

    def _take_up(self) -> None:
        """Corrections that nobody had accepted when the scene was stored, or the case as it has become since."""
        stored = stamp_of(self.scene, self.nodes)
        if not stored:
            self._take_up_saved()  # the scene of the case folder itself
        elif stored == self.review.stamp:
            self.left_out = tuple(self._take_up_edits())
            self.show(masks=bool(self.left_out))
        elif is_unaccepted(self.scene, self.nodes):
            self._take_up_beside(what_changed(self.folder, stored))
        else:
            self._take_up_saved()
            self.show(masks=True)

    def _take_up_beside(self, how: str) -> None:
        """Corrections in a scene whose case folder somebody else has changed since: neither may replace the other."""
        folder = self.folder
        left = self._take_up_edits()
        if self.review.changed:
            try:
                self.review = keep_beside(self.review)
            except OutputError as error:
                raise OutputError(
                    f"{folder} was changed since this scene was stored: {how}. The corrections in the scene have to be "
                    f"kept beside it, and that is not possible: {error}. Then open the scene again"
                ) from error
            self.changed_since = (folder, how)
        elif left:
            raise InputError(
                f"{folder} was changed since this scene was stored: {how}. What the scene holds does not fit it any "
                f"more and stays in the scene as it is ({'; '.join(left)}). Open the folder by itself to see what it "
                "holds now"
            )
        self._take_up_saved()
        self.left_out = (*left, *self.left_out)
        self.show(masks=True)

    def _take_up_edits(self) -> list[str]:
        """Names, masks and lines as they are in the scene; returns what cannot be right, and why."""
        names = vertebrae_of(self.scene, self.nodes)
        if len(names) > 1 and names != self.result.spine.vertebrae:
            # First of all: masks and lines in the scene carry these names. That S1 became lumbar was confirmed then.
            try:
                self.review.rename("-".join(names[-2:]), s1_becomes_lumbar=True)
            except InputError as error:
                return [f"new names of the levels, and what was drawn under them: {error}"]
        try:
            drawn = labels_of(self.scene.GetNodeByID(self.nodes.segmentation), self.result.spine.grid)
        except InputError as error:
            left = [f"masks: {error}"]
        else:
            left = take_up_mask(self.review, drawn)
        for node_id in dict.fromkeys(self.nodes.markups.values()):
            node = self.scene.GetNodeByID(node_id)
            rows = {m.key: m for m in self.result.measurements}
            key = next((k for k in measurement_keys(node) if k in rows and rows[k].can_be_moved), "")
            try:
                if key and self.review.is_elsewhere(key, points_of(node)):
                    self.review.move(key, points_of(node))
            except InputError as error:
                left.append(f"line or contour '{node.GetName()}': {error}")
        return left

    def mark(self) -> None:
        """Note in the scene which case it shows and in which state, so that a stored scene can be taken up again."""
        mark_case(
            self.scene,
            self.nodes,
            self.folder,
            self.review.stamp,
            self.result.spine.vertebrae,
            unaccepted=self.review.changed or self._refused,
        )

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.review.folder

    @property
    def result(self) -> Any:
        """The case as it is now."""
        return self.review.result

    @property
    def present(self) -> bool:
        """Whether the scene still holds it; it may have been closed at any time."""
        return self.scene.GetNodeByID(self.nodes.segmentation) is not None

    # Corrections. Each returns the rows that changed.

    def line_moved(self, node: Any) -> tuple[Measurement, ...]:
        """A markup was dragged.

        Raises
        ------
        InputError
            If its points are unfit; the markup goes back to where it was.
        """
        keys = [key for key in measurement_keys(node) if self.review.can_move(key)]
        # A click without a drag, or a transform over the whole study, is no correction.
        if not keys or not self.review.is_elsewhere(keys[0], points_of(node)):
            return ()
        try:
            rows = self.review.move(keys[0], points_of(node))
        except InputError:
            self.show()
            raise
        self.show()
        return rows

    def mask_edited(self) -> tuple[Measurement, ...]:
        """The segmentation was edited.

        Raises
        ------
        InputError
            If what was drawn cannot be right; the drawing stays, the numbers do not follow.
        """
        node = self.scene.GetNodeByID(self.nodes.segmentation)
        if node is None:
            raise InputError("the segmentation of the case is no longer in the scene; open the case again")
        # Until it counts, what is drawn is in the scene alone.
        self._refused = True
        self.mark()
        rows = self.review.edit_mask(labels_of(node, self.result.spine.grid))
        self._refused = False
        self.show()
        return rows

    def rename(self, lowest_disc: str, confirmed: bool = False) -> tuple[Measurement, ...]:
        """All levels were renamed; see :meth:`CaseReview.rename`."""
        rows = self.review.rename(lowest_disc, s1_becomes_lumbar=confirmed)
        self.show(masks=True)
        return rows

    def undo(self) -> tuple[Measurement, ...]:
        """Take the last edit back."""
        rows = self.review.undo()
        self.show(masks=True)
        return rows

    def redo(self) -> tuple[Measurement, ...]:
        """Make it again."""
        rows = self.review.redo()
        self.show(masks=True)
        return rows

    def reset(self, key: str) -> tuple[Measurement, ...]:
        """Take one value back to what the software measured."""
        rows = self.review.reset(key)
        self.show()
        return rows

    def show(self, masks: bool = False) -> None:
        """Let the scene show the case as it is."""
        if not self.present:
            return
        self.nodes = show_result(self.scene, self.nodes, self.result)
        if masks:
            show_segmentation(self.scene, self.nodes, self.result, self.review.native)
            self._refused = False
        self.mark()

    # What is looked at.

    def segment_for(self, structure: Structure, level: str, side: Side | None) -> str:
        """Id of the segment to draw into, added empty where the case has none.

        Raises
        ------
        InputError
            If there can be none.
        """
        value = value_of(structure, level, side)
        if value is None:
            raise InputError(
                f"there is no mask of the {structure} at '{level}'; choose a level in the list of findings"
            )
        return ensure_segment(self.scene, self.nodes, self.result.spine, value)

    def show_members(self, structure: Structure, level: str, side: Side | None) -> bool:
        """Show each network's own contour of one object, and no other's; returns whether there is anything to show."""
        self.hide_members()
        self._members = show_members(
            self.scene, self.result, self.review.native, structure, value_of(structure, level, side), level
        )
        return bool(self._members)

    def hide_members(self) -> None:
        """Take the networks' contours away."""
        remove_members(self.scene, self._members)
        self._members = ""

    def show_markups(self, structure: Structure | None = None, level: str = "", side: Side | None = None) -> None:
        """Show the lines of one object, or of all."""
        rows = {m.key: m for m in self.result.measurements}
        for node_id in set(self.nodes.markups.values()):
            node = self.scene.GetNodeByID(node_id)
            own = [rows[key] for key in measurement_keys(node) if key in rows] if node is not None else []
            if own and node.GetDisplayNode() is not None:
                fits = any((m.structure, m.level, m.side) == (structure, level, side) for m in own)
                node.GetDisplayNode().SetVisibility(structure is None or fits)

    # Export.

    def available(self) -> dict[str, Path]:
        """What can be exported: files of the case folder that are there."""
        # A folder for DICOM is there although nothing could be written into it.
        paths = {name: self.folder / file for name, file in EXPORTS.items()}
        return {name: path for name, path in paths.items() if path.is_file() or any(path.glob("*.dcm"))}

    def export(self, name: str, target: Path) -> Path:
        """Copy a file of the case; an HTML report takes its pictures along.

        Raises
        ------
        InputError
            If the case holds no such file, or holds changes that are not written yet.
        OutputError
            If it cannot be written.
        """
        path = self.available().get(name)
        if path is None:
            raise InputError(f"this case holds no {name}")
        if self.review.changed:
            raise InputError("the case was corrected since its files were written; accept it first, then export")
        try:
            if path.is_dir():
                shutil.copytree(path, target, dirs_exist_ok=True)
            else:
                shutil.copyfile(path, target)
                pictures = self.folder / "pictures"
                if path.suffix == ".html" and pictures.is_dir():
                    shutil.copytree(pictures, target.parent / "pictures", dirs_exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write {target}: {error.strerror or error}; choose another place") from error
        return target

    def close(self) -> None:
        """Take the nodes of the case out of the scene."""
        self.hide_members()
        hierarchy_first = [
            *self.nodes.markups.values(),
            *(node_id for ids in self.nodes.plots.values() for node_id in ids),
            *self.nodes.tables.values(),
            self.nodes.segmentation,
            *([self.nodes.volume] if self._own_volume else []),
        ]
        for node_id in dict.fromkeys(hierarchy_first):
            node = self.scene.GetNodeByID(node_id)
            if node is not None:
                self.scene.RemoveNode(node)
