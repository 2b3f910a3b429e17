"""The card of the direct regression, for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["write_card_text"]

_NAMES = {
    "disc|height|Fyllos": "disc height (Fyllos)",
    "canal|AP diameter|perpendicular to centre line": "AP diameter of the dural sac",
}

_CONTRASTS = {"unknown": "water (whose contrast a case calls unknown)"}

_HEAD = """# {name} {version}

**Research use only. Not a medical device.** A small 3D CNN that reads disc height and the AP diameter of the dural sac
in millimetres straight from the image around each disc. It is the second reading of a case: where it and the mask
disagree by more than the errors of both explain, the level is flagged. Its values are never reported as measurements.

## What it is

Five blocks of convolution 3 × 3 × 3, batch normalisation, ReLU and max-pooling by 2 ({features} features), dropout
{dropout:g}; a patch of 64 × 64 × 32 voxels of 1 mm in the disc's own frame, 64 mm from front to back and up and down,
32 mm from right to left. Of the masks it knows the disc's place and direction alone. Disc height is the mean of
anterior, middle and posterior height (Fyllos), between the endplates; the AP diameter is perpendicular to the sac's
centre line.

## What it was trained on

| | volumes | subjects | disc heights | AP diameters |
| --- | --- | --- | --- | --- |
| people | {people[volumes]} | {people[subjects]} | {people[disc_heights]} | {people[sac_diameters]} |
| phantoms | {phantoms[volumes]} | | {phantoms[disc_heights]} | {phantoms[sac_diameters]} |

True values of people are measured in manual masks by the same code as those of a case; of phantoms they follow from
their shapes. Heights are of the gap between drawn bodies; discs that were drawn without bodies leave the endplates out
and were not used for heights. People, data sets, sources, licences and annotators are those of the committee's card,
with the same split by subject; only what was drawn was used, nothing that a committee proposed. {steps} steps of
{batch} patches with Adam, random place, turn, size and contrast; when the size of a patch is changed, so is its true
value.

It speaks about {contrasts} images with slices of {slice_mm[0]:g}–{slice_mm[1]:g} mm and pixels of
{pixel_mm[0]:g}–{pixel_mm[1]:g} mm; elsewhere the case says that the second reading was left out.

## Errors on people and phantoms that it was not trained on

{volumes} volumes; the place of each level is that of the mask of *{committee}*, as in a case. In mm; limits are 95 %
limits of agreement; RMSE with its 95 % interval by subject.

{errors}

## What is flagged

A level is flagged where mask − direct lies outside:

{allowed}

These are mean ± 2.58 standard deviations over the held-out levels of people; masks whose value no adult can have, which
carry a flag already, were left out. With limits in which the own subject had no part (cross-fitted):

{flags}

The flag says that one of the two readings is wrong, not which. The case as a whole goes to review where two levels of a
structure are contradicted, or one by more than 1.5 times what is allowed.
"""


def write_card_text(folder: Path) -> None:
    """Write ``CARD.md`` from the ``card.json`` of a model folder."""
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    trained, validation = card["trained_on"], card["validation"]
    text = _HEAD.format(
        name=card["name"],
        version=card["version"],
        features="-".join(map(str, card["network"]["features"])),
        dropout=card["network"]["dropout"],
        people=trained["people"],
        phantoms=trained["phantoms"],
        steps=card["training"]["steps"],
        batch=card["training"]["batch"],
        contrasts=", ".join(_CONTRASTS.get(c, c) for c in trained["contrasts"]),
        slice_mm=trained["slice_mm"],
        pixel_mm=trained["pixel_mm"],
        volumes=validation["volumes"],
        committee=validation["committee"],
        errors=_table(
            ("", "of", "compared", "levels", "subjects", "bias", "RMSE", "95 % limits", "ICC(2,1)"),
            [_error_row(e) for e in validation["errors"] if e["count"]],
        ),
        allowed=_table(
            ("", "from", "to"),
            [(_NAMES[k], f"{v['low']:.1f} mm", f"{v['high']:.1f} mm") for k, v in card["allowed"].items()],
        )
        if card["allowed"]
        else "There were too few held-out levels to set limits; nothing is flagged.",
        flags=_table(
            ("", "of", "levels flagged", "volumes with a flag"),
            [
                (
                    _NAMES[f["quantity"]],
                    f["set"],
                    f"{f['flagged']} of {f['levels']}",
                    f"{f['volumes_flagged']} of {f['volumes']}",
                )
                for f in validation["flags"]
                if f["levels"]
            ],
        ),
    )
    (folder / "CARD.md").write_text(text, encoding="utf-8")


def _error_row(entry: dict[str, Any]) -> tuple[str, ...]:
    rmse = entry["rmse"]
    interval = f" ({rmse['lower']:.2f} to {rmse['upper']:.2f})" if rmse["lower"] is not None else ""
    return (
        _NAMES[entry["quantity"]],
        entry["set"],
        entry["compared"],
        str(entry["count"]),
        str(entry["subjects"]),
        _number(entry["bias"]["value"]),
        _number(rmse["value"]) + interval,
        f"{_number(entry['lower_limit']['value'])} to {_number(entry['upper_limit']['value'])}",
        _number(entry["icc"]["value"]),
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
