"""What every DICOM object of a case says about itself: who made it, with which committee, in which code scheme."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pydicom
from highdicom.sr import CodedConcept
from pydicom.uid import UID, generate_uid

from .. import __version__
from ..anatomy.codes import PRIVATE_SCHEME, PRIVATE_SCHEME_NAME, Code
from ..case.errors import OutputError
from ..case.result import ModelInfo

__all__ = [
    "MANUFACTURER",
    "UTF8",
    "algorithm_parameters",
    "algorithm_version",
    "concept",
    "device_uid",
    "equipment",
    "new_uid",
    "save",
]

MANUFACTURER = "SpineQuant"
UTF8 = "ISO_IR 192"


def new_uid() -> UID:
    """A UID that nothing else has: a random UUID under 2.25 (DICOM PS3.5 B.2)."""
    return generate_uid(prefix=None)


def device_uid(model: ModelInfo) -> str:
    """UID of this software with these weights, the same on every machine."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, f'{MANUFACTURER}/{__version__}/{model.sha256}').int}"


def equipment(model: ModelInfo) -> dict[str, Any]:
    """Enhanced General Equipment module, as keyword arguments of highdicom.

    Software has no serial number, yet the module demands one; the hash of the weights tells committees apart.
    """
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": f"{MANUFACTURER} {model.name}"[:64],
        "software_versions": __version__,
        "device_serial_number": model.sha256[:64] or "unknown",
    }


def algorithm_version(model: ModelInfo) -> str:
    """Version of the software and of the weights."""
    return f"{__version__}, weights {model.version}"[:64]


def algorithm_parameters(model: ModelInfo) -> dict[str, str]:
    """What else determines the outcome."""
    return {"members": str(model.members), "weights_sha256": model.sha256}


def concept(code: Code) -> CodedConcept:
    """A code in highdicom's form."""
    return CodedConcept(code.value, code.scheme, code.meaning)


def save(dataset: pydicom.Dataset, path: Path) -> None:
    """Write an object in UTF-8, telling readers what the private scheme is.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    scheme = pydicom.Dataset()
    scheme.CodingSchemeDesignator = PRIVATE_SCHEME
    scheme.CodingSchemeName = PRIVATE_SCHEME_NAME
    scheme.CodingSchemeResponsibleOrganization = MANUFACTURER
    dataset.CodingSchemeIdentificationSequence = [scheme]
    # Not every version of highdicom takes the character set of its source over.
    dataset.SpecificCharacterSet = UTF8
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(path, enforce_file_format=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error}") from error
