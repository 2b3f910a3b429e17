"""The ensemble study for people: numbers, plots, and the mathematics behind them."""

from __future__ import annotations

import math
from pathlib import Path

from .document import Document, Figure, Heading, Table, Text, cell
from .ensemble import LOSSES, EnsembleStudy, WeightedHalf
from .plots import bars, lines

__all__ = ["ensemble_document", "write_report"]

_JENSEN = (
    "Members m = 1…M give a voxel the class probabilities p_m; with convex weights (w_m ≥ 0, Σ w_m = 1) the committee "
    "gives p̄ = Σ w_m p_m. A loss ℓ(p, y) that is convex in p obeys Jensen's inequality, ℓ(p̄, y) ≤ Σ w_m ℓ(p_m, y), on "
    "every voxel and so on every case, whatever the truth: the committee is never worse than its members on average. "
    "Cross-entropy −ln p_y and the Brier score ‖p − y‖² are convex. For the Brier score the gap is known exactly: "
    "Σ w_m ‖p_m − y‖² − ‖p̄ − y‖² = Σ w_m ‖p_m − p̄‖², the members' variance (expand the squares about p̄; the mixed "
    "terms cancel). That says nothing of the best member, which may beat the committee."
)
_BOUNDS = (
    "Weights fitted on one half of the people are there at least as good as the best single member, since each member "
    "is a corner of the simplex that is searched. For new people that is a hope, which the other half bounds: with n "
    "independent people and a loss within an interval of width R, the true mean is, with confidence 1 − δ, at most the "
    "sample's mean plus R √(ln(1/δ) / 2n) (Hoeffding), or plus √(2 V ln(2/δ) / n) + 7 R ln(2/δ) / (3 (n − 1)) with the "
    "sample's variance V (empirical Bernstein, Maurer & Pontil 2009). R is 2 for the Brier score and 16.1 for the "
    "cross-entropy, whose probabilities are cut at 10⁻⁷. With few people such bounds are wide; they are shown as they "
    "are."
)
_DICE = (
    "For the Dice of hard masks there is no such theorem. The mask is the argmax of p̄, which jumps, and Dice is a "
    "ratio in which all voxels are tied together: it is neither convex nor concave in the members' probabilities. "
    "Three members that each find a different third of an object with p = 0.6 and give the rest 0.3 have Dice ½ each; "
    "their mean is 0.4 everywhere, so that the committee finds nothing: Dice 0. What can be offered is a bound on "
    "the mean gain from people who had no part in the choice: the committee with equal weights against the single "
    "member that was best on the other half."
)


def ensemble_document(study: EnsembleStudy, folder: Path) -> Document:
    """The report; its figures are written into ``folder``."""
    document = Document("What the committee gains")
    document.add(Heading("What the committee gains", 1))
    _guaranteed(document, study)
    _weights(document, study)
    _dice(document, study)
    _size(document, study, folder)
    return document


def _guaranteed(document: Document, study: EnsembleStudy) -> None:
    cases = study.cases
    ok = bool((cases["gap_brier"] >= -1e-12).all() and (cases["gap_cross_entropy"] >= -1e-6).all())
    document.add(
        Heading("What is guaranteed"),
        Text(_JENSEN),
        Text(
            f"On {len(cases)} volumes, over the voxels near the labelled spine whose class is known: the gap is "
            f"{'never negative' if ok else 'NEGATIVE in places, which cannot be: please report it'}, and the Brier gap "
            f"equals the variance within {cases['rounding'].max():.1e} (double precision: 2.2e-16)."
        ),
        Table(
            (
                "volume",
                "Brier: members' mean",
                "best member",
                "committee",
                "gap",
                "variance",
                "CE: members",
                "committee",
                "gap",
            ),
            [
                [
                    row["case"],
                    *(
                        cell(row[k], 5)
                        for k in ("members_brier", "best_brier", "committee_brier", "gap_brier", "variance")
                    ),
                    *(
                        cell(row[k], 5)
                        for k in ("members_cross_entropy", "committee_cross_entropy", "gap_cross_entropy")
                    ),
                ]
                for row in cases.to_dict("records")
            ],
        ),
    )


