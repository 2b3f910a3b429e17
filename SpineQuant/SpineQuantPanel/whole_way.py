"""The whole way of a reader through the panel, for the module's own test inside a desktop Slicer."""

import tempfile
import time
from pathlib import Path

import slicer


def wait(until, seconds: float = 1200.0) -> None:
    """Let Slicer go on until something is so.

    :raises AssertionError: if it takes longer than it may.
    """
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, f"not within {seconds} s"
        slicer.app.processEvents()
        time.sleep(0.02)


def steps(panel, volumeNode):
    """Load, apply, flags, correct, export, close, as a reader does it in the panel; says before each step which it is.

    :param panel: The module's widget.
    :param volumeNode: A lumbar scan.
    :raises AssertionError: where a step does not do what it should.
    """
    panel.logic.getParameterNode().inputVolume = volumeNode
    yield "Analysing the phantom"
    wait(lambda: panel.ui.applyButton.enabled, 10.0)
    panel.ui.applyButton.click()
    wait(lambda: not panel.logic.isRunning)
    wait(lambda: panel.case is not None, 60.0)

    yield "Flags"
    panel.ui.doubtfulCheckBox.checked = False
    assert panel.ui.verdictLabel.text[:1] in "✓?✕"
    assert panel.ui.findingsTree.topLevelItemCount >= 10
    panel.ui.findingsTree.setCurrentItem(panel.ui.findingsTree.topLevelItem(0))
    assert panel.findingsSection.current is not None

    yield "Correct a line"
    row = next(m for m in panel.case.result.measurements if m.can_be_moved and m.unit == "mm")
    node = slicer.mrmlScene.GetNodeByID(panel.case.nodes.markups[row.key])
    point = [0.0, 0.0, 0.0]
    node.GetNthControlPointPositionWorld(0, point)
    node.SetNthControlPointPositionWorld(0, point[0], point[1] + 2.0, point[2] + 2.0)
    panel.correctSection.follow()
    assert panel.case.review.row(row.key).source == "corrected"
    assert panel.case.review.row(row.key).automatic == row.value
    # The name is kept for this computer; the person who runs the test wants the own one back.
    name, panel.ui.raterLineEdit.text = panel.ui.raterLineEdit.text, "SpineQuantTest"
    panel.ui.acceptButton.click()
    panel.ui.raterLineEdit.text = name
    wait(lambda: not panel.acceptance.writing, 120.0)
    assert not panel.case.review.changed

    yield "Export"
    with tempfile.TemporaryDirectory() as folder:
        path = panel.case.export("CSV table", Path(folder) / "table.csv")
        assert "corrected" in path.read_text(encoding="utf-8")

    yield "Close"
    slicer.mrmlScene.Clear()
    assert panel.case is None
    assert panel.ui.findingsTree.topLevelItemCount == 0
