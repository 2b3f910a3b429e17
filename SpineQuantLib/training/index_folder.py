"""An index of labelled volumes from the folders that people have: ``images`` and ``labels`` with files of one name."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import SimpleITK as sitk

from ..case.errors import InputError, OutputError
from ..images.contrast import recognise_contrast
from .label_check import annotation_problem, problem_of

__all__ = ["FolderRules", "index_folder"]

_ENDING = re.compile(r"(\.nii\.gz|\.nii|\.nrrd|\.mha)$", re.IGNORECASE)
_IMAGES = ("images", "imagesTr")
_LABELS = ("labels", "labelsTr")
_RATERS = "raters"
_CHANNEL = re.compile(r"_0000$")


@dataclass(frozen=True)
class FolderRules:
    """How file names are read.

    Attributes
    ----------
    subject : str
        Regular expression whose first group, found anywhere in a name, is the person; what stands before the first
        underscore or hyphen by default. Sets are split by person.
    validation : float
        Share of the persons in the validation set; who is in it depends on their names alone.
    complete : bool
        Whether the labels label everything in view.
    contrast : str
        Of all volumes; recognised from each image if empty.
    source : str
        Name of the data set.
    """

    subject: str = r"^([^_-]+)"
    validation: float = 0.2
    complete: bool = False
    contrast: str = ""
    source: str = ""


def index_folder(folder: Path, output: Path, rules: FolderRules | None = None) -> pd.DataFrame:
    """Write the index of a folder of images and labels.

    Images lie in ``images`` (or nnU-Net's ``imagesTr``, with ``_0000`` at the end of names), labels of the same name in
    ``labels`` (or ``labelsTr``), and sac and foramina, if drawn, in ``raters/NAME``, one folder a rater.

    Parameters
    ----------
    folder : Path
        What holds these folders.
    output : Path
        CSV to write; paths in it are relative to it.
    rules : FolderRules, optional
        How names are read.

    Returns
    -------
    pandas.DataFrame
        The index.

    Raises
    ------
    InputError
        If there are no pairs, an image has no labels, a name does not tell the person, grids differ, or labels or what
        raters drew hold what they may not.
    OutputError
        If the index cannot be written.
    """
    rules = rules or FolderRules()
    images, labels = _files(folder, _IMAGES), _files(folder, _LABELS)
    if not images or not labels:
        raise InputError(f"{folder} needs the folders images and labels with files of the same name")
    raters = [_files(path.parent, (path.name,)) for path in sorted((folder / _RATERS).glob("*")) if path.is_dir()]
    absent = sorted(set(images) - set(labels))
    if absent:
        raise InputError(f"no labels for {', '.join(absent[:5])}{' and more' if len(absent) > 5 else ''}")
    subjects = {name: _subject(name, rules) for name in images}
    validation = _validation(sorted(set(subjects.values())), rules.validation)
    rows = []
    for name, image in images.items():
        drawn = [r[name] for r in raters if name in r]
        _check_grids([image, labels[name], *drawn])
        _check_labels(labels[name], rules.complete, bool(drawn))
        _check_drawn(drawn)
        rows.append(
            {
                "id": name,
                "subject": subjects[name],
                "contrast": rules.contrast or str(recognise_contrast(sitk.ReadImage(str(image)))[0].value),
                "image": _relative(image, output),
                "labels": _relative(labels[name], output),
                "annotations": ";".join(_relative(p, output) for p in drawn),
                "split": "validation" if subjects[name] in validation else "train",
                "complete": "true" if rules.complete else "",
                "sacrum": "",
                "source": rules.source,
            }
        )
    table = pd.DataFrame(rows)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(output, index=False)
    except OSError as error:
        raise OutputError(f"the index cannot be written to {output}: {error}") from error
    return table


def _files(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Images of the first of some folders that is there, by name."""
    found = next((folder / n for n in names if (folder / n).is_dir()), None)
    if found is None:
        return {}
    files = [p for p in sorted(found.iterdir()) if _ENDING.search(p.name)]
    return {_CHANNEL.sub("", _ENDING.sub("", p.name)): p for p in files}


def _subject(name: str, rules: FolderRules) -> str:
    try:
        match = re.search(rules.subject, name)
    except re.error as error:
        raise InputError(f"'{rules.subject}' is not a regular expression: {error}") from error
    if not match or not match.groups():
        raise InputError(f"'{rules.subject}' finds no person in the name {name}; its first group must be the person")
    return match.group(1)


def _validation(subjects: list[str], share: float) -> set[str]:
    """Persons for validation: those whose names hash lowest, so that adding persons moves few."""
    if not 0 <= share < 1:
        raise InputError(f"the share for validation is {share}, but must be at least 0 and less than 1")
    ranked = sorted(subjects, key=lambda s: hashlib.sha256(s.encode()).hexdigest())
    count = round(share * len(subjects))
    return set(ranked[: max(count, 1) if share and len(subjects) > 1 else count])


def _check_grids(paths: list[Path]) -> None:
    grids = []
    for path in paths:
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise InputError(f"{path} cannot be read as an image") from error
        if reader.GetDimension() != 3:
            raise InputError(f"{path} is not a 3D image")
        grids.append((reader.GetSize(), reader.GetSpacing(), reader.GetOrigin(), reader.GetDirection()))
    for path, grid in zip(paths[1:], grids[1:], strict=True):
        near = all(abs(a - b) < 1e-3 for x, y in zip(grid, grids[0], strict=True) for a, b in zip(x, y, strict=True))
        if not near:
            raise InputError(f"{path} does not lie on the grid of {paths[0].name}; resample it onto the image")


def _check_labels(path: Path, complete: bool, annotated: bool) -> None:
    values = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    if problem := problem_of(values, complete=complete, annotated=annotated):
        raise InputError(f"the labels {path} cannot be used: {problem}")


def _check_drawn(paths: list[Path]) -> None:
    for path in paths:
        if problem := annotation_problem(sitk.GetArrayFromImage(sitk.ReadImage(str(path)))):
            raise InputError(f"the annotation {path} cannot be used: {problem}")


def _relative(path: Path, output: Path) -> str:
    # Links stay as they are named: what they point to may move.
    return Path(os.path.relpath(path.absolute(), output.absolute().parent)).as_posix()