def _weights(document: Document, study: EnsembleStudy) -> None:
    percent = f"{100 * study.confidence:.0f} %"
    document.add(
        Heading("Weights fitted on one half, bounded on the other"),
        Text(_BOUNDS),
        Table(
            (
                "loss",
                "weights",
                "fitting half: best member",
                "equal",
                "fitted",
                "other half: best member",
                "equal",
                "fitted",
                "people",
                f"upper bound, Hoeffding ({percent})",
                "empirical Bernstein",
            ),
            [_weight_row(half) for half in study.halves],
        ),
    )


def _weight_row(half: WeightedHalf) -> list[str]:
    weights = " ".join(f"{w:.2f}" for w in half.weights)
    return [
        half.loss,
        weights,
        *(cell(half.fitted[k], 5) for k in ("best", "equal", "fitted")),
        *(cell(half.held_out[k], 5) for k in ("best", "equal", "fitted")),
        str(half.people),
        *(
            _bound(half.upper.get(name), half.upper.get(name, math.inf) < LOSSES[half.loss][1])
            for name in ("Hoeffding", "empirical Bernstein")
        ),
    ]


def _bound(value: float | None, says: bool) -> str:
    """A bound, or that it lies beyond what the loss can be at all."""
    return f"{value:.3f}" if value is not None and says else "says nothing (too few people)"


def _dice(document: Document, study: EnsembleStudy) -> None:
    document.add(
        Heading("Dice: a held-out bound only"),
        Text(_DICE),
        Table(
            (
                "structure",
                "people",
                "committee",
                "best member of the other half",
                "gain",
                f"at least (Hoeffding, {100 * study.confidence:.0f} %)",
                "at least (empirical Bernstein)",
            ),
            [
                [
                    row["structure"],
                    str(row["people"]),
                    *(cell(row[k], 4) for k in ("committee", "best_member", "gain")),
                    *(_bound(row[k], row[k] > -1) for k in ("hoeffding", "bernstein")),
                ]
                for row in study.dice.to_dict("records")
            ],
        ),
    )


def _size(document: Document, study: EnsembleStudy, folder: Path) -> None:
    size, every = study.by_size, study.by_subset
    lines(
        {"Brier score": (size["size"], size["brier"])},
        ("number of members", "mean over all subsets"),
        folder / "ensemble-size.png",
    )
    several = every[every["size"] > 1]
    lines(
        {f"{n} members": (own["diversity"].tolist(), own["dice_gain"].tolist()) for n, own in several.groupby("size")},
        ("diversity: members' variance", "gain in Dice over the members' mean"),
        folder / "ensemble-diversity.png",
        joined=False,
    )
    singles = every[every["size"] == 1]
    values = {f"member {n}": float(v) for n, v in zip(singles["members"], singles["brier"], strict=True)}
    values["committee"] = float(every.iloc[-1]["brier"])
    bars(values, "mean Brier score (less is better)", folder / "ensemble-members.png", "committee")
    document.add(
        Heading("Number and diversity of members"),
        Figure("ensemble-members.png", "Each member alone, and the committee"),
        Table(
            ("members", "Brier", "cross-entropy", "Dice", "diversity"),
            [
                [
                    str(int(row["size"])),
                    cell(row["brier"], 5),
                    cell(row["cross_entropy"], 5),
                    cell(row["dice"], 4),
                    cell(row["diversity"], 5),
                ]
                for row in size.to_dict("records")
            ],
        ),
        Figure("ensemble-size.png", "More members: mean over all subsets of each size"),
        Text(
            "With equal weights and members that are alike in quality and in how they differ, the variance of M "
            "members is (1 − 1/M) of that of infinitely many: the first few bring most of the gain. For the Brier "
            "score the gain is the diversity itself; for Dice it need not follow it."
        ),
        Figure("ensemble-diversity.png", "Gain in Dice of each subset against the diversity of its members"),
    )


def write_report(study: EnsembleStudy, folder: Path) -> Path:
    """Write ``ensemble.html``, ``ensemble.md``, the figures and the tables as CSV."""
    study.cases.to_csv(folder / "ensemble-cases.csv", index=False)
    study.by_subset.to_csv(folder / "ensemble-subsets.csv", index=False)
    return ensemble_document(study, folder).write(folder, "ensemble")
