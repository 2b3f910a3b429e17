"""Small things that several sections need."""

import logging
import traceback
from contextlib import contextmanager
from pathlib import Path

import qt
import slicer

from SpineQuantLib.case.errors import SpineQuantError

ROLE = qt.Qt.UserRole

CASES_SETTING = "SpineQuant/CasesFolder"
DEVICE_SETTING = "SpineQuant/Device"
MODEL_SETTING = "SpineQuant/Model"
PYTHON_SETTING = "SpineQuant/Python"
RATER_SETTING = "SpineQuant/Rater"


@contextmanager
def told(message: str):
    """Tell the user of an error, and go on after the block.

    Slicer's ``tryWithErrorDisplay`` raises the error once more, so that whatever follows the block would be left out:
    buttons would stay as they were, and a result that is ready would not be shown because one before it failed.
    """
    try:
        yield
    except SpineQuantError as error:
        slicer.util.errorDisplay(f"{message}\n\n{error}")
    except Exception as error:  # noqa: BLE001 - whatever it is, the user must hear of it
        details = traceback.format_exc()
        logging.error(details)
        slicer.util.errorDisplay(f"{message}\n\n{error}", detailedText=details)


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
