# Slicer takes every .py beside a module for a module of its own; the panel's sections lie in a folder therefore.
import logging
import shutil
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import ctk
import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

# The package lays the library beside this file; in a source checkout it lies one folder higher.
if not (Path(__file__).parent / "SpineQuantLib").is_dir():
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from SpineQuantLib.anatomy.resources import resource
from SpineQuantLib.case.errors import EngineError, InputError, SpineQuantError
from SpineQuantLib.case.progress import ProgressEvent
from SpineQuantLib.job.requirements import PYTORCH, missing_requirements, read_requirements

AUTOMATIC = "automatic"
LOWEST_DISCS = [AUTOMATIC, "L6-S1", "L5-S1", "L4-L5", "L3-L4", "L2-L3", "L1-L2"]
POLL_MILLISECONDS = 100
RUN_ATTRIBUTE = "SpineQuant.Run"
ENGINE_ONLY = ("monai", "safetensors")
DESK = ("psutil>=5.9",)


class SpineQuant(ScriptedLoadableModule):
    """Measurements of the spine from MRI."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("SpineQuant")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = ["Segmentations", "Markups", "Tables", "Plots", "SubjectHierarchy", "Terminologies"]
        self.parent.contributors = ["SpineQuant contributors"]
        self.parent.helpText = _("""
