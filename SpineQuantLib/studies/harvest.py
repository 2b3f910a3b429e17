"""All volumes of a study, as they are and made worse, examined by two processes; can be interrupted and called again.

Everything is kept in a folder for these weights: opinions, known voxels, records. What is there already is not done
again.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..case.errors import InputError
from ..models.committee import Committee, load_committee
from ..segment.inference import embed_volume
from ..training.collect import LabelledVolume
from ..training.committee import phantom_spec
from ..training.phantom import make_phantom
from .degrade import FAMILIES, Degradation, degradation
from .degrade.families import FOREIGN
from .examine import CaseRecord, examine
from .sample import Sample, read_image, read_sample, sample_of_phantom

__all__ = ["Harvest", "HarvestConfig", "harvest"]

log = logging.getLogger(__name__)

_FIRST_PHANTOM = 9000
"""Seed of the first phantom; those of training count from 0."""
_ROOM_ABOVE, _ROOM_BELOW, _ROOM_FRONT, _ROOM_BEHIND = 15.0, 70.0, 35.0, 45.0
"""Millimetres kept around the labels of a volume that is made worse, to spare time."""


@dataclass(frozen=True)
class HarvestConfig:
    """What is examined.

    Attributes
    ----------
    model : str
        Name or folder of the model.
    volumes : tuple of LabelledVolume
        Of subjects that were not trained on.
    training : tuple of LabelledVolume
        Those trained on; only their embeddings are taken.
    work : Path
        Folder for what is kept.
    phantoms : int
        How many phantoms are added.
    each : int
        Degradations of each real volume; chosen so that over the volumes every step has its turn.
    jobs : int
        Processes, of one thread each.
    device : str
        As for :func:`~SpineQuantLib.models.committee.load_committee`.
    minutes : float or None
        After so many minutes no further degradation is begun.
    """

    model: str
    volumes: tuple[LabelledVolume, ...]
    training: tuple[LabelledVolume, ...]
    work: Path
    phantoms: int = 4
    each: int = 5
    jobs: int = 2
    device: str = "cpu"
    minutes: float | None = None


@dataclass(frozen=True)
class Harvest:
    """What was found.

    Attributes
    ----------
    records : tuple of CaseRecord
        Clean volumes and degraded ones.
    voxels : dict of str to Path
        Known voxels of each clean volume.
    embeddings : dict of str to numpy.ndarray
        Of the training volumes.
    skipped : int
        Degradations for which there was no time.
    """

    records: tuple[CaseRecord, ...]
    voxels: dict[str, Path]
    embeddings: dict[str, np.ndarray]
    skipped: int = 0


@dataclass(frozen=True)
class _Task:
    """One volume with its degradations, or some training volumes to embed."""

    volume: LabelledVolume | int | None
    degradations: tuple[str, ...] = ()
    embed: tuple[LabelledVolume, ...] = ()


_committee: Committee | None = None


def _start(model: str, device: str) -> None:
    """Load the committee once for a process."""
    global _committee
    torch.set_num_threads(1)
    logging.getLogger("SpineQuantLib").setLevel(logging.ERROR)
    _committee = load_committee(model, device)


def _sample(volume: LabelledVolume | int, committee: Committee) -> Sample:
    if isinstance(volume, LabelledVolume):
        return read_sample(volume)
    return sample_of_phantom(make_phantom(phantom_spec(volume, committee.network)), f"phantom-{volume}")


def _around(sample: Sample) -> Sample:
    """The part of a volume around its labels."""
    if sample.labels is None:
        return sample
    box: list[slice] = [slice(None)]
    rooms = ((1, _ROOM_ABOVE, _ROOM_BELOW), (2, _ROOM_FRONT, _ROOM_BEHIND))
    for axis, before, after in rooms:
        hit = np.flatnonzero(sample.labels.any(axis=tuple(a for a in range(3) if a != axis)))
        step = sample.grid.spacing[axis]
        box.append(slice(max(int(hit[0] - before / step), 0), int(hit[-1] + 1 + after / step)))
    return sample.crop((box[0], box[1], box[2]))


def _work(task: _Task, work: Path, deadline: float | None) -> tuple[list[str], int]:
    """Do a task; the keys of its records, and how many degradations were left out."""
    if _committee is None:
        raise RuntimeError("the process was not started with a committee")
    if task.volume is None:
        _embed(task.embed, work, _committee)
        return [], 0
    name = task.volume.id if isinstance(task.volume, LabelledVolume) else f"phantom-{task.volume}"
    steps: list[Degradation | None] = [None, *(_by_key(key) for key in task.degradations)]
    keys = [name if step is None else f"{name}__{step.key}" for step in steps]
    if all((work / "records" / f"{key}.json").is_file() for key in keys):
        return keys, 0
    sample, done, skipped = _sample(task.volume, _committee), [], 0
    for step, key in zip(steps, keys, strict=True):
        path = work / "records" / f"{key}.json"
        if not path.is_file():
            if step is not None and deadline is not None and time.time() > deadline:
                skipped += 1
                continue
            _one(sample, step, key, work, _committee).write(path)
        done.append(key)
    return done, skipped


def _one(sample: Sample, step: Degradation | None, key: str, work: Path, committee: Committee) -> CaseRecord:
    record = CaseRecord(sample.id, sample.subject, sample.contrast, sample.kind)
    voxels = None
    if step is None:
        voxels = work / "voxels" / f"{key}.npz"
    else:
        record.family, record.grade, record.words = step.family, step.grade, step.words
        changed = step.apply(sample if step.family == FOREIGN else _around(sample), sum(map(ord, sample.id)))
        sample = replace(changed, whole=step.family == FOREIGN)
    return examine(committee, sample, record, work / "opinions" / f"{key}.npz", voxels)


def _by_key(key: str) -> Degradation:
    return degradation(key)


def _embed(volumes: Sequence[LabelledVolume], work: Path, committee: Committee) -> None:
    for volume in volumes:
        path = work / "embeddings" / f"{volume.id}.npy"
        if not path.is_file():
            vector = embed_volume(committee, read_image(volume))
            part = path.with_name(f".{volume.id}.npy")
            np.save(part, vector)
            part.replace(path)


def _tasks(config: HarvestConfig) -> Iterator[_Task]:
    """Every volume with its share of the degradations, in an order in which every step has its turn."""
    steps = [d.key for steps in FAMILIES.values() for d in steps]
    # Ten has no divisor in common with the number of steps, so the wheel meets every one.
    wheel = itertools.cycle(steps[(10 * n) % len(steps)] for n in range(len(steps)))
    everything: list[LabelledVolume | int] = [*config.volumes, *range(_FIRST_PHANTOM, _FIRST_PHANTOM + config.phantoms)]
    for volume in everything:
        yield _Task(volume, tuple(itertools.islice(wheel, config.each)))
    for start in range(0, len(config.training), 10):
        yield _Task(None, embed=config.training[start : start + 10])


def harvest(config: HarvestConfig, progress: Callable[[int, int, str], None] | None = None) -> Harvest:
    """Examine everything.

    Parameters
    ----------
    config : HarvestConfig
        What is examined.
    progress : callable, optional
        Told (tasks done, of, last).

    Raises
    ------
    InputError
        If there is no volume to examine.
    """
    if not config.volumes and not config.phantoms:
        raise InputError("there is no volume to examine: the index has none of split 'validation'")
    for name in ("opinions", "voxels", "records", "embeddings"):
        (config.work / name).mkdir(parents=True, exist_ok=True)
    deadline = None if config.minutes is None else time.time() + 60 * config.minutes
    tasks, keys, skipped = list(_tasks(config)), [], 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        config.jobs, mp_context=context, initializer=_start, initargs=(config.model, config.device)
    ) as pool:
        running = {pool.submit(_work, task, config.work, deadline): task for task in tasks}
        try:
            for n, future in enumerate(as_completed(running), start=1):
                done, left = future.result()
                keys += done
                skipped += left
                if progress:
                    progress(n, len(tasks), done[0] if done else "training volumes")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    records = tuple(CaseRecord.read(config.work / "records" / f"{key}.json") for key in sorted(keys))
    voxels = {r.id: config.work / "voxels" / f"{r.id}.npz" for r in records if not r.family}
    embeddings = {v.id: np.load(config.work / "embeddings" / f"{v.id}.npy") for v in config.training}
    return Harvest(records, voxels, embeddings, skipped)
