"""Codes by which other programs know what is segmented and measured.

SNOMED CT (``SCT``) and DICOM (``DCM``) codes are those of the DICOM dictionaries as pydicom ships them, units are
UCUM. What those dictionaries do not name carries a private code of the scheme :data:`PRIVATE_SCHEME`: the
intervertebral foramen (SCT 280734009 is the *vertebral* foramen, a different thing), levels without a code of their
own, supernumerary vertebrae, and the named methods of measuring.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from .labels import Label
from .levels import is_unnamed, split_level, vertebra_value
from .structures import Side, Structure

__all__ = [
    "CATEGORY",
    "PRIVATE_SCHEME",
    "PRIVATE_SCHEME_NAME",
    "Code",
    "SegmentCodes",
    "codes_for",
    "derivation_code",
    "interval_codes",
    "laterality_code",
    "level_code",
    "method_code",
    "position_code",
    "quantity_code",
    "structure_code",
    "unit_code",
    "vertebra_code",
]

PRIVATE_SCHEME = "99SPINEQUANT"
PRIVATE_SCHEME_NAME = "SpineQuant"


@dataclass(frozen=True)
class Code:
    """A coded concept as DICOM writes it.

    Attributes
    ----------
    value : str
        Code value, at most 16 characters.
    scheme : str
        Coding scheme designator: ``SCT``, ``DCM``, ``UCUM``, ``NCIt`` or ``99SPINEQUANT``.
    meaning : str
        Code meaning, at most 64 characters.

    Raises
    ------
    ValueError
        If value, scheme or meaning is empty or longer than DICOM allows.
    """

    value: str
    scheme: str
    meaning: str

    def __post_init__(self) -> None:
        for text, limit in ((self.value, 16), (self.scheme, 16), (self.meaning, 64)):
            if not 0 < len(text) <= limit:
                raise ValueError(f"'{text}' does not fit DICOM's limit of 1 to {limit} characters")

    @property
    def is_private(self) -> bool:
        """Whether the code is SpineQuant's own."""
        return self.scheme == PRIVATE_SCHEME


@dataclass(frozen=True)
class SegmentCodes:
    """What a segment is and where, in the terms of a DICOM segmentation.

    Attributes
    ----------
    category : Code
        Segmented property category.
    type : Code
        Segmented property type.
    type_modifier : Code or None
        Right or left of a foramen; ``Dural sac`` of the canal.
    site : Code or None
        Anatomic region: the vertebra of a body, the level of a disc or foramen, the spine of what is unnamed or runs
        through all levels.
    """

    category: Code
    type: Code
    type_modifier: Code | None
    site: Code | None


def _sct(value: str, meaning: str) -> Code:
    return Code(value, "SCT", meaning)


def _private(value: str, meaning: str) -> Code:
    return Code(value, PRIVATE_SCHEME, meaning)


CATEGORY = _sct("91723000", "Anatomical Structure")

_SPINE = _sct("421060004", "Spine")
_BODY = _sct("3572006", "Vertebral body")
_CANAL = _sct("61853006", "Spinal canal")
_CORD = _sct("2748008", "Spinal cord")
_SAC = _private("DURALSAC", "Dural sac")
_DISC = _private("DISC", "Intervertebral disc")
_FORAMEN = _private("FORAMEN", "Intervertebral foramen")
_SIDES = {Side.RIGHT: _sct("24028007", "Right"), Side.LEFT: _sct("7771000", "Left")}

_VERTEBRAE = {
    "C1": "14806007",
    "C2": "39976000",
    "C3": "113205007",
    "C4": "5329002",
    "C5": "36978003",
    "C6": "36054005",
    "C7": "87391001",
    "T1": "64864005",
    "T2": "53733008",
    "T3": "1626008",
    "T4": "73071006",
    "T5": "56401006",
    "T6": "45296009",
    "T7": "62487009",
    "T8": "11068009",
    "T9": "82687006",
    "T10": "7610001",
    "T11": "12989004",
    "T12": "23215003",
    "L1": "66794005",
    "L2": "14293000",
    "L3": "36470004",
    "L4": "11994002",
    "L5": "49668003",
    "S1": "65985001",
}

# A disc's code names the vertebra above and, in its synonym, the one below; it fits only where both are meant.
_DISCS = {
    "C3-C4": "58820006",
    "C4-C5": "49400002",
    "C5-C6": "73959003",
    "C6-C7": "75095006",
    "C7-T1": "37414007",
    "T1-T2": "40908007",
    "T2-T3": "6004007",
    "T3-T4": "2620004",
    "T4-T5": "82965004",
    "T5-T6": "72692000",
    "T6-T7": "74401007",
    "T7-T8": "28693002",
    "T8-T9": "9188009",
    "T9-T10": "113209001",
    "T10-T11": "34959001",
    "T11-T12": "1537001",
    "T12-L1": "76206002",
    "L1-L2": "80064006",
    "L2-L3": "67459009",
    "L3-L4": "62551000",
    "L4-L5": "84020006",
    "L5-S1": "75782005",
}

