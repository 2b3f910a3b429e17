"""Corrections in the panel: what a reader touches in the views, and what the numbers do."""

from __future__ import annotations

import numpy as np
import pytest


def row_of(panel, words: str):
    """The one row whose key holds all words."""
    found = [m for m in panel.case.result.measurements if all(w in m.key for w in words.split())]
    assert len(found) == 1, [m.key for m in found]
    return found[0]


def markup_of(desktop, panel, key: str):
    return desktop.host.scene.GetNodeByID(panel.case.nodes.markups[key])


def drag(node, point: int, by: np.ndarray) -> None:
    """Move a point as the mouse does: the node changes, then the interaction ends."""
    position = np.zeros(3)
    node.GetNthControlPointPositionWorld(point, position)
    node.SetNthControlPointPositionWorld(point, *(position + by))
    node.InvokeEvent(node.PointEndInteractionEvent)


def longer(row, by: float) -> np.ndarray:
    """Step that makes a line longer by millimetres when its first point takes it."""
    first, second = np.array(row.geometry.points[:2])
    return by * (first - second) / np.linalg.norm(first - second)


def test_a_dragged_line_takes_its_number_along(desktop, analysed):
    row = row_of(analysed, "canal_L4-L5_AP-diameter")
    analysed.ui.filterLineEdit.text = "L4-L5 dural sac AP diameter"
    drag(markup_of(desktop, analysed, row.key), 0, longer(row, 2.0))
    desktop.wait(lambda: analysed.case.review.changed, 5)
    now = analysed.case.review.row(row.key)
    assert now.value == pytest.approx(row.value + 2.0, abs=1e-6)
    assert (now.source, now.automatic) == ("corrected", row.value)
    table = analysed.ui.measurementsTable
    shown = [[table.item(r, c).text() for c in range(table.columnCount)] for r in range(table.rowCount)]
    mine = next(cells for cells in shown if "AP diameter" in cells[1])
    assert mine[2] == f"{row.value + 2.0:.1f}"
    assert mine[7] == f"corrected (was {row.value:.1f})"
    assert analysed.ui.undoButton.enabled
    assert analysed.ui.historyList.count == 1
    said = f"L4-L5 dural sac, AP diameter moved: {row.value:.1f} → {row.value + 2.0:.1f} mm"
    assert analysed.ui.historyList.item(0).text() == said
    assert analysed.ui.acceptButton.text == "Accept case with changes"
    assert not desktop.messages


def test_a_correction_leaves_the_reader_where_they_were(desktop, analysed):
    ui = analysed.ui
    ui.doubtfulCheckBox.checked = False
    tree, table = ui.findingsTree, ui.measurementsTable
    item = next(i for n in range(tree.topLevelItemCount) if "L4-L5 dural sac" in (i := tree.topLevelItem(n)).text(0))
    tree.setCurrentItem(item)
    row = row_of(analysed, "canal_L4-L5_AP-diameter")
    ui.filterLineEdit.text = "L4-L5 AP diameter"
    place = next(n for n, shown in enumerate(analysed.measurementsSection._shown) if shown.key == row.key)
    table.setCurrentCell(place, 0)
    drag(markup_of(desktop, analysed, row.key), 0, longer(row, 2.0))
    analysed.correctSection.follow()
    assert analysed.measurementsSection.selectedKey() == row.key
    assert "L4-L5 dural sac" in tree.currentItem().text(0)
    assert analysed.findingsSection.current.corrected
    ui.resetButton.click()
    assert analysed.case.review.row(row.key) == row
    ui.filterLineEdit.text = "disc"
    assert analysed.measurementsSection.selectedKey() == "", "a row out of sight is not selected"


def test_undo_brings_line_and_number_back_and_redo_again(desktop, analysed):
    row = row_of(analysed, "canal_L4-L5_AP-diameter")
    node = markup_of(desktop, analysed, row.key)
    before = np.array(row.geometry.points[0])
    drag(node, 0, longer(row, 3.0))
    analysed.correctSection.follow()
    analysed.ui.undoButton.click()
    position = np.zeros(3)
    markup_of(desktop, analysed, row.key).GetNthControlPointPositionWorld(0, position)
    assert position == pytest.approx(before, abs=1e-6)
    assert analysed.case.review.row(row.key) == row
    assert not analysed.case.review.changed
    desktop.app.processEvents()
    analysed.correctSection.follow()
    assert not analysed.case.review.changed, "what undo moves is no edit of its own"
    analysed.ui.redoButton.click()
    assert analysed.case.review.row(row.key).value == pytest.approx(row.value + 3.0, abs=1e-6)


