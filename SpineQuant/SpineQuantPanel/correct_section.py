"""Correct: lines, masks and names; undo; accept; a folder of cases one after the other."""

import time
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from SpineQuantPanel.brush import MASK_EVENTS, Brush
from SpineQuantPanel.case_list import CaseList
from SpineQuantPanel.helpers import RATER_SETTING, choose, keep, setting, told

FOLLOW_MILLISECONDS = 200
"""After the last touch of a line or mask: long enough to gather a stroke, short enough to feel immediate."""

_DISCS = (
    *("L6-S1", "L5-S1", "L4-S1", "L4-L5", "L3-L4", "L2-L3", "L1-L2", "T12-L1"),
    *(f"T{n}-T{n + 1}" for n in range(11, 0, -1)),
    "C7-T1",
    *(f"C{n}-C{n + 1}" for n in range(6, 1, -1)),
)


class CorrectSection:
    """The fifth section of the panel.

    :param ui: widgets of the form by name.
    :param acceptance: writes accepted cases.
    :param changed: called when numbers have changed; told whether the levels have other names now.
    :param finding: returns the finding that the reader chose, or None.
    :param row: returns the key of the row that the reader chose, or nothing.
    :param opened: opens a case folder in the panel; returns whether it is the one that is shown now.
    """

    def __init__(self, ui, acceptance, changed, finding, row, opened) -> None:
        self.ui, self._acceptance, self._changed = ui, acceptance, changed
        self._finding, self._row, self._open = finding, row, opened
        self.case, self._cases = None, CaseList(opened)
        self._observed = []
        self._moved, self._painted, self._refused = {}, False, False
        self._brush = Brush(ui.editorFrame)
        self._began = 0.0
        self._busy = False
        self._timer = qt.QTimer()
        self._timer.singleShot = True
        self._timer.interval = FOLLOW_MILLISECONDS
        self._timer.timeout.connect(self.follow)
        ui.raterLineEdit.text = setting(RATER_SETTING)
        ui.raterLineEdit.textChanged.connect(self.onRater)
        ui.undoButton.clicked.connect(self.onUndo)
        ui.redoButton.clicked.connect(self.onRedo)
        ui.resetButton.clicked.connect(self.onReset)
        ui.renameButton.clicked.connect(self.onRename)
        ui.acceptButton.clicked.connect(self.onAccept)
        ui.foramenButton.clicked.connect(self.onForamen)
        ui.canalButton.clicked.connect(self.onCanal)
        ui.discButton.clicked.connect(self.onDisc)
        ui.doneButton.clicked.connect(self.onDone)
        ui.openCaseButton.clicked.connect(self.onOpenCase)
        ui.openFolderButton.clicked.connect(self.onOpenFolder)
        ui.previousButton.clicked.connect(self.onPrevious)
        ui.nextButton.clicked.connect(self.onNext)
        self.refresh()

    # The case.

    def show(self, case) -> None:
        """Take a case up, or let it go."""
        self._letGo()
        self.case = case
        self._began = time.monotonic()
        if case is not None:
            case.review.rater = self.ui.raterLineEdit.text.strip()
            self._offer("-".join(case.result.spine.vertebrae[-2:]))
            self._watch()
        self.refresh()

    def _offer(self, present: str) -> None:
        """List names for the lowest disc; the one that it has is chosen, so that a click alone renames nothing."""
        combo = self.ui.renameComboBox
        combo.clear()
        for disc in _DISCS if present in _DISCS else (present, *_DISCS):
            combo.addItem(disc, disc)
        choose(combo, present)

    def refresh(self) -> None:
        """Show what can be done now."""
        ui, case = self.ui, self.case
        writing = self._acceptance.writing
        edits = (ui.renameButton, ui.renameComboBox, ui.resetButton, ui.foramenButton, ui.canalButton, ui.discButton)
        for widget in edits:
            widget.enabled = case is not None and not self._busy
        ui.acceptButton.enabled = case is not None and not self._busy and not writing
        # Not to another case before this one is safe.
        stay = self._busy or writing
        ui.openCaseButton.enabled = ui.openFolderButton.enabled = not stay
        ui.undoButton.enabled = case is not None and case.review.can_undo and not self._busy
        ui.redoButton.enabled = case is not None and case.review.can_redo and not self._busy
        ui.doneButton.enabled = self._brush.active
        ui.historyList.clear()
        for words in self._history() if case is not None else ():
            ui.historyList.addItem(words)
            ui.historyList.item(ui.historyList.count - 1).setToolTip(words)
        if writing:
            words = self._acceptance.words or _("writing")
            ui.acceptButton.text = f"{words[:1].upper()}{words[1:]} …"
        else:
            ui.acceptButton.text = _("Accept case with changes") if case and case.review.changed else _("Accept case")
        ui.previousButton.enabled = self._cases.more(-1) and not stay
        ui.nextButton.enabled = self._cases.more(1) and not stay
        ui.worklistLabel.text = self._cases.words(case)
        self.tick()

    def _history(self) -> list[str]:
        """What was changed, the last first."""
        from SpineQuantLib.panel.edits import words_of_history

        rows = {m.key: m for m in self.case.result.measurements}
        return words_of_history(self.case.review.history, rows)[::-1]

    def tick(self) -> None:
        """Show the time that the case was open."""
        from SpineQuantLib.job.remaining import duration

        self.ui.timeLabel.text = duration(time.monotonic() - self._began) if self.case is not None else "–"

    def poll(self) -> None:
        """Show how far writing an accepted case is."""
        if self._acceptance.poll():
            self.refresh()

    def onRater(self, name: str) -> None:
        """Remember the name, and write it into what is changed from now on."""
        keep(RATER_SETTING, name)
        if self.case is not None:
            self.case.review.rater = name.strip()

    # What the reader touches in the views.

    def _watch(self) -> None:
        """Observe every line that can be dragged, and the masks."""
        events = (slicer.vtkMRMLMarkupsNode.PointModifiedEvent, slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent)
        for node_id in dict.fromkeys(self.case.nodes.markups.values()):
            node = slicer.mrmlScene.GetNodeByID(node_id)
            if node is not None and not node.GetLocked():
                for event in events:
                    self._observed.append((node, node.AddObserver(event, self._onLine)))
        node = slicer.mrmlScene.GetNodeByID(self.case.nodes.segmentation)
        if node is not None:
            segmentation = node.GetSegmentation()
            for event in MASK_EVENTS:
                self._observed.append((segmentation, segmentation.AddObserver(event, self._onMask)))

    def _letGo(self) -> None:
        for caller, tag in self._observed:
            caller.RemoveObserver(tag)
        self._observed, self._moved = [], {}
        self._painted = self._refused = False
        self._timer.stop()
        self._brush.drop()

    def _onLine(self, node, _event) -> None:
        if not self._busy:
            # Not started anew at each touch: the number follows while the drag goes on.
            if not self._moved:
                self._timer.start()
            self._moved[node.GetID()] = node

    def _onMask(self, _segmentation, _event) -> None:
        if not self._busy:
            self._painted = True
            self._timer.start()

    def follow(self, again: bool = False) -> bool:
        """Let the numbers follow what was touched.

        :param again: also try a drawing once more that was refused and is still in the views.
        :returns: Whether all of it counts.
        """
        moved, painted = self._moved, self._painted or (again and self._refused)
        self._moved, self._painted = {}, False
        if self.case is None or not self.case.present:
            return True
        counts = True
        for node_id, node in moved.items():
            if slicer.mrmlScene.GetNodeByID(node_id) is node:
                counts &= self._do(lambda node=node: self.case.line_moved(node), _("The line does not count so."))
        if painted:
            # Refused until it counts: while the complaint is read, a result may want this case's place.
            self._refused = True
            counts &= self._agree(self.case.mask_edited, _("The numbers do not follow this drawing."))
        return counts

    @property
    def unsettled(self) -> bool:
        """Whether the case holds anything that would be lost with it: changes, or a drawing that was refused."""
        return self.case is not None and (self.case.review.changed or self._refused)

    def _agree(self, action, complaint: str) -> bool:
        """One edit after which the masks in the views are those that the numbers are of."""

        def act() -> None:
            action()
            self._refused = False

        return self._do(act, complaint)

    def _do(self, action, complaint: str) -> bool:
        """One edit: the scene shows it afterwards, and what it shows is no edit of its own."""
        self._busy = True
        done = False
        case = self.case
        names = case.result.spine.vertebrae
        try:
            with told(complaint), self._brush.kept():
                action()
                done = True
        finally:
            self._busy = False
        renamed = self.case is case and case.result.spine.vertebrae != names
        if renamed:
            # It holds a segment by its ID, which another object has now.
            self._brush.drop()
        self._rewatch()
        self._changed(renamed)
        return done

    def _rewatch(self) -> None:
        """Markups may have come and gone with the edit."""
        for caller, tag in self._observed:
            caller.RemoveObserver(tag)
        self._observed = []
        if self.case is not None and self.case.present:
            self._watch()

    # Buttons.

    def onUndo(self, _checked: bool = False) -> None:
        """Take the last change back."""
        self._agree(self.case.undo, _("The change could not be taken back."))

    def onRedo(self, _checked: bool = False) -> None:
        """Make it again."""
        self._agree(self.case.redo, _("The change could not be made again."))

    def onReset(self, _checked: bool = False) -> None:
        """Take the selected value back to what the networks measured."""
        key = self._row()
        if not key:
            slicer.util.infoDisplay(_("Select a corrected row in the table of measurements first."))
            return
        self._do(lambda: self.case.reset(key), _("This value cannot be taken back."))

    def onRename(self, _checked: bool = False) -> None:
        """Rename every level."""
        from SpineQuantLib.review.levels import NeedsConfirmationError

        # What was painted before has the names before.
        self.leave()
        disc = self.ui.renameComboBox.currentText

        def rename() -> None:
            try:
                self.case.rename(disc)
            except NeedsConfirmationError as error:
                if not slicer.util.confirmOkCancelDisplay(str(error)):
                    return
                self.case.rename(disc, confirmed=True)
            self._refused = False  # the masks are shown anew, without what was drawn

        self._do(rename, _("The levels could not be renamed."))

    def onAccept(self, _checked: bool = False) -> None:
        """Write the case folder again, with what changed."""
        rater = self.ui.raterLineEdit.text.strip()
        if not rater:
            slicer.util.infoDisplay(_("Write your name first: the case says who has accepted it."))
            return
        if not self.follow(again=True):
            return  # what the views show does not count; the reader has just been told
        with told(_("The case could not be written.")):
            self._acceptance.begin(self.case, rater)
        self.refresh()

    def reread(self) -> None:
        """The list says who has accepted the case."""
        if self.case is not None:
            self._cases.reread()
            self.refresh()

    # Masks.

    def _wanted(self, structure: str):
        """Level and side to paint: those of the finding that was clicked on; None where it leaves either open."""
        from SpineQuantLib.anatomy.structures import Structure

        finding, kind = self._finding(), Structure(structure)
        if kind is Structure.CANAL:
            return kind, "", None
        if finding is None or "-" not in finding.level:
            return None
        if kind is not Structure.FORAMEN:
            return kind, finding.level, None
        return (kind, finding.level, finding.side) if finding.side else None

    def _paint(self, structure: str, diameter: float) -> None:
        wanted = self._wanted(structure)
        if wanted is None:
            what = _("a foramen, right or left,") if structure == "foramen" else _("a disc or foramen")
            words = _("Click on {what} in the list of findings first: it says which one is meant.")
            slicer.util.infoDisplay(words.format(what=what))
            return
        with told(_("The mask cannot be edited.")):
            self._busy = True
            try:
                segment = self.case.segment_for(*wanted)
            finally:
                self._busy = False
            self._brush.take(self.case.nodes, segment, diameter)
            self.refresh()
            # While the reader goes for the brush, and not when the first stroke ends.
            qt.QTimer.singleShot(0, self._prepare)

    def _prepare(self) -> None:
        if self.case is not None and self._brush.active:
            with told(_("The masks cannot be measured.")):
                self.case.review.prepare()

    def onForamen(self, _checked: bool = False) -> None:
        """Paint the foramen of the chosen level and side."""
        self._paint("foramen", 3.0)

    def onCanal(self, _checked: bool = False) -> None:
        """Paint the dural sac."""
        self._paint("canal", 4.0)

    def onDisc(self, _checked: bool = False) -> None:
        """Paint the disc of the chosen level."""
        self._paint("disc", 4.0)

    def onDone(self, _checked: bool = False) -> None:
        """Put the brush away; the numbers follow at once."""
        self.leave()

    def leave(self) -> None:
        """Put the brush away: painting belongs to this panel, and another module may have a brush of its own."""
        if self._brush.active:
            self.follow()
            self._brush.drop()
            self.refresh()

    # Cases one after the other.

    def _mayLeave(self) -> bool:
        """Whether the case may be let go: what nobody accepted is lost only on the reader's word."""
        self.follow()  # a stroke of just now counts, too
        if not self.unsettled:
            return True
        return slicer.util.confirmOkCancelDisplay(
            _("This case holds corrections or drawings that nobody accepted. If you go on, they are lost.")
        )

    def onOpenCase(self, _checked: bool = False) -> None:
        """Open one case folder."""
        folder = qt.QFileDialog.getExistingDirectory(self.ui.openCaseButton, _("Open a case"), "")
        if folder and self._mayLeave():
            self._open(Path(folder))
            self.refresh()

    def onOpenFolder(self, _checked: bool = False) -> None:
        """Open a folder of cases, at the first that nobody has accepted."""
        folder = qt.QFileDialog.getExistingDirectory(self.ui.openFolderButton, _("Open a folder of cases"), "")
        if not folder or not self._mayLeave():
            return
        with told(_("The folder could not be opened.")):
            unreadable = self._cases.load(Path(folder))
            if unreadable:
                slicer.util.warningDisplay(_("These cases cannot be read and are left out:\n") + "\n".join(unreadable))
        self.refresh()

    def _step(self, by: int) -> None:
        if self._cases.more(by) and self._mayLeave():
            self._cases.step(by)
            self.refresh()

    def onPrevious(self, _checked: bool = False) -> None:
        """The case before."""
        self._step(-1)

    def onNext(self, _checked: bool = False) -> None:
        """The next case."""
        self._step(1)

    def close(self) -> None:
        """Let everything go; a case that is being written is finished."""
        self._acceptance.finish()
        self._letGo()
        self.case = None
        self._brush.close()
