"""Small things that several sections need."""

from pathlib import Path

import qt
import slicer

ROLE = qt.Qt.UserRole

CASES_SETTING = "SpineQuant/CasesFolder"
DEVICE_SETTING = "SpineQuant/Device"
MODEL_SETTING = "SpineQuant/Model"
PYTHON_SETTING = "SpineQuant/Python"
RATER_SETTING = "SpineQuant/Rater"


def setting(key: str) -> str:
    """Text of a setting; empty where it was never made."""
    return str(slicer.util.settingsValue(key, "") or "")


def keep(key: str, value: str) -> None:
    """Keep a setting: what is of this computer or this person, and not of the scene."""
    qt.QSettings().setValue(key, value)


def choose(combo, data: str) -> None:
    """Select the entry of a selector that carries some data, if there is one."""
    for index in range(combo.count):
        if combo.itemData(index) == data:
            combo.currentIndex = index
            return


def casesFolder() -> Path:
    """Where cases are kept."""
    return Path(setting(CASES_SETTING) or Path(slicer.app.defaultScenePath) / "SpineQuant")