def test_back_to_automatic_wants_a_row(desktop, analysed):
    row = row_of(analysed, "canal_L4-L5_AP-diameter")
    analysed.ui.resetButton.click()
    assert "Select a corrected row" in desktop.messages.pop()[1]
    drag(markup_of(desktop, analysed, row.key), 0, longer(row, 3.0))
    analysed.correctSection.follow()
    analysed.ui.filterLineEdit.text = "corrected AP diameter L4-L5"
    analysed.ui.measurementsTable.setCurrentCell(0, 0)
    analysed.ui.resetButton.click()
    assert analysed.case.review.row(row.key).value == row.value


def test_a_line_out_of_the_volume_goes_back(desktop, analysed):
    row = row_of(analysed, "canal_L4-L5_AP-diameter")
    node = markup_of(desktop, analysed, row.key)
    drag(node, 0, np.array([0.0, 900.0, 0.0]))
    analysed.correctSection.follow()
    assert "outside of the volume" in desktop.messages[0][1]
    position = np.zeros(3)
    node.GetNthControlPointPositionWorld(0, position)
    assert position == pytest.approx(row.geometry.points[0], abs=1e-6)
    assert not analysed.case.review.changed


def paint(desktop, panel, segment_id: str, change) -> None:
    """Change the voxels of a segment as a brush does."""
    slicer = desktop.slicer
    segmentation = desktop.host.scene.GetNodeByID(panel.case.nodes.segmentation)
    volume = desktop.host.scene.GetNodeByID(panel.case.nodes.volume)
    array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, volume).copy()
    change(array)
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentation, segment_id, volume)


def without_top(array: np.ndarray) -> None:
    """Take the outermost row of voxels away along the axis of the height."""
    rows = np.flatnonzero(array.any(axis=(0, 2)))
    array[:, rows[-1]] = 0


def test_a_painted_mask_takes_its_numbers_along(desktop, analysed):
    from SpineQuantLib.anatomy.labels import disc_value

    row = row_of(analysed, "disc_L4-L5 volume")
    before = int((analysed.case.result.spine.labels == disc_value("L4")).sum())
    paint(desktop, analysed, "disc_L4-L5", without_top)
    desktop.wait(lambda: analysed.case.review.changed, 10)
    now = analysed.case.review.row(row.key)
    assert now.value < row.value
    assert now.source == "corrected"
    after = int((analysed.case.result.spine.labels == disc_value("L4")).sum())
    assert after < before
    analysed.ui.undoButton.click()
    assert analysed.case.review.row(row.key).value == row.value
    array = desktop.slicer.util.arrayFromSegmentBinaryLabelmap(
        desktop.host.scene.GetNodeByID(analysed.case.nodes.segmentation),
        "disc_L4-L5",
        desktop.host.scene.GetNodeByID(analysed.case.nodes.volume),
    )
    assert int(np.count_nonzero(array)) == before, "the drawing goes back too"
    assert not desktop.messages


def test_a_drawing_that_cannot_be_right_is_told_and_kept(desktop, analysed):
    def swap(array: np.ndarray) -> None:
        array[:] = array[::-1] if array.shape[0] < array.shape[2] else array[..., ::-1]

    paint(desktop, analysed, "foramen_right_L4-L5", swap)
    analysed.correctSection.follow()
    assert desktop.messages
    assert "numbers do not follow" in desktop.messages[0][1]
    assert not analysed.case.review.changed


@pytest.mark.parametrize(
    ("button", "finding", "segment"),
    [
        ("foramenButton", "L4-L5 left foramen", "foramen_left_L4-L5"),
        ("canalButton", "L4-L5 disc", "canal"),
        ("discButton", "L4-L5 right foramen", "disc_L4-L5"),
    ],
)
def test_a_preset_takes_the_right_brush_to_the_right_place(desktop, analysed, button, finding, segment):
    from SpineQuantLib.panel.findings import findings_of

    chosen = next(f for f in findings_of(analysed.case.result) if f.title == finding)
    analysed.findingsSection.current = chosen
    getattr(analysed.ui, button).click()
    editor = analysed.correctSection._brush._editor
    assert editor.currentSegmentID() == segment
    assert editor.activeEffect().name == "Paint"
    assert 2 <= editor.activeEffect().parameters["BrushAbsoluteDiameter"] <= 5
    node = editor.mrmlSegmentEditorNode()
    assert node.GetOverwriteMode() == desktop.slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments
    assert editor.segmentationNode().GetID() == analysed.case.nodes.segmentation
    assert analysed.ui.doneButton.enabled
    desktop.wait(lambda: analysed.case.review.prepared)
    analysed.ui.doneButton.click()
    assert editor.activeEffect() is None
    assert editor.segmentationNode() is None
    assert not analysed.case.review.changed, "nothing was painted"


