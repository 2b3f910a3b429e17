"""Read a volume, whatever it is stored as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..case.errors import InputError
from ..case.result import InputInfo
from .checks import check_file, check_image
from .contrast import recognise_contrast
from .files import SUFFIXES, hash_files, read_file
from .series import SeriesInfo
from .volume import SpineVolume, orientation_code
from .weighting import Acquisition

__all__ = ["list_series", "read_volume"]


def read_volume(path: Path, series: str | None = None) -> SpineVolume:
    """Read a spine MRI.

    Parameters
    ----------
    path : Path
        DICOM folder or file, NIfTI (``.nii``, ``.nii.gz``), NRRD (``.nrrd``, ``.nhdr``) or MetaImage (``.mha``,
        ``.mhd``).
    series : str, optional
        Which DICOM series: its number, its UID, or a part of its description; by default the sagittal T2 is taken.

    Returns
    -------
    SpineVolume
        On the input's own grid, checked, with its contrast recognised.

    Raises
    ------
    InputError
        If it cannot be read, or ``series`` fits none or several.
    UnsuitableError
        If it is not a volume of a spine MRI.
    """
    path = Path(path)
    acquisition: Acquisition | None = None
    dicom: dict[str, Any] = {}
    remarks: tuple[str, ...] = ()
    if _is_dicom(path):
        image, files, acquisition, dicom, notes, remarks = _dicom_reader().read_dicom(path, series)
        kind = "DICOM"
    elif series is not None:
        raise InputError(f"--series chooses among DICOM series; '{path.name}' holds a single volume")
    else:
        image, kind, files, notes = read_file(path)
    image, more = check_image(path.resolve().name, image)
    contrast, evidence = recognise_contrast(image, acquisition)
    info = InputInfo(
        path=path,
        files=files,
        format=kind,
        sha256=hash_files(files),
        size=image.GetSize(),
        spacing=image.GetSpacing(),
        orientation=orientation_code(image),
        contrast=contrast,
        contrast_evidence=evidence,
        dicom=dicom,
        notes=(*notes, *more),
        remarks=remarks,
    )
    return SpineVolume(image, info)


def list_series(path: Path) -> list[SeriesInfo]:
    """What a DICOM folder or file holds; empty for a file of another format, which holds one volume.

    Raises
    ------
    InputError, UnsuitableError
        If there is nothing to read, or there are images of several patients.
    """
    path = Path(path)
    if _is_dicom(path):
        return _dicom_reader().list_dicom(path)
    check_file(path)
    return []


def _is_dicom(path: Path) -> bool:
    if path.is_dir():
        _refuse_folder_of_volumes(path)
        return True
    check_file(path)
    return not path.name.lower().endswith(tuple(SUFFIXES)) and _dicom_reader().is_dicom(path)


def _refuse_folder_of_volumes(folder: Path) -> None:
    """Tell a user who names a folder of volumes to name one; a DICOM folder may hold such a file besides."""
    try:
        names = sorted(p.name for p in folder.iterdir())
    except OSError as error:
        raise InputError(f"folder '{folder}' cannot be read: {error.strerror}") from None
    if not names:
        raise InputError(f"folder '{folder}' is empty")
    volumes = [n for n in names if n.lower().endswith(tuple(SUFFIXES))]
    if len(volumes) == len(names):
        some = ", ".join(volumes[:3]) + (", …" if len(volumes) > 3 else "")
        raise InputError(f"folder '{folder}' holds no DICOM files, but {some}: name one of these files")


def _dicom_reader() -> Any:
    """The DICOM reader, imported when it is needed: other formats are read without pydicom."""
    try:
        from .dicom import reader
    except ModuleNotFoundError as error:
        if error.name != "pydicom":
            raise
        raise InputError("reading DICOM needs the package pydicom: pip install 'spinequant[dicom]'") from None
    return reader
