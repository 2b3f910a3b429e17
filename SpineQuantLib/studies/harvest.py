"""All volumes of a study, as they are and made worse, examined by several processes.

Everything is kept in a folder for these weights: opinions, known voxels, records, embeddings. What is there already is
not done again, so that a study can be interrupted; unless a volume's files have changed since.
"""

from __future__ import annotations

import itertools
import json
import logging
import multiprocessing
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from ..anatomy.structures import Structure
from ..case.errors import InputError, UnsuitableError
from ..case.grid import Grid, to_reading_order
from ..images.detached import hash_volume
from ..images.read import read_volume
from ..models.committee import Committee, load_committee
from ..models.store import find_model
from ..segment.inference import embed_volume
from ..segment.spine import name_spine
from ..training.collect import LabelledVolume, check_volumes
from ..training.committee import phantom_spec
from ..training.digest import row_of, sources_of
from ..training.kept import Kept, drop_changed
from ..training.phantom import make_phantom
from ..uncertainty.assess import assess
from ..uncertainty.calibration import Calibration
from .degrade import FAMILIES, degradation
from .degrade.families import FOREIGN
from .examine import CaseRecord, examine
from .opinions import load_opinion, opinion_of
from .reliability import Reliability, study_reliability
from .sample import Sample, read_image, read_sample, sample_of_phantom

__all__ = ["CaseVerdict", "Harvest", "HarvestConfig", "ask_clean", "harvest", "verdicts_of"]

Progress = Callable[[str, int, int], None]
"""Told what is done, how much of it, and of how much."""

_FIRST_PHANTOM = 9000
"""Seed of the first phantom; those of training count from 0."""
_ROOM = {1: (15.0, 70.0), 2: (35.0, 45.0)}
"""Millimetres kept before and after the labels along j and i of a volume that is made worse, to spare time."""
_FOLDERS = ("opinions", "voxels", "records", "embeddings")


@dataclass(frozen=True)
class HarvestConfig:
    """What is examined.

    Attributes
    ----------
    model : str
        Name or folder of the model.
    volumes : tuple of LabelledVolume
        Of subjects that were not trained on.
    work : Path
        Folder for what is kept; the weights have a folder of their own in it.
    training : tuple of LabelledVolume
        Those trained on; only their embeddings are taken.
    foreign : tuple of Path
        Images of other body parts.
    phantoms : int
        How many phantoms are added.
    each : int
        Degradations of each volume; chosen so that over the volumes every step has its turn.
    jobs : int
        Processes, of one thread each; 0 does everything in this one.
    device : str
        As for :func:`~SpineQuantLib.models.committee.load_committee`.
    minutes : float or None
        After so many minutes no further degradation is begun.
    """

    model: str
    volumes: tuple[LabelledVolume, ...]
    work: Path
    training: tuple[LabelledVolume, ...] = ()
    foreign: tuple[Path, ...] = ()
    phantoms: int = 4
    each: int = 4
    jobs: int = 2
    device: str = "cpu"
    minutes: float | None = None

    @property
    def folder(self) -> Path:
        """Where what is kept for these weights lies."""
        return self.work / find_model(self.model).info.sha256[:12]

    @property
    def everything(self) -> tuple[LabelledVolume | int, ...]:
        """Volumes, then the seeds of phantoms."""
        return (*self.volumes, *range(_FIRST_PHANTOM, _FIRST_PHANTOM + self.phantoms))


@dataclass(frozen=True)
class Harvest:
    """What was found.

    Attributes
    ----------
    records : tuple of CaseRecord
        Clean volumes, degraded and foreign ones.
    reliability : tuple of Reliability
        Temperatures, and what they rest on.
    embeddings : dict of str to numpy.ndarray
        Of the training volumes.
    skipped : int
        Degradations for which there was no time.
    """

    records: tuple[CaseRecord, ...]
    reliability: tuple[Reliability, ...]
    embeddings: dict[str, np.ndarray]
    skipped: int = 0


@dataclass(frozen=True)
class CaseVerdict:
    """What a calibrated committee says of a whole case."""

    key: str
    verdict: str
    reasons: tuple[str, ...]
    distance: float | None


_committee: Committee | None = None


def _start(model: str, device: str) -> None:
    """Load the committee once for a process."""
    global _committee
    torch.set_num_threads(1)
    _committee = load_committee(model, device)


def _start_child(model: str, device: str) -> None:
    """The same in a process of its own, whose remarks on single volumes would run through the parent's progress."""
    logging.getLogger("SpineQuantLib").setLevel(logging.ERROR)
    _start(model, device)


def _loaded() -> Committee:
    if _committee is None:
        raise RuntimeError("the process was not started with a committee")
    return _committee


def _name(volume: LabelledVolume | int) -> str:
    return volume.id if isinstance(volume, LabelledVolume) else f"phantom-{volume}"


def _sample(volume: LabelledVolume | int) -> Sample:
    if isinstance(volume, LabelledVolume):
        return read_sample(volume)
    return sample_of_phantom(make_phantom(phantom_spec(volume, _loaded().network)), _name(volume))


