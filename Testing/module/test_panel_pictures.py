"""The panel in its main states: no text is cut, and pictures of it to look at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    """Where the pictures go: SPINEQUANT_PICTURES, or a temporary folder."""
    wanted = os.environ.get("SPINEQUANT_PICTURES")
    return Path(wanted) if wanted else tmp_path_factory.mktemp("pictures")


def cut_texts(panel) -> list[str]:
    """Texts of buttons, boxes and labels in view that have less room than they want."""
    from PySide6.QtWidgets import QCheckBox, QLabel, QPushButton, QSpinBox, QWidget

    found = []
    for widget in panel.parent.findChildren(QWidget):
        if not isinstance(widget, (QCheckBox, QLabel, QPushButton, QSpinBox)) or not QWidget.isVisible(widget):
            continue
        if isinstance(widget, QLabel) and widget.wordWrap:
            # A wrapped text may be broken, but never between its first line and the rest.
            if QWidget.height(widget) < QLabel.heightForWidth(widget, QWidget.width(widget)):
                found.append(widget.text)
        elif QWidget.width(widget) < widget.minimumSizeHint.width():
            found.append(f"{widget.objectName}: {getattr(widget, 'text', '')}")
    return found


def look(desktop, panel, path: Path, views: bool = False) -> None:
    """Take a picture, and see whether all can be read."""
    (desktop.picture if views else desktop.grab)(panel, path)
    assert path.stat().st_size > 5_000
    assert cut_texts(panel) == []


def test_the_empty_panel(desktop, panel, add_volume, album):
    add_volume("SpineQuantPhantom")
    desktop.wait(lambda: panel.ui.applyButton.enabled)
    look(desktop, panel, album / "Panel-1-input.png")


def test_a_run_on_its_way(desktop, panel, add_volume, album):
    add_volume("slow phantom")
    desktop.wait(lambda: panel.ui.applyButton.enabled)
    panel.ui.applyButton.click()
    desktop.wait(lambda: "left" in panel.ui.stageLabel.text)
    panel.ui.logButton.click()
    look(desktop, panel, album / "Panel-2-run.png")


def test_a_case_to_read_and_to_correct(desktop, analysed, album):
    ui = analysed.ui
    for button in (ui.inputCollapsibleButton, ui.runCollapsibleButton, ui.correctCollapsibleButton):
        button.collapsed = True
    ui.doubtfulCheckBox.checked = False
    ui.findingsTree.setCurrentItem(ui.findingsTree.topLevelItem(0))
    look(desktop, analysed, album / "Panel-3-findings.png", views=True)
    row = next(m for m in analysed.case.result.measurements if m.can_be_moved and m.unit == "mm")
    node = desktop.host.scene.GetNodeByID(analysed.case.nodes.markups[row.key])
    point = [0.0, 0.0, 0.0]
    node.GetNthControlPointPositionWorld(0, point)
    node.SetNthControlPointPositionWorld(0, point[0], point[1], point[2] + 2.0)
    analysed.correctSection.follow()
    ui.kindComboBox.currentIndex = ui.kindComboBox.findData("corrected")
    analysed.measurementsSection.onFilter()
    assert ui.renameComboBox.currentText == "L5-S1"
    ui.findingsCollapsibleButton.collapsed, ui.correctCollapsibleButton.collapsed = True, False
    look(desktop, analysed, album / "Panel-4-correct.png", views=True)