Measures discs, dural sac, foramina and vertebrae in lumbar MRI, says how far its networks agree, and gives lines and
contours for correction. Not a medical device. See the
<a href="https://github.com/SpineQuant/SpineQuant/blob/main/docs/tutorial.md">tutorial</a>.
""")
        self.parent.acknowledgementText = _("SpineQuant stands on 3D Slicer, MONAI and PyTorch.")
        slicer.app.connect("startupCompleted()", onStartup)


def onStartup() -> None:
    """What needs the other modules to be there."""
    registerTerminology()
    registerSampleData()


def registerTerminology() -> None:
    """Make the codes of what SpineQuant segments known to Slicer, so that they can be chosen by hand."""
    from SpineQuantLib.scene.terminology import load_terminology

    try:
        load_terminology(slicer.modules.terminologies.logic(), resource("Terminologies"))
    except (SpineQuantError, FileNotFoundError) as error:
        logging.error("SpineQuant's terminology is not available: %s", error)


def registerSampleData() -> None:
    """Offer a lumbar phantom in the module Sample Data; it is drawn here and not downloaded."""
    try:
        import SampleData
    except ImportError:
        return  # an application without that module
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="SpineQuant",
        sampleName="SpineQuantPhantom",
        nodeNames="SpineQuantPhantom",
        thumbnailFileName=str(Path(__file__).parent / "Resources" / "Icons" / "SpineQuant.png"),
        customDownloader=makePhantom,
    )


def makePhantom(_source=None) -> list:
    """Draw a lumbar phantom and load it.

    :returns: Its volume node, in a list as the module Sample Data expects.
    """
    from SpineQuantLib.scene.volume import add_volume
    from SpineQuantLib.training.phantom import PhantomSpec, make_phantom

    phantom = make_phantom(PhantomSpec(size=(16, 224, 176), seed=5))
    return [add_volume(slicer.mrmlScene, phantom.image, slicer.mrmlScene.GenerateUniqueName("SpineQuantPhantom"))]


@parameterNodeWrapper
class SpineQuantParameterNode:
    """Choices that belong to the scene; those of the computer are in the application's settings.

    inputVolume - The MRI to analyse.
    lowestDisc - Name of the lowest disc in view; settles the names of all levels.
    contrast - Weighting of the volume.
    """

    inputVolume: vtkMRMLScalarVolumeNode  # noqa: N815
    lowestDisc: Annotated[str, Choice(LOWEST_DISCS)] = AUTOMATIC  # noqa: N815
    contrast: Annotated[str, Choice([AUTOMATIC, "T1", "T2", "STIR"])] = AUTOMATIC


class SpineQuantWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel: five sections, and what goes from one to the other."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.case = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None
        self._timer = None
        self._seen = None

    def setup(self) -> None:
        """Build the panel when the user opens the module for the first time."""
        from SpineQuantPanel.correct_section import CorrectSection
        from SpineQuantPanel.findings_section import FindingsSection
        from SpineQuantPanel.input_section import InputSection
        from SpineQuantPanel.measurements_section import MeasurementsSection
        from SpineQuantPanel.run_section import RunSection

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/SpineQuant.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)

        self.logic = SpineQuantLogic()
        self.inputSection = InputSection(self.ui, self.logic)
        self.runSection = RunSection(self.ui, self.logic, self.submit)
        self.findingsSection = FindingsSection(self.ui, self._onFinding)
        self.measurementsSection = MeasurementsSection(self.ui, self.logic)
        self.correctSection = CorrectSection(
            self.ui,
            self._onChanged,
            lambda: self.findingsSection.current,
            self.measurementsSection.selectedKey,
            self.openCase,
        )
        self.showCase(None)
        self._timer = qt.QTimer()
        self._timer.interval = POLL_MILLISECONDS
        self._timer.timeout.connect(self._onTimer)
        self._timer.start()

        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """End what still runs when the application closes or the module is reloaded."""
        if self._timer:
            self._timer.stop()
        if self.logic:
            self.inputSection.close()
            self.correctSection.close()
            self.logic.end()
        self.setParameterNode(None)
        self.removeObservers()

    def onReload(self) -> None:
        """Reload the sections too, which Slicer's Reload would leave as they are."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "SpineQuantPanel"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    # The scene and its parameters.

    def enter(self) -> None:
        """Make sure that there is a parameter node whenever the module is opened."""
        self.initializeParameterNode()

    def exit(self) -> None:
        """Stop following the parameter node while another module is shown."""
        self.setParameterNode(None)

    def onSceneStartClose(self, _caller, _event) -> None:
        """Let go of all that is about to vanish, and end what still runs: it has no place to come back to."""
        if self.logic.isRunning:
            self.runSection.note(_("The scene was closed; the analysis is cancelled."))
            self.logic.cancel()
        self.showCase(None)
        self.setParameterNode(None)

    def onSceneEndClose(self, _caller, _event) -> None:
        """Make a new parameter node if the module is shown."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, _caller, _event) -> None:
        """Take up the case of a stored scene that was opened, where its folder lies beside it."""
        from SpineQuantLib.scene.reopen import case_folder_of, find_cases

        folder, cases = case_folder_of(slicer.mrmlScene), find_cases(slicer.mrmlScene)
        if self.case is None and folder is not None and len(cases) == 1:
            with slicer.util.tryWithErrorDisplay(_("The case of this scene cannot be corrected.")):
                self._open(folder, nodes=cases[0])

    def initializeParameterNode(self) -> None:
        """Take the scene's parameter node, and its first volume where none is chosen."""
        self.setParameterNode(self.logic.getParameterNode())
        if not self._parameterNode.inputVolume:
            firstVolumeNode = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
            if firstVolumeNode:
                self._parameterNode.inputVolume = firstVolumeNode

    def setParameterNode(self, parameterNode: SpineQuantParameterNode | None) -> None:
        """Follow a parameter node, or none."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameters)
        self._parameterNode = parameterNode
        if self._parameterNode:
            self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameters)
        self._onParameters()

    def _onParameters(self, _caller=None, _event=None) -> None:
        self._seen = self._sight()
        self.inputSection.showVolume(self._volume())
        self._updateRun()

    def _sight(self):
        """What the first section speaks of; an image may come into a volume later than the volume into the scene."""
        node = self._volume()
        return (node.GetID(), node.GetImageData() is not None, node.GetTransformNodeID()) if node else None

    def _volume(self):
        return self._parameterNode.inputVolume if self._parameterNode else None

    def _updateRun(self) -> None:
        volume = self._volume()
        empty = volume is not None and volume.GetImageData() is None
        why = _("This volume is empty") if empty else "" if volume else _("Select a volume first")
        self.runSection.update(volume is not None and not empty, why)

    # Running.

    def submit(self) -> None:
        """Put the chosen volume into the queue."""
        with slicer.util.tryWithErrorDisplay(_("The analysis could not be started.")):
            self.logic.requireDesk()
            health = self.inputSection.health
            if health is not None and not health.well:
                raise EngineError(health.problem + _(" Press Install… in the settings of this computer."))
            self.logic.setEngine(self.inputSection.python)
            self.ui.stageLabel.text = ""
            self.logic.start(
                self._volume(),
                lowestDisc=self._parameterNode.lowestDisc,
                contrast=self._parameterNode.contrast,
                **self.inputSection.choices(),
                note=self.runSection.note,
            )
        self._updateRun()

    def _onTimer(self) -> None:
        self.inputSection.poll()
        self.correctSection.tick()
        if self._seen != self._sight():
            self._onParameters()
        if self.logic.queue is None:
            return
        wasRunning = self.logic.isRunning
        for entry, event in self.logic.poll():
            self.runSection.note(self.logic.words(entry, event))
        for entry in self.logic.takeEnded():
            self._conclude(entry)
        if wasRunning or self.logic.isRunning:
            self._updateRun()

    def _conclude(self, entry) -> None:
        """Show how an analysis ended; the one place where that happens."""
        self.ui.stageLabel.text = _("{name}: {state}").format(name=entry.name, state=entry.state)
        with slicer.util.tryWithErrorDisplay(_("The analysis of {name} gave no result.").format(name=entry.name)):
            volumeNode = self.logic.finish(entry)
            if volumeNode is None:
                return
            if self.case is not None and self.case.review.changed:
                # Never in the way of a reader who is in the middle of a correction.
                self.runSection.note(_("Ready, open it when you like: ") + str(entry.result.folder))
            else:
                self._open(entry.result.folder, volumeNode)

    # The case.

    def openCase(self, folder: Path) -> None:
        """Open a case folder in place of the case that is open."""
        with slicer.util.tryWithErrorDisplay(_("The case could not be opened.")):
            self._open(folder)

    def _open(self, folder: Path, volumeNode=None, nodes=None) -> None:
        self.logic.requireDesk(whole=True)
        from SpineQuantPanel import views

        from SpineQuantLib.panel.open_case import OpenCase

        case = OpenCase(slicer.mrmlScene, folder, volumeNode, nodes)
        if self.case is not None and volumeNode is None:
            # Going through a folder: the case before makes room. Results of runs stay in the scene side by side.
            before, self.case = self.case, None
            self.correctSection.show(None)
            before.close()
        self.showCase(case)
        views.setReadingLayout(case.nodes)
        if self.findingsSection.findings:
            self.findingsSection.look(self.findingsSection.findings[0])

    def showCase(self, case) -> None:
        """Show a case in all sections, or none."""
        if self.case is not None and self.case is not case:
            self.case.hide_members()
        self.case = case
        self.findingsSection.show(case)
        self.measurementsSection.show(case)
        self.correctSection.show(case)
        for button in (self.ui.measurementsCollapsibleButton, self.ui.correctCollapsibleButton):
            button.collapsed = case is None

    def _onFinding(self, _finding) -> None:
        self.correctSection.refresh()

    def _onChanged(self) -> None:
        self.findingsSection.refresh()
        self.measurementsSection.refresh()
        self.correctSection.refresh()


@dataclass(frozen=True)
class Processed:
    """What :meth:`SpineQuantLogic.process` returns.

    segmentation - Segmentation node.
    tables - Table nodes by name: measurements, findings, and an overview of each structure.
    verdict - ``pass``, ``review`` or ``fail``.
    reasons - Why.
    folder - The case folder.
    nodes - IDs of all nodes, see :class:`SpineQuantLib.scene.build.SceneNodes`.
    """

    segmentation: Any
    tables: dict
    verdict: str
    reasons: tuple
    folder: Path
    nodes: Any


class SpineQuantLogic(ScriptedLoadableModuleLogic):
    """Runs analyses in a process of their own, one after the other, and brings their results into the scene.

    From a script: :meth:`process` for one volume, :meth:`processFolder` for many files. PyTorch is never imported
    here: a crash of the engine must not take the scene along.
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.queue = None
        self._engine = None
        self._python = ""
        self._marks = {}
        self._taken = []

    def getParameterNode(self) -> SpineQuantParameterNode:
        """Return the scene's parameter node in its typed form."""
        return SpineQuantParameterNode(super().getParameterNode())

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

    @staticmethod
    def missingPackages(requirements=None) -> list[str]:
        """Requirements that Slicer's own Python does not fulfil; by default all that the engine needs."""
        listed = read_requirements(Path(__file__).parent / "Resources" / "requirements.txt")
        return missing_requirements([PYTORCH, *listed] if requirements is None else list(requirements))

    def requireDesk(self, whole: bool = False) -> None:
        """Check that Slicer's own Python has what this module needs here, wherever the engine is.

        :param whole: all that opening and correcting a case needs; otherwise what starting one needs.
        :raises EngineError: with what is missing.
        """
        listed = read_requirements(Path(__file__).parent / "Resources" / "requirements.txt")
        desk = [line for line in listed if not line.startswith(ENGINE_ONLY)] if whole else DESK
        missing = self.missingPackages(desk)
        if missing:
            raise EngineError(
                _("Slicer lacks packages: {names}. Press Install… in the settings of this computer.").format(
                    names=", ".join(missing)
                )
            )

    def install(self, python: str = "", health=None) -> bool:
        """Say what is missing and install it if the user agrees.

        :param python: the engine's Python; only Slicer's own is ever changed.
        :param health: what is known of it.
        :returns: whether anything was installed, or nothing was missing.
        :raises RuntimeError: if it cannot be done from here, with how to do it.
        """
        listed = read_requirements(Path(__file__).parent / "Resources" / "requirements.txt")
        own = not python
        wanted = [PYTORCH, *listed] if own else [line for line in listed if not line.startswith(ENGINE_ONLY)]
        missing = self.missingPackages(wanted)
        if not own and health is not None and health.missing:
            slicer.util.infoDisplay(
                _("Another Python is never changed from here. In a terminal run:\n\n")
                + f'"{python}" -m pip install "spinequant[engine,dicom,mrml]"'
            )
        if not missing:
            return True
        plan = _("These packages will be downloaded and installed into Slicer's own Python:\n\n")
        plan += "\n".join(f"  {line}" for line in missing)
        plan += _("\n\nThis takes some minutes and, with PyTorch, up to 3 GB.")
        plan += _(" Other extensions use the same Python. Go on?")
        if not slicer.util.confirmOkCancelDisplay(plan):
            return False
        if PYTORCH in missing:
            self._installTorch()
            missing.remove(PYTORCH)
        if missing:
            try:
                from slicer.packaging import pip_ensure
            except ImportError:
                slicer.util.pip_install(" ".join(f'"{line}"' for line in missing))  # Slicer 5.10
            else:
                from packaging.requirements import Requirement

                # The user has agreed already, to all of it at once.
                pip_ensure([Requirement(line) for line in missing], prompt_install=False, requester="SpineQuant")
        return True

    @staticmethod
    def _installTorch() -> None:
        try:
            import PyTorchUtils
        except ImportError:
            raise RuntimeError(
                _(
                    "PyTorch comes through its own extension, which chooses the build for your graphics card: install "
                    "PyTorch in the Extensions Manager, restart Slicer, and press Install… again."
                )
            ) from None
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(
            askConfirmation=False, torchVersionRequirement=PYTORCH.removeprefix("torch")
        )
        if torch is None:
            raise RuntimeError(_("PyTorch could not be installed; the module PyTorch Utils says why."))

    # Running.

    @property
    def isRunning(self) -> bool:
        """Whether an analysis is on its way or waits."""
        return self.queue is not None and self.queue.busy

    @staticmethod
    def dicomFiles(volumeNode) -> tuple[list[Path], str]:
        """The DICOM files that a volume was loaded from, where it can still be analysed from them.

        :returns: The files, or none and why not; both are empty for a volume that did not come from DICOM.
        """
        uids = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
        if not uids:
            return [], ""
        if volumeNode.GetParentTransformNode() is not None:
            return [], _("the volume lies under a transform")
        database = getattr(slicer, "dicomDatabase", None)
        if database is None or not database.isOpen:
            return [], _("the DICOM database is not open")
        files = [database.fileForInstance(uid) for uid in uids]
        if not all(file and Path(file).is_file() for file in files):
            return [], _("its DICOM files are no longer where they were")
        if volumeNode.GetImageData() is None or len(files) not in volumeNode.GetImageData().GetDimensions():
            return [], _("it has another number of slices than its DICOM series")
        return [Path(file) for file in files], ""

    def start(
        self,
        volumeNode: vtkMRMLScalarVolumeNode,
        lowestDisc: str = AUTOMATIC,
        contrast: str = AUTOMATIC,
        device: str = "auto",
        model: str | None = None,
        casesFolder: str = "",
        note=None,
    ):
        """Put a volume into the queue and return at once; poll from then on.

        :param volumeNode: The MRI.
        :param lowestDisc: Name of the lowest disc in view, or automatic.
        :param contrast: Weighting, or automatic.
        :param device: Where the networks run: ``auto``, ``cpu``, ``cuda:0``.
        :param model: Name of the networks; None for the default.
        :param casesFolder: Where the case is kept; the folder of the settings if empty.
        :param note: Called with a line that the user should read.
        :returns: The entry of the queue.
        :raises SpineQuantError: if the volume is empty.
        """
        from SpineQuantPanel import helpers

        from SpineQuantLib.job.case_queue import CaseQueue
        from SpineQuantLib.job.case_run import CaseRun

        if volumeNode is None or volumeNode.GetImageData() is None:
            raise InputError(_("choose a volume that holds an image"))
        name, volumeID = volumeNode.GetName() or "volume", volumeNode.GetID()
        choices = {
            "lowest_disc": None if lowestDisc == AUTOMATIC else lowestDisc,
            "contrast": None if contrast == AUTOMATIC else contrast,
            "device": device,
            "model": model,
        }
        cases = Path(casesFolder) if casesFolder else helpers.casesFolder()

        def begin():
            # Node IDs are given anew after the scene was closed, so the ID alone could name another volume by then.
            node = self._marked(entry)
            if node is None:
                raise InputError(_("the volume is no longer in the scene"))
            files, why = self.dicomFiles(node)
            if why and note is not None:
                words = _("A copy is analysed and not the DICOM files, because {why}; there will be no SEG and SR.")
                note(words.format(why=why))
            return CaseRun(
                name,
                # In world coordinates, so that a volume under a transform gives results that lie where it is seen.
                lambda path: slicer.util.exportNode(node, str(path), {}, world=True),
                choices,
                cases=cases,
                scratch=Path(slicer.app.temporaryPath),
                engine=self.engine,
                files=files,
            )

        if self.queue is None or not self.queue.busy:
            self.queue, self._taken = CaseQueue(), []
        mark = uuid.uuid4().hex
        volumeNode.SetAttribute(f"{RUN_ATTRIBUTE}.{mark}", "1")
        entry = self.queue.add(name, begin)
        self._marks[id(entry)] = (volumeID, mark)
        return entry

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
        if self.queue is None:
            return []
        if self._engine is not None:
            self._engine.rest()
        return self.queue.poll()

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
        if self._engine is not None:
            self._engine.close()
            self._engine = None

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

    # Without the panel.

    def process(self, volumeNode: vtkMRMLScalarVolumeNode, **choices) -> Processed:
        """Analyse a volume, wait for it, and bring the result into the scene.

        :param volumeNode: The MRI.
        :param choices: as for :meth:`start`.
        :returns: Segmentation, tables, verdict and the case folder.
        :raises SpineQuantError: with what is wrong and what to do.
        """
        import time

        self.requireDesk()
        entry = self.start(volumeNode, **choices)
        while not entry.ended:
            self.poll()
            slicer.app.processEvents()
            time.sleep(0.02)
        node = self.finish(entry)
        if node is None:
            raise EngineError(_("The analysis was cancelled."))
        nodes = self.loadCase(entry.result.folder, node)
        return Processed(
            slicer.mrmlScene.GetNodeByID(nodes.segmentation),
            {name: slicer.mrmlScene.GetNodeByID(nodeID) for name, nodeID in nodes.tables.items()},
            str(entry.result.verdict),
            entry.result.reasons,
            entry.result.folder,
            nodes,
        )

    def processFolder(self, folder, output, report=print, timeout=None, **choices):
        """Analyse every image file and DICOM folder of a folder, with the networks loaded once.

        :param folder: Where the images are.
        :param output: Where the cases go; ``summary.csv`` is written there too.
        :param report: Called with a line for each case; None for silence.
        :param timeout: Seconds for each case; None for no limit.
        :param choices: ``lowest_disc``, ``contrast``, ``device``, ``model``.
        :returns: Rows of :class:`SpineQuantLib.job.batch.BatchRow` and a table node with the same.
        :raises SpineQuantError: if there is nothing to analyse or the summary cannot be written.
        """
        from SpineQuantLib.job.batch import find_images, run_batch, write_summary
        from SpineQuantLib.scene.tables import Column, add_table

        self.requireDesk()
        output = Path(output)
        sources = find_images(Path(folder))
        output.mkdir(parents=True, exist_ok=True)

        def listen(_name, _event) -> None:
            slicer.app.processEvents()

        rows = []
        for source in sources:
            rows += run_batch([source], output, self.engine, choices, listen, timeout)
            if report is not None:
                row = rows[-1]
                report(f"{row.name}: {row.verdict or row.state} {'; '.join(row.reasons)}")
        write_summary(rows, output / "summary.csv")
        columns = [
            Column("case", "name of the image", tuple(row.name for row in rows)),
            Column("state", "how it ended", tuple(str(row.state) for row in rows)),
            Column("verdict", "pass, review or fail", tuple(row.verdict or "-" for row in rows)),
            Column("reasons", "why", tuple("; ".join(row.reasons) or "-" for row in rows)),
            Column("seconds", "it took", tuple(row.seconds for row in rows), "s"),
        ]
        return rows, add_table(slicer.mrmlScene, slicer.mrmlScene.GenerateUniqueName("SpineQuant summary"), columns)

    @staticmethod
    def loadCase(folder: Path, volumeNode: vtkMRMLScalarVolumeNode):
        """Add segmentation, tables, plots and markups of a case folder to the scene; what is there stays as it is.

        :returns: Node IDs as :class:`SpineQuantLib.scene.build.SceneNodes`.
        """
        from SpineQuantLib.case.record import read_scores
        from SpineQuantLib.report.tables import read_measurements
        from SpineQuantLib.scene.reopen import add_case_folder

        measurements = read_measurements(folder / "measurements.json")
        scores = read_scores(folder / "case.json")
        return add_case_folder(slicer.mrmlScene, folder, volumeNode, measurements, scores)

    @staticmethod
    def intoDatabase(case) -> int:
        """Put a case's SEG and SR into Slicer's DICOM database.

        :returns: How many files.
        :raises InputError: if there are none, or the database is not open.
        """
        files = sorted((case.folder / "dicom").glob("*.dcm"))
        if not files:
            raise InputError(_("this case holds no DICOM files; only cases that were analysed from DICOM have them"))
        if case.review.changed:
            raise InputError(_("the case was corrected since its files were written; accept it first"))
        database = getattr(slicer, "dicomDatabase", None)
        if database is None or not database.isOpen:
            raise InputError(_("the DICOM database is not open; open the module DICOM once"))
        indexer = ctk.ctkDICOMIndexer()
        # Copied, because a case folder may be written again or moved.
        indexer.addDirectory(database, str(case.folder / "dicom"), True)
        indexer.waitForImportFinished()
        return len(files)


