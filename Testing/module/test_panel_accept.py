"""Accepting a case: a real child process writes it while the panel goes on, and nothing that was accepted is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from other_program import save_a_mask

from SpineQuantLib.anatomy.labels import disc_value
from SpineQuantLib.case.record import read_record
from SpineQuantLib.report.tables import read_measurements

PATIENCE = 90.0


@pytest.fixture
def child(tmp_path):
    """Tell the child what shall happen to it: ``dies``, ``full``, or the seconds that it waits before it writes."""
    return lambda what: (tmp_path / "accept").write_text(what, encoding="utf-8")


@pytest.fixture
def reader(analysed):
    """The panel with a case and a reader's name."""
    analysed.ui.raterLineEdit.text = "M. Keller"
    return analysed


def lengthen(panel, by: float = 2.0):
    """Drag the end of a line; returns its row as it was."""
    row = next(m for m in panel.case.result.measurements if m.key.startswith("canal_L4-L5_AP-diameter"))
    ends = np.array(row.geometry.points)
    along = (ends[0] - ends[1]) / np.linalg.norm(ends[0] - ends[1])
    panel.case.review.move(row.key, np.array([ends[0] + by * along, ends[1]]))
    panel._onChanged()
    return row


def accept(desktop, panel) -> None:
    """Press the button, and wait for the end."""
    panel.ui.acceptButton.click()
    desktop.wait(lambda: not panel.acceptance.writing, PATIENCE)


def written(folder: Path, key: str):
    return next(m for m in read_measurements(folder / "measurements.json") if m.key == key)


def test_a_case_is_accepted_under_a_name(desktop, analysed):
    row = lengthen(analysed)
    analysed.ui.acceptButton.click()
    assert "Write your name first" in desktop.messages.pop()[1]
    assert not analysed.acceptance.writing
    analysed.ui.raterLineEdit.text = "M. Keller"
    accept(desktop, analysed)
    assert not desktop.messages
    folder = analysed.case.folder
    accepted = read_record(folder / "case.json").accepted
    assert accepted.rater == "M. Keller"
    assert accepted.seconds > 0
    assert written(folder, row.key).value == pytest.approx(row.value + 2.0, abs=1e-6)
    assert written(folder, row.key).automatic == row.value
    assert analysed.ui.historyList.item(0).text().endswith("· M. Keller")
    assert not analysed.case.review.changed
    assert analysed.ui.acceptButton.text == "Accept case"
    assert desktop.qt.QSettings().value("SpineQuant/Rater") == "M. Keller"
    assert str(folder) in analysed.ui.logTextEdit.toPlainText()
    assert not list(Path(desktop.app.temporaryPath).iterdir()), "the draft goes"


def test_the_reader_goes_on_while_it_is_written(desktop, reader, child):
    row, ui = lengthen(reader), reader.ui
    child("1.0")
    ui.acceptButton.click()
    desktop.wait(lambda: "Writing masks" in ui.acceptButton.text, PATIENCE)
    assert not ui.acceptButton.enabled
    assert not ui.openCaseButton.enabled
    assert not ui.openFolderButton.enabled
    assert (reader.case.folder / "case.json").is_file()
    lengthen(reader, 1.0)
    assert ui.undoButton.enabled
    desktop.wait(lambda: not reader.acceptance.writing, PATIENCE)
    assert written(reader.case.folder, row.key).value == pytest.approx(row.value + 2.0, abs=1e-6)
    assert reader.case.review.changed, "what came later is not accepted"
    assert ui.acceptButton.text == "Accept case with changes"
    ui.undoButton.click()
    assert not reader.case.review.changed
    assert ui.openCaseButton.enabled
    assert not desktop.messages


def test_the_module_is_closed_while_it_is_written(desktop, reader, child):
    row, folder = lengthen(reader), reader.case.folder
    child("0.5")
    reader.ui.acceptButton.click()
    reader.cleanup()
    assert written(folder, row.key).source == "corrected"
    assert not desktop.messages


