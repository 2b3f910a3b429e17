"""Labelled volumes of boxes, and a committee that reads them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from box_committee import SHAPE, SPACING, ask_brightness, box_spine, brightness, embed_brightness

from SpineQuantLib.case.grid import Grid
from SpineQuantLib.models.store import find_model


@pytest.fixture(scope="session")
def box_index(tmp_path_factory) -> Path:
    """Index of six small volumes: three to train on, three not."""
    folder = tmp_path_factory.mktemp("boxes")
    rng = np.random.default_rng(0)
    rows = []
    for n in range(6):
        labels = box_spine(15 + n % 3)
        grid = Grid(SHAPE, SPACING, (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)))
        drawn = {"image": brightness(labels, rng), "labels": labels.astype(np.uint8)}
        for name, array in drawn.items():
            sitk.WriteImage(grid.image(array), str(folder / f"v{n}_{name}.nii.gz"))
        rows.append(
            {
                "id": f"v{n}",
                "subject": f"p{n}",
                "contrast": "T2",
                "image": f"v{n}_image.nii.gz",
                "labels": f"v{n}_labels.nii.gz",
                "annotations": "",
                "split": "train" if n < 3 else "validation",
                "complete": "true",
                "sacrum": "",
            }
        )
    path = folder / "index.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="session")
def brightness_committee():
    """Every study asks the brightness committee instead of the networks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("SpineQuantLib.studies.opinions.look", ask_brightness)
        patch.setattr("SpineQuantLib.studies.harvest.embed_volume", embed_brightness)
        patch.setattr("SpineQuantLib.studies.harvest.load_committee", lambda *_: find_model())
        yield