_LEVELS = {
    "C2-C3": "243902007",
    "C3-C4": "243903002",
    "C4-C5": "243904008",
    "C5-C6": "243905009",
    "C6-C7": "243906005",
    "C7-T1": "243925008",
    "T12-L1": "243926009",
    "L1-L2": "243920003",
    "L2-L3": "243921004",
    "L3-L4": "243922006",
    "L4-L5": "243923001",
    "L5-S1": "243927000",
}


def vertebra_code(name: str) -> Code:
    """Code of a vertebra, the site of its body; the spine as a whole for one that is not named.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if is_unnamed(vertebra_value(name)):
        return _SPINE
    if name in _VERTEBRAE:
        return _sct(_VERTEBRAE[name], f"{name} vertebra")
    return _private(f"VERTEBRA_{name}", f"{name} vertebra")


def level_code(level: str) -> Code:
    """Code of a level such as ``L4-L5``, the site of its disc and foramina; the spine for one that is not named.

    Raises
    ------
    ValueError
        If it is not a level.
    """
    # Below S1 there is no vertebra of the convention, yet a vestigial disc is sometimes seen.
    upper, lower = ("S1", "S2") if level == "S1-S2" else split_level(level)
    if is_unnamed(vertebra_value(upper)):
        return _SPINE
    meaning = f"Level of {upper}/{lower} intervertebral disc"
    if level in _LEVELS:
        return _sct(_LEVELS[level], meaning)
    return _private(f"LEVEL_{level}", meaning)


def laterality_code(side: Side) -> Code:
    """Code of the patient's side."""
    return _SIDES[side]


def codes_for(label: Label) -> SegmentCodes:
    """Codes of a segment.

    The dural sac is coded as the spinal canal, by which other programs find it, with the private modifier ``Dural
    sac``, because the bony canal is something else. The code of a single disc is used where its own two vertebrae
    bound it; a disc between others (``L4-S1``, ``L5-L6``) is an intervertebral disc at a private level.

    Raises
    ------
    ValueError
        If the label's level is not one of the convention.
    """
    if label.segment_id == "cord":
        return SegmentCodes(CATEGORY, _CORD, None, _SPINE)
    if label.structure is Structure.CANAL:
        return SegmentCodes(CATEGORY, _CANAL, _SAC, _SPINE)
    if label.structure is Structure.VERTEBRA:
        return SegmentCodes(CATEGORY, _BODY, None, vertebra_code(label.level))
    site = _SPINE if label.level.endswith("-V0") else level_code(label.level)
    if label.structure is Structure.DISC:
        name = "{}/{} disc".format(*label.level.split("-"))
        disc = _sct(_DISCS[label.level], name) if label.level in _DISCS else _DISC
        return SegmentCodes(CATEGORY, disc, None, site)
    if label.structure is Structure.FORAMEN and label.side is not None:
        return SegmentCodes(CATEGORY, _FORAMEN, laterality_code(label.side), site)
    raise ValueError(f"'{label.segment_id}' is not a segment that has codes")


_STRUCTURES = {
    Structure.VERTEBRA: _BODY,
    Structure.DISC: _DISC,
    Structure.CANAL: _CANAL,
    Structure.FORAMEN: _FORAMEN,
    Structure.SPINE: _SPINE,
}


def structure_code(structure: Structure) -> Code:
    """Code of a structure without level or side, for what is said of all its objects together."""
    return _STRUCTURES[structure]


