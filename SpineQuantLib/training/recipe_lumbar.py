"""Recipe of the shipped committee: which volumes, which labels, which split.

Rebuilds the index from a folder with ``lumbar-mri`` (images, labels and ``index.csv``) and ``rater-annotations`` (one
folder a rater), so that nothing of the data has to be kept with the code.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .recipe_sacrum import CORNERS

__all__ = ["GROWN", "VALIDATION", "write_index"]

VALIDATION = frozenset(
    {"vb2-05", "vb2-08", "vb2-17", "ivd-25", "VB1-15", "vb3-20"} | {f"vb3-{n:02d}" for n in (1, 8, 15, 23, 30, 37, 44)}
)
"""Subjects never trained on. The two subjects of the T1 and TIRM volumes may be one person: both are trained on."""

GROWN = frozenset({"vb1-07", "vb1-08", "vb2-04", "vb2-07", "vb2-10", "vb2-13", "vb2-18", "vb3-04"})
"""Volumes of which the sac and the foramina that a committee proposed were looked at and accepted; the proposals are
made again by ``spinequant grow INDEX -o FOLDER``."""

_RATERS = ("A", "B", "C", "D")


def write_index(data: Path, path: Path, grown: Path | None = None) -> pd.DataFrame:
    """Write the index of all labelled volumes below ``data``.

    Parameters
    ----------
    data : Path
        Folder with ``lumbar-mri`` and ``rater-annotations``.
    path : Path
        CSV to write; see :func:`SpineQuantLib.training.collect.read_index`.
    grown : Path, optional
        Folder of proposals; those of :data:`GROWN` are trained on, but no committee is scored against them.

    Returns
    -------
    pandas.DataFrame
        The index.

    Raises
    ------
    FileNotFoundError
        If the data are not there.
    """
    source = data / "lumbar-mri"
    table = pd.read_csv(source / "index.csv", dtype=str, keep_default_na=False)
    rows = []
    for row in table.to_dict("records"):
        drawn = [data / "rater-annotations" / r / f"{row['id']}.nii.gz" for r in _RATERS]
        proposed = [grown / f"{row['id']}.nii.gz"] if grown is not None and row["id"] in GROWN else []
        rows.append(
            {
                "id": row["id"],
                "subject": row["subject"],
                "contrast": row["contrast"],
                "image": str((source / "images" / f"{row['id']}.nii.gz").resolve()),
                "labels": str((source / "labels" / f"{row['id']}.nii.gz").resolve()),
                "annotations": ";".join(str(p.resolve()) for p in drawn if p.exists()),
                "grown": ";".join(str(p.resolve()) for p in proposed if p.exists()),
                "split": "validation" if row["subject"] in VALIDATION else "train",
                "complete": "",
                "sacrum": " ".join(f"{i},{j}" for i, j in CORNERS.get(row["id"], ())),
                "source": row["set"],
            }
        )
    index = pd.DataFrame(rows)
    index.to_csv(path, index=False)
    return index
