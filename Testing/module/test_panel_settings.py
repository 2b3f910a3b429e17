"""Settings of the computer: which Python, what it lacks, how it comes there, where the networks run."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from SpineQuantLib.job.health import Device, Health

GIGABYTE = 1 << 30


class Check:
    """A check of health that has its answer."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def poll(self) -> Health:
        return self._health

    def close(self) -> None:
        """Nothing runs."""


@pytest.fixture
def answer(panel, monkeypatch):
    """Lay the answer of the next check ready."""
    return lambda health: monkeypatch.setattr(panel.logic, "checkHealth", lambda _python="": Check(health))


@pytest.fixture
def lacking(desktop, monkeypatch):
    """Let Slicer's Python lack packages."""

    def lack(*names: str) -> None:
        module = sys.modules["SpineQuantPanel.packages"]
        real = module.missing_requirements
        monkeypatch.setattr(
            module,
            "missing_requirements",
            lambda lines: [*real(lines), *(line for line in lines if Requirement(line).name in names)],
        )

    return lack


def test_a_check_fills_the_devices_with_their_memory(desktop, panel, answer):
    gpu, cpu = Device("cuda:0", "NVIDIA A4000", 16 * GIGABYTE, 14 * GIGABYTE), Device("cpu", "CPU", 9 << 30, 8 << 30)
    answer(Health("", (), (gpu, cpu), "3.12.3", "2.8.0"))
    panel.ui.checkButton.click()
    desktop.wait(lambda: "Ready" in panel.ui.healthLabel.text)
    combo = panel.ui.deviceComboBox
    assert [combo.itemText(n) for n in range(combo.count)] == [
        "Automatic",
        "GPU 0: NVIDIA A4000, 14 of 16 GB free",
        "CPU, 8 of 9 GB free",
    ]
    combo.currentIndex = 1
    panel.inputSection.onDevice()
    assert panel.inputSection.choices()["device"] == "cuda:0"
    assert desktop.qt.QSettings().value("SpineQuant/Device") == "cuda:0"


def texts(combo) -> list[str]:
    return [combo.itemText(n) for n in range(combo.count)]


def test_with_networks_for_one_region_there_is_nothing_to_choose(desktop, panel):
    combo = panel.ui.regionComboBox
    assert texts(combo) == ["lumbar spine"]
    assert not combo.enabled
    assert "lumbar spine only" in combo.toolTip
    assert texts(panel.ui.modelComboBox) == ["lumbar committee"], "the second reading judges no scan on its own"
    assert panel.inputSection.choices()["model"] == "lumbar-committee"


def test_a_region_narrows_the_networks_and_is_found_again(desktop, tmp_path, monkeypatch):
    cards = {"lumbar-committee": {}, "neck": {"region": "cervical"}, "neck-large": {"region": "cervical"}}
    for name, card in cards.items():
        (tmp_path / "Models" / name).mkdir(parents=True)
        (tmp_path / "Models" / name / "card.json").write_text(json.dumps(card), encoding="utf-8")
    monkeypatch.setattr("SpineQuantLib.models.catalogue.resource", lambda *parts: tmp_path.joinpath(*parts))
    panel = desktop.open_module()
    regions, models = panel.ui.regionComboBox, panel.ui.modelComboBox
    assert regions.enabled
    assert texts(regions) == ["cervical spine", "lumbar spine"]
    assert (regions.currentText, texts(models)) == ("lumbar spine", ["lumbar committee"])
    assert "MRI of the lumbar spine" in panel.ui.recognisedLabel.text
    regions.currentIndex = 0
    regions.activated.emit(0)
    assert texts(models) == ["neck", "neck large"]
    assert panel.inputSection.choices()["model"] == "neck"
    models.currentIndex = 1
    models.activated.emit(1)
    again = desktop.open_module()
    assert again.ui.regionComboBox.currentText == "cervical spine"
    assert again.inputSection.choices()["model"] == "neck-large"


def test_what_is_chosen_is_found_again(desktop, panel):
    panel.ui.pythonPathLineEdit.currentPath = sys.executable
    panel.ui.casesPathLineEdit.currentPath = "/some/cases"
    panel.ui.raterLineEdit.text = "MK"
    again = desktop.open_module()
    assert again.ui.pythonPathLineEdit.currentPath == sys.executable
    assert again.ui.casesPathLineEdit.currentPath == "/some/cases"
    assert again.ui.raterLineEdit.text == "MK"


