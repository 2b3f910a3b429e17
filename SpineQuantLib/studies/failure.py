"""Does a committee know when it fails? The study, and the calibration that follows from it."""

from __future__ import annotations

import json
from pathlib import Path

from ..case.errors import InputError, OutputError
from ..models.store import find_model
from ..training.collect import read_index
from ..uncertainty.calibration import Calibration
from .calibrating import calibrate_from
from .coverage import row_table
from .failure_report import failure_document, refresh_card, write_card_part
from .flags import object_table
from .harvest import Harvest, HarvestConfig, Progress, harvest

__all__ = ["calibrate_model", "failure_config", "study_failure"]


def failure_config(
    model: str,
    index: Path,
    work: Path,
    *,
    each: int = 4,
    phantoms: int = 4,
    foreign: tuple[Path, ...] = (),
    minutes: float | None = None,
    jobs: int = 2,
    device: str = "cpu",
) -> HarvestConfig:
    """What is examined, from an index of labelled volumes.

    Raises
    ------
    InputError
        If the index cannot be used, or an image of another body part is not there.
    EngineError
        If there is no such model.
    """
    find_model(model)
    try:
        volumes = read_index(index)
    except (OSError, ValueError) as error:
        raise InputError(f"the index of labelled volumes {index} cannot be used: {error}") from error
    missing = [str(path) for path in foreign if not path.exists()]
    if missing:
        raise InputError(f"not found: {', '.join(missing)}")
    return HarvestConfig(
        model,
        tuple(v for v in volumes if v.split == "validation"),
        work,
        tuple(v for v in volumes if v.split == "train"),
        foreign,
        phantoms,
        each,
        jobs,
        device,
        minutes,
    )


def calibrate_model(config: HarvestConfig, coverage: float = 0.9, progress: Progress | None = None) -> Path:
    """Examine, calibrate, and store the calibration with the model; its tables become a part of the model's card.

    Returns
    -------
    pathlib.Path
        ``calibration.json`` in the model folder.

    Raises
    ------
    InputError
        If there is nothing to examine.
    OutputError
        If the model folder cannot be written.
    """
    folder = find_model(config.model).folder
    found = harvest(config, progress)
    calibration = calibrate_from(config, found, coverage, progress)
    try:
        path = calibration.write(folder)
        write_card_part(calibration, folder)
        refresh_card(folder)
    except OSError as error:
        raise OutputError(f"the model folder {folder} cannot be written: {error.strerror or error}") from error
    return path


def study_failure(config: HarvestConfig, output: Path, progress: Progress | None = None) -> Path:
    """Examine, and write a report with its tables; the model is left as it is.

    Returns
    -------
    pathlib.Path
        ``failure.html``; beside it ``failure.md``, ``objects.csv``, ``measurements.csv`` and ``calibration.json``.

    Raises
    ------
    InputError
        If there is nothing to examine.
    OutputError
        If the folder cannot be written.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        found = harvest(config, progress)
        calibration = calibrate_from(config, found, progress=progress)
        return _write(calibration, found, output)
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror or error}") from error


def _write(calibration: Calibration, found: Harvest, output: Path) -> Path:
    calibration.write(output)
    object_table(found.records).to_csv(output / "objects.csv", index=False)
    row_table(found.records).to_csv(output / "measurements.csv", index=False)
    (output / "evidence.json").write_text(
        json.dumps(calibration.evidence, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8"
    )
    return failure_document(calibration, output).write(output, "failure")
