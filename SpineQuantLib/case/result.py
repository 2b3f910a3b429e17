"""Everything known about an analysed case, before it is written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from ..anatomy.reference import References
from .canal_profile import CanalProfile
from .correction import Acceptance, Edit
from .direct import CrossCheck
from .measurement import Measurement
from .opinion import Assessment
from .spine import NamedSpine

__all__ = ["CaseResult", "Contrast", "InputInfo", "ModelInfo", "StageCost"]


class Contrast(str, Enum):
    """Weighting of an MR volume."""

    T1 = "T1"
    T2 = "T2"
    STIR = "STIR"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class InputInfo:
    """What was read, and from where.

    Attributes
    ----------
    path : Path
        The file or folder the user named.
    files : tuple of Path
        The files that hold the volume; for DICOM in slice order along the stored image's slowest axis.
    format : str
        ``DICOM``, ``NIfTI``, ``NRRD`` or ``MetaImage``.
    sha256 : str
        Hash of the file; of a DICOM series the hash over the hashes of its files, sorted.
    size, spacing, orientation
        Of the input's own grid, in ITK axis order (i, j, k); orientation as three letters towards which the axes
        point, for example ``PIR``.
    contrast : Contrast
        Recognised weighting.
    contrast_evidence : str
        What it was recognised by.
    dicom : dict
        DICOM attributes by keyword (UIDs, descriptions, scanner); empty for other formats. Holds no name, birth
        date or id of the patient.
    notes : tuple of str
        What makes the input doubtful, for example unequal slice distances; each is a reason to review.
    remarks : tuple of str
        What a reader may like to know, for example which other series there are.
    """

    path: Path
    files: tuple[Path, ...]
    format: str
    sha256: str
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    orientation: str
    contrast: Contrast
    contrast_evidence: str
    dicom: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelInfo:
    """Which committee spoke.

    Attributes
    ----------
    name, version : str
        Of the model in the store.
    sha256 : str
        Hash over the weight files of all members.
    members : int
        How many networks.
    """

    name: str
    version: str
    sha256: str
    members: int

    @property
    def words(self) -> str:
        """How many networks, for a reader."""
        return "1 network" if self.members == 1 else f"{self.members} networks"


@dataclass(frozen=True)
class StageCost:
    """Seconds and peak memory of one stage of the journey."""

    stage: str
    seconds: float
    peak_memory_mb: float


@dataclass(frozen=True)
class CaseResult:
    """An analysed case.

    Attributes
    ----------
    image : np.ndarray
        float32 (nk, nj, ni), intensities in reading order on ``spine.grid``.
    spine : NamedSpine
        Segmentation with names.
    members : np.ndarray
        uint8 (members, nk, nj, ni): each member's most probable network class, same grid.
    measurements : tuple of Measurement
        Rows of the table.
    assessment : Assessment
        Verdict, reasons, scores, disagreement.
    input : InputInfo
        What was read.
    model : ModelInfo
        Who segmented it.
    device : str
        ``CPU`` or the name of the GPU.
    costs : tuple of StageCost
        Stages so far.
    references : References
        Ranges that the measurements are shown against, with what they depend on: sex, age, contrast.
    canal_profile : CanalProfile or None
        The dural sac along its course; None where it is not seen.
    analysed : datetime or None
        When the networks ran, UTC; None for now.
    edits : tuple of Edit
        What readers changed, oldest first.
    accepted : Acceptance or None
        Who took the case as it is; None where nobody has.
    cross_check : CrossCheck or None
        What was read from the image without masks; None in a case of a version that did not do so.
    """

    image: np.ndarray
    spine: NamedSpine
    members: np.ndarray
    measurements: tuple[Measurement, ...]
    assessment: Assessment
    input: InputInfo
    model: ModelInfo
    device: str
    costs: tuple[StageCost, ...] = ()
    references: References = field(default_factory=References)
    canal_profile: CanalProfile | None = None
    analysed: datetime | None = None
    edits: tuple[Edit, ...] = ()
    accepted: Acceptance | None = None
    cross_check: CrossCheck | None = None

    @property
    def raters(self) -> tuple[str, ...]:
        """Who corrected the case, in order of first appearance."""
        return tuple(dict.fromkeys(edit.rater for edit in self.edits))
