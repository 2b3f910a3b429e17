"""The files of one series in a folder of their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..case.errors import OutputError

__all__ = ["gathered"]


def gathered(files: Sequence[Path], folder: Path) -> Path:
    """Put DICOM files into a new folder: linked where the disk can, copied where it cannot.

    Parameters
    ----------
    files : sequence of Path
        In an order that is kept.
    folder : Path
        Is made; its parent exists.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OutputError
        If that is not possible.
    """
    try:
        folder.mkdir()
        for n, file in enumerate(files):
            target = folder / f"{n:05}.dcm"
            try:
                os.link(file, target)
            except OSError:
                shutil.copyfile(file, target)
    except OSError as error:
        raise OutputError(f"the DICOM files cannot be gathered in {folder}: {error.strerror or error}") from error
    return folder
