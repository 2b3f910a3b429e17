"""How exact the measurements are: against phantoms' truth, and against people on real volumes.

The first part asks the measuring alone, on exact masks: what is lost to voxels. The second asks the whole: disc and
body heights on the committee's masks against those on manual masks, sac and foramina against raters, beside what the
raters differ by.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure as Plot

from ..case.errors import InputError, OutputError
from ..models.committee import load_committee
from ..training.collect import LabelledVolume, check_volumes, read_index
from ..training.evaluation.measures import measure_references, pair_committee, pair_raters
from ..training.evaluation.predict import PredictionStore
from ..training.evaluation.reference import read_references
from ..training.evaluation.tables import measure_table, pair_frame
from ..training.recipe_lumbar import write_index
from .document import Document, Figure, Heading, Table, Text
from .measure_phantoms import Tell, error_table, measure_people, measure_thicknesses, thickness_table

__all__ = ["study_measures"]

_PEOPLE = {False: 24, True: 3}
_THICK = {False: 4, True: 1}
_COMPARED = {
    ("disc", "height"),
    ("disc", "mean height"),
    ("disc", "anterior height"),
    ("disc", "middle height"),
    ("disc", "posterior height"),
    ("vertebra", "anterior height"),
    ("vertebra", "middle height"),
    ("vertebra", "posterior height"),
    ("vertebra", "depth"),
    ("canal", "area"),
    ("canal", "AP diameter"),
    ("canal", "transverse diameter"),
    ("foramen", "area"),
    ("foramen", "height"),
    ("foramen", "width"),
}
_CURVES = (
    ("disc", "height", "Fyllos"),
    ("disc", "width", "mid-plane"),
    ("vertebra", "depth", "mid-sagittal"),
    ("canal", "AP diameter", "perpendicular to centre line"),
    ("canal", "transverse diameter", "perpendicular to centre line"),
    ("foramen", "height", "narrowest sagittal section"),
    ("spine", "slip", "posterior corners, supine"),
    ("disc", "area", "mid-sagittal"),
    ("disc", "volume", "soft voxels"),
    ("canal", "area", "perpendicular to centre line"),
    ("foramen", "area", "narrowest sagittal section"),
    ("vertebra", "wedge angle", "endplates"),
    ("spine", "segmental angle", "upper endplates"),
    ("spine", "coronal Cobb angle", "greatest between endplates"),
)
_PANELS = {"mm": "RMSE of lengths, mm", "%": "RMSE of areas and volumes, %", "deg": "RMSE of angles, °"}
_MARKS = ("o", "s", "^", "D", "v", "x", "+")


def study_measures(
    output: Path,
    tell: Tell,
    *,
    data: Path | None = None,
    model: str = "lumbar-committee",
    device: str = "cpu",
    seed: int = 0,
    quick: bool = False,
    phantoms: int | None = None,
) -> Path:
    """Write the tables of errors and agreement, the curve over slice thickness, and a report.

    Parameters
    ----------
    output : Path
        Folder, made if need be: ``report.md``, ``report.html``, ``phantoms.csv``, ``phantom_table.csv``,
        ``thickness.csv``, ``thickness.png`` and, with data, ``agreement.csv`` and ``agreement_each.csv``.
    tell : callable
        Told what is done, how many are done, and of how many.
    data : Path, optional
        Index of labelled volumes (CSV, as for training), or a folder that holds ``index.csv`` of that form or the data
        of the shipped recipe.
    model, device : str
        Whose masks are compared.
    seed : int
        Of the phantoms.
    quick : bool
        A few phantoms and volumes, to see that it works.
    phantoms : int, optional
        Random phantoms; 24 by default, 3 if quick.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    InputError
        If the data cannot be used.
    OutputError
        If the results cannot be written.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        volumes = _volumes(data, output) if data is not None else []
        people = measure_people(phantoms or _PEOPLE[quick], seed, tell)
        thick = measure_thicknesses(_THICK[quick], seed, tell)
        table, curve = error_table(people), thickness_table(thick)
        people.round(4).to_csv(output / "phantoms.csv", index=False)
        table.round(4).to_csv(output / "phantom_table.csv", index=False)
        curve.round(4).to_csv(output / "thickness.csv", index=False)
        _plot(curve, output / "thickness.png")
        agreement = None
        if volumes:
            each = _pairs(volumes, model, device, output, tell, quick)
            agreement = measure_table(each)
            each.round(4).to_csv(output / "agreement_each.csv", index=False)
            agreement.round(4).to_csv(output / "agreement.csv", index=False)
        return _report(table, len(people["phantom"].unique()), agreement, output)
    except OSError as error:
        raise OutputError(f"the study cannot be written to {output}: {error.strerror or error}") from error


def _volumes(data: Path, output: Path) -> list[LabelledVolume]:
    """Volumes of an index, of a folder with one, or of the data of the shipped recipe."""
    path = data / "index.csv" if data.is_dir() else data
    try:
        if data.is_dir() and not path.is_file():
            path = output / "index.csv"
            write_index(data.resolve(), path)
        volumes = read_index(path)
    except (OSError, ValueError) as error:
        raise InputError(f"the labelled volumes cannot be used: {error}") from error
    if not any(v.split == "validation" for v in volumes):
        raise InputError("the index has no volume of split 'validation': on others the committee has been trained")
    check_volumes(v for v in volumes if v.split == "validation" or len(v.annotations) > 1)
    return volumes


