"""Annotations that a committee proposes, a person looks at, and training then uses.

What the members agree about is drawn, what they differ about stays open, and an object that they dispute as a whole
is left open altogether. A proposal counts only after somebody has looked at its picture and accepted it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
from matplotlib.figure import Figure

from ..anatomy.labels import CANAL_VALUE, foramen_value
from ..anatomy.structures import NetworkClass, Side, Structure
from ..case.errors import InputError, OutputError, UnsuitableError
from ..case.grid import from_reading_order, to_reading_order
from ..case.opinion import CommitteeOpinion, Score
from ..case.spine import NamedSpine
from ..models.committee import Committee
from ..segment.second_look import look
from ..segment.spine import name_spine
from ..uncertainty.assess import assess
from .collect import LabelledVolume
from .label_check import OPEN_VALUE, annotation_problem

__all__ = ["Proposal", "accept_proposals", "grow_annotation", "propose", "propose_all"]

log = logging.getLogger(__name__)

_SURE = 0.8
_ENOUGH = {Structure.CANAL: 0.80, Structure.FORAMEN: 0.65}
"""Mean Dice between members from which an object is drawn: a little under what people agree on."""
_GROWN = {Structure.CANAL: NetworkClass.CANAL, Structure.FORAMEN: NetworkClass.FORAMEN}


@dataclass(frozen=True)
class Proposal:
    """What was proposed for one object of a volume.

    Attributes
    ----------
    id : str
        The volume.
    object : str
        ``canal``, or side and level of a foramen.
    agreement : float
        Mean Dice between the members.
    drawn : bool
        Whether it was drawn, or left open because the members dispute it.
    """

    id: str
    object: str
    agreement: float
    drawn: bool


def grow_annotation(opinion: CommitteeOpinion, spine: NamedSpine, scores: tuple[Score, ...]) -> np.ndarray:
    """Sac and foramina as far as the committee is sure of them.

    Parameters
    ----------
    opinion : CommitteeOpinion
        Of the volume.
    spine : NamedSpine
        What was made of it.
    scores : tuple of Score
        Agreement about its objects.

    Returns
    -------
    np.ndarray
        uint16 (nk, nj, ni) in reading order: label values where the object is drawn by the members together and its
        mean probability is at least 0.8; :data:`~SpineQuantLib.training.label_check.OPEN_VALUE` where any member or the
        mean sees sac or foramen otherwise; 0 elsewhere.
    """
    out = np.zeros(spine.labels.shape, np.uint16)
    for kind in _GROWN.values():
        out[(opinion.members == kind).any(axis=0) | (opinion.probabilities[kind] > np.float16(1 - _SURE))] = OPEN_VALUE
    for structure, kind in _GROWN.items():
        sure = (opinion.probabilities[kind] >= np.float16(_SURE)) & (opinion.members == kind).all(axis=0)
        for value, score in _objects(spine, scores, structure):
            if _drawn(score):
                own = spine.labels == value
                out[own & sure] = value
    return out


def _drawn(score: Score) -> bool:
    return score.mean_dice is not None and score.mean_dice >= _ENOUGH[score.structure]


def _objects(spine: NamedSpine, scores: tuple[Score, ...], structure: Structure) -> list[tuple[int, Score]]:
    """Label value and score of each object of a structure that is in the segmentation."""
    if structure is Structure.CANAL:
        return [(CANAL_VALUE, s) for s in scores if s.structure is structure and not s.level and spine.shows_canal]
    found = [(foramen_value(s.level.split("-")[0], s.side), s) for s in scores if s.structure is structure and s.level]
    return [(value, score) for value, score in found if spine.has(value)]


def propose(committee: Committee, volume: LabelledVolume, folder: Path) -> list[Proposal]:
    """Write a proposal for one volume as ``ID.nii.gz``, on the volume's own grid, and its picture ``ID.png``.

    Parameters
    ----------
    committee : Committee
        Who proposes.
    volume : LabelledVolume
        Of which sac and foramina are not drawn.
    folder : Path
        Where to write.

    Returns
    -------
    list of Proposal
        Each object seen.

    Raises
    ------
    UnsuitableError
        If no spine is found.
    OutputError
        If the files cannot be written.
    """
    native = sitk.ReadImage(str(volume.image))
    image = to_reading_order(sitk.Cast(native, sitk.sitkFloat32))
    opinion = look(committee, image)
    spine = name_spine(opinion)
    scores = assess(opinion, spine).scores
    annotation = grow_annotation(opinion, spine, scores)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        out = from_reading_order(opinion.grid.image(annotation), native)
        sitk.WriteImage(out, str(folder / f"{volume.id}.nii.gz"), useCompression=True)
        _draw(sitk.GetArrayFromImage(image), annotation, opinion.grid.spacing, folder / f"{volume.id}.png")
    except (OSError, RuntimeError) as error:
        raise OutputError(f"the proposal for {volume.id} could not be written to {folder}: {error}") from error
    return [
        Proposal(volume.id, _title(score), float(score.mean_dice or 0.0), _drawn(score))
        for structure in _GROWN
        for _, score in _objects(spine, scores, structure)
    ]


def propose_all(
    committee: Committee, volumes: Sequence[LabelledVolume], folder: Path, only: Collection[str] | None = None
) -> Path:
    """Propose for every training volume of which sac and foramina are not drawn; those done before are kept.

    Parameters
    ----------
    committee : Committee
        Who proposes.
    volumes : sequence of LabelledVolume
        An index; volumes of the validation set are left alone.
    folder : Path
        Where to write.
    only : collection of str, optional
        Ids of the volumes to look at.

    Returns
    -------
    pathlib.Path
        ``proposals.csv``: volume, object, agreement, and whether it was drawn or left open.

    Raises
    ------
    InputError
        If nothing is left to propose for, or an id of ``only`` is not among it.
    OutputError
        If the files cannot be written.
    """
    open_volumes = [v for v in volumes if v.split == "train" and not v.complete and not v.taught]
    unknown = sorted(set(only or ()) - {v.id for v in open_volumes})
    if unknown:
        raise InputError(f"not among the training volumes without annotations: {', '.join(unknown)}")
    wanted = [v for v in open_volumes if only is None or v.id in only]
    if not wanted:
        raise InputError("every training volume of the index has annotations already; there is nothing to propose")
    table = folder / "proposals.csv"
    rows = pd.read_csv(table).to_dict("records") if table.exists() else []
    done = {row["id"] for row in rows}
    for volume in wanted:
        if volume.id in done:
            continue
        try:
            rows += [asdict(p) for p in propose(committee, volume, folder)]
        except UnsuitableError as error:
            log.warning("%s: nothing proposed, %s", volume.id, error)
            continue
        pd.DataFrame(rows).to_csv(table, index=False)
    return table


def accept_proposals(index: Path, folder: Path, accepted: Path) -> list[str]:
    """Write an index in which the proposals that are still in a folder are trained on, in the column ``grown``.

    Parameters
    ----------
    index : Path
        The index that was proposed for.
    folder : Path
        Proposals ``ID.nii.gz``; a person has deleted or corrected those that were wrong.
    accepted : Path
        CSV to write.

    Returns
    -------
    list of str
        Ids of the volumes with a proposal.

    Raises
    ------
    InputError
        If the folder holds no proposal for a volume of the index, or one that cannot be trained on.
    """
    table = pd.read_csv(index, dtype=str, keep_default_na=False)
    for column in ("annotations", "grown"):
        if column not in table:
            table[column] = ""
    here = accepted.resolve().parent
    for column in ("image", "labels"):
        table[column] = [_moved(index, path, here) for path in table[column]]
    for column in ("annotations", "grown"):
        table[column] = [
            ";".join(_moved(index, path, here) for path in cell.split(";") if path) for cell in table[column]
        ]
    found = []
    for row, name in zip(table.index, table["id"], strict=True):
        proposal = folder / f"{name}.nii.gz"
        taught = table.at[row, "annotations"] or table.at[row, "grown"]
        if proposal.exists() and not taught and table.at[row, "split"] == "train":
            if problem := annotation_problem(sitk.GetArrayFromImage(sitk.ReadImage(str(proposal)))):
                raise InputError(f"the proposal {proposal} cannot be used: {problem}")
            table.at[row, "grown"] = os.path.relpath(proposal.resolve(), here)
            found.append(str(name))
    if not found:
        raise InputError(f"{folder} holds no proposal for a volume of {index.name}")
    table.to_csv(accepted, index=False)
    return found


def _moved(index: Path, path: str, here: Path) -> str:
    """A path of an index as seen from another folder."""
    return path if Path(path).is_absolute() else os.path.relpath((index.resolve().parent / path), here)


def _title(score: Score) -> str:
    side = {Side.RIGHT: "right ", Side.LEFT: "left ", None: ""}[score.side]
    return f"{side}foramen {score.level}" if score.structure is Structure.FORAMEN else "canal"


def _draw(image: np.ndarray, annotation: np.ndarray, spacing: tuple[float, float, float], path: Path) -> None:
    """All sagittal slices with anything drawn: sac blue, foramina orange, what is open dotted."""
    shown = (annotation > 0) & (annotation != OPEN_VALUE)
    shown = shown if shown.any() else annotation > 0
    hit = np.argwhere(shown if shown.any() else np.ones_like(shown))
    low, high = np.maximum(hit.min(axis=0) - 15, 0), np.minimum(hit.max(axis=0) + 16, image.shape)
    slices = sorted(set(hit[:, 0].tolist()))
    columns = min(len(slices), 8)
    rows = -(-len(slices) // columns)
    figure = Figure(figsize=(2.2 * columns, 2.2 * rows * (high[1] - low[1]) / (high[2] - low[2])), layout="tight")
    box = (slice(low[1], high[1]), slice(low[2], high[2]))
    white = float(np.percentile(image, 99.5))
    for n, k in enumerate(slices):
        axes = figure.add_subplot(rows, columns, n + 1)
        axes.imshow(image[k][box], cmap="gray", vmax=white, aspect=spacing[1] / spacing[2])
        axes.set_title(f"slice {k}", fontsize=7)
        axes.set_axis_off()
        here = annotation[k][box]
        for mask, colour, style in (
            (here == CANAL_VALUE, "#56b4e9", "solid"),
            ((here > 0) & (here != CANAL_VALUE) & (here != OPEN_VALUE), "#e69f00", "solid"),
            (here == OPEN_VALUE, "#cc79a7", "dotted"),
        ):
            if mask.any():
                axes.contour(mask, [0.5], colors=[colour], linestyles=style, linewidths=0.7)
    figure.savefig(path, dpi=110)
