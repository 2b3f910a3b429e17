"""Whatever levels somebody labelled, nobody is taught that the rest of the column is not there."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.levels import SACRUM_VALUE, vertebra_value
from SpineQuantLib.anatomy.structures import NetworkClass
from SpineQuantLib.case.grid import to_reading_order
from SpineQuantLib.training.phantom import PhantomSpec, make_phantom
from SpineQuantLib.training.targets import network_classes, target_of

COLUMN = ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")
LIP = 0.01
"""Share of the bodies' voxels that a lip beside the topmost labelled body may be."""


@pytest.fixture(scope="module")
def hollow_back() -> tuple[np.ndarray, tuple[float, float, float]]:
    """Labels of a phantom whose sacrum lies far behind the straight continuation of the upper lumbar spine."""
    phantom = make_phantom(PhantomSpec(size=(14, 220, 150), lordosis=70.0, noise=0.0))
    return sitk.GetArrayFromImage(to_reading_order(phantom.labels)), phantom.grid.spacing


def punished(labels: np.ndarray, spacing: tuple[float, float, float], kept: list[int]) -> dict[NetworkClass, float]:
    """Share of the voxels of each class that targets from some of the labels say to be something else."""
    target, classes = target_of(np.where(np.isin(labels, kept), labels, 0), spacing), network_classes(labels)
    wrong = target & (1 << classes).astype(np.uint8) == 0
    return {c: float(wrong[classes == c].mean()) for c in NetworkClass if c}


def values_of(names: tuple[str, ...], *, discs: bool) -> list[int]:
    return [vertebra_value(n) + 100 for n in names if n != "S1"] if discs else [vertebra_value(n) for n in names]


@pytest.mark.parametrize("discs", [False, True])
@pytest.mark.parametrize("lowest", COLUMN[1:])
def test_what_lies_below_the_labels_stays_open(hollow_back, lowest: str, discs: bool) -> None:
    labels, spacing = hollow_back
    kept = values_of(COLUMN[: COLUMN.index(lowest) + 1], discs=discs)
    found = punished(labels, spacing, kept)
    assert found[NetworkClass.SACRUM] == 0
    assert found[NetworkClass.BODY] == 0


@pytest.mark.parametrize(("topmost", "discs"), [*((n, False) for n in COLUMN[:-1]), *((n, True) for n in COLUMN[:-2])])
def test_what_lies_above_the_labels_stays_open(hollow_back, topmost: str, discs: bool) -> None:
    labels, spacing = hollow_back
    found = punished(labels, spacing, values_of(COLUMN[COLUMN.index(topmost) :], discs=discs))
    assert found[NetworkClass.SACRUM] == 0
    assert found[NetworkClass.BODY] < LIP


def test_what_is_far_from_the_column_is_still_background(hollow_back) -> None:
    """What is opened is a corridor: beyond it the network learns what is no spine."""
    labels, spacing = hollow_back
    wide = np.pad(labels, ((0, 0), (0, 0), (100, 100)))
    for lowest in ("L1", "L3", "L5"):
        kept = values_of(COLUMN[: COLUMN.index(lowest) + 1], discs=False)
        target = target_of(np.where(np.isin(wide, kept), wide, 0), spacing)
        assert (target[:, :, :30] == 1).mean() > 0.9
        assert (target[:, :, -30:] == 1).mean() > 0.9


def test_below_the_last_lumbar_body_there_is_the_sacrum_where_the_column_leads(hollow_back) -> None:
    """There the column ends: what lies upright below L5, in front of the sacrum, is bowel."""
    labels, spacing = hollow_back
    target = target_of(np.where(np.isin(labels, values_of(COLUMN[:7], discs=False)), labels, 0), spacing)
    lowest = np.flatnonzero((labels == vertebra_value("L5")).any(axis=(0, 2)))[-1]
    assert not (target[:, lowest + 5 :] & (1 << NetworkClass.BODY)).any()


@pytest.mark.parametrize("left_out", [("L3",), ("L2", "L3"), ("L5", "L4")])
def test_bodies_left_out_between_others_are_no_discs(hollow_back, left_out: tuple[str, ...]) -> None:
    labels, spacing = hollow_back
    found = punished(labels, spacing, [vertebra_value(n) for n in COLUMN if n not in left_out])
    assert found[NetworkClass.BODY] == 0


@pytest.mark.parametrize("lowest", ["L3", "L4"])
def test_an_outlined_sacrum_far_below_the_labels_makes_no_disc_of_the_bodies_between(hollow_back, lowest: str) -> None:
    labels, spacing = hollow_back
    middle = labels.shape[0] // 2
    rows, columns = np.nonzero(labels[middle] == SACRUM_VALUE)
    corners = ((columns.min(), rows.min()), (columns.max(), rows.min()),
               (columns.max(), rows.max()), (columns.min(), rows.max()))  # fmt: skip
    kept = values_of(COLUMN[: COLUMN.index(lowest) + 1], discs=False)
    target = target_of(
        np.where(np.isin(labels, kept), labels, 0),
        spacing,
        sacrum=tuple((float(i), float(j)) for i, j in corners),
    )
    unlabelled = np.isin(labels, [v for v in range(20, 25) if v not in kept])
    # The box around S1 holds a corner of L5.
    outside = unlabelled & ~((np.arange(labels.shape[1]) >= rows.min())[None, :, None])
    assert (target[outside] & (1 << NetworkClass.BODY) > 0).all()
