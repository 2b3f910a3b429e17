"""Annotations grown by a committee: what it agrees about is drawn, what it disputes stays open, a person accepts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from SpineQuantLib.anatomy.labels import CANAL_VALUE, foramen_value
from SpineQuantLib.anatomy.structures import NetworkClass, Side
from SpineQuantLib.case.errors import InputError
from SpineQuantLib.case.grid import Grid, to_reading_order
from SpineQuantLib.case.opinion import CommitteeOpinion
from SpineQuantLib.case.spine import NamedSpine
from SpineQuantLib.training.collect import LabelledVolume, read_index
from SpineQuantLib.training.grow import accept_proposals, grow_annotation, propose_all
from SpineQuantLib.training.label_check import OPEN_VALUE
from SpineQuantLib.training.partial import bit, bits
from SpineQuantLib.training.phantom import PhantomSpec, make_phantom
from SpineQuantLib.training.recipe_lumbar import write_index
from SpineQuantLib.training.targets import network_classes, target_of
from SpineQuantLib.uncertainty.assess import assess

DISPUTED = foramen_value("L4", Side.RIGHT)
AGREED = foramen_value("L4", Side.LEFT)


@pytest.fixture(scope="module")
def spine() -> NamedSpine:
    image = to_reading_order(make_phantom(PhantomSpec()).labels)
    names = ("L1", "L2", "L3", "L4", "L5", "S1")
    labels = sitk.GetArrayFromImage(image)
    lumbar = np.arange(20, 25)
    keep = [*lumbar, 26, CANAL_VALUE, *(lumbar + 100), *(lumbar + 150), *(lumbar + 180)]
    return NamedSpine.from_labels(np.where(np.isin(labels, keep), labels, 0), Grid.of(image), names)


@pytest.fixture(scope="module")
def opinion(spine: NamedSpine) -> CommitteeOpinion:
    """Five members; three of them do not see one foramen, one draws the sac a voxel wider."""
    members = np.repeat(network_classes(spine.labels)[None], 5, axis=0)
    members[:3, spine.labels == DISPUTED] = NetworkClass.BACKGROUND
    middle, row = spine.labels.shape[0] // 2, spine.labels.shape[1] // 2
    back = np.flatnonzero(spine.labels[middle, row] == CANAL_VALUE).max()
    members[4, middle, row, back + 1] = NetworkClass.CANAL
    probabilities = np.stack([(members == c).mean(axis=0) for c in NetworkClass]).astype(np.float16)
    return CommitteeOpinion(spine.grid, probabilities, members)


@pytest.fixture(scope="module")
def annotation(opinion: CommitteeOpinion, spine: NamedSpine) -> np.ndarray:
    return grow_annotation(opinion, spine, assess(opinion, spine).scores)


def test_what_all_members_see_is_drawn(annotation: np.ndarray, spine: NamedSpine) -> None:
    assert np.array_equal(annotation == AGREED, spine.labels == AGREED)
    assert (annotation[spine.labels == CANAL_VALUE] == CANAL_VALUE).all()


def test_what_members_dispute_stays_open(annotation: np.ndarray, spine: NamedSpine, opinion: CommitteeOpinion) -> None:
    assert not (annotation == DISPUTED).any()
    assert (annotation[spine.labels == DISPUTED] == OPEN_VALUE).all()
    single = (opinion.members[4] == NetworkClass.CANAL) & (spine.labels != CANAL_VALUE)
    assert single.any()
    assert (annotation[single & (spine.labels == 0)] == OPEN_VALUE).all()


def test_nothing_else_is_drawn(annotation: np.ndarray, opinion: CommitteeOpinion) -> None:
    seen = np.isin(opinion.members, (NetworkClass.CANAL, NetworkClass.FORAMEN)).any(axis=0)
    assert not (annotation[~seen] > 0).any()


def test_training_neither_rewards_nor_punishes_what_is_open(annotation: np.ndarray, spine: NamedSpine) -> None:
    bodies = np.where(np.isin(spine.labels, range(20, 27)), spine.labels, 0)
    target = target_of(bodies, spine.grid.spacing, annotation)
    either = np.uint8(bits(NetworkClass.BACKGROUND, NetworkClass.CANAL, NetworkClass.FORAMEN))
    # Single voxels that touch both structures and bodies aside, whatever is open lies in the spine's own corridor.
    assert (target[(annotation == OPEN_VALUE) & (bodies == 0)] & either == either).mean() > 0.98
    assert (target[annotation == AGREED] == bit(NetworkClass.FORAMEN)).all()
    assert (target[annotation == CANAL_VALUE] == bit(NetworkClass.CANAL)).all()


def test_what_is_open_far_from_the_spine_is_background(spine: NamedSpine) -> None:
    bodies = np.where(np.isin(spine.labels, range(20, 27)), spine.labels, 0)
    annotation = np.where(spine.labels == CANAL_VALUE, spine.labels, 0)
    annotation[spine.labels.shape[0] // 2, 100, :5] = OPEN_VALUE
    target = target_of(bodies, spine.grid.spacing, annotation)
    assert (target[annotation == OPEN_VALUE] == bit(NetworkClass.BACKGROUND)).all()


def _index(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    """An index whose volumes are tiny files; rows are id, split and annotations."""
    for name, _, _ in rows:
        for kind in ("image", "labels"):
            sitk.WriteImage(sitk.Image(4, 4, 4, sitk.sitkUInt8), str(folder / f"{name}_{kind}.nii.gz"))
    path = folder / "index.csv"
    columns = ["id", "subject", "contrast", "image", "labels", "annotations", "split"]
    table = [(n, n, "T2", f"{n}_image.nii.gz", f"{n}_labels.nii.gz", drawn, split) for n, split, drawn in rows]
    pd.DataFrame(table, columns=columns).to_csv(path, index=False)
    return path


def test_accepted_proposals_are_trained_on_by_training_volumes_alone(tmp_path: Path) -> None:
    index = _index(tmp_path, [("a", "train", ""), ("b", "train", ""), ("c", "validation", "")])
    grown = tmp_path / "grown"
    grown.mkdir()
    sac = sitk.Image(4, 4, 4, sitk.sitkUInt16) + CANAL_VALUE
    for name in ("a", "c"):
        sitk.WriteImage(sac, str(grown / f"{name}.nii.gz"))
    (tmp_path / "deeper").mkdir()
    accepted = tmp_path / "deeper" / "accepted.csv"
    assert accept_proposals(index, grown, accepted) == ["a"]
    volumes = {v.id: v for v in read_index(accepted)}
    assert [p.resolve() for p in volumes["a"].grown] == [(grown / "a.nii.gz").resolve()]
    assert volumes["a"].taught == volumes["a"].grown
    assert not any(v.annotations for v in volumes.values())
    assert not volumes["b"].grown
    assert not volumes["c"].grown
    with pytest.raises(InputError, match="holds no proposal"):
        accept_proposals(accepted, grown, tmp_path / "again.csv")
    moved = tmp_path / "again.csv"
    sitk.WriteImage(sac, str(grown / "b.nii.gz"))
    assert accept_proposals(accepted, grown, moved) == ["b"]
    assert [v.grown[0].resolve().name for v in read_index(moved) if v.grown] == ["a.nii.gz", "b.nii.gz"]


def test_nobody_is_asked_about_volumes_whose_proposals_were_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    accepted = LabelledVolume("a", "a", "T2", path, path, grown=(path,))
    with pytest.raises(InputError, match="nothing to propose"):
        propose_all(None, [accepted], tmp_path)


def test_the_shipped_recipe_tells_proposals_from_what_raters_drew(tmp_path: Path) -> None:
    source, grown = tmp_path / "data" / "lumbar-mri", tmp_path / "grown"
    names = ["vb1-07", "vb3-20"]
    for folder in (source / "images", source / "labels", tmp_path / "data" / "rater-annotations" / "A", grown):
        folder.mkdir(parents=True)
        for name in names:
            sitk.WriteImage(sitk.Image(4, 4, 4, sitk.sitkUInt16), str(folder / f"{name}.nii.gz"))
    table = pd.DataFrame({"id": names, "subject": names, "contrast": "T2", "set": "x"})
    table.to_csv(source / "index.csv", index=False)
    write_index(tmp_path / "data", tmp_path / "index.csv", grown)
    first, second = read_index(tmp_path / "index.csv")
    assert [p.parent.name for p in first.annotations] == [p.parent.name for p in second.annotations] == ["A"]
    assert [p.parent.name for p in first.grown] == ["grown"]
    assert not second.grown, "nobody looked at a proposal for it"


def test_an_empty_folder_of_proposals_is_refused(tmp_path: Path) -> None:
    index = _index(tmp_path, [("a", "train", "")])
    with pytest.raises(InputError, match="holds no proposal"):
        accept_proposals(index, tmp_path / "nowhere", tmp_path / "accepted.csv")
    assert not (tmp_path / "accepted.csv").exists()


def test_validation_volumes_are_never_proposed_for(tmp_path: Path) -> None:
    held_out = LabelledVolume("c", "c", "T2", tmp_path / "c.nii.gz", tmp_path / "c.nii.gz", split="validation")
    with pytest.raises(InputError, match="not among the training volumes"):
        propose_all(None, [held_out], tmp_path, ["c"])
    with pytest.raises(InputError, match="nothing to propose"):
        propose_all(None, [held_out], tmp_path)
