"""The weighting is recognised where it can be, and never guessed."""

from __future__ import annotations

import csv
from pathlib import Path

import image_fixtures as fx
import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.labels import CANAL_VALUE
from SpineQuantLib.case.grid import to_reading_order
from SpineQuantLib.case.result import Contrast
from SpineQuantLib.images.contrast import contrast_from_image, contrast_from_tissues, recognise_contrast
from SpineQuantLib.images.read import read_volume
from SpineQuantLib.images.weighting import Acquisition, contrast_from_header

SE = ("SE",)
GR = ("GR",)
HEADERS = [
    (Acquisition("t2_tse_sag", 104, 3500, sequence=SE), Contrast.T2),
    (Acquisition("t1_tse_sag", 11, 550, sequence=SE), Contrast.T1),
    (Acquisition("", 104, 3500, sequence=SE), Contrast.T2),
    (Acquisition("", 11, 550, sequence=SE), Contrast.T1),
    (Acquisition("t2_space_sag", 121, 1500, sequence=SE), Contrast.T2),
    (Acquisition("sag STIR"), Contrast.STIR),
    (Acquisition("t1_tirm_sag", 60, 4000, 160, ("SE", "IR")), Contrast.STIR),
    (Acquisition("", 60, 4000, 220, ("SE", "IR")), Contrast.STIR),
    (Acquisition("T1 FLAIR sag", 24, 2500, 860, ("SE", "IR")), Contrast.T1),
    (Acquisition("t2 flair", 120, 9000, 2500, ("SE", "IR")), Contrast.UNKNOWN),
    (Acquisition("PD sag", 30, 3000, sequence=SE), Contrast.UNKNOWN),
    (Acquisition("T2* medic", 20, 900, sequence=GR), Contrast.UNKNOWN),
    (Acquisition("t1_vibe", 2, 5, sequence=GR), Contrast.T1),
    (Acquisition("Sag T2 FRFSE"), Contrast.T2),
    (Acquisition("SAG T1W"), Contrast.T1),
    (Acquisition("T1 and T2"), Contrast.UNKNOWN),
    (Acquisition("AT20 protocol T12 level"), Contrast.UNKNOWN),
    (Acquisition("ep2d_diff DWI t2", 80, 4000, sequence=("EP",)), Contrast.UNKNOWN),
    (Acquisition("T1 sag", 104, 3500, sequence=SE), Contrast.T2),
    (Acquisition("anything", acquisition_contrast="STIR"), Contrast.STIR),
    (Acquisition(), Contrast.UNKNOWN),
]


@pytest.mark.parametrize(("header", "expected"), HEADERS)
def test_header(header: Acquisition, expected: Contrast) -> None:
    contrast, evidence = contrast_from_header(header)
    assert contrast is expected
    assert evidence or contrast is Contrast.UNKNOWN


def test_a_description_that_contradicts_the_times_is_told() -> None:
    _, evidence = contrast_from_header(Acquisition("T1 sag", 104, 3500, sequence=SE))
    assert "104" in evidence
    assert "T1" in evidence


def test_the_header_is_believed_before_the_image() -> None:
    image = fx.make_image()
    assert recognise_contrast(image, Acquisition("sag STIR"))[0] is Contrast.STIR
    assert recognise_contrast(image, Acquisition()) == contrast_from_image(image)


@pytest.mark.parametrize("kind", [fx.T1, fx.T2, fx.STIR])
def test_from_a_dicom_series(tmp_path: Path, kind: dict[str, object]) -> None:
    fx.write_series(tmp_path, fx.Series(attributes=kind))
    info = read_volume(tmp_path).info
    assert info.contrast.value == str(kind["SeriesDescription"]).split()[0].replace("TIRM", "STIR")
    assert "DICOM" in info.contrast_evidence


def sketch(
    fat: float, marrow: float, fluid: float, muscle: float, noise: float = 0.02
) -> tuple[np.ndarray, np.ndarray]:
    """A back, 4 × 2 × 2 mm: bodies, sac, muscle, subcutaneous fat, air; with the labels of bodies and sac."""
    image = np.full((15, 120, 110), muscle)
    image[:, :, 92:] = fat
    image[:, :, 97:] = 0.0
    labels = np.zeros(image.shape, np.uint16)
    for n, top in enumerate(range(4, 100, 19)):
        labels[3:12, top : top + 14, 35:52] = 20 + n
    labels[5:10, :, 55:62] = CANAL_VALUE
    image[(labels > 0) & (labels < 30)] = marrow
    image[labels == CANAL_VALUE] = fluid
    image = image + np.random.default_rng(0).normal(0, noise, image.shape)
    return np.clip(image, 0, None).astype(np.float32) * 400, labels


