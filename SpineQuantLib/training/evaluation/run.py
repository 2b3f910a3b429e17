"""Evaluate a model on labelled volumes: predict, compare, tabulate, draw."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from ... import __version__
from ...case.errors import InputError, OutputError
from ...models.committee import load_committee
from ...models.store import ModelCard
from ..collect import LabelledVolume, check_volumes, read_index
from .card import evaluation_text, write_card
from .measures import measure_references, pair_committee, pair_raters
from .pictures import draw_case
from .predict import PredictionStore
from .reference import read_references, reference_spine
from .robustness import robustness_table, score_robustness
from .score import COMMITTEE, score_masks, score_names, score_raters
from .tables import ALL, consensus_table, mask_table, measure_table, name_table, pair_frame, score_frame

__all__ = ["Evaluation", "evaluate_index", "evaluate_model"]

log = logging.getLogger(__name__)

SPLITS = ("validation", "train", "all")


@dataclass(frozen=True)
class Evaluation:
    """Everything that was found, as tables.

    Attributes
    ----------
    model : ModelCard
        What was evaluated.
    volumes, subjects : int
        How many the committee was scored on.
    scores, pairs, outcomes : pandas.DataFrame
        One row a score, a measured pair, a volume's names.
    masks, measurements, consensus, names : pandas.DataFrame
        The tables that summarise them.
    robustness : pandas.DataFrame or None
        None where it was not asked for.
    """

    model: ModelCard
    volumes: int
    subjects: int
    scores: pd.DataFrame
    pairs: pd.DataFrame
    outcomes: pd.DataFrame
    masks: pd.DataFrame
    measurements: pd.DataFrame
    consensus: pd.DataFrame
    names: pd.DataFrame
    robustness: pd.DataFrame | None = None

    def summary(self, *, brief: bool = False) -> dict[str, object]:
        """JSON form of the summarising tables; rows leave out what is not defined.

        Where it is to be ``brief``, errors of measurements are those of all levels together.
        """
        errors = self.measurements
        if brief:
            errors = errors[errors["level"] == ALL]
        tables = {"masks": self.masks, "measurements": errors, "consensus": self.consensus, "names": self.names}
        if self.robustness is not None:
            tables["robustness"] = self.robustness
        rows = {name: _rows(table) for name, table in tables.items()}
        return {"software": __version__, "volumes": self.volumes, "subjects": self.subjects, **rows}


def _rows(table: pd.DataFrame) -> list[dict[str, object]]:
    """Rows of a table without their empty cells, of which single annotations have more than others."""
    records = json.loads(table.to_json(orient="records", double_precision=4))
    return [{name: value for name, value in row.items() if value is not None} for row in records]


def evaluate_index(
    model: str,
    index: Path,
    output: Path,
    *,
    split: str = "validation",
    device: str = "auto",
    robustness: int = 0,
    card: bool = False,
) -> Evaluation:
    """Evaluate a model on an index of labelled volumes and write tables and pictures.

    Parameters
    ----------
    model : str
        Name of a shipped model or path of a model folder.
    index : Path
        See :func:`~SpineQuantLib.training.collect.read_index`.
    output : Path
        Folder; what it holds already of the same weights is used again.
    split : str
        ``validation``, ``train`` or ``all``.
    device : str
        As for :func:`~SpineQuantLib.models.committee.load_committee`.
    robustness : int
        Volumes that are degraded; 0 for none.
    card : bool
        Also write ``CARD.md`` and the summary in ``card.json`` of the model folder.

    Raises
    ------
    InputError
        If the index or the labels of a volume cannot be used, or it has no volume of that set.
    OutputError
        If the results cannot be written.
    """
    if split not in SPLITS:
        raise InputError(f"there is no set '{split}'; choose one of {', '.join(SPLITS)}")
    try:
        volumes = read_index(index)
    except (OSError, ValueError) as error:
        raise InputError(f"the index of labelled volumes cannot be used: {error}") from error
    chosen = [v for v in volumes if split in ("all", v.split)]
    if not chosen:
        raise InputError(f"{index} has no volume of the set '{split}'")
    return evaluate_model(model, chosen, output, everyone=volumes, device=device, robustness=robustness, card=card)


def evaluate_model(
    model: str,
    volumes: Sequence[LabelledVolume],
    output: Path,
    *,
    everyone: Sequence[LabelledVolume] = (),
    device: str = "auto",
    robustness: int = 0,
    card: bool = False,
) -> Evaluation:
    """Evaluate a model on labelled volumes; see :func:`evaluate_index`.

    Parameters
    ----------
    volumes : sequence of LabelledVolume
        The committee is scored on these.
    everyone : sequence of LabelledVolume
        Raters are compared with each other on these; their agreement does not depend on who was trained on.

    Raises
    ------
    InputError
        If the labels of a volume cannot be used.
    OutputError
        If the results cannot be written.
    """
    check_volumes(dict.fromkeys((*volumes, *_rated_twice(everyone or volumes))))
    committee = load_committee(model, device)
    try:
        output.mkdir(parents=True, exist_ok=True)
        store = PredictionStore(committee, output / "predictions")
        found = _score(volumes, store)
        _add_raters(everyone or volumes, found)
        fallen = None
        if robustness:
            fallen = robustness_table(score_robustness(_for_robustness(volumes, robustness), store))
        scores, pairs = score_frame(found.scores), pair_frame(found.pairs)
        outcomes = pd.DataFrame([asdict(n) for n in found.names])
        subjects = len({v.subject for v in volumes})
        tables = (mask_table(scores), measure_table(pairs), consensus_table(pairs), name_table(found.names))
        result = Evaluation(committee.card, len(volumes), subjects, scores, pairs, outcomes, *tables, fallen)
        _draw(volumes, store, scores, output / "pictures")
        _write(result, output)
        if card:
            write_card(committee.card.folder, result)
    except OSError as error:
        raise OutputError(f"the evaluation cannot be written to {output}: {error}") from error
    return result


class _Found:
    """What accumulates while volumes are scored."""

    def __init__(self) -> None:
        self.scores: list = []
        self.pairs: list = []
        self.names: list = []


def _score(volumes: Sequence[LabelledVolume], store: PredictionStore) -> _Found:
    out = _Found()
    for n, volume in enumerate(volumes):
        prediction = store.get(volume.id, volume.image)
        references = read_references(volume)
        truth = reference_spine(references[0], references[1] if len(references) > 1 else None)
        out.scores += score_masks(volume, prediction, references)
        out.names.append(score_names(volume, prediction, references, truth))
        out.pairs += pair_committee(volume, prediction, references, measure_references(references))
        log.info("%s: %d of %d", volume.id, n + 1, len(volumes))
    return out


def _rated_twice(volumes: Sequence[LabelledVolume]) -> list[LabelledVolume]:
    return [v for v in volumes if len(v.annotations) > 1]


def _add_raters(volumes: Sequence[LabelledVolume], found: _Found) -> None:
    for volume in _rated_twice(volumes):
        references = read_references(volume)
        found.scores += score_raters(volume, references)
        found.pairs += pair_raters(volume, measure_references(references))


def _for_robustness(volumes: Sequence[LabelledVolume], count: int) -> list[LabelledVolume]:
    """Some volumes, those with a drawn sac first and the contrasts in turn."""
    queues: dict[str, list[LabelledVolume]] = {}
    for volume in sorted(volumes, key=lambda v: not (v.annotations or v.complete)):
        queues.setdefault(volume.contrast, []).append(volume)
    out: list[LabelledVolume] = []
    while len(out) < count and any(queues.values()):
        out += [queue.pop(0) for queue in queues.values() if queue]
    return out[:count]


def _ranked(scores: pd.DataFrame) -> pd.Series:
    """How much better than the structure's mean a volume is, by (source, id), worst first."""
    whole = scores[(scores["judged"] == COMMITTEE) & (scores["level"] == "")]
    relative = whole["dice"] - whole.groupby("structure")["dice"].transform("mean")
    return relative.groupby([whole["source"], whole["id"]]).mean().sort_values()