def _ask(volume: LabelledVolume | int, folder: Path) -> None:
    """Opinion and known voxels of a clean volume."""
    name = _name(volume)
    opinion, voxels = folder / "opinions" / f"{name}.npz", folder / "voxels" / f"{name}.npz"
    if not (opinion.is_file() and voxels.is_file()):
        opinion_of(_loaded(), _sample(volume), opinion, voxels)


def _embed(volume: LabelledVolume, folder: Path) -> None:
    path = folder / "embeddings" / f"{volume.id}.npy"
    if not path.is_file():
        part = path.with_name(f".{volume.id}.npy")
        np.save(part, embed_volume(_loaded(), read_image(volume)))
        part.replace(path)


def _around(sample: Sample) -> Sample:
    """The part of a volume around its labels."""
    if sample.labels is None:
        return sample
    box = [slice(None)]
    for axis, (before, after) in _ROOM.items():
        hit = np.flatnonzero(sample.labels.any(axis=tuple(a for a in range(3) if a != axis)))
        step = sample.grid.spacing[axis]
        box.append(slice(max(int(hit[0] - before / step), 0), int(hit[-1] + 1 + after / step)))
    return sample.crop((box[0], box[1], box[2]))


def _examine(
    volume: LabelledVolume | int, keys: tuple[str, ...], folder: Path, calibration: Calibration, deadline: float | None
) -> int:
    """Records of a volume, clean (an empty key) and degraded; how many were left out for want of time."""
    skipped, sample = 0, None
    for key in keys:
        name = f"{_name(volume)}__{key}" if key else _name(volume)
        path = folder / "records" / f"{name}.json"
        if path.is_file():
            continue
        if key and deadline is not None and time.time() > deadline:
            skipped += 1
            continue
        sample = sample or _sample(volume)
        record = CaseRecord(sample.id, sample.subject, sample.contrast, sample.kind)
        shown = sample
        if key:
            step = degradation(key)
            record.family, record.grade, record.words = step.family, step.grade, step.words
            whole = step.family == FOREIGN
            # The seed follows from the name, so that every volume has its own noise, and always the same.
            shown = step.apply(sample if whole else _around(sample), sum(map(ord, sample.id)))
            shown = replace(shown, whole=whole)
        opinion = folder / "opinions" / f"{name}.npz"
        examine(_loaded(), shown, record, opinion, calibration).write(path)
    return skipped


def _foreign_record(path: Path) -> CaseRecord:
    name = path.name.split(".")[0]
    return CaseRecord(name, name, "", "real", FOREIGN, 0, path.name)


def _examine_foreign(path: Path, folder: Path, calibration: Calibration) -> None:
    """Record of an image of another body part."""
    record = _foreign_record(path)
    name = record.id
    target = folder / "records" / f"{record.key}.json"
    if not target.is_file():
        image = to_reading_order(sitk.Cast(read_volume(path).reading, sitk.sitkFloat32))
        sample = Sample(name, name, "", "real", Grid.of(image), sitk.GetArrayFromImage(image), ())
        examine(_loaded(), sample, record, folder / "opinions" / f"{record.key}.npz", calibration).write(target)


def _verdict(key: str, whole: bool, folder: Path, calibration: Calibration) -> CaseVerdict:
    """What the calibrated committee says of a kept opinion."""
    opinion = load_opinion(folder / "opinions" / f"{key}.npz")
    if not whole:
        opinion = replace(opinion, embedding=None)
    try:
        found = assess(opinion, name_spine(opinion), calibration=calibration)
    except UnsuitableError as error:
        return CaseVerdict(key, "refused", (str(error),), None)
    return CaseVerdict(key, found.verdict.value, found.reasons, found.distance)