def _pairs(
    volumes: list[LabelledVolume], model: str, device: str, output: Path, tell: Tell, quick: bool
) -> pd.DataFrame:
    """Committee against manual masks on volumes that it was not trained on; raters against each other on all."""
    held = [v for v in volumes if v.split == "validation"]
    if quick:
        held = sorted(held, key=lambda v: not v.annotations)[:2]
    store = PredictionStore(load_committee(model, device), output / "predictions")
    pairs = []
    for n, volume in enumerate(held):
        tell("held-out volumes", n, len(held))
        references = read_references(volume)
        found = store.get(volume.id, volume.image)
        pairs += pair_committee(volume, found, references, measure_references(references))
    tell("held-out volumes", len(held), len(held))
    twice = [v for v in volumes if len(v.annotations) > 1]
    for n, volume in enumerate(twice):
        tell("volumes with two raters", n, len(twice))
        pairs += pair_raters(volume, measure_references(read_references(volume)))
    tell("volumes with two raters", len(twice), len(twice))
    return pair_frame([p for p in pairs if (p.structure, p.measurement) in _COMPARED])


def _plot(curve: pd.DataFrame, path: Path) -> None:
    """RMSE against slice thickness, a panel for lengths, areas and angles."""
    figure = Plot(figsize=(12, 5.2), layout="constrained")
    axes = figure.subplots(1, len(_PANELS))
    for ax, (unit, title) in zip(axes, _PANELS.items(), strict=True):
        shown = 0
        for structure, name, method in _CURVES:
            own = (curve["structure"] == structure) & (curve["measurement"] == name) & (curve["method"] == method)
            line = curve[own & (curve["error_unit"] == unit)].sort_values("slice_mm")
            if len(line):
                label = f"{'sac' if structure == 'canal' else structure} {name}"
                ax.plot(
                    line["slice_mm"], line["rmse"].astype(float), marker=_MARKS[shown % 7], label=label, lw=1.4, ms=5
                )
                shown += 1
        limit = curve.loc[curve["error_unit"] == unit, "limit"].dropna()
        if len(limit):
            ax.axhline(float(limit.iloc[0]), color="#000000", lw=0.8, ls=":", label="limit")
        ax.set_xlabel("slice thickness, mm")
        ax.set_title(title, fontsize=10, loc="left")
        ax.set_ylim(bottom=0)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, linewidth=0.6)
        ax.legend(fontsize=8, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.13))
    figure.savefig(path, dpi=100)


def _number(value: object, digits: int = 2) -> str:
    return "–" if value is None or pd.isna(value) else f"{float(value):.{digits}f}"


def _report(table: pd.DataFrame, phantoms: int, agreement: pd.DataFrame | None, output: Path) -> Path:
    document = Document("How exact the measurements are")
    document.add(
        Heading("How exact the measurements are", 1),
        Heading("Against phantoms"),
        Text(
            f"{phantoms} random phantoms of any size, posture, disease and tilt, with slices of 2 to 5 mm, measured on "
            "their exact masks: what is left is lost to voxels and slices. Errors are measured − true; of areas and "
            "volumes in per cent. The limit is 0.3 mm, 3 %, 1°; "
            "the ± is what each row says that voxels and slices leave uncertain of it."
        ),
        _error_rows(table, "unflagged"),
        Heading("Rows that carry a flag", 3),
        Text("The same for rows that warn of themselves."),
        _error_rows(table, "flagged"),
        Heading("Against slice thickness"),
        Text("The same healthy people, scanned obliquely, with slices of 1 to 5 mm and pixels of 1 mm."),
        Figure("thickness.png", "Root mean square error by slice thickness; the dotted line is the limit."),
    )
    if agreement is not None:
        document.add(
            Heading("Against people"),
            Text(
                "Held-out volumes: the committee's masks against manual masks (discs and bodies) and against raters "
                "(sac, foramina), and the raters against each other. Bias and 95 % limits of agreement after Bland and "
                "Altman, ICC(2,1). Where discs were not drawn they are the gap between drawn bodies."
            ),
            _agreement_rows(agreement),
        )
    return document.write(output, "report")


def _error_rows(table: pd.DataFrame, rows: str) -> Table:
    head = ("", "method", "unit", "count", "bias", "RMSE", "95 %", "max", "within limit", "within its ±", "absent")
    body = []
    for row in table[table["rows"] == rows].to_dict("records"):
        shares = (
            "–" if pd.isna(row[name]) else f"{100 * float(row[name]):.0f} %"
            for name in ("within_limit", "within_accuracy")
        )
        numbers = [_number(row[name]) for name in ("bias", "rmse", "p95", "max")]
        what = f"{row['structure']} {row['measurement']}"
        body.append((what, row["method"], row["error_unit"], str(row["count"]), *numbers, *shares, str(row["absent"])))
    return Table(head, body)


def _agreement_rows(table: pd.DataFrame) -> Table:
    head = ("", "method", "who", "against", "pairs", "missed", "bias", "limits of agreement", "RMSE", "ICC")
    pooled = table[(table["level"] == "all") & (table["contrast"] == "all")]
    body = []
    for row in pooled.sort_values(["structure", "measurement", "method", "judged"]).to_dict("records"):
        limits = f"{_number(row['lower_limit'])} to {_number(row['upper_limit'])} {row['unit']}"
        what = f"{row['structure']} {row['measurement']}"
        counts = str(int(row["pairs"])), str(int(row["missed"]))
        numbers = _number(row["bias"]), limits, _number(row["rmse"]), _number(row["icc"])
        body.append((what, row["method"], row["judged"], row["reference"], *counts, *numbers))
    return Table(head, body)
