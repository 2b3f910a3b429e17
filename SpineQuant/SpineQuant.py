# Slicer takes every .py beside a module for a module of its own; the panel's sections lie in a folder therefore.
import sys
from pathlib import Path
from typing import Annotated

import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
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

from SpineQuantPanel import packages, scripting, whole_way
from SpineQuantPanel.helpers import told
from SpineQuantPanel.runs import AUTOMATIC, Runs
from SpineQuantPanel.startup import addPhantom, registerSampleData, registerTerminology

from SpineQuantLib.case.errors import EngineError, SpineQuantError

LOWEST_DISCS = [AUTOMATIC, "L6-S1", "L5-S1", "L4-L5", "L3-L4", "L2-L3", "L1-L2"]
CONTRASTS = [AUTOMATIC, "T1", "T2", "STIR"]
ALL_NETWORKS = "all networks"
QUALITIES = [ALL_NETWORKS, "fast"]
SEXES = [AUTOMATIC, "female", "male"]
POLL_MILLISECONDS = 100


class SpineQuant(ScriptedLoadableModule):
    """Measurements of the spine from MRI."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("SpineQuant")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = ["Segmentations", "Markups", "Tables", "Plots", "SubjectHierarchy", "Terminologies"]
        self.parent.contributors = ["SpineQuant contributors"]
        self.parent.helpText = _("""