def test_a_full_disk_costs_nothing_and_can_be_tried_again(desktop, reader, child):
    row, folder = lengthen(reader), reader.case.folder
    before = (folder / "case.json").read_bytes()
    child("full")
    accept(desktop, reader)
    kind, text = desktop.messages.pop()
    assert kind == "question"
    assert "the disk is full; free some space" in text
    assert "corrections are still here" in text
    assert (folder / "case.json").read_bytes() == before
    assert reader.case.review.changed
    child("0")
    accept(desktop, reader)
    assert written(folder, row.key).source == "corrected"
    assert not desktop.messages


def test_the_scene_is_closed_while_it_is_written_and_the_disk_is_full(desktop, reader, child, monkeypatch):
    row, folder = lengthen(reader), reader.case.folder

    def make_room(text: str, *_) -> bool:
        desktop.messages.append(("question", text))
        child("0")
        return True

    child("full")
    monkeypatch.setattr(desktop.slicer.util, "confirmRetryCloseDisplay", make_room)
    reader.ui.acceptButton.click()
    desktop.close_scene()
    desktop.wait(lambda: not reader.acceptance.writing and desktop.messages, PATIENCE)
    desktop.wait(lambda: not reader.acceptance.writing, PATIENCE)
    assert "no longer open" in desktop.messages[0][1]
    assert written(folder, row.key).source == "corrected", "tried again, without the scene"
    assert read_record(folder / "case.json").accepted.rater == "M. Keller"
    assert reader.case is None
    assert not reader.ui.acceptButton.enabled


def test_a_process_that_dies_leaves_the_choice_to_write_here(desktop, reader, child):
    row, folder = lengthen(reader), reader.case.folder
    child("dies")
    accept(desktop, reader)
    kind, text = desktop.messages.pop()
    assert kind == "question"
    assert "exit code 9" in text
    assert "Slicer stands still" in text
    assert written(folder, row.key).source == "automatic"
    assert reader.case.review.changed
    desktop.answers.append(True)
    accept(desktop, reader)
    assert written(folder, row.key).source == "corrected"
    assert not reader.case.review.changed


def test_a_mask_that_was_saved_meanwhile_is_not_replaced(desktop, reader, monkeypatch):
    """The reader is asked, and goes on in a folder beside; both readings can be opened afterwards."""
    row, case, folder = lengthen(reader), reader.case, reader.case.folder
    for name in ("write_report", "write_pdf", "write_workbook"):
        monkeypatch.setattr(f"SpineQuantLib.writing.{name}", lambda *_: None)
    saved = save_a_mask(folder)
    accept(desktop, reader)
    kind, text = desktop.messages.pop()
    assert kind == "question"
    assert "another program saved its masks there" in text
    assert "corrections are still here" in text
    assert (folder / "segmentation.nii.gz").read_bytes() == saved
    assert read_record(folder / "case.json").accepted is None
    assert case.review.changed, "the answer was no"
    desktop.answers.append(True)
    accept(desktop, reader)
    assert (folder / "segmentation.nii.gz").read_bytes() == saved
    beside = case.folder
    assert beside.parent == folder.parent
    assert str(beside) in desktop.messages.pop()[1]
    assert not case.review.changed
    assert read_record(beside / "case.json").accepted.rater == "M. Keller"
    assert written(beside, row.key).value == pytest.approx(row.value + 2.0, abs=1e-6)
    assert reader.openCase(folder)
    assert not (reader.case.result.spine.labels == disc_value("L4")).any(), "what the other program saved is taken up"
    assert not desktop.messages


def test_the_module_is_closed_and_the_folder_was_changed(desktop, reader, monkeypatch):
    """Nobody can be asked any more; what was accepted is kept all the same."""
    row, folder = lengthen(reader), reader.case.folder
    for name in ("write_report", "write_pdf", "write_workbook"):
        monkeypatch.setattr(f"SpineQuantLib.writing.{name}", lambda *_: None)
    saved = save_a_mask(folder)
    reader.ui.acceptButton.click()
    reader.cleanup()
    assert (folder / "segmentation.nii.gz").read_bytes() == saved
    ((_, text),) = desktop.messages
    (beside,) = (path for path in folder.parent.iterdir() if path.name.startswith(f"{folder.name}-"))
    assert text.endswith(str(beside))
    assert written(beside, row.key).source == "corrected"