def _draw(volumes: Sequence[LabelledVolume], store: PredictionStore, scores: pd.DataFrame, folder: Path) -> None:
    """The worst, the median and the best volume of each set."""
    folder.mkdir(exist_ok=True)
    by_id = {v.id: v for v in volumes}
    for source, part in _ranked(scores).groupby(level="source"):
        ids = part.index.get_level_values("id").tolist()
        for place, n in {"worst": 0, "best": len(ids) - 1, "median": len(ids) // 2}.items():
            if (place == "best" and n == 0) or (place == "median" and n in (0, len(ids) - 1)):
                continue
            volume = by_id[ids[n]]
            references = read_references(volume)
            truth = reference_spine(references[0], references[1] if len(references) > 1 else None)
            stem = "_".join(w for w in (str(source), place, volume.id) if w)
            words = f"{volume.id}, {volume.contrast}: {f'{place} of {len(ids)}' if len(ids) > 1 else 'the only one'}"
            draw_case(volume, store.get(volume.id, volume.image), truth, folder, stem, words)


def _write(result: Evaluation, output: Path) -> None:
    tables = {
        "masks": result.masks,
        "masks_each": result.scores,
        "measurements": result.measurements,
        "measurements_each": result.pairs,
        "consensus": result.consensus,
        "names": result.names,
        "names_each": result.outcomes,
        "robustness": result.robustness,
    }
    for name, table in tables.items():
        if table is not None:
            table.round(4).to_csv(output / f"{name}.csv", index=False)
    info = result.model.info
    record = {"model": {"name": info.name, "version": info.version, "sha256": info.sha256}, **result.summary()}
    (output / "evaluation.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    head = f"# {info.name} {info.version} on {result.volumes} volumes\n\n"
    (output / "EVALUATION.md").write_text(head + evaluation_text(result) + "\n", encoding="utf-8")
