"""The study of how exact the measurements are: its tables on a phantom, and on an index of one drawn volume."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.labels import describe
from SpineQuantLib.anatomy.structures import Structure
from SpineQuantLib.case.errors import InputError
from SpineQuantLib.studies import measure_phantoms, measures
from SpineQuantLib.studies.measure_phantoms import errors_of, thickness_table
from SpineQuantLib.training.evaluation.predict import Prediction
from SpineQuantLib.training.phantom import PhantomSpec, make_phantom

SPEC = PhantomSpec(size=(18, 130, 110), spacing=(4.0, 1.0, 1.0), variation=1.0, scoliosis=4.0, seed=5)
RATED = {Structure.CANAL, Structure.FORAMEN}


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(SPEC)


@pytest.fixture(scope="module")
def drawn_index(phantom, tmp_path_factory):
    """Index of one volume: bodies and discs drawn as they are, sac and foramina by two raters a voxel apart."""
    folder = tmp_path_factory.mktemp("drawn")
    labels = sitk.GetArrayFromImage(phantom.labels)
    rated = np.isin(labels, [v for v in np.unique(labels[labels > 0]) if describe(int(v)).structure in RATED])
    masks = {"labels": np.where(rated, 0, labels), "A/v": np.where(rated, labels, 0)}
    masks["B/v"] = np.where(np.roll(rated, 1, axis=2), np.roll(labels, 1, axis=2), 0)
    sitk.WriteImage(phantom.image, str(folder / "image.nii.gz"))
    for name, array in masks.items():
        (folder / name).parent.mkdir(exist_ok=True)
        image = sitk.GetImageFromArray(array.astype(np.uint16))
        image.CopyInformation(phantom.labels)
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    row = {
        "id": "v",
        "subject": "p",
        "contrast": "T2",
        "image": "image.nii.gz",
        "labels": "labels.nii.gz",
        "annotations": "A/v.nii.gz;B/v.nii.gz",
        "split": "validation",
        "complete": "",
        "sacrum": "",
    }
    path = folder / "index.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    return path


class Exact:
    """Stands for the committee: it sees the phantom as it is."""

    def __init__(self, phantom) -> None:
        self._phantom = phantom

    def get(self, *_) -> Prediction:
        return Prediction(self._phantom.spine(), "", 0.1)


def test_tables_curve_and_agreement(phantom, drawn_index, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(measure_phantoms, "THICKNESSES", (4.0, 5.0))
    monkeypatch.setattr(
        measure_phantoms, "make_phantom", lambda spec: small(spec) if spec.spacing[0] == 5.0 else phantom
    )
    monkeypatch.setattr(measures, "load_committee", lambda *_: None)
    monkeypatch.setattr(measures, "PredictionStore", lambda *_: Exact(phantom))
    report = measures.study_measures(
        tmp_path, lambda *step: told.append(step), data=drawn_index, phantoms=1, quick=True
    )
    assert {what for what, _, _ in told} >= {"random phantoms", "slice thicknesses", "held-out volumes"}
    assert all(max(done for w, done, _ in told if w == what) == of for what, _, of in told)

    table = pd.read_csv(tmp_path / "phantom_table.csv").set_index(["structure", "measurement", "method", "rows"])
    fyllos = table.loc["disc", "height", "Fyllos", "unflagged"]
    assert fyllos["count"] >= 3
    assert fyllos["max"] < 0.3
    assert fyllos["within_limit"] == 1.0
    errors = pd.read_csv(tmp_path / "phantoms.csv")
    own = errors[(errors["measurement"] == "area") & (errors["structure"] == "disc") & errors["flag"].isna()]
    assert table.loc["disc", "area", "mid-sagittal", "unflagged"]["bias"] == pytest.approx(
        own["error"].mean(), abs=1e-3
    )
    curve = pd.read_csv(tmp_path / "thickness.csv")
    assert set(curve["slice_mm"]) == {4.0, 5.0}
    assert (tmp_path / "thickness.png").stat().st_size > 10_000

    people = pd.read_csv(tmp_path / "agreement.csv")
    pooled = people[(people["level"] == "all") & (people["contrast"] == "all")]
    heights = pooled[(pooled["structure"] == "vertebra") & (pooled["measurement"] == "middle height")].iloc[0]
    # Bare masks against exact shares of the same shape: half a pixel at most.
    assert abs(heights["bias"]) < 0.5
    raters = pooled[(pooled["judged"] == "raters") & (pooled["measurement"] == "area")]
    assert set(raters["structure"]) == {"canal", "foramen"}
    # The raters drew the same outline in two places.
    assert raters["bias"].abs().max() < 10.0
    text = report.read_text(encoding="utf-8")
    assert all(part in text for part in ("Against phantoms", "Against slice thickness", "Against people"))


def small(spec):
    """A phantom of the same slices around two discs."""
    return make_phantom(PhantomSpec(size=(15, 84, 84), spacing=spec.spacing, seed=spec.seed))


def test_errors_are_per_cent_of_areas_and_carry_reasons(phantom):
    rows = pd.DataFrame(errors_of(phantom, 3))
    areas = rows[(rows["unit"] == "mm2") & rows["measured"].notna()]
    shares = 100 * (areas["measured"] / areas["true"] - 1)
    assert np.allclose(areas["error"].astype(float), shares.astype(float))
    assert (rows.loc[rows["measured"].isna(), "flag"] != "").all()
    own = rows[rows["measurement"] == "width"].dropna(subset=["error"])
    curve = thickness_table(rows)
    point = curve[(curve["structure"] == "disc") & (curve["measurement"] == "width")].iloc[0]
    disc = own[own["structure"] == "disc"]["error"].astype(float)
    assert point["rmse"] == pytest.approx(np.sqrt((disc**2).mean()))


def test_an_index_without_held_out_volumes_is_refused(drawn_index, tmp_path, monkeypatch):
    text = drawn_index.read_text(encoding="utf-8").replace("validation", "train")
    path = drawn_index.parent / "trained.csv"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(measures, "measure_people", lambda *_: pytest.fail("measured before the data were checked"))
    with pytest.raises(InputError, match="validation"):
        measures.study_measures(tmp_path, lambda *_: None, data=path, quick=True)