def test_no_room_for_the_draft_is_told_at_once(desktop, reader):
    lengthen(reader)
    shutil.rmtree(desktop.app.temporaryPath)
    reader.ui.acceptButton.click()
    assert "could not be written" in desktop.messages[0][1]
    assert not reader.acceptance.writing
    assert reader.ui.acceptButton.enabled
    assert reader.case.review.changed


def test_a_drawing_that_does_not_count_is_not_accepted(desktop, reader, monkeypatch):
    """Who draws what cannot be right, and then accepts, would otherwise accept the mask before."""
    from SpineQuantLib.case.errors import InputError

    def refuse():
        raise InputError("bodies or discs out of order")

    monkeypatch.setattr(reader.case, "mask_edited", refuse)
    reader.correctSection._painted = True
    reader.ui.acceptButton.click()
    assert "numbers do not follow" in desktop.messages[0][1]
    assert not reader.acceptance.writing


def mix_up_foramina(desktop, panel) -> None:
    """Draw what cannot be right: the right foramen on the other side, where the left one is."""
    slicer, nodes = desktop.slicer, panel.case.nodes
    segmentation, volume = (desktop.host.scene.GetNodeByID(i) for i in (nodes.segmentation, nodes.volume))
    array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "foramen_left_L4-L5", volume).copy()
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentation, "foramen_right_L4-L5", volume)


@pytest.fixture
def refused(desktop, reader):
    """The panel after a drawing was refused by the timer, and the message closed."""
    mix_up_foramina(desktop, reader)
    desktop.wait(lambda: desktop.messages, 20)
    assert "numbers do not follow" in desktop.messages.pop()[1]
    assert not reader.case.review.changed
    return reader


def test_a_drawing_that_was_refused_before_is_not_accepted_either(desktop, refused):
    """The timer has told of it already; the views show the drawing, and the numbers are of the mask before."""
    folder = refused.case.folder
    for _ in range(2):
        refused.ui.acceptButton.click()
        assert "numbers do not follow" in desktop.messages.pop()[1]
        assert not refused.acceptance.writing
    assert read_record(folder / "case.json").accepted is None
    lengthen(refused)
    refused.ui.undoButton.click()
    accept(desktop, refused)
    assert read_record(folder / "case.json").accepted.rater == "M. Keller", "undo shows the masks of the numbers"
    assert not desktop.messages


def test_a_drawing_that_was_mended_is_accepted(desktop, reader):
    """As with the editor's own undo."""
    segmentation = desktop.host.scene.GetNodeByID(reader.case.nodes.segmentation).GetSegmentation()
    history = desktop.slicer.vtkSegmentationHistory()
    history.SetSegmentation(segmentation)
    assert history.SaveState()
    mix_up_foramina(desktop, reader)
    desktop.wait(lambda: desktop.messages, 20)
    assert "numbers do not follow" in desktop.messages.pop()[1]
    assert reader.correctSection.unsettled
    assert history.RestorePreviousState()
    desktop.wait(lambda: not reader.correctSection.unsettled, 20)
    accept(desktop, reader)
    assert read_record(reader.case.folder / "case.json").accepted.rater == "M. Keller"
    assert not desktop.messages


def test_a_drawing_that_was_refused_is_not_left_without_a_word(desktop, refused, finished, tmp_path, add_volume):
    """Neither to another case, nor when a result comes in; with the masks of new names it is gone."""
    case = refused.case
    other = Path(shutil.copytree(finished / "case", tmp_path / "other"))
    desktop.qt.QFileDialog.answer = str(other)
    refused.ui.openCaseButton.click()
    assert [kind for kind, _ in desktop.messages] == ["question"]
    assert refused.case is case, "the answer was no"
    desktop.messages.clear()
    refused.logic.getParameterNode().inputVolume = add_volume("second")
    desktop.wait(lambda: refused.ui.applyButton.enabled)
    refused.ui.applyButton.click()
    desktop.wait(lambda: not refused.logic.isRunning, PATIENCE)
    assert refused.case is case
    assert "Ready, open it" in refused.ui.logTextEdit.toPlainText()
    refused.ui.renameComboBox.currentIndex = refused.ui.renameComboBox.findData("L4-L5")
    refused.ui.renameButton.click()
    assert desktop.messages.pop()[0] == "question", "whether S1 may become L5; the answer was no"
    assert refused.correctSection.unsettled, "nothing was renamed, the drawing is still there"
    desktop.answers.append(True)
    refused.ui.openCaseButton.click()
    desktop.messages.clear()
    assert refused.case.folder == other
    accept(desktop, refused)
    assert read_record(other / "case.json").accepted.rater == "M. Keller"
    assert not desktop.messages


