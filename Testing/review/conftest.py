"""A case folder of a phantom with exact soft borders, written by the same writer as after the networks."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from SpineQuantLib.anatomy.labels import describe
from SpineQuantLib.anatomy.structures import NetworkClass, Structure
from SpineQuantLib.case.folder import new_case_folder
from SpineQuantLib.case.grid import to_reading_order
from SpineQuantLib.case.journey import Journey
from SpineQuantLib.case.opinion import CommitteeOpinion
from SpineQuantLib.case.result import CaseResult, ModelInfo
from SpineQuantLib.case.spine import NamedSpine, Naming
from SpineQuantLib.images.read import read_volume
from SpineQuantLib.review.case_review import CaseReview
from SpineQuantLib.review.measuring import measured
from SpineQuantLib.training.phantom import Phantom, PhantomSpec, make_phantom
from SpineQuantLib.uncertainty.assess import assess
from SpineQuantLib.writing import WRITING_SHARES, write_case

_CLASSES = {
    Structure.VERTEBRA: NetworkClass.BODY,
    Structure.DISC: NetworkClass.DISC,
    Structure.CANAL: NetworkClass.CANAL,
    Structure.FORAMEN: NetworkClass.FORAMEN,
}
NAMING = Naming(True, "counted from S1", ("counted upwards from S1 as five lumbar vertebrae",))


def opinion_of(spine: NamedSpine) -> CommitteeOpinion:
    """Three members that see the spine, one of them a little to the front of it and one a little larger."""
    classes = np.zeros(spine.grid.shape, np.uint8)
    for value in np.unique(spine.labels[spine.labels > 0]):
        classes[spine.labels == value] = _CLASSES[describe(int(value)).structure]
    larger = ndimage.grey_dilation(classes, size=(1, 3, 1))
    members = np.stack([classes, np.roll(classes, 1, axis=2), larger])
    probabilities = np.stack([(members == c).mean(axis=0) for c in NetworkClass]).astype(np.float16)
    return CommitteeOpinion(spine.grid, probabilities, members)


def write_phantom_case(phantom: Phantom, image: Path, folder: Path) -> CaseResult:
    """A case folder as the pipeline writes it, with the phantom's own masks in place of the networks'."""
    volume = read_volume(image)
    exact = phantom.spine()
    spine = NamedSpine(exact.grid, exact.labels, exact.occupancy, exact.vertebrae, NAMING)
    opinion = opinion_of(spine)
    result = CaseResult(
        image=sitk.GetArrayFromImage(to_reading_order(volume.image)).astype(np.float32),
        spine=spine,
        members=opinion.members,
        measurements=(),
        assessment=assess(opinion, spine),
        input=volume.info,
        model=ModelInfo("phantom", "1.0", "ab" * 32, 3),
        device="CPU",
    )
    with new_case_folder(folder) as part:
        return write_case(measured(result), volume.image, part, Journey(WRITING_SHARES))


@pytest.fixture(scope="session")
def write_folder():
    """:func:`write_phantom_case`."""
    return write_phantom_case


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """L3 to S1, oblique, its slices stored in another order than reading order."""
    return make_phantom(
        PhantomSpec(
            size=(16, 128, 112),
            spacing=(4.4, 1.1, 1.1),
            centre=(0.0, 18.0, -38.0),
            slice_rotation=(4.0, -5.0, 6.0),
            orientation="LAS",
            seed=11,
        )
    )


@pytest.fixture(scope="session")
def phantom_case(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> tuple[CaseResult, Path]:
    """What was written, and where; not to be changed."""
    place = tmp_path_factory.mktemp("review")
    sitk.WriteImage(phantom.image, str(place / "spine.nrrd"))
    return write_phantom_case(phantom, place / "spine.nrrd", place / "case"), place / "case"


@pytest.fixture
def folder(phantom_case: tuple[CaseResult, Path], tmp_path: Path) -> Path:
    """A copy of the case folder to change."""
    return Path(shutil.copytree(phantom_case[1], tmp_path / "case"))


@pytest.fixture
def review(phantom_case: tuple[CaseResult, Path]) -> CaseReview:
    """The case opened; nothing is written unless it is accepted."""
    return CaseReview.open(phantom_case[1])
