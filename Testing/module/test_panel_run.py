"""From an empty scene to a result, and every other way that a run can end; with real child processes."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import psutil
import pytest


def cases(desktop) -> list[str]:
    folder = Path(desktop.app.defaultScenePath) / "SpineQuant"
    return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []


def running_processes() -> set[int]:
    return {p.pid for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE}


def start(desktop, panel, add_volume, name: str) -> None:
    """Choose a volume of a name and press Apply."""
    node = add_volume(name)
    panel.logic.getParameterNode().inputVolume = node
    desktop.wait(lambda: panel.ui.applyButton.enabled)
    panel.ui.applyButton.click()


def test_without_a_volume_nothing_can_be_applied(desktop, panel):
    assert not panel.ui.applyButton.enabled
    assert panel.ui.applyButton.toolTip == "Select a volume first"
    assert "Load an MRI" in panel.ui.recognisedLabel.text
    assert panel.ui.verdictLabel.text == "No result yet"
    assert not panel.ui.acceptButton.enabled


def test_a_volume_is_recognised_by_its_geometry(desktop, panel, add_volume):
    node = add_volume()
    desktop.wait(lambda: panel.ui.applyButton.enabled)
    assert panel.ui.inputSelector.currentNode() is node
    assert panel.ui.recognisedLabel.text == "Sagittal, 16 slices of 4.4 mm, 1.10 mm in plane"
    assert not panel.ui.warningLabel.text


def test_an_axial_scan_is_warned_of(desktop, panel, add_volume):
    node = add_volume()
    node.SetIJKToRASDirections(1, 0, 0, 0, 1, 0, 0, 0, 1)
    node.SetSpacing(0.7, 0.7, 5.0)
    panel._onParameters()
    assert "Axial" in panel.ui.recognisedLabel.text
    assert "sagittal scans only" in panel.ui.warningLabel.text


def test_an_empty_volume_is_not_applied(desktop, panel):
    desktop.host.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    panel.initializeParameterNode()
    assert not panel.ui.applyButton.enabled
    assert panel.ui.warningLabel.text == "This volume is empty."


def test_apply_gives_a_case(desktop, panel, add_volume):
    node = add_volume("L spine")
    desktop.wait(lambda: panel.ui.applyButton.enabled)
    panel.ui.applyButton.click()
    assert panel.ui.applyButton.text == "Cancel"
    desktop.wait(lambda: "of 5" in panel.ui.stageLabel.text or panel.case is not None)
    assert panel.case is None, "progress was shown before the result"
    assert panel.ui.stageLabel.text.startswith("L spine: network ")
    desktop.wait(lambda: panel.case is not None)
    assert panel.ui.stageLabel.text == "L spine: finished"
    assert panel.ui.applyButton.text == "Apply"
    assert panel.case.nodes.volume == node.GetID()
    assert panel.ui.verdictLabel.text[0] in "✓?✕"
    assert "S1 in view" in panel.ui.caseLabel.text
    assert cases(desktop) == ["L_spine"]
    assert "Also found: T1." in panel.ui.logTextEdit.toPlainText()
    assert not desktop.messages
    assert len(panel.logic._marks) == 0
    assert not any(name.startswith("SpineQuant.Run") for name in node.GetAttributeNames())


def test_a_second_run_leaves_the_first_alone(desktop, analysed, add_volume):
    first = analysed.case
    analysed.ui.applyButton.click()
    desktop.wait(lambda: analysed.case is not first)
    assert first.present
    assert cases(desktop) == ["spine", "spine-2"]
    assert analysed.case.nodes.segmentation != first.nodes.segmentation


def test_cancel_ends_the_whole_tree_within_two_seconds(desktop, panel, add_volume):
    start(desktop, panel, add_volume, "slow")
    desktop.wait(lambda: "network" in panel.ui.stageLabel.text)
    nodes = desktop.host.scene.GetNumberOfNodes()
    assert running_processes()
    began = time.monotonic()
    panel.ui.applyButton.click()
    assert panel.ui.applyButton.text == "Cancelling …"
    assert not panel.ui.applyButton.enabled
    desktop.wait(lambda: not panel.logic.isRunning)
    assert time.monotonic() - began < 2.5
    desktop.wait(lambda: panel.ui.stageLabel.text == "slow: cancelled")
    assert not running_processes()
    assert desktop.host.scene.GetNumberOfNodes() == nodes
    assert cases(desktop) == []
    assert not list(Path(desktop.app.temporaryPath).iterdir())
    assert panel.ui.applyButton.text == "Apply"
    assert panel.ui.applyButton.enabled
    assert not desktop.messages


def test_the_panel_stays_alive_and_says_how_long_it_takes(desktop, panel, add_volume):
    from PySide6.QtCore import QTimer

    beats = []
    timer = QTimer()
    timer.timeout.connect(lambda: beats.append(time.monotonic()))
    timer.start(20)
    start(desktop, panel, add_volume, "slow")
    desktop.wait(lambda: "left" in panel.ui.stageLabel.text)
    assert panel.ui.progressBar.visible
    assert panel.ui.progressBar.value >= 8
    assert max(b - a for a, b in itertools.pairwise(beats)) < 2.0
    panel.ui.logButton.click()
    assert panel.ui.logButton.text == "Hide log"
    assert "network" in panel.ui.logTextEdit.toPlainText()
    panel.ui.applyButton.click()
    desktop.wait(lambda: not panel.logic.isRunning)


def test_several_volumes_queue_in_one_process(desktop, panel, add_volume):
    # The first process has to start, so the others are seen waiting.
    for n in range(3):
        panel.logic.getParameterNode().inputVolume = add_volume(f"v{n}")
        button = panel.ui.queueButton if n else panel.ui.applyButton
        desktop.wait(lambda button=button: button.enabled)
        button.click()
    desktop.wait(lambda: panel.ui.queueList.count == 3)
    assert "network" not in panel.ui.queueList.item(1).text()
    panel.ui.queueList.setCurrentRow(1)
    panel.ui.applyButton.click()
    desktop.wait(lambda: not panel.logic.isRunning and panel.case is not None)
    assert [str(e.state) for e in panel.logic.queue.entries] == ["finished", "cancelled", "finished"]
    assert cases(desktop) == ["v0", "v2"]
    log = panel.ui.logTextEdit.toPlainText()
    processes = {line.split()[1] for line in log.splitlines() if line.startswith("process ")}
    assert len(processes) == 1, "the networks would have been loaded twice"


def test_closing_the_scene_cancels_the_run(desktop, panel, add_volume):
    start(desktop, panel, add_volume, "slow")
    desktop.wait(lambda: "network" in panel.ui.stageLabel.text)
    desktop.close_scene()
    desktop.wait(lambda: not panel.logic.isRunning)
    desktop.wait(lambda: panel.ui.stageLabel.text == "slow: cancelled")
    assert not desktop.messages
    assert panel.case is None
    assert cases(desktop) == []
    assert not running_processes()
    add_volume("again")
    panel.initializeParameterNode()
    panel.ui.applyButton.click()
    desktop.wait(lambda: panel.case is not None)
    assert panel.case.folder.name == "again"


def test_a_volume_that_vanished_leaves_its_case_and_says_where(desktop, panel, add_volume):
    node = add_volume("gone")
    desktop.wait(lambda: panel.ui.applyButton.enabled)
    panel.ui.applyButton.click()
    desktop.wait(lambda: "network" in panel.ui.stageLabel.text)
    desktop.host.scene.RemoveNode(node)
    desktop.wait(lambda: desktop.messages)
    kind, text = desktop.messages[0]
    assert kind == "error"
    assert "no longer in the scene" in text
    assert str(Path(desktop.app.defaultScenePath) / "SpineQuant" / "gone") in text
    assert panel.case is None


def test_another_volume_under_the_same_id_gets_no_foreign_result(desktop, panel, add_volume):
    node = add_volume("first")
    node_id = node.GetID()
    entry = panel.logic.start(node)
    panel.logic.poll()
    desktop.host.scene.Clear(0)
    other = add_volume("second")
    assert other.GetID() == node_id
    assert panel.logic._marked(entry) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dies", "ended unexpectedly with exit code 9"),
        ("full", "the disk is full; free some space"),
        ("broken", "PyTorch is missing"),
    ],
)
def test_a_failure_is_told_once_and_the_panel_goes_on(desktop, panel, add_volume, name, words):
    start(desktop, panel, add_volume, name)
    desktop.wait(lambda: desktop.messages)
    assert len(desktop.messages) == 1
    kind, text = desktop.messages[0]
    assert kind == "error"
    assert words in text
    assert "SpineQuant-" in text, "says where the files of the attempt are"
    assert panel.ui.stageLabel.text == f"{name}: failed"
    start(desktop, panel, add_volume, "well")
    desktop.wait(lambda: panel.case is not None)


def test_a_python_that_is_not_there(desktop, panel, add_volume):
    panel.ui.pythonPathLineEdit.currentPath = "/no/such/python"
    start(desktop, panel, add_volume, "spine")
    desktop.wait(lambda: desktop.messages)
    assert "/no/such/python could not be started" in desktop.messages[0][1]
    assert "Choose another one" in desktop.messages[0][1]
    assert panel.ui.applyButton.enabled


def test_a_result_never_pushes_a_correction_aside(desktop, analysed, add_volume):
    case = analysed.case
    row = next(m for m in case.result.measurements if m.can_be_moved)
    case.review.move(row.key, [[x + 1.0 for x in p] for p in row.geometry.points])
    start(desktop, analysed, add_volume, "second")
    desktop.wait(lambda: not analysed.logic.isRunning)
    desktop.wait(lambda: "Ready, open it" in analysed.ui.logTextEdit.toPlainText())
    assert analysed.case is case
    assert cases(desktop) == ["second", "spine"]


def test_closing_the_module_ends_what_runs(desktop, panel, add_volume):
    start(desktop, panel, add_volume, "slow")
    desktop.wait(lambda: "network" in panel.ui.stageLabel.text)
    panel.cleanup()
    assert not running_processes()
    assert not panel.logic.isRunning


def test_leaving_and_coming_back_keeps_the_choices(desktop, panel, add_volume):
    add_volume()
    panel.initializeParameterNode()
    panel.ui.lowestDiscComboBox.currentIndex = 2
    panel.exit()
    panel.enter()
    assert panel.ui.lowestDiscComboBox.currentText == "L5-S1"
    assert panel.logic.getParameterNode().lowestDisc == "L5-S1"
    desktop.close_scene()
    assert panel.ui.lowestDiscComboBox.currentText == "automatic"


def test_what_is_said_of_the_patient_reaches_the_engine(desktop, panel, add_volume):
    add_volume("slow")
    desktop.wait(lambda: panel.ui.applyButton.enabled)
    panel.ui.sexComboBox.currentIndex = panel.ui.sexComboBox.findText("female")
    panel.ui.ageSpinBox.value = 54
    panel.ui.qualityComboBox.currentIndex = panel.ui.qualityComboBox.findText("fast")
    panel.ui.applyButton.click()
    desktop.wait(lambda: panel.logic.queue.current is not None)
    request = panel.logic.queue.current.run._job.request
    assert (request.sex, request.age, request.height) == ("F", 54, None)
    assert request.quality == "fast"


def test_what_was_chosen_for_one_scan_is_not_taken_for_the_next(desktop, panel, add_volume):
    """A lowest disc or an age that stays behind would name the levels and choose the ranges of somebody else."""
    add_volume("first")
    panel.initializeParameterNode()
    parameters = panel.logic.getParameterNode()
    parameters.lowestDisc, parameters.contrast, parameters.sex = "L4-L5", "T2", "male"
    parameters.age, parameters.height = 70, 180
    parameters.inputVolume = add_volume("second")
    desktop.app.processEvents()
    assert (parameters.lowestDisc, parameters.contrast, parameters.sex) == ("automatic",) * 3
    assert (parameters.age, parameters.height) == (0, 0)
    assert panel.ui.lowestDiscComboBox.currentText == "automatic"


def test_a_scan_that_replaced_another_meanwhile_inherits_nothing(desktop, panel, add_volume):
    first = add_volume("first")
    panel.initializeParameterNode()
    panel.logic.getParameterNode().lowestDisc = "L4-L5"
    panel.exit()
    desktop.host.scene.RemoveNode(first)
    second = add_volume("second")
    panel.enter()
    assert panel.logic.getParameterNode().inputVolume is second
    assert panel.logic.getParameterNode().lowestDisc == "automatic"


def test_a_height_that_cannot_be_is_asked_about(desktop, panel, add_volume):
    add_volume()
    desktop.wait(lambda: panel.ui.applyButton.enabled)
    panel.ui.heightSpinBox.value = 18
    panel.ui.applyButton.click()
    assert "18 cm cannot be right" in desktop.messages[0][1]
    assert not panel.logic.isRunning


def test_a_label_map_is_not_offered_as_a_scan(desktop, panel, add_volume):
    labels = desktop.host.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    panel.initializeParameterNode()
    assert panel.logic.getParameterNode().inputVolume is None
    assert panel.ui.inputSelector.findData(labels.GetID()) < 0
    node = add_volume()
    panel.initializeParameterNode()
    assert panel.logic.getParameterNode().inputVolume is node