def test_a_result_does_not_come_in_between(desktop, reader, child, add_volume):
    """A case that is being written stays on the screen although it counts as unchanged already."""
    case = reader.case
    child("2.5")
    reader.ui.acceptButton.click()
    reader.logic.getParameterNode().inputVolume = add_volume("second")
    desktop.wait(lambda: reader.ui.applyButton.enabled)
    reader.ui.applyButton.click()
    desktop.wait(lambda: not reader.logic.isRunning, PATIENCE)
    if reader.acceptance.writing:
        assert reader.case is case
        assert "Ready, open it" in reader.ui.logTextEdit.toPlainText()
    desktop.wait(lambda: not reader.acceptance.writing, PATIENCE)
    assert read_record(case.folder / "case.json").accepted.rater == "M. Keller"
    assert not desktop.messages


def test_the_list_says_who_accepted(desktop, panel, finished, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(finished / "case", tmp_path / "cases" / name)
    desktop.qt.QFileDialog.answer = str(tmp_path / "cases")
    panel.ui.openFolderButton.click()
    panel.ui.raterLineEdit.text = "MK"
    panel.ui.acceptButton.click()
    assert not panel.ui.nextButton.enabled, "not before this one is safe"
    desktop.wait(lambda: not panel.acceptance.writing, PATIENCE)
    assert "accepted by MK" in panel.ui.worklistLabel.text
    assert panel.ui.nextButton.enabled


def test_a_case_from_dicom_keeps_its_seg_and_sr(desktop, panel, tmp_path, monkeypatch):
    """What was analysed lay in a temporary folder; the images are found in Slicer's database again."""
    pytest.importorskip("highdicom")
    study, place = _study(tmp_path)
    case = tmp_path / "cases" / "L-spine"
    shutil.copytree(place, case)
    files = [str(path) for path in sorted(study.iterdir())]
    asked = []

    class Database:
        isOpen = True

        def filesForSeries(self, uid):
            asked.append(uid)
            return files

    monkeypatch.setattr(desktop.slicer, "dicomDatabase", Database(), raising=False)
    panel.openCase(case)
    panel.ui.raterLineEdit.text = "M. Keller"
    assert panel.ui.dicomButton.enabled
    lengthen(panel)
    accept(desktop, panel)
    assert not desktop.messages
    import pydicom

    report = pydicom.dcmread(case / "dicom" / "sr.dcm")
    segmentation = pydicom.dcmread(case / "dicom" / "seg.dcm")
    assert asked == [read_record(case / "case.json").input.dicom["SeriesInstanceUID"]]
    assert segmentation.ReferencedSeriesSequence[0].SeriesInstanceUID == asked[0]
    assert "Keller" in str(report)
    assert panel.ui.dicomButton.enabled
    files.clear()
    accept(desktop, panel)
    kind, text = desktop.messages.pop()
    assert kind == "warning"
    assert "without DICOM SEG and SR" in text
    assert not panel.ui.dicomButton.enabled


def _study(place: Path) -> tuple[Path, Path]:
    """A series on disk, and the case of it whose images were analysed in a folder that is gone."""
    import importlib.util

    def load(name: str, path: Path):
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    tests = Path(__file__).parents[1]
    make = load("accept_study_cases", tests / "review" / "conftest.py")
    study = load("accept_study_dicom", tests / "review" / "test_review_dicom.py")
    phantom = make.make_phantom(make.PhantomSpec(size=(16, 112, 96), spacing=(4.4, 1.2, 1.2), seed=3))
    study.write_study(phantom, place / "analysed")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("write_report", "write_pdf", "write_workbook"):
            patch.setattr(f"SpineQuantLib.writing.{name}", lambda *_: None)
        make.write_phantom_case(phantom, place / "analysed", place / "case")
    return Path(shutil.move(place / "analysed", place / "archive")), place / "case"
