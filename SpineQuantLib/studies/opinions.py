"""Opinions kept on disk, so that an interrupted study goes on where it was and its analysis can be repeated."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..anatomy.structures import NetworkClass
from ..case.grid import Grid
from ..case.opinion import CommitteeOpinion
from ..case.view import whole_view
from ..models.committee import Committee
from ..segment.second_look import look
from ..training.partial import bit
from .sample import Sample

__all__ = ["KnownVoxels", "load_opinion", "opinion_of", "read_voxels"]

_SURE = 0.9995
_NEAR = 6.0
"""Millimetres around what is labelled in which voxels are kept for losses and reliability."""


@dataclass(frozen=True)
class KnownVoxels:
    """Members' probabilities where the class of a voxel is known, near what is labelled.

    Attributes
    ----------
    probabilities : np.ndarray
        float16 (members, classes, n).
    classes : np.ndarray
        uint8 (n,): the true class.
    """

    probabilities: np.ndarray
    classes: np.ndarray


def opinion_of(committee: Committee, sample: Sample, path: Path, voxels: Path | None = None) -> CommitteeOpinion:
    """The committee's opinion of a sample, from disk if it was asked before.

    Parameters
    ----------
    committee : Committee
        The networks.
    sample : Sample
        What they are shown.
    path : Path
        ``.npz`` to read or write.
    voxels : Path, optional
        ``.npz`` for the members' probabilities where the truth is known.
    """
    if not _is_current(path) or (voxels is not None and not voxels.is_file()):
        known = _known(sample) if voxels is not None else None
        kept: list[np.ndarray] = []

        def keep(_member: int, probabilities: np.ndarray) -> None:
            if known is not None:
                kept.append(probabilities[:, known].astype(np.float16))

        opinion = look(committee, sample.as_image, witness=keep)
        if voxels is not None and known is not None:
            target = sample.truths[0].target[known]
            classes = np.select([target == bit(c) for c in NetworkClass], list(NetworkClass)).astype(np.uint8)
            _save(voxels, probabilities=np.stack(kept), classes=classes)
        _store(opinion, path)
    # What was stored is what counts, so that a study does not depend on where it was interrupted.
    return load_opinion(path)


def _is_current(path: Path) -> bool:
    """Whether an opinion is kept there, and of a time when levels were looked at a second time."""
    if not path.is_file():
        return False
    with np.load(path, allow_pickle=False) as file:
        return "seen_again" in file


def _known(sample: Sample) -> np.ndarray:
    """bool (nk, nj, ni): voxels with one possible class in the box around what is labelled."""
    truth = sample.truths[0]
    labelled = np.isin(truth.target, [bit(c) for c in NetworkClass if c != NetworkClass.BACKGROUND])
    near = np.zeros(labelled.shape, bool)
    box = []
    for axis, spacing in enumerate(sample.grid.spacing):
        hit = np.flatnonzero(labelled.any(axis=tuple(a for a in range(3) if a != axis)))
        margin = int(np.ceil(_NEAR / spacing))
        box.append(slice(max(int(hit[0]) - margin, 0), int(hit[-1]) + 1 + margin) if len(hit) else slice(0, 0))
    near[tuple(box)] = True
    return near & np.isin(truth.target, [bit(c) for c in NetworkClass])


def read_voxels(path: Path) -> KnownVoxels:
    """Kept voxels of a volume."""
    with np.load(path, allow_pickle=False) as file:
        return KnownVoxels(file["probabilities"], file["classes"])


def _save(path: Path, **arrays: np.ndarray) -> None:
    """Write aside, then rename: an interruption leaves no half file."""
    part = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    np.savez(part, **arrays)
    part.replace(path)


def _store(opinion: CommitteeOpinion, path: Path) -> None:
    """Keep the box in which anything but background is thinkable."""
    unsure = (opinion.probabilities[0] < _SURE) | opinion.members.any(axis=0)
    box = []
    for axis in range(3):
        hit = np.flatnonzero(unsure.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append((int(hit[0]), int(hit[-1]) + 1) if len(hit) else (0, 0))
    part = (slice(None), *(slice(a, b) for a, b in box))
    entropy = np.zeros(opinion.grid.shape, np.float16) if opinion.member_entropy is None else opinion.member_entropy
    embedding = np.zeros(0, np.float32) if opinion.embedding is None else opinion.embedding
    _save(
        path,
        shape=np.array(opinion.grid.shape),
        matrix=np.array([opinion.grid.spacing, opinion.grid.origin, *opinion.grid.directions]),
        box=np.array(box),
        probabilities=opinion.probabilities[part],
        members=opinion.members[part],
        member_entropy=entropy[part[1:]],
        embedding=embedding,
        seen_again=np.array(opinion.seen_again, dtype=str),
        view=np.array(opinion.view or whole_view(opinion.grid.shape)),
    )


def load_opinion(path: Path) -> CommitteeOpinion:
    """An opinion from disk; outside of the stored box all is background."""
    with np.load(path, allow_pickle=False) as file:
        spacing, origin, *directions = (tuple(row) for row in file["matrix"].tolist())
        nk, nj, ni = file["shape"].tolist()
        grid = Grid((nk, nj, ni), spacing, origin, tuple(directions))
        box = tuple(slice(int(a), int(b)) for a, b in file["box"])
        probabilities = np.zeros((len(NetworkClass), *grid.shape), np.float16)
        probabilities[0] = 1.0
        probabilities[(slice(None), *box)] = file["probabilities"]
        members = np.zeros((len(file["members"]), *grid.shape), np.uint8)
        members[(slice(None), *box)] = file["members"]
        entropy = np.zeros(grid.shape, np.float16)
        entropy[box] = file["member_entropy"]
        embedding = file["embedding"]
        again = tuple(file["seen_again"].tolist()) if "seen_again" in file else ()
        # Opinions of earlier versions took the whole array for the view.
        view = tuple(map(tuple, file["view"].tolist())) if "view" in file else None
    return CommitteeOpinion(grid, probabilities, members, entropy, embedding if embedding.size else None, again, view)
