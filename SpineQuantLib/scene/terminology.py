"""SpineQuant's codes in the form that Slicer knows: a terminology context, a region context, and tags of segments.

The files in ``Resources/Terminologies`` are written by ``python -m SpineQuantLib.scene.terminology FOLDER`` from
:mod:`SpineQuantLib.anatomy.codes`, so that what Slicer offers when a segment is edited by hand is what a case has.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ..anatomy.codes import CATEGORY, Code, SegmentCodes, codes_for, laterality_code
from ..anatomy.labels import CANAL_VALUE, CORD_VALUE, Label, describe, disc_value, foramen_value
from ..anatomy.levels import VERTEBRA_VALUES
from ..anatomy.structures import Side
from ..case.errors import InputError
from .host import vtk_messages

__all__ = ["CONTEXT_NAME", "REGION_CONTEXT_NAME", "documents", "load_terminology", "terminology_tag", "write_documents"]

CONTEXT_NAME = "SpineQuant"
"""Name of the terminology context: categories, types and their modifiers."""
REGION_CONTEXT_NAME = "SpineQuant levels"
"""Name of the region context: vertebrae and levels."""

_CONTEXT_FILE = "SpineQuant.term.json"
_REGION_FILE = "SpineQuantLevels.term.json"
_SCHEMAS = "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/schemas/"


def terminology_tag(codes: SegmentCodes) -> str:
    """Codes of a segment as Slicer keeps them in the segment's ``TerminologyEntry`` tag.

    Seven fields joined by ``~``: context, category, type, type modifier, region context, region, region modifier;
    a code is scheme, value and meaning joined by ``^``, empty where there is none.
    """

    def text(code: Code | None) -> str:
        return "^".join((code.scheme, code.value, code.meaning)) if code else "^^"

    region = REGION_CONTEXT_NAME if codes.site else ""
    fields = (text(codes.category), text(codes.type), text(codes.type_modifier), region, text(codes.site), text(None))
    return "~".join((CONTEXT_NAME, *fields))


def _labels() -> list[Label]:
    """Every named object, with the levels that four or six lumbar and eleven or thirteen thoracic vertebrae make."""
    names = list(VERTEBRA_VALUES)
    lower = {"T11": "L1", "T13": "L1", "T12": "T13", "L4": "S1", "L5": "L6"}
    out = [describe(CANAL_VALUE), describe(CORD_VALUE), *(describe(VERTEBRA_VALUES[n]) for n in names)]
    for value in (disc_value, lambda n: foramen_value(n, Side.RIGHT), lambda n: foramen_value(n, Side.LEFT)):
        out += [describe(value(n)) for n in names]
        out += [describe(value(n), lower=below) for n, below in lower.items()]
    return out


def _entry(code: Code, **more: Any) -> dict[str, Any]:
    return {
        "CodeMeaning": code.meaning,
        "CodingSchemeDesignator": code.scheme,
        "CodeValue": code.value,
        **more,
    }


def _rgb(label: Label) -> list[int]:
    return [round(255 * c) for c in label.colour]


def documents() -> dict[str, dict[str, Any]]:
    """The two context files by name, as JSON documents of the dcmqi schemas that Slicer reads."""
    types: dict[Code, dict[str, Any]] = {}
    regions: dict[Code, dict[str, Any]] = {}
    modifiers: dict[Code, dict[Code, dict[str, Any]]] = {}
    for label in _labels():
        codes = codes_for(label)
        types.setdefault(codes.type, _entry(codes.type, recommendedDisplayRGBValue=_rgb(label)))
        if codes.type_modifier:
            entry = _entry(codes.type_modifier, recommendedDisplayRGBValue=_rgb(label))
            modifiers.setdefault(codes.type, {}).setdefault(codes.type_modifier, entry)
        if codes.site:
            regions.setdefault(codes.site, _entry(codes.site))
    for code, found in modifiers.items():
        types[code]["Modifier"] = list(found.values())
    context = {
        "SegmentationCategoryTypeContextName": CONTEXT_NAME,
        "@schema": f"{_SCHEMAS}segment-context-schema.json#",
        "SegmentationCodes": {"Category": [_entry(CATEGORY, showAnatomy=True, Type=list(types.values()))]},
    }
    sides = [_entry(laterality_code(side)) for side in Side]
    region = {
        "AnatomicContextName": REGION_CONTEXT_NAME,
        "@schema": f"{_SCHEMAS}anatomic-context-schema.json#",
        "AnatomicCodes": {"AnatomicRegion": [{**entry, "Modifier": sides} for entry in regions.values()]},
    }
    return {_CONTEXT_FILE: context, _REGION_FILE: region}


def write_documents(folder: Path) -> None:
    """Write the context files into a folder."""
    for name, document in documents().items():
        (folder / name).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load_terminology(logic: Any, folder: Path) -> None:
    """Make the contexts known to Slicer, so that a segment's codes can be chosen by hand.

    Parameters
    ----------
    logic : vtkSlicerTerminologiesModuleLogic
        Slicer's logic of terminologies.
    folder : Path
        ``Resources/Terminologies``.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    for name, load in ((_CONTEXT_FILE, logic.LoadTerminologyFromFile), (_REGION_FILE, logic.LoadRegionContextFromFile)):
        with vtk_messages() as messages:
            loaded = load(str(folder / name))
        if not loaded:
            raise InputError(f"cannot read {folder / name} ({'; '.join(messages)}); install SpineQuant again")


if __name__ == "__main__":
    write_documents(Path(sys.argv[1]))
