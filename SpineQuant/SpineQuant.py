# One file on purpose: Slicer takes every .py beside a module for a module of its own.
import logging
import shutil
import sys
import uuid
from enum import Enum
from pathlib import Path
from typing import Annotated

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
from SpineQuantLib.case.errors import SpineQuantError
from SpineQuantLib.case.opinion import Verdict
from SpineQuantLib.case.progress import ProgressEvent
from SpineQuantLib.job.events import NoteEvent, StageEvent
from SpineQuantLib.job.requirements import missing_requirements, read_requirements

AUTOMATIC = "automatic"
LOWEST_DISCS = [AUTOMATIC, "L6-S1", "L5-S1", "L4-L5", "L3-L4", "L2-L3", "L1-L2"]
PYTORCH = "torch>=2.6"
POLL_MILLISECONDS = 100
RUN_ATTRIBUTE = "SpineQuant.Run"
PYTHON_SETTING = "SpineQuant/Python"
CASES_SETTING = "SpineQuant/CasesFolder"


class SpineQuant(ScriptedLoadableModule):
    """Measurements of the spine from MRI."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("SpineQuant")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = ["Segmentations", "Markups", "Tables", "SubjectHierarchy", "Terminologies"]
        self.parent.contributors = ["SpineQuant contributors"]
        self.parent.helpText = _("""