Measures discs, dural sac, foramina and vertebrae in MRI of the spine, says how far its networks agree, and gives lines
and contours for correction. Not a medical device. See the
<a href="https://github.com/SpineQuant/SpineQuant/blob/main/docs/tutorial.md">tutorial</a>.
""")
        self.parent.acknowledgementText = _("SpineQuant stands on 3D Slicer, MONAI and PyTorch.")
        slicer.app.connect("startupCompleted()", onStartup)


def onStartup() -> None:
    """What needs the other modules to be there."""
    registerTerminology()
    registerSampleData()


@parameterNodeWrapper
class SpineQuantParameterNode:
    """Choices that belong to the scene; those of the computer are in the application's settings.

    inputVolume - The MRI to analyse.
    lowestDisc - Name of the lowest disc in view; settles the names of all levels.
    contrast - Weighting of the volume.
    quality - All networks, or a quick look by one that was taught by them.
    sex, age, height - Of the patient, for the usual ranges; years and cm, 0 where they are not given.
    """

    inputVolume: vtkMRMLScalarVolumeNode  # noqa: N815
    lowestDisc: Annotated[str, Choice(LOWEST_DISCS)] = AUTOMATIC  # noqa: N815
    contrast: Annotated[str, Choice(CONTRASTS)] = AUTOMATIC
    quality: Annotated[str, Choice(QUALITIES)] = ALL_NETWORKS
    sex: Annotated[str, Choice(SEXES)] = AUTOMATIC
    age: Annotated[int, WithinRange(0, 120)] = 0
    height: Annotated[int, WithinRange(0, 250)] = 0


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
        self._chosenFor = ""

    def setup(self) -> None:
        """Build the panel when the user opens the module for the first time."""
        from SpineQuantPanel.acceptance import Acceptance
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
        self.acceptance = Acceptance(self.logic, lambda case: case is self.case, self._onWritten, self.runSection.note)
        self.correctSection = CorrectSection(
            self.ui,
            self.acceptance,
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
        """Stop following the parameter node while another module is shown, and put the brush away."""
        self.correctSection.leave()
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
        """Take up the last case of a stored scene that was opened, where its folder can be found."""
        from SpineQuantLib.scene.reopen import case_folder_of, find_cases

        for nodes in reversed(find_cases(slicer.mrmlScene)) if self.case is None else ():
            folder = case_folder_of(slicer.mrmlScene, nodes)
            if folder is not None:
                with told(_("The case of this scene cannot be corrected.")):
                    self._open(folder, nodes=nodes)
                return

    def initializeParameterNode(self) -> None:
        """Take the scene's parameter node, and its first volume where none is chosen."""
        self.setParameterNode(self.logic.getParameterNode())
        if not self._parameterNode.inputVolume:
            volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            # Label maps and vector volumes are scalar volumes too, by their class.
            scans = [node for node in volumes if node.GetClassName() == "vtkMRMLScalarVolumeNode"]
            if scans:
                self._parameterNode.inputVolume = scans[0]

    def setParameterNode(self, parameterNode: SpineQuantParameterNode | None) -> None:
        """Follow a parameter node, or none."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameters)
        self._parameterNode = parameterNode
        if self._parameterNode:
            # Before the selector is connected, which takes the first volume where there is none. What was chosen for
            # a volume that is gone stays known as such, so that the next one does not inherit it.
            if self._volume():
                self._chosenFor = self._volume().GetID()
            self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameters)
        self._onParameters()

    def _onParameters(self, _caller=None, _event=None) -> None:
        self._forgetAnotherVolume()
        self._seen = self._sight()
        self.inputSection.showVolume(self._volume())
        self._updateRun()

    def _forgetAnotherVolume(self) -> None:
        """Names of levels, contrast and the person are of one scan; they must not slip into the next one's analysis."""
        node = self._volume()
        before, now = self._chosenFor, node.GetID() if node else ""
        if not now or now == before:
            return
        self._chosenFor = now
        if before:
            self._parameterNode.lowestDisc = self._parameterNode.contrast = self._parameterNode.sex = AUTOMATIC
            self._parameterNode.age = self._parameterNode.height = 0

    def _sight(self):
        """What the first section speaks of; an image may come into a volume later than the volume into the scene."""
        node = self._volume()
        if not node:
            return None
        return node.GetID(), node.GetImageData() is not None, node.GetTransformNodeID(), node.GetOrigin()

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
        with told(_("The analysis could not be started.")):
            packages.requireDesk()
            health = self.inputSection.health
            if health is not None and not health.well:
                raise EngineError(health.problem + _(" Press Install… in the settings of this computer."))
            self.logic.setEngine(self.inputSection.python)
            self.ui.stageLabel.text = ""
            self.logic.start(
                self._volume(),
                lowestDisc=self._parameterNode.lowestDisc,
                contrast=self._parameterNode.contrast,
                quality="committee" if self._parameterNode.quality == ALL_NETWORKS else "fast",
                sex={"female": "F", "male": "M"}.get(self._parameterNode.sex),
                age=self._parameterNode.age or None,
                height=self._parameterNode.height or None,
                **self.inputSection.choices(),
                note=self.runSection.note,
            )
        self._updateRun()

    def _onTimer(self) -> None:
        self.inputSection.poll()
        self.correctSection.tick()
        self.correctSection.poll()
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
        with told(_("The analysis of {name} gave no result.").format(name=entry.name)):
            volumeNode = self.logic.finish(entry)
            if volumeNode is None:
                return
            if self.correctSection.unsettled or self.acceptance.writing:
                # Never in the way of a reader who is in the middle of a correction.
                self.runSection.note(_("Ready, open it when you like: ") + str(entry.result.folder))
            else:
                self._open(entry.result.folder, volumeNode)

    # The case.

    def openCase(self, folder: Path) -> bool:
        """Open a case folder in place of the case that is open; returns whether it is the one that is shown now."""
        with told(_("The case could not be opened.")):
            self._open(folder)
        return self.case is not None and self.case.folder == folder

    def _open(self, folder: Path, volumeNode=None, nodes=None) -> None:
        packages.requireDesk(whole=True)
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
        if case.changed_since:
            folder, how = case.changed_since
            words = _(
                "Since this scene was stored, the folder of its case was changed: {how}.\n{folder}\n\n"
                "Neither is lost. The corrections in this scene, which nobody had accepted, are a case of their own "
                "now, a second reading, and you go on with it here:\n{own}\n\n"
                "Accept it to keep it as your reading. To see the other one, press Case… and choose its folder."
            )
            slicer.util.warningDisplay(words.format(how=how, folder=folder, own=case.folder))
        if case.left_out:
            words = _("There are drawings that cannot be right. The case is shown without them:\n\n")
            slicer.util.warningDisplay(words + "\n".join(f"• {reason}" for reason in case.left_out))

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

    def _onWritten(self) -> None:
        """An accepted case is on disk, or could not be written."""
        self.correctSection.reread()
        self._onChanged()

    def _onChanged(self, renamed: bool = False) -> None:
        if renamed:
            self.findingsSection.forget()
            self.measurementsSection.forget()
        self.findingsSection.refresh()
        self.measurementsSection.refresh()
        self.correctSection.refresh()


