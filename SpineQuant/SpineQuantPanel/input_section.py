"""Input: which volume, what is recognised of it, with which networks and where they run."""

import slicer
import vtk
from slicer.i18n import tr as _

from SpineQuantLib.models.catalogue import DEFAULT_MODEL, listed_models
from SpineQuantPanel import dicom, packages
from SpineQuantPanel.helpers import (
    CASES_SETTING,
    DEVICE_SETTING,
    MODEL_SETTING,
    PYTHON_SETTING,
    casesFolder,
    choose,
    keep,
    setting,
    told,
)


class InputSection:
    """The first section of the panel.

    :param ui: widgets of the form by name.
    :param logic: the module's logic.
    """

    def __init__(self, ui, logic) -> None:
        self.ui, self.logic = ui, logic
        self._check = None
        self._waits = True
        self.health = None
        ui.pythonPathLineEdit.currentPath = setting(PYTHON_SETTING)
        ui.casesPathLineEdit.currentPath = setting(CASES_SETTING)
        ui.pythonPathLineEdit.currentPathChanged.connect(self.onPython)
        ui.casesPathLineEdit.currentPathChanged.connect(self.onCases)
        ui.checkButton.clicked.connect(self.onCheck)
        ui.installButton.clicked.connect(self.onInstall)
        self._models = listed_models()
        self._fillRegions()
        self._fillDevices(())
        ui.deviceComboBox.activated.connect(self.onDevice)
        ui.regionComboBox.activated.connect(self.onRegion)
        ui.modelComboBox.activated.connect(self.onModel)
        self.onCases(ui.casesPathLineEdit.currentPath)

    @property
    def python(self) -> str:
        """Interpreter of the engine; empty for Slicer's own."""
        return self.ui.pythonPathLineEdit.currentPath

    def choices(self) -> dict:
        """What is settled here, by the names of the engine's request."""
        device, model = self._data(self.ui.deviceComboBox), self._data(self.ui.modelComboBox)
        return {"device": device or "auto", "model": model or None}

    @staticmethod
    def _data(combo) -> str:
        return combo.itemData(combo.currentIndex) or ""

    def _fillRegions(self) -> None:
        """List the regions for which there are networks, and choose that of the networks chosen last."""
        combo = self.ui.regionComboBox
        combo.clear()
        regions = tuple(dict.fromkeys(model.region for model in self._models))
        for region in regions:
            combo.addItem(self._regionWords(region), region)
        of = {model.name: model.region for model in self._models}
        choose(combo, of.get(setting(MODEL_SETTING)) or of.get(DEFAULT_MODEL, ""))
        combo.enabled = len(regions) > 1
        if len(regions) == 1:
            words = _("The networks that are installed judge the {region} only; with others, a choice is given here.")
            combo.toolTip = words.format(region=self._regionWords(regions[0]))
        else:
            combo.toolTip = _("Part of the spine that the scan shows; the networks trained on it are listed below.")
        self._fillModels()

    @staticmethod
    def _regionWords(region: str) -> str:
        words = {"cervical": _("cervical spine"), "thoracic": _("thoracic spine"), "lumbar": _("lumbar spine")}
        return words.get(region, region)

    def _fillModels(self) -> None:
        """List the networks of the chosen region."""
        combo, region = self.ui.modelComboBox, self._data(self.ui.regionComboBox)
        combo.clear()
        for model in self._models:
            if model.region == region:
                combo.addItem(model.name.replace("-", " "), model.name)
        choose(combo, DEFAULT_MODEL)
        choose(combo, setting(MODEL_SETTING))

    def _fillDevices(self, devices) -> None:
        combo = self.ui.deviceComboBox
        combo.clear()
        combo.addItem(_("Automatic"), "auto")
        for device in devices:
            combo.addItem(device.words, device.name)
        if not devices:
            combo.addItem(_("CPU"), "cpu")
        wanted = setting(DEVICE_SETTING)
        if wanted and combo.findData(wanted) < 0:
            combo.addItem(wanted, wanted)
        choose(combo, wanted)

    def onDevice(self, _index: int = 0) -> None:
        """Remember the device."""
        keep(DEVICE_SETTING, self._data(self.ui.deviceComboBox))

    def onRegion(self, _index: int = 0) -> None:
        """List the networks of another region, and take the first of them."""
        self._fillModels()
        self.onModel()
        if self._waits:
            self.showVolume(None)

    def onModel(self, _index: int = 0) -> None:
        """Remember the networks."""
        keep(MODEL_SETTING, self._data(self.ui.modelComboBox))

    def onPython(self, path: str) -> None:
        """Another Python: nothing is known of it yet."""
        keep(PYTHON_SETTING, path)
        self.health = None
        self.logic.setEngine(path)
        self.ui.healthLabel.text = _("Not checked yet")

    def onCases(self, path: str) -> None:
        """Remember where cases are kept."""
        keep(CASES_SETTING, path)
        self.ui.casesPathLineEdit.toolTip = _("Cases are kept in ") + str(casesFolder())

    def showVolume(self, node) -> None:
        """Say what is recognised of a volume by its geometry."""
        self._waits = node is None
        from SpineQuantLib.panel.recognised import describe_volume

        self.ui.recognisedLabel.text = self.ui.warningLabel.text = ""
        if node is not None and node.GetImageData() is not None:
            matrix = vtk.vtkMatrix4x4()
            node.GetIJKToRASMatrix(matrix)
            seen = describe_volume(node.GetImageData().GetDimensions(), slicer.util.arrayFromVTKMatrix(matrix))
            files = _(" · DICOM, results can go back to the archive") if dicom.dicomFiles(node)[0] else ""
            self.ui.recognisedLabel.text = seen.words + files
            self.ui.warningLabel.text = seen.warning
        elif node is not None:
            self.ui.warningLabel.text = _("This volume is empty.")
        else:
            words = _("Load an MRI of the {region}: drag its folder or file into Slicer.")
            region = self._data(self.ui.regionComboBox)
            self.ui.recognisedLabel.text = words.format(region=self._regionWords(region) if region else _("spine"))
        self.ui.warningLabel.visible = bool(self.ui.warningLabel.text)

    def onCheck(self) -> None:
        """Ask the engine's Python how it is, in a child."""
        missing = packages.missingPackages(["psutil>=5.9"])
        if missing:
            self.ui.healthLabel.text = _("Slicer itself lacks psutil; press Install…")
            return
        self.ui.checkButton.enabled = False
        self.ui.healthLabel.text = _("Checking; the first time takes up to a minute …")
        self._check = self.logic.checkHealth(self.python)

    def poll(self) -> None:
        """Look whether the answer has come."""
        health = self._check.poll() if self._check is not None else None
        if health is None:
            return
        self._check, self.health = None, health
        self.ui.checkButton.enabled = True
        self._fillDevices(health.devices)
        if health.well:
            self.ui.healthLabel.text = _("Ready: Python {python}, PyTorch {torch}").format(
                python=health.python, torch=health.torch
            )
        else:
            self.ui.healthLabel.text = _("Not ready. ") + health.problem

    @property
    def checking(self) -> bool:
        """Whether an answer is awaited."""
        return self._check is not None

    def onInstall(self) -> None:
        """Say what is missing, and install it if the user agrees; a check in a child is the end of it."""
        with told(_("The packages could not be installed.")):
            if packages.install(self.python, self.health):
                self.onCheck()

    def close(self) -> None:
        """End a check that still runs."""
        if self._check is not None:
            self._check.close()
            self._check = None