def _run(config: HarvestConfig, what: str, tasks: Iterable[tuple], progress: Progress | None) -> list:
    """Results of (function, *arguments), in any order."""
    tasks = list(tasks)
    results = []
    if not config.jobs:
        _start(config.model, config.device)
        for n, (function, *arguments) in enumerate(tasks, start=1):
            results.append(function(*arguments))
            if progress:
                progress(what, n, len(tasks))
        return results
    with ProcessPoolExecutor(
        min(config.jobs, max(len(tasks), 1)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_child,
        initargs=(config.model, config.device),
    ) as pool:
        running = [pool.submit(*task) for task in tasks]
        try:
            for n, future in enumerate(as_completed(running), start=1):
                results.append(future.result())
                if progress:
                    progress(what, n, len(tasks))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _prepare(config: HarvestConfig) -> Path:
    if not config.everything:
        raise InputError("there is no volume to examine: the index has none of split 'validation'")
    check_volumes(config.volumes)
    folder = config.folder
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    drop_changed(folder, _kept(config, folder))
    return folder


def _kept(config: HarvestConfig, folder: Path) -> dict[str, Kept]:
    """Files for each volume: of phantoms there is nothing to note, they follow from their numbers."""
    keys = ["", *(f"__{d.key}" for steps in FAMILIES.values() for d in steps)]

    def examined(name: str) -> tuple[Path, ...]:
        both = [folder / kind / f"{name}{end}" for kind, end in (("opinions", ".npz"), ("records", ".json"))]
        return (*both, folder / "voxels" / f"{name}.npz")

    out = {
        v.id: Kept(sources_of(row_of(v)), tuple(file for key in keys for file in examined(f"{v.id}{key}")))
        for v in config.volumes
    }
    for path in config.foreign:
        key = _foreign_record(path).key
        out[key] = Kept({"image": hash_volume(path)}, examined(key))
    for v in config.training:
        # An embedding follows from the image alone.
        out[f"embedding of {v.id}"] = Kept({"image": hash_volume(v.image)}, (folder / "embeddings" / f"{v.id}.npy",))
    return out


def ask_clean(config: HarvestConfig, progress: Progress | None = None) -> dict[str, Path]:
    """Opinions of all clean volumes; where the voxels of each lie whose class is known.

    Raises
    ------
    InputError
        If there is no volume to examine.
    """
    folder = _prepare(config)
    _run(config, "clean volumes", ((_ask, volume, folder) for volume in config.everything), progress)
    return {_name(v): folder / "voxels" / f"{_name(v)}.npz" for v in config.everything}


def _subjects(config: HarvestConfig) -> dict[str, str]:
    return {_name(v): v.subject if isinstance(v, LabelledVolume) else _name(v) for v in config.everything}


def _reliability(config: HarvestConfig, voxels: dict[str, Path]) -> list[Reliability]:
    """Of real volumes; of phantoms for what nobody drew there, or where there are no others."""
    subjects = _subjects(config)
    real = {name: path for name, path in voxels.items() if not name.startswith("phantom-")}
    found = study_reliability(real, subjects)
    have = {r.structure for r in found}
    drawn = study_reliability({n: p for n, p in voxels.items() if n not in real}, subjects)
    return [*found, *(r for r in drawn if r.structure not in have)]


def _keep_temperatures(folder: Path, temperatures: dict[Structure, float]) -> None:
    """Records of other temperatures are done again: their expected Dice would not fit."""
    text = json.dumps({s.value: round(t, 6) for s, t in temperatures.items()})
    path = folder / "temperatures.json"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        for record in (folder / "records").glob("*.json"):
            record.unlink()
        path.write_text(text, encoding="utf-8")


def _turns(config: HarvestConfig) -> Iterable[tuple[LabelledVolume | int, tuple[str, ...]]]:
    """Every volume with its share of the degradations, in an order in which every step has its turn."""
    steps = [d.key for steps in FAMILIES.values() for d in steps]
    # Ten has no divisor in common with their number, so that the wheel meets every step.
    wheel = itertools.cycle(steps[(10 * n) % len(steps)] for n in range(len(steps)))
    for volume in config.everything:
        yield volume, tuple(itertools.islice(wheel, config.each))


def harvest(config: HarvestConfig, progress: Progress | None = None) -> Harvest:
    """Examine everything: clean volumes, then, with temperatures known, what they were made into.

    Raises
    ------
    InputError
        If there is no volume to examine.
    """
    deadline = None if config.minutes is None else time.time() + 60 * config.minutes
    voxels = ask_clean(config, progress)
    folder = config.folder
    reliability = _reliability(config, voxels)
    temperatures = {r.structure: r.temperature for r in reliability}
    _keep_temperatures(folder, temperatures)
    calibration = Calibration(find_model(config.model).info.sha256, temperatures=temperatures)
    turns = list(_turns(config))
    tasks: list[tuple] = [(_examine, volume, ("",), folder, calibration, None) for volume, _ in turns]
    tasks += [(_examine_foreign, path, folder, calibration) for path in config.foreign]
    tasks += [(_embed, volume, folder) for volume in config.training]
    tasks += [(_examine, volume, keys, folder, calibration, deadline) for volume, keys in turns]
    skipped = sum(n or 0 for n in _run(config, "volumes made worse", tasks, progress))
    names = [_name(v) for v in config.everything]
    names += [f"{_name(v)}__{key}" for v, keys in turns for key in keys]
    names += [_foreign_record(p).key for p in config.foreign]
    paths = [folder / "records" / f"{name}.json" for name in names]
    embeddings = {v.id: np.load(folder / "embeddings" / f"{v.id}.npy") for v in config.training}
    return Harvest(tuple(CaseRecord.read(p) for p in paths if p.is_file()), tuple(reliability), embeddings, skipped)


def verdicts_of(
    config: HarvestConfig, records: Iterable[CaseRecord], calibration: Calibration, progress: Progress | None = None
) -> list[CaseVerdict]:
    """What a calibration makes of cases whose opinions are kept."""
    folder = config.folder
    tasks = ((_verdict, r.key, not r.family or r.family == FOREIGN, folder, calibration) for r in records)
    return _run(config, "verdicts", tasks, progress)