class SpineQuantLogic(ScriptedLoadableModuleLogic, Runs):
    """Runs analyses in a process of their own, one after the other, and brings their results into the scene.

    From a script: :meth:`process` for one volume, :meth:`processFolder` for many files. PyTorch is never imported
    here: a crash of the engine must not take the scene along.
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        Runs.__init__(self)

    def getParameterNode(self) -> SpineQuantParameterNode:
        """Return the scene's parameter node in its typed form."""
        return SpineQuantParameterNode(super().getParameterNode())

    def process(self, volumeNode: vtkMRMLScalarVolumeNode, **choices) -> scripting.Processed:
        """Analyse a volume, wait for it, and bring the result into the scene; see :func:`scripting.process`."""
        return scripting.process(self, volumeNode, **choices)

    def processFolder(self, folder, output, report=print, timeout=None, **choices):
        """Analyse every image file and DICOM folder of a folder; see :func:`scripting.processFolder`."""
        return scripting.processFolder(self, folder, output, report, timeout, **choices)

    @staticmethod
    def loadCase(folder: Path, volumeNode: vtkMRMLScalarVolumeNode):
        """Add all of a case folder to the scene; see :func:`scripting.loadCase`."""
        return scripting.loadCase(folder, volumeNode)


class SpineQuantTest(ScriptedLoadableModuleTest):
    """The whole way inside Slicer: load, apply, flags, correct, export, close; the library has its own tests outside.

    Needs the engine, as the panel does; takes some minutes without a GPU.
    """

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Every test of this class, one after the other; Slicer's own runs none."""
        for name in [name for name in dir(self) if name.startswith("test_")]:
            self.delayDisplay(name)
            self.setUp()
            getattr(self, name)()

    def _panel(self) -> SpineQuantWidget:
        slicer.util.selectModule("SpineQuant")
        return slicer.modules.spinequant.widgetRepresentation().self()

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

    def test_SampleDataIsThere(self) -> None:
        """The phantom is found from the console as it is in the module Sample Data."""
        try:
            import SampleData
        except ImportError:
            return  # an application without that module
        registerSampleData()
        volumeNode = SampleData.downloadSample("SpineQuantPhantom")
        assert volumeNode.GetName() == "SpineQuantPhantom", volumeNode.GetName()
        assert volumeNode.GetImageData().GetDimensions() == (176, 224, 16)

    def test_FailureSaysWhy(self) -> None:
        """A Python that is not there ends the analysis with a reason."""
        logic = SpineQuantLogic()
        logic.setEngine("/no/such/python")
        reason = ""
        try:
            logic.process(addPhantom())
        except SpineQuantError as error:
            reason = str(error)
        finally:
            logic.end()
        assert "/no/such/python" in reason, reason

    def test_CancelLeavesNothing(self) -> None:
        """A cancelled analysis adds nothing to the scene."""
        logic = SpineQuantLogic()
        volumeNode = addPhantom()
        nodes = slicer.mrmlScene.GetNumberOfNodes()
        entry = logic.start(volumeNode)
        logic.poll()
        logic.cancel()

        def ended() -> bool:
            logic.poll()
            return entry.ended

        whole_way.wait(ended, 10.0)
        assert logic.finish(entry) is None
        logic.end()
        assert slicer.mrmlScene.GetNumberOfNodes() == nodes

    def test_TheWholeWay(self) -> None:
        """Load, apply, flags, correct, export, close, as a reader does it in the panel."""
        panel = self._panel()
        for step in whole_way.steps(panel, addPhantom()):
            self.delayDisplay(step)
