"""A small phantom, and its case as the shipped committee sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
import SimpleITK as sitk

from SpineQuantLib.case.result import CaseResult
from SpineQuantLib.pipeline import AnalyzeOptions, analyze
from SpineQuantLib.training.phantom import Phantom, PhantomSpec, make_phantom


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    return make_phantom(PhantomSpec(size=(16, 224, 176), seed=5))


@pytest.fixture(scope="session")
def phantom_file(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("phantom") / "spine.nii.gz"
    sitk.WriteImage(phantom.image, str(path))
    return path


@pytest.fixture(scope="session")
def case(phantom_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[CaseResult, Path]:
    """Result and folder of the analysed phantom."""
    folder = tmp_path_factory.mktemp("out") / "case"
    return analyze(phantom_file, folder, AnalyzeOptions(device="cpu")), folder