def test_a_python_that_is_not_well_is_not_started(desktop, panel, answer, add_volume):
    add_volume()
    answer(Health("Packages are missing: monai>=1.5.", ("monai>=1.5",)))
    panel.ui.checkButton.click()
    desktop.wait(lambda: "Not ready" in panel.ui.healthLabel.text)
    desktop.wait(lambda: panel.ui.applyButton.enabled)
    panel.ui.applyButton.click()
    kind, text = desktop.messages[0]
    assert kind == "error"
    assert "monai" in text
    assert "Press Install" in text
    assert not panel.logic.isRunning


def test_nothing_is_installed_without_a_yes(desktop, panel, lacking):
    lacking("monai", "safetensors")
    panel.ui.installButton.click()
    kind, text = desktop.messages[0]
    assert kind == "question"
    assert "monai>=1.5" in text
    assert "Slicer's own Python" in text
    assert desktop.installed == []
    assert panel.inputSection._check is None


def test_slicer_5_10_installs_by_its_own_pip(desktop, panel, lacking, answer):
    lacking("monai", "safetensors")
    answer(Health("", (), (), "3.12", "2.8"))
    desktop.answers.append(True)
    panel.ui.installButton.click()
    assert desktop.installed == [['"monai>=1.5"', '"safetensors>=0.4"']]
    desktop.wait(lambda: "Ready" in panel.ui.healthLabel.text)


def test_slicer_5_12_installs_by_its_packaging(desktop, panel, lacking, answer, monkeypatch):
    lacking("monai")
    answer(Health("", (), (), "3.12", "2.8"))
    asked = []
    packaging = types.ModuleType("slicer.packaging")
    packaging.pip_ensure = lambda requirements, **choices: asked.append((requirements, choices))
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    desktop.answers.append(True)
    panel.ui.installButton.click()
    assert asked == [([Requirement("monai>=1.5")], {"prompt_install": False, "requester": "SpineQuant"})]
    assert desktop.installed == []


def test_pytorch_comes_through_its_extension(desktop, panel, lacking, answer, monkeypatch):
    lacking("torch")
    desktop.answers += [True, True]
    panel.ui.installButton.click()
    assert "install PyTorch in the Extensions Manager" in desktop.messages[-1][1]
    assert desktop.installed == []
    calls = []
    utilities = types.ModuleType("PyTorchUtils")

    class PyTorchUtilsLogic:
        def installTorch(self, **choices):
            calls.append(choices)
            return types.ModuleType("torch")

    utilities.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", utilities)
    answer(Health("", (), (), "3.12", "2.8"))
    panel.ui.installButton.click()
    assert calls == [{"askConfirmation": False, "torchVersionRequirement": ">=2.6"}]


def test_another_python_is_never_changed(desktop, panel, answer):
    panel.ui.pythonPathLineEdit.currentPath = "/opt/other/python"
    answer(Health("Packages are missing: torch>=2.6.", ("torch>=2.6",)))
    panel.ui.checkButton.click()
    desktop.wait(lambda: "Not ready" in panel.ui.healthLabel.text)
    panel.ui.installButton.click()
    kind, text = desktop.messages[0]
    assert kind == "info"
    assert '"/opt/other/python" -m pip install "spinequant' in text
    assert desktop.installed == []


def test_a_slicer_without_psutil_still_opens_the_panel(desktop, panel, lacking, add_volume):
    add_volume()
    lacking("psutil")
    panel.ui.checkButton.click()
    assert "lacks psutil" in panel.ui.healthLabel.text
    desktop.wait(lambda: panel.ui.applyButton.enabled)
    panel.ui.applyButton.click()
    assert "Slicer lacks packages: psutil" in desktop.messages[0][1]


def test_the_panel_needs_no_torch(desktop, analysed):
    """In this process the whole panel ran; a fresh one says what the sections import."""
    import subprocess

    code = (
        "import sys\n"
        "import SpineQuantLib.panel.open_case, SpineQuantLib.panel.findings, SpineQuantLib.panel.worklist\n"
        "import SpineQuantLib.job.case_queue, SpineQuantLib.job.health, SpineQuantLib.job.batch\n"
        "print([m for m in ('torch', 'monai') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