Measures discs, dural sac, foramina and vertebrae in lumbar MRI, says how far its networks agree, and gives lines and
contours for correction. Not a medical device. See the
<a href="https://github.com/SpineQuant/SpineQuant">documentation</a>.
""")
        self.parent.acknowledgementText = _("SpineQuant stands on 3D Slicer, MONAI and PyTorch.")
        slicer.app.connect("startupCompleted()", registerTerminology)


def registerTerminology() -> None:
    """Make the codes of what SpineQuant segments known to Slicer, so that they can be chosen by hand."""
    from SpineQuantLib.scene.terminology import load_terminology

    try:
        load_terminology(slicer.modules.terminologies.logic(), resource("Terminologies"))
    except (SpineQuantError, FileNotFoundError) as error:
        logging.error("SpineQuant's terminology is not available: %s", error)


class Device(Enum):
    """Where the networks run; the value is what the engine calls it."""

    AUTOMATIC = "auto"
    CPU = "cpu"
    GPU = "cuda"

    def label(self) -> str:
        """Return the text shown in the selector."""
        return {Device.AUTOMATIC: _("Automatic"), Device.CPU: _("CPU"), Device.GPU: _("GPU (CUDA)")}[self]


@parameterNodeWrapper
class SpineQuantParameterNode:
    """Choices that belong to the scene.

    inputVolume - The MRI to analyse.
    lowestDisc - Name of the lowest disc in view; settles the names of all levels.
    contrast - Weighting of the volume.
    device - Where the networks run.
    """

    inputVolume: vtkMRMLScalarVolumeNode  # noqa: N815
    lowestDisc: Annotated[str, Choice(LOWEST_DISCS)] = AUTOMATIC  # noqa: N815
    contrast: Annotated[str, Choice([AUTOMATIC, "T1", "T2", "STIR"])] = AUTOMATIC
    device: Device = Device.AUTOMATIC


class SpineQuantWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel; everything that can be done without it is in the logic."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None
        self._timer = None

    def setup(self) -> None:
        """Build the panel when the user opens the module for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/SpineQuant.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)

        self.logic = SpineQuantLogic()
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MILLISECONDS)
        self._timer.connect("timeout()", self._onTimer)

        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApplyButton)
        self.ui.cancelButton.connect("clicked(bool)", self.onCancelButton)
        # Paths are of this machine and not of the scene, so they are kept in the application's settings.
        for widget, key in (
            (self.ui.pythonPathLineEdit, PYTHON_SETTING),
            (self.ui.casesPathLineEdit, CASES_SETTING),
        ):
            widget.currentPath = slicer.util.settingsValue(key, "")
            widget.connect("currentPathChanged(QString)", lambda path, key=key: qt.QSettings().setValue(key, path))
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """End what still runs when the application closes or the module is reloaded."""
        if self._timer:
            self._timer.stop()
        if self.logic:
            self.logic.end()
        self.removeObservers()

    def enter(self) -> None:
        """Make sure that there is a parameter node whenever the module is opened."""
        self.initializeParameterNode()

    def exit(self) -> None:
        """Stop following the parameter node while another module is shown."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self._parameterNodeGuiTag = None
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._updateButtons)

    def onSceneStartClose(self, _caller, _event) -> None:
        """Let go of the parameter node, which is about to be reset."""
        self.setParameterNode(None)

    def onSceneEndClose(self, _caller, _event) -> None:
        """Make a new parameter node if the module is shown."""
        if self.parent.isEntered:
            self.initializeParameterNode()

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
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._updateButtons)
        self._parameterNode = parameterNode
        if self._parameterNode:
            self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._updateButtons)
        self._updateButtons()

    def _updateButtons(self, _caller=None, _event=None) -> None:
        running = self.logic.isRunning
        hasInput = bool(self._parameterNode and self._parameterNode.inputVolume)
        self.ui.applyButton.enabled = hasInput and not running
        self.ui.applyButton.toolTip = _("Analyse the volume") if hasInput else _("Select a volume first")
        self.ui.cancelButton.enabled = running

    def onApplyButton(self) -> None:
        """Start the analysis in a process of its own."""
        with slicer.util.tryWithErrorDisplay(_("The analysis could not be started."), waitCursor=True):
            python = self.ui.pythonPathLineEdit.currentPath
            self.logic.ensurePackages(python)
            self.ui.logTextEdit.clear()
            self.ui.verdictLabel.text = ""
            self._showStage("", 0.0)
            self.logic.start(
                self._parameterNode.inputVolume,
                lowestDisc=self._parameterNode.lowestDisc,
                contrast=self._parameterNode.contrast,
                device=self._parameterNode.device,
                python=python,
                casesFolder=self.ui.casesPathLineEdit.currentPath,
            )
            self._timer.start()
        self._updateButtons()

    def onCancelButton(self) -> None:
        """Ask the analysis to end; the timer goes on until it has."""
        self.logic.cancel()
        self.ui.cancelButton.enabled = False
        self.ui.stageLabel.text = _("Cancelling")

    def _showStage(self, text: str, fraction: float) -> None:
        self.ui.stageLabel.text = text
        self.ui.progressBar.value = round(100 * fraction)

    def _onTimer(self) -> None:
        for event in self.logic.poll():
            if isinstance(event, ProgressEvent):
                self._showStage(event.message or event.stage, event.fraction)
            elif isinstance(event, StageEvent):
                self.ui.logTextEdit.appendPlainText(f"{event.seconds:7.1f} s  {event.stage}")
            elif isinstance(event, NoteEvent):
                self.ui.logTextEdit.appendPlainText(event.message)
        if not self.logic.isRunning:
            self._timer.stop()
            self._conclude()
            self._updateButtons()

    def _conclude(self) -> None:
        """Show how the analysis ended; the one place where that happens."""
        with slicer.util.tryWithErrorDisplay(_("The analysis gave no result.")):
            self._showStage("", 0.0)
            result = self.logic.takeResult()
            if result is None:
                self.ui.verdictLabel.text = _("Cancelled")
                return
            words = {Verdict.PASS: _("Pass"), Verdict.REVIEW: _("Review"), Verdict.FAIL: _("Fail")}
            self.ui.verdictLabel.text = "\n".join([words[result.verdict], *result.reasons])
            self._showStage(_("Done"), 1.0)


class SpineQuantLogic(ScriptedLoadableModuleLogic):
    """Runs analyses in a process of their own, one at a time, and brings their results into the scene.

    From a script: ``start``, then ``poll`` until ``isRunning`` is false, then ``takeResult``. PyTorch is never imported
    here: a crash of the engine must not take the scene along.
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self._run = None
        self._volumeID = ""
        self._mark = ""

    def getParameterNode(self) -> SpineQuantParameterNode:
        """Return the scene's parameter node in its typed form."""
        return SpineQuantParameterNode(super().getParameterNode())

    @property
    def isRunning(self) -> bool:
        """Whether an analysis is on its way."""
        return self._run is not None and self._run.running

    @staticmethod
    def missingPackages(python: str = "") -> list[str]:
        """Requirements that Slicer's own Python does not fulfil.

        :param python: Interpreter of the engine; if it is not Slicer's, only what Slicer's process needs is looked at.
        """
        if python:
            return missing_requirements(["psutil>=5.9"])
        listed = read_requirements(Path(__file__).parent / "Resources" / "requirements.txt")
        return missing_requirements([PYTORCH, *listed])

    def ensurePackages(self, python: str = "") -> None:
        """Say what is missing, and install it if the user agrees.

        :raises RuntimeError: with what to install and how, if something is still missing.
        """
        missing = self.missingPackages(python)
        if not missing:
            return
        if PYTORCH in missing:
            # Its own extension installs the build that fits the graphics card; pip would take any.
            raise RuntimeError(
                _(
                    "PyTorch is missing. Install the extension PyTorch in the Extensions Manager, restart Slicer, open "
                    "the module PyTorch Utils, press Install PyTorch, and restart once more."
                )
            )
        command = f"slicer.util.pip_install({' '.join(missing)!r})"
        explanation = _("Packages are missing. To install them, run in the Python console: ") + command
        try:
            from slicer.packaging import pip_ensure
        except ImportError:
            # Slicer 5.10 cannot ask by itself.
            raise RuntimeError(explanation) from None
        pip_ensure(missing, requester="SpineQuant")
        if self.missingPackages(python):
            raise RuntimeError(explanation)

    def start(
        self,
        volumeNode: vtkMRMLScalarVolumeNode,
        lowestDisc: str = AUTOMATIC,
        contrast: str = AUTOMATIC,
        device: Device = Device.AUTOMATIC,
        python: str = "",
        casesFolder: str = "",
    ) -> None:
        """Start an analysis and return at once.

        :param volumeNode: The MRI.
        :param lowestDisc: Name of the lowest disc in view, or automatic.
        :param contrast: Weighting, or automatic.
        :param device: Where the networks run.
        :param python: Interpreter with the engine's packages; Slicer's own if empty.
        :param casesFolder: Where the case is kept; nowhere if empty.
        :raises RuntimeError: if one is running already.
        :raises SpineQuantError: if the volume cannot be exported.
        """
        # Imported here: the package psutil may only just have been installed.
        from SpineQuantLib.job.case_run import CaseRun

        if self.isRunning:
            raise RuntimeError(_("An analysis is running already."))
        self._run = CaseRun(
            volumeNode.GetName() or "",
            # In world coordinates, so that a volume under a transform gives results that lie where it is seen.
            lambda path: slicer.util.exportNode(volumeNode, str(path), {}, world=True),
            {
                "lowest_disc": None if lowestDisc == AUTOMATIC else lowestDisc,
                "contrast": None if contrast == AUTOMATIC else contrast,
                "device": device.value,
            },
            cases=Path(casesFolder) if casesFolder else None,
            scratch=Path(slicer.app.temporaryPath),
            python=python or shutil.which("PythonSlicer") or sys.executable,
            environment=slicer.util.startupEnvironment(),
        )
        # Node IDs are given anew after the scene was closed, so the ID alone could name another volume by then.
        self._volumeID, self._mark = volumeNode.GetID(), uuid.uuid4().hex
        volumeNode.SetAttribute(RUN_ATTRIBUTE, self._mark)

    def poll(self) -> list:
        """Return what the engine has said since the last call; never waits."""
        return self._run.poll() if self._run is not None else []

    def cancel(self) -> None:
        """Ask a running analysis to end; it does within two seconds while it is polled."""
        if self.isRunning:
            self._run.cancel()

    def end(self) -> None:
        """End a running analysis, wait for that, and drop it."""
        if self._run is not None:
            self._run.close()
            self._run = None

    def takeResult(self):
        """Bring the result of an analysis that has ended into the scene, once.

        :returns: The engine's result event, or None if the analysis was cancelled.
        :raises RuntimeError: if none has ended, or the volume is gone; says where the case is.
        :raises SpineQuantError: with the reason and with where the files are, if the analysis failed.
        """
        if self._run is None or self._run.running:
            raise RuntimeError(_("No analysis has ended."))
        run, self._run = self._run, None
        volumeNode = self._volume()
        for line in run.log:
            logging.info("SpineQuant engine: %s", line)
        result = run.result()
        if result is not None:
            if volumeNode is None:
                raise RuntimeError(_("The volume is no longer in the scene. The case is in ") + str(result.folder))
            self.loadCase(result.folder, volumeNode)
        run.close()
        return result

    @staticmethod
    def loadCase(folder: Path, volumeNode: vtkMRMLScalarVolumeNode):
        """Add segmentation, tables and markups of a case folder to the scene; what is there already stays as it is.

        :returns: Node IDs as :class:`SpineQuantLib.scene.build.SceneNodes`.
        """
        from SpineQuantLib.case.record import read_scores
        from SpineQuantLib.report.tables import read_measurements
        from SpineQuantLib.scene.reopen import add_case_folder

        measurements = read_measurements(folder / "measurements.json")
        scores = read_scores(folder / "case.json")
        return add_case_folder(slicer.mrmlScene, folder, volumeNode, measurements, scores)

    def _volume(self) -> vtkMRMLScalarVolumeNode | None:
        """Return the volume of the run, or None where the scene was closed or the volume removed meanwhile."""
        node = slicer.mrmlScene.GetNodeByID(self._volumeID)
        if node is None or node.GetAttribute(RUN_ATTRIBUTE) != self._mark:
            return None
        node.RemoveAttribute(RUN_ATTRIBUTE)
        return node