class SpineQuantTest(ScriptedLoadableModuleTest):
    """The whole way inside Slicer: load, apply, flags, correct, export, close; the library has its own tests outside.

    Needs the engine, as the panel does; takes some minutes without a GPU.
    """

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def _panel(self) -> SpineQuantWidget:
        slicer.util.selectModule("SpineQuant")
        return slicer.modules.spinequant.widgetRepresentation().self()

    @staticmethod
    def _wait(until, seconds: float = 1200.0) -> None:
        import time

        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, f"not within {seconds} s"
            slicer.app.processEvents()
            time.sleep(0.02)

    def test_TerminologyIsKnown(self) -> None:
        """The codes can be chosen in the terminology selector."""
        registerTerminology()
        names = vtk.vtkStringArray()
        slicer.modules.terminologies.logic().GetLoadedTerminologyNames(names)
        assert "SpineQuant" in [names.GetValue(index) for index in range(names.GetNumberOfValues())]

    def test_ChoicesAreKeptInTheScene(self) -> None:
        """What is chosen once is found again through another wrapper of the node."""
        logic = SpineQuantLogic()
        logic.getParameterNode().lowestDisc = "L4-L5"
        logic.getParameterNode().contrast = "T2"
        found = logic.getParameterNode()
        assert (found.lowestDisc, found.contrast) == ("L4-L5", "T2")

    def test_FailureSaysWhy(self) -> None:
        """A Python that is not there ends the analysis with a reason."""
        logic = SpineQuantLogic()
        logic.setEngine("/no/such/python")
        reason = ""
        try:
            logic.process(makePhantom()[0])
        except SpineQuantError as error:
            reason = str(error)
        finally:
            logic.end()
        assert "/no/such/python" in reason, reason

    def test_CancelLeavesNothing(self) -> None:
        """A cancelled analysis adds nothing to the scene."""
        logic = SpineQuantLogic()
        volumeNode = makePhantom()[0]
        nodes = slicer.mrmlScene.GetNumberOfNodes()
        entry = logic.start(volumeNode)
        logic.poll()
        logic.cancel()

        def ended() -> bool:
            logic.poll()
            return entry.ended

        self._wait(ended, 10.0)
        assert logic.finish(entry) is None
        logic.end()
        assert slicer.mrmlScene.GetNumberOfNodes() == nodes

    def test_TheWholeWay(self) -> None:
        """Load, apply, flags, correct, export, close, as a reader does it in the panel."""
        import tempfile

        panel = self._panel()
        volumeNode = makePhantom()[0]
        panel.logic.getParameterNode().inputVolume = volumeNode
        self.delayDisplay("Analysing the phantom")
        self._wait(lambda: panel.ui.applyButton.enabled, 10.0)
        panel.ui.applyButton.click()
        self._wait(lambda: not panel.logic.isRunning)
        self._wait(lambda: panel.case is not None, 60.0)

        self.delayDisplay("Flags")
        panel.ui.doubtfulCheckBox.checked = False
        assert panel.ui.verdictLabel.text[:1] in "✓?✕"
        assert panel.ui.findingsTree.topLevelItemCount >= 10
        panel.ui.findingsTree.setCurrentItem(panel.ui.findingsTree.topLevelItem(0))
        assert panel.findingsSection.current is not None

        self.delayDisplay("Correct a line")
        row = next(m for m in panel.case.result.measurements if m.can_be_moved and m.unit == "mm")
        node = slicer.mrmlScene.GetNodeByID(panel.case.nodes.markups[row.key])
        point = [0.0, 0.0, 0.0]
        node.GetNthControlPointPositionWorld(0, point)
        node.SetNthControlPointPositionWorld(0, point[0], point[1] + 2.0, point[2] + 2.0)
        panel.correctSection.follow()
        assert panel.case.review.row(row.key).source == "corrected"
        assert panel.case.review.row(row.key).automatic == row.value
        panel.ui.raterLineEdit.text = "SpineQuantTest"
        panel.ui.acceptButton.click()
        assert not panel.case.review.changed

        self.delayDisplay("Export")
        with tempfile.TemporaryDirectory() as folder:
            path = panel.case.export("CSV table", Path(folder) / "table.csv")
            assert "corrected" in path.read_text(encoding="utf-8")

        self.delayDisplay("Close")
        slicer.mrmlScene.Clear()
        assert panel.case is None
        assert panel.ui.findingsTree.topLevelItemCount == 0