WEIGHTINGS = {
    Contrast.T1: sketch(fat=1.0, marrow=0.6, fluid=0.25, muscle=0.35),
    Contrast.T2: sketch(fat=1.0, marrow=0.4, fluid=1.0, muscle=0.2),
    Contrast.STIR: sketch(fat=0.1, marrow=0.25, fluid=1.0, muscle=0.35),
}


@pytest.mark.parametrize("truth", WEIGHTINGS)
def test_tissues(truth: Contrast) -> None:
    image, labels = WEIGHTINGS[truth]
    assert contrast_from_tissues(image, labels, (4.0, 2.0, 2.0))[0] is truth
    assert contrast_from_tissues(image * 0.01 + 7, labels, (4.0, 2.0, 2.0))[0] is truth
    unnamed = np.where((labels > 0) & (labels < 30), labels + 281, labels)
    assert contrast_from_tissues(image, unnamed, (4.0, 2.0, 2.0))[0] is truth


def test_tissues_without_sac_or_bodies() -> None:
    image, labels = WEIGHTINGS[Contrast.T2]
    for kept in (labels == CANAL_VALUE, labels < 30):
        contrast, evidence = contrast_from_tissues(image, np.where(kept, labels, 0), (4.0, 2.0, 2.0))
        assert contrast is Contrast.UNKNOWN
        assert "not segmented" in evidence


@pytest.mark.parametrize("truth", WEIGHTINGS)
def test_image_alone(truth: Contrast) -> None:
    array, _ = WEIGHTINGS[truth]
    found, evidence = contrast_from_image(fx.make_image(array, (2.0, 2.0, 4.0)))
    assert found is (Contrast.UNKNOWN if truth is Contrast.STIR else truth), evidence
    noise = np.random.default_rng(0).random(array.shape).astype(np.float32)
    assert contrast_from_image(fx.make_image(noise, (2.0, 2.0, 4.0)))[0] is Contrast.UNKNOWN


def lumbar(data_folder: Path) -> dict[str, str]:
    with (data_folder / "lumbar-mri" / "index.csv").open() as file:
        return {row["id"]: row["contrast"] for row in csv.DictReader(file)}


def test_real_images_alone_are_never_mistaken(data_folder: Path) -> None:
    """T1 and T2 are right or unknown; STIR and water images are unknown; most T1 and T2 are found."""
    right = {"T1": 0, "T2": 0}
    kinds = lumbar(data_folder)
    chosen = {i: k for i, k in kinds.items() if k in ("T1", "TIRM") or (int(i[-2:]) % (9 if k == "water" else 2) == 0)}
    paths = [(kind, data_folder / "lumbar-mri" / "images" / f"{i}.nii.gz") for i, kind in chosen.items()]
    paths += [
        ("T2", data_folder / "lumbar-t2-sct" / "t2_lumbar.nii.gz"),
        ("T2", data_folder / "cervical-mri" / "sct_t2.nii.gz"),
        ("T1", data_folder / "cervical-mri" / "sct_t1w.nii.gz"),
    ]
    for kind, path in paths:
        found, evidence = contrast_from_image(sitk.ReadImage(str(path), sitk.sitkFloat32))
        assert evidence
        allowed = {Contrast.UNKNOWN, Contrast(kind)} if kind in right else {Contrast.UNKNOWN}
        assert found in allowed, (path.name, evidence)
        if kind in right:
            right[kind] += found.value == kind
    assert right["T1"] == 3
    assert right["T2"] >= 8


def test_real_tissues(data_folder: Path) -> None:
    """With bodies and sac delineated, T1, T2 and TIRM are all found; water images are not called T1 or T2."""

    def read(path: Path) -> sitk.Image:
        return to_reading_order(sitk.ReadImage(str(path)))

    kinds = lumbar(data_folder)
    right = {
        "T1": {Contrast.T1},
        "T2": {Contrast.T2},
        "TIRM": {Contrast.STIR},
        "water": {Contrast.UNKNOWN, Contrast.STIR},
    }
    cases = ("B/vb1-15", "C/vb1-16", "C/vb2-12", "D/vb1-02", "D/vb1-03", "D/vb1-06", "D/vb3-05", "D/vb3-20")
    for case in cases:
        name = case.split("/")[1]
        labels = sitk.GetArrayFromImage(read(data_folder / "lumbar-mri" / "labels" / f"{name}.nii.gz")).astype(
            np.uint16
        )
        drawn = sitk.GetArrayFromImage(read(data_folder / "rater-annotations" / f"{case}.nii.gz"))
        labels[drawn == CANAL_VALUE] = CANAL_VALUE
        image = read(data_folder / "lumbar-mri" / "images" / f"{name}.nii.gz")
        values = sitk.GetArrayFromImage(image).astype(np.float32)
        found, evidence = contrast_from_tissues(values, labels, image.GetSpacing()[::-1])
        assert found in right[kinds[name]], (name, evidence)