class SpineQuantTest(ScriptedLoadableModuleTest):
    """Tests inside Slicer; the library has its own outside."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def _makeVolume(self) -> vtkMRMLScalarVolumeNode:
        import numpy as np

        voxels = np.random.default_rng(0).integers(0, 400, (12, 48, 48)).astype(np.int16)
        volumeNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "noise")
        slicer.util.updateVolumeFromArray(volumeNode, voxels)
        return volumeNode

    def test_TerminologyIsKnown(self) -> None:
        """The codes can be chosen in the terminology selector."""
        registerTerminology()
        names = vtk.vtkStringArray()
        slicer.modules.terminologies.logic().GetLoadedTerminologyNames(names)
        assert "SpineQuant" in [names.GetValue(index) for index in range(names.GetNumberOfValues())]

    def test_ChoicesAreKeptInTheScene(self) -> None:
        """What is chosen once is found again through another wrapper of the node."""
        logic = SpineQuantLogic()
        logic.getParameterNode().device = Device.CPU
        logic.getParameterNode().lowestDisc = "L4-L5"
        found = logic.getParameterNode()
        assert (found.device, found.lowestDisc, found.contrast) == (Device.CPU, "L4-L5", AUTOMATIC)

    def test_FailureSaysWhy(self) -> None:
        """A Python that is not there ends the analysis with a reason."""
        logic = SpineQuantLogic()
        logic.start(self._makeVolume(), python="/no/such/python")
        assert not logic.isRunning
        reason = ""
        try:
            logic.takeResult()
        except SpineQuantError as error:
            reason = str(error)
        assert "/no/such/python" in reason

    def test_CancelLeavesNothing(self) -> None:
        """A cancelled analysis adds nothing to the scene."""
        logic = SpineQuantLogic()
        logic.start(self._makeVolume())
        nodes = slicer.mrmlScene.GetNumberOfNodes()
        logic.cancel()
        while logic.isRunning:
            logic.poll()
            slicer.app.processEvents()
        assert logic.takeResult() is None
        assert slicer.mrmlScene.GetNumberOfNodes() == nodes