def test_what_the_editor_takes_back_counts_like_a_stroke(desktop, analysed):
    """The editor's own undo says of a segment that it was modified, and nothing of its mask."""
    row = row_of(analysed, "disc_L4-L5 volume")
    segmentation = desktop.host.scene.GetNodeByID(analysed.case.nodes.segmentation).GetSegmentation()
    history = desktop.slicer.vtkSegmentationHistory()
    history.SetSegmentation(segmentation)
    assert history.SaveState()
    paint(desktop, analysed, "disc_L4-L5", without_top)
    desktop.wait(lambda: analysed.case.review.row(row.key).value != row.value, 10)
    assert history.RestorePreviousState()
    desktop.wait(lambda: len(analysed.case.review.history) == 2, 10)
    assert analysed.case.review.row(row.key).value == pytest.approx(row.value, rel=0.15)


def test_a_segment_that_is_deleted_counts_like_a_stroke(desktop, analysed):
    row = row_of(analysed, "disc_L4-L5 volume")
    desktop.host.scene.GetNodeByID(analysed.case.nodes.segmentation).GetSegmentation().RemoveSegment("disc_L4-L5")
    desktop.wait(lambda: analysed.case.review.changed, 10)
    assert analysed.case.review.row(row.key).value is None


def test_who_opens_another_module_leaves_no_brush_behind(desktop, analysed):
    from SpineQuantLib.panel.findings import findings_of

    analysed.findingsSection.current = next(f for f in findings_of(analysed.case.result) if f.title == "L4-L5 disc")
    analysed.ui.discButton.click()
    assert analysed.correctSection._brush.active
    editor = analysed.correctSection._brush._editor
    paint(desktop, analysed, "disc_L4-L5", without_top)
    desktop.wait(lambda: analysed.case.review.changed, 10)
    analysed.ui.undoButton.click()
    assert (editor.currentSegmentID(), editor.activeEffect().name) == ("disc_L4-L5", "Paint"), "to be painted anew"
    analysed.exit()
    assert analysed.correctSection._brush._editor.activeEffect() is None
    assert not analysed.ui.doneButton.enabled
    analysed.enter()
    assert analysed.case is not None


def test_a_preset_without_a_level_asks_for_one(desktop, analysed):
    analysed.findingsSection.current = None
    analysed.ui.discButton.click()
    assert "Click on a disc or foramen" in desktop.messages[0][1]


def test_a_side_is_never_guessed(desktop, analysed):
    """A disc names the level and not which of its two foramina is to be painted."""
    from SpineQuantLib.panel.findings import findings_of

    analysed.findingsSection.current = next(f for f in findings_of(analysed.case.result) if f.title == "L4-L5 disc")
    analysed.ui.foramenButton.click()
    assert "Click on a foramen, right or left," in desktop.messages[0][1]
    assert analysed.correctSection._brush._editor is None


def test_all_levels_are_renamed_in_one_step(desktop, analysed):
    disc = row_of(analysed, "disc_L4-L5 volume")
    analysed.ui.renameComboBox.currentIndex = analysed.ui.renameComboBox.findData("L6-S1")
    analysed.ui.renameButton.click()
    desktop.app.processEvents()
    assert not desktop.messages
    assert row_of(analysed, "disc_L5-L6 volume").value == pytest.approx(disc.value)
    segmentation = desktop.host.scene.GetNodeByID(analysed.case.nodes.segmentation).GetSegmentation()
    assert segmentation.GetSegment("disc_L6-S1") is not None
    titles = {f.title for f in analysed.findingsSection.findings}
    assert "L6-S1 disc" in titles
    analysed.ui.undoButton.click()
    assert row_of(analysed, "disc_L4-L5 volume").value == disc.value


def point_at(panel, title: str, key: str) -> None:
    """Choose an object in the list, a brush for it, and a row of the table."""
    ui = panel.ui
    ui.doubtfulCheckBox.checked = False
    items = [ui.findingsTree.topLevelItem(n) for n in range(ui.findingsTree.topLevelItemCount)]
    ui.findingsTree.setCurrentItem(next(item for item in items if item.text(0)[2:] == title))
    ui.discButton.click()
    place = next(n for n, shown in enumerate(panel.measurementsSection._shown) if shown.key == key)
    ui.measurementsTable.setCurrentCell(place, 0)