_QUANTITIES = {
    "area": _sct("42798000", "Area"),
    "volume": _sct("118565006", "Volume"),
    "height": Code("121207", "DCM", "Height"),
    "width": _sct("103355008", "Width"),
    "depth": _sct("131197000", "Depth"),
    "length": _sct("410668003", "Length"),
    "distance": Code("121206", "DCM", "Distance"),
    "slip": Code("121206", "DCM", "Distance"),
    "bulge": Code("121206", "DCM", "Distance"),
    "place of posterior bulge": _private("BULGE_PLACE", "Distance of the bulge from the middle plane, left positive"),
    "diameter": _sct("81827009", "Diameter"),
    "perimeter": _sct("131191004", "Perimeter"),
    "angle": _sct("1483009", "Angle"),
    "wedge": _sct("1483009", "Angle"),
    "lordosis": _sct("285285000", "Cobb angle"),
    "kyphosis": _sct("285285000", "Cobb angle"),
    "cobb angle": _sct("285285000", "Cobb angle"),
    "ratio": _sct("118586006", "Ratio"),
    "index": _sct("118586006", "Ratio"),
    "slope": _sct("1483009", "Angle"),
    "deformity": _private("DEFORMITY", "Loss of vertebral body height"),
    "area asymmetry": _private("ASYMMETRY_AREA", "Difference of left and right area relative to mean"),
    "height asymmetry": _private("ASYMMETRY_HEIGHT", "Difference of left and right height relative to mean"),
    "space for the cord": Code("121206", "DCM", "Distance"),
    "signal": Code("110805", "DCM", "T2 Weighted MR Signal Intensity"),
    "von neumann entropy": _private("VN_ENTROPY", "Von Neumann entropy of committee agreement"),
    "largest eigenvalue": _private("EIGENVALUE", "Largest eigenvalue of committee disagreement"),
    "mean pairwise dice": _private("MEAN_DICE", "Mean pairwise Dice of the committee"),
}


def quantity_code(name: str) -> Code:
    """Code of a measured quantity.

    A name of several words (``AP diameter``, ``anterior height``) has the code of the longest known ending; the
    words before it are a position (:func:`position_code`) or part of the method.

    Parameters
    ----------
    name : str
        As in :attr:`SpineQuantLib.case.measurement.Measurement.name`.

    Raises
    ------
    ValueError
        If no ending of the name is known.
    """
    words = name.lower().replace("-", " ").split()
    for start in range(len(words)):
        code = _QUANTITIES.get(" ".join(words[start:]))
        if code:
            return code
    raise ValueError(f"'{name}' has no code; known quantities end in {', '.join(sorted(_QUANTITIES))}")


_POSITIONS = {
    "anterior": _sct("255549009", "Anterior"),
    "posterior": _sct("255551008", "Posterior"),
    "middle": Code("C25569", "NCIt", "Middle"),
    "superior": _sct("264217000", "Superior"),
    "inferior": _sct("261089000", "Inferior"),
    "upper": _sct("264217000", "Superior"),
    "lower": _sct("261089000", "Inferior"),
    "transverse": _sct("62824007", "Transverse"),
    "ap": _private("ANTEROPOSTERIOR", "Anteroposterior"),
    "midline": _sct("261129000", "Midline"),
}


def position_code(name: str) -> Code | None:
    """Code of the position or direction that a quantity names (``anterior`` in ``anterior height``), or None."""
    words = name.lower().replace("-", " ").split()
    return next((_POSITIONS[word] for word in words if word in _POSITIONS), None)


_DERIVATIONS = {"smallest": _sct("255605001", "Minimum"), "mean": _sct("373098007", "Mean")}


def derivation_code(name: str) -> Code | None:
    """Code of how a quantity comes from several values (``smallest`` in ``smallest area``), or None."""
    first = name.lower().split()[:1]
    return _DERIVATIONS.get(first[0]) if first else None


_UNITS = {
    "mm": Code("mm", "UCUM", "millimeter"),
    "mm2": Code("mm2", "UCUM", "square millimeter"),
    "mm3": Code("mm3", "UCUM", "cubic millimeter"),
    "deg": Code("deg", "UCUM", "degree"),
    "1": Code("1", "UCUM", "no units"),
    "%": Code("%", "UCUM", "percent"),
}


def unit_code(unit: str) -> Code:
    """Code of a UCUM unit.

    Raises
    ------
    ValueError
        If no measurement uses the unit.
    """
    if unit not in _UNITS:
        raise ValueError(f"unit '{unit}' has no code; known are {', '.join(_UNITS)}")
    return _UNITS[unit]


def method_code(method: str) -> Code:
    """Private code of a named method of measuring.

    The value is the name in capitals where that fits in 16 characters, and otherwise its beginning with a checksum
    of the whole name, so that two methods never share a code.

    Raises
    ------
    ValueError
        If the name is empty or longer than the 64 characters DICOM allows.
    """
    value = "_".join(method.upper().split())
    if len(value) > 16:
        value = f"{value[:7]}_{zlib.crc32(method.encode()):08X}"
    return _private(value, method)


def interval_codes() -> tuple[Code, Code]:
    """Codes of the lower and the upper measurement uncertainty, which a report states as distances from the value."""
    return (
        _sct("371885007", "-, range of lower measurement uncertainty"),
        _sct("371886008", "+, range of upper measurement uncertainty"),
    )
