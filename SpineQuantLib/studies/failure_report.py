"""The evidence of a calibration for people: a part of the model's card, and the report of the failure study."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..uncertainty.calibration import Calibration
from ..uncertainty.thresholds import SCORES
from .document import Document, Figure, Heading, Table, Text, cell
from .plots import plot_reliability, plot_risk_coverage

__all__ = ["CARD_PART", "HEADING", "failure_document", "refresh_card", "write_card_part"]

CARD_PART = "CALIBRATION.md"
HEADING = "When to doubt it"
_RISK, _RELIABILITY = "calibration-risk.png", "calibration-reliability.png"
_NOUN = {"vertebra": "bodies", "disc": "discs", "canal": "dural sac, by level", "foramen": "foramina", "all": "all"}


def failure_document(calibration: Calibration, folder: Path) -> Document:
    """The whole evidence; its figures are written into ``folder``."""
    evidence = calibration.evidence
    document = Document(HEADING)
    document.add(Heading(HEADING), Text(_opening(evidence)))
    _flags(document, calibration)
    _scores(document, evidence, folder)
    _failures(document, evidence)
    _foreign(document, evidence)
    _intervals(document, calibration)
    _probabilities(document, evidence, folder)
    return document


def _opening(evidence: dict[str, Any]) -> str:
    v = evidence["volumes"]
    skipped = f" {v['skipped']} further degradations were left out for want of time." if v["skipped"] else ""
    return (
        f"Measured on {v['real']} volumes of {v['subjects']} people that were not trained on and on {v['phantoms']} "
        f"phantoms, as they are and made worse in graded steps ({v['degraded']} further volumes, cut to the region of "
        f"the spine).{skipped} Whatever was fitted was measured on people who had no part in the fit (one person left "
        "out after the other). Few people: take the numbers as that."
    )


def _flags(document: Document, calibration: Calibration) -> None:
    evidence, wish = calibration.evidence, calibration.evidence["wish"]
    whole = evidence["flags"]["all"]
    reached = [
        "reached" if value is not None and value >= goal else "not reached"
        for value, goal in (
            (whole["sensitivity"], wish["sensitivity"]),
            (whole["specificity"], wish["specificity"]),
        )
    ]
    document.add(
        Heading("Flags", 3),
        Text(
            f"An object is bad if its Dice with the manual mask is below {wish['bad']:.2f}. Of the bad objects "
            f"{cell(whole['sensitivity'], percent=True)} carry a flag (wanted: at least "
            f"{100 * wish['sensitivity']:.0f} %, {reached[0]}); of the good ones "
            f"{cell(whole['specificity'], percent=True)} carry none (wanted: at least "
            f"{100 * wish['specificity']:.0f} %, {reached[1]}). Bounds are set for the first of the two: where both "
            "cannot be had, rather one flag too many than a bad object missed. A missed object counts as flagged where "
            f"the case says that it was not seen ({evidence['missed']['announced']} of {evidence['missed']['n']}), any "
            "object where the whole case fails or is refused."
        ),
    )
    rows = [[name, *_detected(found)] for name, found in evidence["flags"].items()]
    rows += [[_NOUN.get(r["structure"], r["structure"]), *_detected(r)] for r in evidence["flags_by_structure"]]
    document.add(Table(("objects", "n", "people", "bad", "mean Dice", "bad flagged", "good not flagged"), rows))
    thresholds = calibration.thresholds
    rows = []
    for structure, score in thresholds.score.items():
        sign = "<" if SCORES[score][0] > 0 else ">"
        bounds = [f"{sign} {cell(b[structure], 3)}" for b in (thresholds.enough, thresholds.least)]
        share = cell(thresholds.share[structure], percent=True)
        rows.append([_NOUN[structure.value], SCORES[score][1], *bounds, share])
    document.add(
        Text("The deciding score of each structure, chosen as told below, and its bounds:"),
        Table(("structure", "score", "to be reviewed", "failed", "passes as a whole with so many in doubt"), rows),
        Text(
            "A case is to be reviewed if more objects of a structure are in doubt than that, if one fails or was not "
            "seen, or if names, view or input give a reason. A structure of a case is bad if the mean Dice of its "
            "objects is below the same bound; of left-out people:"
        ),
        Table(
            ("structure as a whole", "n", "people", "bad", "mean Dice", "bad reviewed", "good passed"),
            [[_NOUN[r["structure"]].split(",")[0], *_detected(r)] for r in evidence["structures"]],
        ),
    )


def _detected(found: dict[str, Any]) -> list[str]:
    return [
        str(found["n"]),
        str(found["subjects"]),
        str(found["bad"]),
        cell(found["dice"]),
        cell(found["sensitivity"], percent=True),
        cell(found["specificity"], percent=True),
    ]


def _scores(document: Document, evidence: dict[str, Any], folder: Path) -> None:
    plot_risk_coverage(evidence["curves"], evidence["winner"], folder / _RISK)
    kinds = [
        s for s in ("vertebra", "disc", "canal", "foramen") if any(r["structure"] == s for r in evidence["scores"])
    ]
    rows = []
    for name in evidence["curves"]:
        own = {r["structure"]: r for r in evidence["scores"] if r["score"] == name}
        whole = own["all"]
        rows.append(
            [
                SCORES[name][1] + (" (best over all)" if name == evidence["winner"] else ""),
                cell(whole["aurc"], 4),
                cell(whole["naurc"]),
                cell(whole["spearman"]),
                *(cell(own[s]["naurc"]) if s in own else "–" for s in kinds),
                cell(whole["sensitivity"], percent=True),
                cell(whole["specificity"], percent=True),
            ]
        )
    document.add(
        Heading("Which score sees failure best", 3),
        Text(
            "AURC: mean of 1 − Dice over all shares of objects kept, surest first; normalised: 1 is the best possible "
            "order, 0 chance. Spearman: rank correlation with Dice. The best over all structures by normalised AURC, "
            "weighted by their number of objects, is marked. For each structure that score decides with which the "
            "wished share of bad objects costs the fewest needless flags: it need not order all objects best. The last "
            "columns are the flags if a score had decided alone, on left-out people."
        ),
        Table(
            (
                "score",
                "AURC",
                "normalised",
                "Spearman",
                *(f"normalised, {_NOUN[s]}" for s in kinds),
                "bad flagged",
                "good not flagged",
            ),
            rows,
        ),
        Figure(_RISK, "Risk–coverage curves over all objects"),
    )


def _failures(document: Document, evidence: dict[str, Any]) -> None:
    by_step = {(r["family"], r["grade"]): r for r in evidence["flags_by_family"]}
    rows = []
    for case in evidence["cases"]:
        found = by_step.get((case["family"], case["grade"]))
        rows.append(
            [
                case["family"],
                case["words"],
                str(case["n"]),
                f"{case['pass']} / {case['review']} / {case['fail']} / {case['refused']}",
                *(
                    (
                        cell(found["dice"]),
                        str(found["bad"]),
                        cell(found["sensitivity"], percent=True),
                        cell(found["specificity"], percent=True),
                    )
                    if found
                    else ("–", "–", "–", "–")
                ),
            ]
        )
    rows.sort(key=lambda row: (row[0] != "clean", row[0]))
    document.add(
        Heading("What goes wrong, and whether it says so", 3),
        Table(
            (
                "made worse by",
                "how",
                "volumes",
                "pass / review / fail / refused",
                "mean Dice",
                "bad objects",
                "bad flagged",
                "good not flagged",
            ),
            rows,
        ),
    )
    names = evidence["names"]
    document.add(Text(f"Levels were named in {names['named']} volumes; rightly in {names['right']} of these."))


def _foreign(document: Document, evidence: dict[str, Any]) -> None:
    found = evidence["familiarity"]
    if not found:
        document.add(Text("No training volumes were at hand: how unlike them an input is, is not judged."))
        return
    lows = [d["distance"] for d in found["foreign"]]
    usual = list(found["usual"].values())
    document.add(
        Heading("Images of something else", 3),
        Text(
            f"Distance of an image's embedding to the nearest of {found['training']} training volumes, as a multiple "
            f"of the limit. {found['held_out']} held-out volumes: {min(usual):.2f} to {max(usual):.2f}; "
            f"{found['false_alarms']} of them would have been called unlike by a limit that they had no part in."
            + (f" {len(lows)} images of something else: {min(lows):.2f} to {max(lows):.2f}." if lows else "")
            + " Above 1 a case is to be reviewed and its intervals widen; above 2 it fails and has none."
        ),
    )


def _intervals(document: Document, calibration: Calibration) -> None:
    found = calibration.evidence["coverage"]
    wanted = f"{100 * calibration.coverage:.0f} %"
    document.add(
        Heading("Intervals", 3),
        Text(
            f"Intervals shall hold the value that manual masks give in {wanted} of cases, if new cases are like those "
            "of the calibration (split-conformal, scaled by the members' spread; one rule a measurement, for all "
            "levels and sides). Coverage on left-out people; n values of so many people. Rows of one person are not "
            "independent, so that the promise rests on people, of whom there are few. Where real volumes have too few "
            "manual masks, the rule comes from phantoms, and says so; what is not listed has no interval."
        ),
        _coverage_table(found["by_structure"], ("structure", "kind")),
        _coverage_table(found["by_level"], ("structure", "level", "kind")),
        _coverage_table(found["by_measurement"], ("structure", "name", "method", "kind", "unit")),
    )
    if found["degraded"]:
        document.add(
            Text("The same intervals on mildly degraded volumes, which no rule was fitted on:"),
            _coverage_table(found["degraded"], ("family", "kind")),
        )


def _coverage_table(rows: Sequence[dict[str, Any]], keys: tuple[str, ...]) -> Table:
    widths = "unit" in keys
    return Table(
        (*keys, "n", "people", "coverage", *(("half width",) if widths else ())),
        [
            [
                *(str(r[k]) for k in keys),
                str(r["n"]),
                str(r["subjects"]),
                cell(r["coverage"], percent=True),
                *((cell(r["half_width"]),) if widths else ()),
            ]
            for r in rows
        ],
    )


def _probabilities(document: Document, evidence: dict[str, Any], folder: Path) -> None:
    studies = evidence["reliability"]
    if not studies:
        return
    plot_reliability(studies, folder / _RELIABILITY)
    document.add(
        Heading("Probabilities", 3),
        Text(
            "Temperature of each structure's probability, and expected calibration error (15 bins) before and after, "
            "with the temperature of the other people; over voxels near the labelled spine whose class is known and to "
            "which the committee gives at least 1 %. Voxels that annotators left open, which are those at disputed "
            "borders, are not among them."
        ),
        Table(
            ("structure", "people", "temperature", "error before", "after"),
            [
                [
                    _NOUN[s["structure"]],
                    str(s["subjects"]),
                    cell(s["temperature"]),
                    cell(s["before"], 4),
                    cell(s["after"], 4),
                ]
                for s in studies
            ],
        ),
        Figure(_RELIABILITY, "Reliability: how often a voxel belongs to a structure, against its probability"),
    )


def write_card_part(calibration: Calibration, folder: Path) -> Path:
    """Write ``CALIBRATION.md`` with its two figures into a model folder."""
    path = folder / CARD_PART
    path.write_text(failure_document(calibration, folder).markdown(), encoding="utf-8")
    return path


def refresh_card(folder: Path) -> bool:
    """Put ``CALIBRATION.md`` into the model's ``CARD.md``, in the place of an earlier one or before its appendices.

    Returns
    -------
    bool
        False where there is no card yet.
    """
    card = folder / "CARD.md"
    if not card.is_file():
        return False
    part = (folder / CARD_PART).read_text(encoding="utf-8").strip()
    text = card.read_text(encoding="utf-8")
    old = re.search(rf"^## {HEADING}$.*?(?=^## |^### Each volume|\Z)", text, re.MULTILINE | re.DOTALL)
    if old:
        text = text[: old.start()] + part + "\n\n" + text[old.end() :]
    else:
        rest = re.search(r"^## Learning curves|^### Each volume", text, re.MULTILINE)
        at = rest.start() if rest else len(text)
        text = text[:at].rstrip() + "\n\n" + part + "\n\n" + text[at:]
    card.write_text(text.rstrip() + "\n", encoding="utf-8")
    return True