@pytest.mark.parametrize("way", ["rename", "undo", "redo"])
def test_new_names_leave_nothing_chosen_that_is_another_object_now(desktop, analysed, way):
    """L4-L5 disc under its old name would be the disc above under the new ones."""
    ui, scene = analysed.ui, desktop.host.scene
    ui.renameComboBox.currentIndex = ui.renameComboBox.findData("L6-S1")
    before = {"rename": [], "undo": [ui.renameButton], "redo": [ui.renameButton, ui.undoButton]}[way]
    for button in before:
        button.click()
    key = next(m.key for m in analysed.case.result.measurements if m.key.startswith("disc_L4-L5") and m.can_be_moved)
    point_at(analysed, "L4-L5 disc", key)
    editor = analysed.correctSection._brush._editor
    assert editor.currentSegmentID() == "disc_L4-L5"
    assert analysed.measurementsSection.selectedKey() == key
    {"rename": ui.renameButton, "undo": ui.undoButton, "redo": ui.redoButton}[way].click()
    assert not desktop.messages
    assert analysed.findingsSection.current is None
    assert not ui.findingsTree.selectedItems()
    assert analysed.measurementsSection.selectedKey() == ""
    assert not ui.measurementsTable.selectedItems()
    assert editor.activeEffect() is None
    assert editor.segmentationNode() is None
    assert not ui.doneButton.enabled
    markups = [scene.GetNodeByID(node_id) for node_id in analysed.case.nodes.markups.values()]
    assert all(node.GetDisplayNode().GetVisibility() for node in markups), "no other object's lines only"
    assert not analysed.case._members
    ui.discButton.click()
    assert "Click on a disc" in desktop.messages.pop()[1]
    ui.resetButton.click()
    assert "Select a corrected row" in desktop.messages.pop()[1]


def test_the_history_speaks_of_levels_by_the_names_that_they_have_now(desktop, analysed):
    from SpineQuantLib.anatomy.labels import disc_value
    from SpineQuantLib.report.words import number

    case, ui = analysed.case, analysed.ui
    row = next(m for m in case.result.measurements if m.key.startswith("canal_L4-L5_AP-diameter"))
    ends = np.array(row.geometry.points)
    case.review.move(row.key, np.array([ends[0] + (ends[0] - ends[1]) * 0.2, ends[1]]))
    labels = case.result.spine.labels.copy()
    labels[tuple(np.argwhere(labels == disc_value("L4"))[0])] = 0
    case.review.edit_mask(labels)
    ui.renameComboBox.currentIndex = ui.renameComboBox.findData("L6-S1")
    ui.renameButton.click()
    told = [ui.historyList.item(n).text() for n in range(ui.historyList.count)]
    values = f"{number(row.value, 'mm')} → {number(row.value * 1.2, 'mm')} mm"
    assert told == [
        "Lowest disc set to L6-S1",
        "Mask of L5-L6 disc edited",
        f"L5-L6 dural sac, AP diameter moved: {values}",
    ]
    ui.undoButton.click()
    assert ui.historyList.item(1).text() == f"L4-L5 dural sac, AP diameter moved: {values}"
    # Twice renamed, and of a row that the table has no more.
    ui.renameButton.click()
    ui.renameComboBox.currentIndex = ui.renameComboBox.findData("L5-S1")
    ui.renameButton.click()
    from SpineQuantLib.panel.edits import words_of_history

    assert words_of_history(case.review.history, {})[0] == f"L4-L5 dural sac, AP diameter moved: {values}"


def test_to_take_the_sacrum_for_a_lumbar_vertebra_must_be_confirmed(desktop, analysed):
    analysed.ui.renameComboBox.currentIndex = analysed.ui.renameComboBox.findData("L4-L5")
    analysed.ui.renameButton.click()
    assert [kind for kind, _ in desktop.messages] == ["question"]
    assert not analysed.case.review.changed
    desktop.answers.append(True)
    analysed.ui.renameButton.click()
    assert analysed.case.result.spine.vertebrae[-1] == "L5"


def test_what_is_not_accepted_is_not_exported(desktop, analysed, tmp_path):
    row = row_of(analysed, "canal_L4-L5_AP-diameter")
    drag(markup_of(desktop, analysed, row.key), 0, longer(row, 2.0))
    analysed.correctSection.follow()
    desktop.qt.QFileDialog.answer = str(tmp_path / "copy.csv")
    analysed.ui.exportButton.click()
    assert "accept it first" in desktop.messages[0][1]
    assert not (tmp_path / "copy.csv").exists()
