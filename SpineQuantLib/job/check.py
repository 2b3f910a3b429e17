"""The child that looks whether cases can be analysed here; run as ``python -m SpineQuantLib.job.check``."""

from __future__ import annotations

import json
import os
import platform
import sys
from typing import Any

import psutil

from .requirements import ENGINE_REQUIREMENTS, missing_requirements

__all__ = ["examine", "main"]


def examine() -> dict[str, Any]:
    """What the health of this Python is, as the JSON that :class:`~SpineQuantLib.job.health.Health` is read from."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "missing": missing_requirements(list(ENGINE_REQUIREMENTS)),
        "problem": "",
        "devices": [],
        "models": [],
        "torch": "",
    }
    if found["missing"]:
        return found
    # Imported here: each may be broken in a way of its own, and that is what shall be told.
    try:
        from ..models.devices import find_devices, torch_version
        from ..models.store import DEFAULT_MODEL, find_model

        found["torch"] = torch_version()
        found["devices"] = [vars(device) for device in find_devices()]
        found["models"] = [find_model(DEFAULT_MODEL).name]
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        found["problem"] = f"{type(error).__name__}: {error}"
    if not found["devices"]:
        gigabytes = psutil.virtual_memory()
        found["devices"] = [{"name": "cpu", "title": "CPU", "total": gigabytes.total, "free": gigabytes.available}]
    return found


def main() -> int:
    """Print what was found as one line of JSON; whatever libraries print goes to standard error."""
    sys.stdout.flush()
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    channel.write(json.dumps(examine()) + "\n")
    channel.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
