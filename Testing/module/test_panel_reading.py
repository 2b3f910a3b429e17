"""What a reader sees of a case: verdict, findings, views, table, plots, copies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest


def centre_of(node) -> np.ndarray:
    matrix = node.GetSliceToRAS()
    return np.array([matrix.GetElement(row, 3) for row in range(3)])


def axis_of(node, column: int) -> np.ndarray:
    matrix = node.GetSliceToRAS()
    return np.array([matrix.GetElement(row, column) for row in range(3)])


def choose(panel, title: str):
    """Click on a finding."""
    panel.ui.doubtfulCheckBox.checked = False
    tree = panel.ui.findingsTree
    for n in range(tree.topLevelItemCount):
        if tree.topLevelItem(n).text(0)[2:] == title:
            tree.setCurrentItem(tree.topLevelItem(n))
            return panel.findingsSection.current
    raise AssertionError(f"no {title} among the findings")


def slice_node(desktop, name: str):
    return desktop.app.layoutManager().sliceWidget(name).mrmlSliceNode()


def test_what_to_look_at_first_is_on_top(analysed):
    analysed.ui.doubtfulCheckBox.checked = False
    tree, findings = analysed.ui.findingsTree, analysed.findingsSection.findings
    assert tree.topLevelItemCount == len(findings) > 8
    gravity = [("fail", "review", "pass").index(f.verdict.value) for f in findings]
    assert gravity == sorted(gravity)
    for grave in (0, 1):
        doubts = [f.doubt for f, g in zip(findings, gravity, strict=True) if g == grave]
        assert doubts == sorted(doubts, reverse=True)
    analysed.ui.doubtfulCheckBox.checked = True
    doubtful = [f for f in findings if f.doubtful]
    assert tree.topLevelItemCount == max(len(doubtful), 1)


def test_a_click_jumps_to_the_object_in_all_views(desktop, analysed):
    from SpineQuantLib.anatomy.labels import disc_value

    finding = choose(analysed, "L4-L5 disc")
    assert finding.level == "L4-L5"
    spine = analysed.case.result.spine
    middle = spine.grid.to_ras(np.median(np.argwhere(spine.labels == disc_value("L4")), axis=0))
    assert centre_of(slice_node(desktop, "Yellow"))[0] == pytest.approx(middle[0], abs=0.01)
    axial = slice_node(desktop, "Red")
    assert (middle - centre_of(axial)) @ axis_of(axial, 2) == pytest.approx(0, abs=0.01)
    foramen = choose(analysed, "L4-L5 right foramen")
    place = centre_of(slice_node(desktop, "Green"))
    assert foramen.side.value == "right"
    assert place[0] > middle[0] + 8, "the patient's right has the greater R"


def test_the_axial_view_stands_across_the_canal_with_left_on_the_right(desktop, analysed):
    from SpineQuantLib.panel.places import place_of

    finding = choose(analysed, "L5-S1 disc")
    place = place_of(analysed.case.result, finding.structure, finding.level, finding.side)
    axial = slice_node(desktop, "Red")
    assert axis_of(axial, 2) == pytest.approx(np.array(place.along), abs=1e-6)
    assert axis_of(axial, 2)[2] > 0.5
    assert axis_of(axial, 0)[0] < -0.9, "to the right of the picture is the patient's left"
    assert axis_of(axial, 1)[1] > 0.5, "anterior is up"
    axes = np.stack([axis_of(axial, n) for n in range(3)])
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-9)


def test_the_networks_contours_come_and_go(desktop, analysed):
    scene = desktop.host.scene
    before = scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    analysed.findingsSection.onAll()
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == before - 1
    choose(analysed, "L4-L5 disc")
    node = scene.GetNodeByID(analysed.case._members)
    assert node.GetSegmentation().GetNumberOfSegments() == len(analysed.case.result.members)
    assert not node.GetDisplayNode().GetVisibility2DFill()
    choose(analysed, "L3-L4 disc")
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == before
    analysed.ui.membersCheckBox.checked = False
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == before - 1
    analysed.ui.membersCheckBox.checked = True
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == before


@pytest.mark.usefixtures("off_screen")
def test_the_contours_are_drawn(desktop, analysed):
    choose(analysed, "L4-L5 disc")
    with_contours = desktop.app.layoutManager().picture("Yellow").astype(int)
    analysed.ui.membersCheckBox.checked = False
    without = desktop.app.layoutManager().picture("Yellow").astype(int)
    assert (np.abs(with_contours - without).sum(axis=-1) > 60).sum() > 50


def test_a_click_shows_its_own_lines_only(desktop, analysed):
    scene = desktop.host.scene

    def shown() -> set[str]:
        return {
            key
            for key, node_id in analysed.case.nodes.markups.items()
            if scene.GetNodeByID(node_id).GetDisplayNode().GetVisibility()
        }

    choose(analysed, "L4-L5 disc")
    assert shown()
    assert all(key.startswith("disc_L4-L5") for key in shown())
    analysed.ui.allButton.click()
    assert shown() == set(analysed.case.nodes.markups)


def test_the_reading_layout_has_every_view(desktop, analysed):
    manager, scene = desktop.app.layoutManager(), desktop.host.scene
    analysed.ui.layoutButton.click()
    assert {"Yellow", "Red", "Green"} <= set(manager.sliceViewNames())
    volume = analysed.case.nodes.volume
    for name in ("Yellow", "Red", "Green"):
        assert manager.sliceWidget(name).mrmlSliceCompositeNode().GetBackgroundVolumeID() == volume
    assert manager.tableWidget(0).mrmlTableViewNode().GetTableNodeID() == analysed.case.nodes.tables["measurements"]
    assert manager.plotWidget(0).mrmlPlotViewNode().GetPlotChartNodeID() in {
        ids[0] for ids in analysed.case.nodes.plots.values()
    }
    segmentation = scene.GetNodeByID(analysed.case.nodes.segmentation)
    assert segmentation.GetSegmentation().ContainsRepresentation("Closed surface")
    assert manager.threeDViewCount == 1


def test_a_plot_is_chosen(desktop, analysed):
    combo = analysed.ui.plotComboBox
    assert combo.count == len(analysed.case.nodes.plots) >= 1
    for index in range(combo.count):
        combo.currentIndex = index
        analysed.ui.plotButton.click()
        chart = desktop.app.layoutManager().plotWidget(0).mrmlPlotViewNode().GetPlotChartNodeID()
        assert chart == analysed.case.nodes.plots[combo.itemData(index)][0]


def cells(panel) -> list[list[str]]:
    table = panel.ui.measurementsTable
    return [[table.item(r, c).text() for c in range(table.columnCount)] for r in range(table.rowCount)]


def test_the_table_filters_and_sorts(analysed):
    ui = analysed.ui
    assert len(cells(analysed)) == len(analysed.case.result.measurements)
    ui.filterLineEdit.text = "L4-L5 height"
    rows = cells(analysed)
    assert 0 < len(rows) < len(analysed.case.result.measurements)
    assert all("L4-L5" in row[0] and "height" in " ".join(row) for row in rows)
    ui.filterLineEdit.text = ""
    ui.structureComboBox.currentIndex = 2
    analysed.measurementsSection.onFilter()
    assert {row[0].split()[-1] for row in cells(analysed)} == {"sac"}
    analysed.measurementsSection.onSort(2)
    values = [float(row[2]) for row in cells(analysed) if row[2]]
    assert values == sorted(values)
    absent = [not row[2] for row in cells(analysed)]
    assert absent == sorted(absent), "what was not measured comes last"
    analysed.measurementsSection.onSort(2)
    assert [float(row[2]) for row in cells(analysed) if row[2]] == sorted(values, reverse=True)
    ui.kindComboBox.currentIndex = 3
    analysed.measurementsSection.onFilter()
    assert all(not row[2] and row[6] for row in cells(analysed)), "absent with its reason"


def test_copied_rows_are_what_is_shown(desktop, analysed):
    from PySide6.QtWidgets import QApplication

    analysed.ui.filterLineEdit.text = "L5-S1 disc height"
    analysed.ui.copyButton.click()
    lines = QApplication.clipboard().text().split("\n")
    assert lines[0].split("\t")[:4] == ["Where", "Quantity", "Value", "Unit"]
    assert [line.split("\t") for line in lines[1:]] == cells(analysed)


def test_a_row_jumps_to_where_it_was_measured(desktop, analysed):
    analysed.ui.filterLineEdit.text = "L4-L5 height hurxthal"
    assert analysed.ui.measurementsTable.rowCount == 1
    analysed.ui.measurementsTable.setCurrentCell(0, 0)
    row = analysed.case.review.row(analysed.measurementsSection.selectedKey())
    middle = np.mean(row.geometry.points, axis=0)
    assert centre_of(slice_node(desktop, "Yellow"))[0] == pytest.approx(middle[0], abs=0.01)


def test_exports_are_copies_of_the_case(desktop, analysed, tmp_path):
    ui, case = analysed.ui, analysed.case
    names = [ui.exportComboBox.itemText(n) for n in range(ui.exportComboBox.count)]
    assert {"CSV table", "HTML report", "Slicer scene"} <= set(names)
    for n, name in enumerate(names):
        ui.exportComboBox.currentIndex = n
        source = case.available()[name]
        desktop.qt.QFileDialog.answer = str(tmp_path / f"copy{source.suffix}")
        ui.exportButton.click()
        assert (tmp_path / f"copy{source.suffix}").read_bytes() == source.read_bytes(), name
    assert (tmp_path / "pictures").is_dir(), "a report without its pictures would be empty"
    assert not desktop.messages
    desktop.qt.QFileDialog.answer = str(tmp_path / "no" / "such" / "place.csv")
    ui.exportComboBox.currentIndex = 0
    ui.exportButton.click()
    assert "cannot write" in desktop.messages[0][1]
    desktop.qt.QFileDialog.answer = ""
    ui.exportButton.click()
    assert len(desktop.messages) == 1, "to press Cancel in the dialog is no error"


def test_dicom_needs_a_case_from_dicom(analysed):
    assert not analysed.ui.dicomButton.enabled
    assert "analysed from DICOM files" in analysed.ui.dicomButton.toolTip


def test_seg_and_sr_go_into_the_database(desktop, analysed, monkeypatch):
    folder = analysed.case.folder / "dicom"
    folder.mkdir()
    for name in ("seg.dcm", "sr.dcm"):
        (folder / name).write_bytes(b"DICOM")
    put = []

    class Indexer:
        def addDirectory(self, database, path, copy):
            put.append((database, path, copy))

        def waitForImportFinished(self):
            put.append("waited")

    class Database:
        isOpen = True

    analysed.measurementsSection.refresh()
    monkeypatch.setattr(desktop.ctk, "ctkDICOMIndexer", Indexer, raising=False)
    analysed.ui.dicomButton.click()
    assert desktop.messages.pop()[1].endswith("open the module DICOM once")
    database = Database()
    monkeypatch.setattr(desktop.slicer, "dicomDatabase", database, raising=False)
    analysed.ui.dicomButton.click()
    assert put == [(database, str(folder), True), "waited"]
    assert "2 DICOM files" in desktop.messages[0][1]


def test_closing_the_scene_empties_the_panel(desktop, analysed):
    folder = analysed.case.folder
    desktop.close_scene()
    assert analysed.case is None
    assert analysed.ui.verdictLabel.text == "No result yet"
    assert analysed.ui.findingsTree.topLevelItemCount == 0
    assert analysed.ui.measurementsTable.rowCount == 0
    assert not analysed.ui.acceptButton.enabled
    assert (folder / "case.json").is_file(), "the case itself is safe"
    for section in (analysed.findingsSection, analysed.correctSection):
        section.refresh()
    assert not desktop.messages


def test_a_stored_scene_is_taken_up_again(desktop, panel, finished):
    desktop.host.scene.SetURL(str(finished / "case" / "scene.mrb"))
    assert desktop.host.scene.ReadFromMRB(str(finished / "case" / "scene.mrb"))
    panel.onSceneEndImport(None, None)
    assert not desktop.messages
    assert panel.case is not None
    assert Path(panel.case.folder) == finished / "case"
    assert choose(panel, "L4-L5 disc").level == "L4-L5"


def test_a_scene_stored_elsewhere_brings_its_case_and_what_was_not_accepted(desktop, analysed, tmp_path, monkeypatch):
    """Work that is in a saved scene is not lost, although nobody had accepted it."""
    from SpineQuantLib.anatomy.labels import disc_value

    for name in ("write_report", "write_pdf", "write_workbook"):
        monkeypatch.setattr(f"SpineQuantLib.writing.{name}", lambda *_: None)
    scene, case = desktop.host.scene, analysed.case
    row = next(m for m in case.result.measurements if m.key.startswith("canal_L4-L5_AP-diameter"))
    ends = np.array(row.geometry.points)
    case.review.move(row.key, np.array([ends[0] + (ends[0] - ends[1]) * 0.2, ends[1]]))
    labels = case.result.spine.labels.copy()
    labels[np.argwhere(labels == disc_value("L4"))[0][0]] = 0
    case.review.edit_mask(labels)
    case.show(masks=True)
    values = {m.key: m.value for m in case.result.measurements}
    drawn = case.result.spine.labels
    assert scene.WriteToMRB(str(tmp_path / "elsewhere.mrb"))
    desktop.close_scene()
    assert analysed.case is None
    assert scene.ReadFromMRB(str(tmp_path / "elsewhere.mrb"))
    analysed.onSceneEndImport(None, None)
    assert not desktop.messages
    assert analysed.case.folder == case.folder
    assert analysed.case.review.changed, "it is not accepted yet"
    np.testing.assert_array_equal(analysed.case.result.spine.labels, drawn)
    found = {m.key: m.value for m in analysed.case.result.measurements}
    assert found.keys() == values.keys()
    assert found[row.key] == pytest.approx(row.value * 1.2, abs=0.05)
    analysed.ui.undoButton.click()
    analysed.ui.undoButton.click()
    assert analysed.case.review.row(row.key).value == row.value
    # The case was accepted by somebody else since: neither reading may replace the other.
    desktop.close_scene()
    path = case.folder / "case.json"
    accepted = {"rater": "A. Colleague", "time": "2025-01-31T14:05:00+00:00", "seconds": 60.0}
    theirs = json.dumps({**json.loads(path.read_text(encoding="utf-8")), "accepted": accepted})
    path.write_text(theirs, encoding="utf-8")
    assert scene.ReadFromMRB(str(tmp_path / "elsewhere.mrb"))
    analysed.onSceneEndImport(None, None)
    np.testing.assert_array_equal(analysed.case.result.spine.labels, drawn)
    found = {m.key: m.value for m in analysed.case.result.measurements}
    assert found[row.key] == pytest.approx(row.value * 1.2, abs=0.05)
    assert path.read_text(encoding="utf-8") == theirs
    beside = analysed.case.folder
    assert (beside.parent, beside != case.folder) == (case.folder.parent, True)
    ((kind, text),) = desktop.messages
    assert kind == "warning"
    assert "it was accepted by A. Colleague on 2025-01-31 at 14:05 UTC" in text
    assert f"{case.folder}\n" in text
    assert f"{beside}\n" in text
    assert json.loads((beside / "case.json").read_text(encoding="utf-8"))["accepted"] is None


@pytest.mark.parametrize("lowest", ["L6-S1", "L4-L5"])
def test_a_stored_scene_keeps_levels_that_were_renamed_and_not_accepted(desktop, analysed, tmp_path, lowest):
    """With what was corrected before and after that, and up to the last step back."""
    scene, case = desktop.host.scene, analysed.case
    first = case.result.spine.vertebrae
    row = next(m for m in case.result.measurements if m.key.startswith("canal_L4-L5_AP-diameter"))
    ends = np.array(row.geometry.points)
    case.review.move(row.key, np.array([ends[0] + (ends[0] - ends[1]) * 0.2, ends[1]]))
    case.rename(lowest, confirmed=True)
    labels = case.result.spine.labels.copy()
    disc = case.result.spine.label(int(labels[labels > 100].min()))
    labels[np.argwhere(labels == disc.value)[0][0]] = 0
    case.review.edit_mask(labels)
    case.show(masks=True)
    spine, wanted = case.result.spine, {m.key: m.value for m in case.result.measurements}
    assert scene.WriteToMRB(str(tmp_path / "renamed.mrb"))
    desktop.close_scene()
    assert scene.ReadFromMRB(str(tmp_path / "renamed.mrb"))
    analysed.onSceneEndImport(None, None)
    assert not desktop.messages
    found = analysed.case
    assert found.review.changed
    assert found.result.spine.vertebrae == spine.vertebrae != first
    np.testing.assert_array_equal(found.result.spine.labels, spine.labels)
    values = {m.key: m.value for m in found.result.measurements}
    assert values.keys() == wanted.keys()
    for key, value in wanted.items():
        # A markup in a stored scene is rounded.
        assert values[key] == (None if value is None else pytest.approx(value, rel=2e-3, abs=0.05)), key
    assert analysed.ui.renameComboBox.currentText == lowest
    while found.review.can_undo:
        analysed.ui.undoButton.click()
    assert found.result.spine.vertebrae == first
    assert found.review.row(row.key).value == row.value


def test_a_stored_scene_with_an_impossible_drawing_opens_without_it_and_says_so(desktop, analysed, tmp_path):
    """Right and left foramen were mixed up, which the numbers did not follow; the disc beside was drawn well."""
    from SpineQuantLib.anatomy.labels import disc_value, foramen_value
    from SpineQuantLib.anatomy.structures import Side
    from SpineQuantLib.scene.update import show_segmentation

    scene, case = desktop.host.scene, analysed.case
    labels = case.result.spine.labels.copy()
    labels[tuple(np.argwhere(labels == disc_value("L4"))[0])] = 0
    well = labels.copy()
    right, left = (labels == foramen_value("L4", side) for side in (Side.RIGHT, Side.LEFT))
    labels[right], labels[left] = foramen_value("L4", Side.LEFT), foramen_value("L4", Side.RIGHT)
    spine = replace(case.result.spine, labels=labels)
    show_segmentation(scene, case.nodes, replace(case.result, spine=spine), case.review.native)
    assert scene.WriteToMRB(str(tmp_path / "impossible.mrb"))
    desktop.close_scene()
    assert scene.ReadFromMRB(str(tmp_path / "impossible.mrb"))
    analysed.onSceneEndImport(None, None)
    ((kind, text),) = desktop.messages
    assert kind == "warning"
    assert "L4-L5 right foramen, L4-L5 left foramen" in text
    assert "other side" in text
    np.testing.assert_array_equal(analysed.case.result.spine.labels, well)
    desktop.messages.clear()
    analysed.correctSection.onDone()
    assert analysed.case.mask_edited() == (), "the scene shows what the numbers are of"
    analysed.ui.undoButton.click()
    assert not desktop.messages
