"""Analyses one after the other in a process of their own, each bound to the volume that it was asked for."""

import logging
import shutil
import sys
import uuid
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from SpineQuantLib.case.errors import EngineError, InputError
from SpineQuantLib.case.progress import ProgressEvent
from SpineQuantPanel import dicom, helpers

AUTOMATIC = "automatic"
RUN_ATTRIBUTE = "SpineQuant.Run"


class Runs:
    """The part of the module's logic that starts, follows and ends analyses.

    Holds IDs of nodes and never the nodes: the scene may be closed while an analysis runs.
    """

    def __init__(self) -> None:
        self.queue = None
        self._engine = self._desk = None
        self._python = ""
        self._marks = {}
        self._taken = []

    # The engine's Python.

    @staticmethod
    def interpreter(python: str = "") -> str:
        """Path of the engine's Python; Slicer's own if none is chosen."""
        return python or shutil.which("PythonSlicer") or sys.executable

    @property
    def engine(self):
        """The engine, made on first use; its process starts with the first case."""
        from SpineQuantLib.job.engine import Engine

        if self._engine is None:
            self._engine = Engine(self.interpreter(self._python), slicer.util.startupEnvironment())
        return self._engine

    @property
    def desk(self):
        """The engine that writes accepted cases: in Slicer's own Python, which can whatever the networks' one lacks."""
        from SpineQuantLib.job.engine import Engine

        if not self._python:
            return self.engine
        if self._desk is None:
            self._desk = Engine(self.interpreter(), slicer.util.startupEnvironment())
        return self._desk

    def setEngine(self, python: str) -> None:
        """Choose the engine's Python; a process of another one ends when it is idle."""
        if python != self._python and self._engine is not None:
            self._engine.close()
            self._engine = None
        self._python = python

    def checkHealth(self, python: str = ""):
        """Ask a Python in a child whether it can analyse cases; poll the check that is returned."""
        from SpineQuantLib.job.health import HealthCheck

        return HealthCheck(self.interpreter(python), slicer.util.startupEnvironment())

    # Running.

    @property
    def isRunning(self) -> bool:
        """Whether an analysis is on its way or waits."""
        return self.queue is not None and self.queue.busy

    def start(
        self,
        volumeNode,
        lowestDisc: str = AUTOMATIC,
        contrast: str = AUTOMATIC,
        device: str = "auto",
        model: str | None = None,
        casesFolder: str = "",
        note=None,
        quality: str = "committee",
        sex: str | None = None,
        age: float | None = None,
        height: float | None = None,
    ):
        """Put a volume into the queue and return at once; poll from then on.

        :param volumeNode: The MRI.
        :param lowestDisc: Name of the lowest disc in view, or automatic.
        :param contrast: Weighting, or automatic.
        :param device: Where the networks run: ``auto``, ``cpu``, ``cuda:0``.
        :param model: Name of the networks; None for the default.
        :param casesFolder: Where the case is kept; the folder of the settings if empty.
        :param quality: ``committee``, or ``fast`` for a quick look by one network.
        :param sex: ``F`` or ``M``, for the usual ranges; a DICOM header says it where this does not.
        :param age: Years, likewise.
        :param height: Of the body, in cm.
        :param note: Called with a line that the user should read.
        :returns: The entry of the queue.
        :raises SpineQuantError: if the volume is empty.
        """
        from SpineQuantLib.job.case_queue import CaseQueue

        if volumeNode is None or volumeNode.GetImageData() is None:
            raise InputError(_("choose a volume that holds an image"))
        if height is not None and not 30 <= height <= 260:
            words = _("a body height of {height} cm cannot be right; leave it out if it is not known")
            raise InputError(words.format(height=height))
        name, volumeID = volumeNode.GetName() or "volume", volumeNode.GetID()
        choices = {
            "lowest_disc": None if lowestDisc == AUTOMATIC else lowestDisc,
            "contrast": None if contrast == AUTOMATIC else contrast,
            "device": device,
            "model": model,
            "quality": quality,
            "sex": sex,
            "age": age,
            "height": height,
        }
        cases = Path(casesFolder) if casesFolder else helpers.casesFolder()

        def begin():
            return self._begin(entry, choices, cases, note)

        if self.queue is None or not self.queue.busy:
            self.queue, self._taken = CaseQueue(), []
        mark = uuid.uuid4().hex
        volumeNode.SetAttribute(f"{RUN_ATTRIBUTE}.{mark}", "1")
        entry = self.queue.add(name, begin)
        self._marks[id(entry)] = (volumeID, mark)
        return entry

    def _begin(self, entry, choices: dict, cases: Path, note):
        """Start the analysis of an entry whose turn has come."""
        from SpineQuantLib.job.case_run import CaseRun

        # Node IDs are given anew after the scene was closed, so the ID alone could name another volume by then.
        node = self._marked(entry)
        if node is None:
            raise InputError(_("the volume is no longer in the scene"))
        files, why = dicom.dicomFiles(node)
        if why and note is not None:
            words = _("A copy is analysed and not the DICOM files, because {why}; there will be no SEG and SR.")
            note(words.format(why=why))
        return CaseRun(
            entry.name,
            # In world coordinates, so that a volume under a transform gives results that lie where it is seen.
            lambda path: slicer.util.exportNode(node, str(path), {}, world=True),
            choices,
            cases=cases,
            scratch=Path(slicer.app.temporaryPath),
            engine=self.engine,
            files=files,
        )

    def _marked(self, entry, take: bool = False):
        """Return the volume of an entry, or None where the scene was closed or the volume removed meanwhile."""
        volumeID, mark = self._marks.get(id(entry), ("", ""))
        node = slicer.mrmlScene.GetNodeByID(volumeID) if volumeID else None
        attribute = f"{RUN_ATTRIBUTE}.{mark}"
        if node is None or not node.GetAttribute(attribute):
            return None
        if take:
            node.RemoveAttribute(attribute)
        return node

    def poll(self) -> list:
        """Move the queue on; returns entries with what was said since the last call. Never waits."""
        for engine in filter(None, (self._engine, self._desk)):
            engine.rest()
        return self.queue.poll() if self.queue is not None else []

    @staticmethod
    def words(entry, event) -> str:
        """A line for the log."""
        from SpineQuantLib.job.events import NoteEvent, ResultEvent, StageEvent

        if isinstance(event, StageEvent):
            return f"{event.seconds:7.1f} s  {event.stage}"
        if isinstance(event, ProgressEvent):
            return f"{event.seconds:7.1f} s  {event.message}" if event.message else f"{event.seconds:7.1f} s"
        if isinstance(event, NoteEvent):
            return event.message
        if isinstance(event, ResultEvent):
            return f"{entry.name}: {event.verdict}"
        return str(getattr(event, "message", ""))

    def takeEnded(self) -> list:
        """Entries that have come to their end since the last call."""
        entries = self.queue.entries if self.queue is not None else []
        ended = [e for e in entries if e.ended and e not in self._taken]
        self._taken += ended
        return ended

    def cancel(self, entry=None) -> None:
        """Ask one analysis to end, or all; a running one does within two seconds while it is polled."""
        if self.queue is not None:
            self.queue.cancel(entry)

    def end(self) -> None:
        """End everything, waiting two seconds at most."""
        if self.queue is not None:
            self.queue.close()
            self.queue = None
        for engine in filter(None, (self._engine, self._desk)):
            engine.close()
        self._engine = self._desk = None

    def accept(self, signed, files=()):
        """Have an accepted case written by a child; poll the run that is returned.

        :param signed: What :meth:`SpineQuantLib.review.case_review.CaseReview.sign` returned.
        :param files: The DICOM images that were analysed, where they are now.
        :returns: The run.
        :raises SpineQuantError: if there is no room for what the child needs.
        """
        from SpineQuantLib.job.accept_run import AcceptRun

        return AcceptRun(signed, self.desk, files=files, scratch=Path(slicer.app.temporaryPath))

    def finish(self, entry):
        """Let go of an entry that has ended.

        :returns: The volume to which its result belongs, or None if it was cancelled.
        :raises SpineQuantError: why it failed, or that the volume is gone and where the case is.
        """
        node = self._marked(entry, take=True)
        self._marks.pop(id(entry), None)
        if entry.run is not None:
            for line in entry.run.log:
                logging.info("SpineQuant engine: %s", line)
            entry.run.close()
        if entry.reason:
            raise EngineError(entry.reason)
        if entry.result is None:
            return None
        if node is None:
            raise InputError(_("The volume is no longer in the scene. The case is in ") + str(entry.result.folder))
        return node
