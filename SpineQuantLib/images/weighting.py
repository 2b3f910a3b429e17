"""Contrast of an MR series by its DICOM header."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..case.result import Contrast

__all__ = ["Acquisition", "contrast_from_header"]

# Words in descriptions, protocol and sequence names; "T1_TIRM" and "t1-flair" occur, so words end at non-letters.
_STIR = re.compile(r"(?<![a-z])(stir|tirm)(?![a-z])")
_T1 = re.compile(r"(?<![a-z0-9])(t1w?|t1wi)(?![0-9])(?!rho)")
_T2 = re.compile(r"(?<![a-z0-9])(t2w?|t2wi)(?![0-9])")
_T2_STAR = re.compile(r"t2\s?(\*|-?star)|(?<![a-z])(swi|medic|merge|me?dic)(?![a-z])")
_OTHER = re.compile(r"(?<![a-z])(pd|dwi|adc|trace\w?|dti|flow|tof|perf\w*)(?![a-z])")
_FLAIR = re.compile(r"(?<![a-z])(t2.*flair|dark.?fluid)(?![a-z])")
_MAKESHIFT = re.compile(r"(?<![a-z])(loc|localizer|localiser|scout|survey|mip|myelo\w*|adc)(?![a-z])")
_FAT_SUPPRESSED = re.compile(r"(?<![a-z])(fs|fatsat|fat_sat|spir|spair|spectral|fss?at|chemsat)(?![a-z])")

_STIR_TI_MS = (80.0, 260.0)
"""Inversion times that null fat, from 0.2 T to 3 T."""
_WORDS = {"T1": Contrast.T1, "T2": Contrast.T2, "STIR": Contrast.STIR}


@dataclass(frozen=True)
class Acquisition:
    """What a DICOM header tells of how an image was made.

    Attributes
    ----------
    text : str
        Series description, protocol and sequence names, one after another.
    echo_time, repetition_time, inversion_time : float or None
        Milliseconds.
    sequence : tuple of str
        ScanningSequence: SE, IR, GR, EP, RM; of enhanced images the same derived from EchoPulseSequence and
        InversionRecovery.
    options : tuple of str
        ScanOptions.
    image_type : tuple of str
        ImageType or FrameType.
    acquisition_contrast : str
        AcquisitionContrast of enhanced images.
    agent : bool
        Whether a contrast agent is recorded.
    """

    text: str = ""
    echo_time: float | None = None
    repetition_time: float | None = None
    inversion_time: float | None = None
    sequence: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    image_type: tuple[str, ...] = ()
    acquisition_contrast: str = ""
    agent: bool = False

    @property
    def fat_suppressed(self) -> bool:
        """Whether the fat's signal was removed, by words, options, or as a water image."""
        return bool(_FAT_SUPPRESSED.search(self.text.lower()) or {"FS", "FSS"} & set(self.options) or self.water)

    @property
    def water(self) -> bool:
        """Whether it is the water image of a water-fat (Dixon) acquisition."""
        return bool({"W", "WATER"} & set(self.image_type))

    @property
    def makeshift(self) -> bool:
        """Whether it is a localizer, a projection, a map, or a fat or opposed-phase image: no anatomy to measure on."""
        kinds = {"LOCALIZER", "PROJECTION IMAGE", "MIP", "ADC", "TRACEW", "DIFFUSION", "FA", "F", "FAT", "OPP_PHASE"}
        return bool(kinds & set(self.image_type) or _MAKESHIFT.search(self.text.lower()))


def contrast_from_header(acquisition: Acquisition) -> tuple[Contrast, str]:
    """Weighting by what the header says.

    Times are believed before words: scanners write them, people type descriptions. In order: AcquisitionContrast;
    an inversion time that nulls fat, or the words STIR and TIRM (STIR); echo and repetition times of spin echoes
    (T2: TE ≥ 60 ms and TR ≥ 1000 ms; T1: TE ≤ 30 ms and TR ≤ 1200 ms); the words T1 and T2. Gradient echoes,
    proton density, diffusion and FLAIR are ``unknown``.

    Parameters
    ----------
    acquisition : Acquisition
        From :mod:`SpineQuantLib.images.dicom`.

    Returns
    -------
    contrast : Contrast
        ``unknown`` where the header does not tell.
    evidence : str
        What decided; empty where nothing did.
    """
    text = acquisition.text.lower()
    given = acquisition.acquisition_contrast.upper()
    if given in _WORDS:
        return _WORDS[given], f"DICOM AcquisitionContrast {given}"
    stir = _by_inversion(acquisition, text)
    if stir is not None:
        return stir
    word = _by_words(text)
    times = _by_times(acquisition)
    if times is not None:
        contrast, evidence = times
        if word not in (None, contrast) and word is not Contrast.UNKNOWN:
            evidence += f", although the description says {word}"
        return contrast, evidence
    if word in (Contrast.T1, Contrast.T2):
        return word, f"the word {word} in the DICOM description"
    return Contrast.UNKNOWN, ""


def _by_inversion(acquisition: Acquisition, text: str) -> tuple[Contrast, str] | None:
    ti = acquisition.inversion_time
    inverted = "IR" in acquisition.sequence or bool(_STIR.search(text))
    if ti is not None and inverted and _STIR_TI_MS[0] <= ti <= _STIR_TI_MS[1]:
        return Contrast.STIR, f"DICOM inversion time {ti:g} ms"
    if _STIR.search(text):
        return Contrast.STIR, "the word STIR or TIRM in the DICOM description"
    if ti is not None and "IR" in acquisition.sequence and ti > _STIR_TI_MS[1]:
        # Inversion nulls fluid: T1-FLAIR has short echoes, T2-FLAIR long ones, in which CSF is dark.
        short = acquisition.echo_time is not None and acquisition.echo_time <= 40
        if short and ti < 1500:
            return Contrast.T1, f"DICOM inversion time {ti:g} ms and echo time {acquisition.echo_time:g} ms"
        return Contrast.UNKNOWN, f"DICOM inversion time {ti:g} ms"
    return None


def _by_times(acquisition: Acquisition) -> tuple[Contrast, str] | None:
    te, tr = acquisition.echo_time, acquisition.repetition_time
    if te is None or tr is None or {"GR", "EP"} & set(acquisition.sequence):
        return None
    evidence = f"DICOM echo time {te:g} ms and repetition time {tr:g} ms"
    if te >= 60 and tr >= 1000:
        if _FLAIR.search(acquisition.text.lower()):
            return Contrast.UNKNOWN, "the word FLAIR in the DICOM description"
        return Contrast.T2, evidence
    if 0 < te <= 30 and 0 < tr <= 1200:
        # A short steady-state sequence without its ScanningSequence tag would look like this too.
        return (Contrast.T1, evidence) if tr >= 200 else None
    return None


def _by_words(text: str) -> Contrast | None:
    if _OTHER.search(text) or _T2_STAR.search(text) or _FLAIR.search(text):
        return Contrast.UNKNOWN
    t1, t2 = bool(_T1.search(text)), bool(_T2.search(text))
    if t1 == t2:
        return Contrast.UNKNOWN if t1 else None
    return Contrast.T1 if t1 else Contrast.T2
