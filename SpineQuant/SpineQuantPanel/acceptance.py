"""Accepting a case: its folder is written again by a child process while the reader goes on."""

import time

import slicer
from slicer.i18n import tr as _

from SpineQuantLib.case.errors import EngineError, OutputError, SpineQuantError
from SpineQuantLib.case.progress import ProgressEvent
from SpineQuantPanel import dicom
from SpineQuantPanel.helpers import told

_LAST_SECONDS = 120.0
"""Granted to a case that is being written when the application closes; what was accepted must not be lost."""
_DICOM = "DICOM SEG and SR"


class Acceptance:
    """Writes one accepted case at a time. What is edited meanwhile stays, and counts as not accepted yet.

    :param logic: the module's logic.
    :param isOpen: says whether a case is still open in the panel.
    :param ended: called when a case is written, or could not be.
    :param note: takes a line for the log.
    """

    def __init__(self, logic, isOpen, ended, note) -> None:
        self.logic, self._isOpen, self._ended, self._note = logic, isOpen, ended, note
        self._run = self._case = None
        self._hadDicom = False
        self.words = ""

    @property
    def writing(self) -> bool:
        """Whether a case is being written."""
        return self._run is not None

    def begin(self, case, rater: str) -> None:
        """Take a case as it is now, and have it written.

        :raises SpineQuantError: if there is no name, or no room for what the child needs.
        """
        self._hadDicom = _DICOM in case.available()
        self._start(case, case.review.sign(rater))

    def _start(self, case, signed) -> None:
        self._case, self.words = case, ""
        self._run = self.logic.accept(signed, dicom.filesOfCase(case))

    def poll(self) -> bool:
        """Move on; returns whether there is anything new to show."""
        if self._run is None:
            return False
        before = self.words
        for event in self._run.poll():
            if isinstance(event, ProgressEvent):
                self.words = event.message or event.stage
        if not self._run.running:
            self._conclude()
            return True
        return self.words != before

    def finish(self) -> None:
        """Wait for a case that is being written, for when the application closes."""
        from SpineQuantLib.review.second_reading import write_beside

        end = time.monotonic() + _LAST_SECONDS
        while self._run is not None and self._run.running and time.monotonic() < end:
            self._run.poll()
            time.sleep(0.02)
        if self._run is None:
            return
        run, self._run = self._run, None
        with told(_("The accepted case could not be written.")):
            if run.running:
                run.close()
                raise EngineError(_("Writing {folder} took too long.").format(folder=run.signed.folder))
            try:
                run.check()
            except OutputError:
                changed = self._changed(run.signed)
                if not changed:
                    raise
                # Nobody can be asked any more.
                words = _("{reason}.\n\nYour reading was kept beside it:\n{place}")
                place = write_beside(run.signed).folder
                slicer.util.warningDisplay(words.format(reason=changed, place=place))

    def _conclude(self) -> None:
        """Tell how it ended; the one place where that happens."""
        # Let go first: a message lets the timer run on, which would conclude a second time.
        run, case, self._run = self._run, self._case, None
        self.words = ""
        try:
            stamp = run.check()
        except EngineError as error:
            self._writeHere(case, run.signed, str(error))
        except SpineQuantError as error:
            if changed := self._changed(run.signed):
                self._writeBeside(case, run.signed, changed)
            else:
                self._again(case, run.signed, str(error))
        else:
            self._written(case, run.signed, stamp, run.signed.folder)
        self._ended()

    def _written(self, case, signed, stamp: str, folder) -> None:
        self._note(_("Accepted and written: ") + str(folder))
        with told(_("The case was written, but it cannot be read again.")):
            case.review.written(signed, stamp, folder)
            if self._isOpen(case):
                # In another scene the same IDs are other nodes.
                case.mark()
            if self._hadDicom and _DICOM not in case.available():
                slicer.util.warningDisplay(
                    _(
                        "The case is written, but without DICOM SEG and SR: the images that were analysed are not "
                        "where they were. Put them into Slicer's DICOM database and accept the case once more."
                    )
                )

    def _again(self, case, signed, reason: str) -> None:
        words = _("{folder} could not be written.\n\n{reason}\n\n").format(folder=signed.folder, reason=reason)
        words += self._otherwise(case)
        if slicer.util.confirmRetryCloseDisplay(words):
            with told(_("The case could not be written.")):
                self._start(case, signed)

    def _writeHere(self, case, signed, reason: str) -> None:
        """The process failed and not the case: it can be written in Slicer's own, which then stands still."""
        from SpineQuantLib.review.accepting import write_signed

        words = _("The case could not be written in the background.\n\n{reason}\n\n").format(reason=reason)
        words += _("Write it here instead? Slicer stands still for some seconds.")
        if slicer.util.confirmOkCancelDisplay(words):
            with told(_("The case could not be written.")):
                written = write_signed(signed)
                self._written(case, signed, written.stamp, written.folder)

    def _writeBeside(self, case, signed, reason: str) -> None:
        """Somebody else was faster: what they did stays, and this becomes a second reading beside it."""
        from SpineQuantLib.review.second_reading import place_beside, write_beside

        words = _(
            "{reason}.\n\nYour reading can be kept as a case of its own, a second reading beside theirs:\n{place}\n\n"
            "Write it? Slicer stands still for some seconds, and you go on in that folder. "
        ).format(reason=reason, place=place_beside(signed))
        if slicer.util.confirmOkCancelDisplay(words + self._otherwise(case)):
            with told(_("The case could not be written.")):
                written = write_beside(signed)
                self._written(case, signed, written.stamp, written.folder)

    @staticmethod
    def _changed(signed) -> str:
        """How the folder of a case is no longer what its reader opened; empty where it is."""
        from SpineQuantLib.review.stamp import check_unchanged

        try:
            check_unchanged(signed.folder, signed.stamp)
        except SpineQuantError as error:
            return str(error)
        return ""

    def _otherwise(self, case) -> str:
        """What becomes of the corrections if a message is closed."""
        if self._isOpen(case):
            return _("The corrections are still here. Close this message to go on with them.")
        return _("The case is no longer open: if you close this message, its corrections are lost.")
