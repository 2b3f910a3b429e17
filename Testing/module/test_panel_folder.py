"""A folder of cases in the panel, one after the other, and what is said of those that cannot be opened."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def folder_of_cases(finished, tmp_path) -> Path:
    """Three cases; ``b`` has the greatest disagreement, ``d`` is damaged."""
    import json

    place = tmp_path / "cases"
    for name, doubt in (("a", 0.1), ("b", 0.9), ("c", 0.5)):
        shutil.copytree(finished / "case", place / name)
        record = json.loads((place / name / "case.json").read_text(encoding="utf-8"))
        record["scores"][0]["entropy"] = doubt
        (place / name / "case.json").write_text(json.dumps(record), encoding="utf-8")
    (place / "d").mkdir()
    (place / "d" / "case.json").write_text("{", encoding="utf-8")
    return place


def test_a_folder_of_cases_is_gone_through_by_disagreement(desktop, panel, folder_of_cases):
    desktop.qt.QFileDialog.answer = str(folder_of_cases)
    panel.ui.openFolderButton.click()
    kind, text = desktop.messages.pop()
    assert kind == "warning"
    assert "d:" in text
    assert panel.case.folder.name == "b"
    assert panel.ui.worklistLabel.text.startswith("1 of 3 · b")
    nodes = desktop.host.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsNode")
    assert not panel.ui.previousButton.enabled
    panel.ui.nextButton.click()
    assert panel.case.folder.name == "c"
    assert desktop.host.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsNode") == nodes, "the case before made room"
    assert desktop.host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
    panel.ui.nextButton.click()
    assert panel.case.folder.name == "a"
    assert not panel.ui.nextButton.enabled
    panel.ui.previousButton.click()
    assert panel.case.folder.name == "c"
    assert not desktop.messages


def test_the_list_names_the_case_that_is_open(desktop, panel, folder_of_cases, finished, tmp_path):
    """A damaged case is told of and stepped over; a case from elsewhere is called by its own name."""
    masks = folder_of_cases / "c" / "borders.npz"
    whole = masks.read_bytes()
    masks.write_bytes(b"damaged")
    desktop.qt.QFileDialog.answer = str(folder_of_cases)
    panel.ui.openFolderButton.click()
    desktop.messages.clear()
    panel.ui.nextButton.click()
    assert "could not be opened" in desktop.messages.pop()[1]
    assert panel.case.folder.name == "b"
    assert panel.ui.worklistLabel.text.startswith("1 of 3 · b")
    assert not panel.ui.previousButton.enabled
    panel.ui.nextButton.click()
    assert panel.case.folder.name == "a"
    assert panel.ui.worklistLabel.text.startswith("3 of 3 · a")
    other = Path(shutil.copytree(finished / "case", tmp_path / "elsewhere"))
    desktop.qt.QFileDialog.answer = str(other)
    panel.ui.openCaseButton.click()
    assert panel.case.folder == other
    assert panel.ui.worklistLabel.text == "elsewhere"
    masks.write_bytes(whole)
    panel.ui.previousButton.click()
    assert panel.ui.worklistLabel.text.startswith("2 of 3 · c"), "mended meanwhile, it is tried again"
    assert panel.case.folder.name == "c"
    assert not desktop.messages
    desktop.close_scene()
    assert not panel.ui.worklistLabel.text


def test_a_list_whose_first_case_is_damaged_goes_on_with_the_next(desktop, panel, folder_of_cases):
    (folder_of_cases / "b" / "borders.npz").unlink()
    desktop.qt.QFileDialog.answer = str(folder_of_cases)
    panel.ui.openFolderButton.click()
    assert panel.case is None
    assert not panel.ui.worklistLabel.text
    panel.ui.nextButton.click()
    assert panel.case.folder.name == "c"
    assert panel.ui.worklistLabel.text.startswith("2 of 3 · c")


def test_changes_are_not_lost_without_a_word(desktop, panel, folder_of_cases):
    desktop.qt.QFileDialog.answer = str(folder_of_cases)
    panel.ui.openFolderButton.click()
    desktop.messages.clear()
    row = next(m for m in panel.case.result.measurements if m.key.startswith("canal_L4-L5_AP-diameter"))
    panel.case.review.move(row.key, np.array(row.geometry.points) + 1.0)
    panel.ui.nextButton.click()
    assert desktop.messages[0][0] == "question"
    assert panel.case.folder.name == "b", "the answer was no"
    desktop.answers.append(True)
    panel.ui.nextButton.click()
    assert panel.case.folder.name == "c"


def test_a_folder_that_is_no_case_is_told(desktop, panel, tmp_path):
    desktop.qt.QFileDialog.answer = str(tmp_path)
    panel.ui.openCaseButton.click()
    assert "it holds no case.json" in desktop.messages.pop()[1]
    panel.ui.openFolderButton.click()
    assert "holds no cases" in desktop.messages.pop()[1]
    assert panel.case is None
    assert desktop.host.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
