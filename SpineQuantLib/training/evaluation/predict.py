"""What a committee makes of labelled volumes, kept on disk so that an interrupted evaluation goes on where it was."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...anatomy.structures import Structure
from ...case.errors import UnsuitableError
from ...case.grid import Grid, to_reading_order
from ...case.spine import NamedSpine, Naming
from ...images.detached import hash_volume
from ...models.committee import Committee
from ...segment.second_look import look
from ...segment.spine import name_spine

__all__ = ["Prediction", "PredictionStore", "judge"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """A committee's result for one volume.

    Attributes
    ----------
    spine : NamedSpine
        As ``analyze`` writes and measures it; without any label where there is a ``problem``.
    problem : str
        Why there is no spine; empty where there is one.
    seconds : float
        That it took.
    """

    spine: NamedSpine
    problem: str
    seconds: float

    @property
    def labels(self) -> np.ndarray:
        """uint16 (nk, nj, ni) label values."""
        return self.spine.labels


def judge(committee: Committee, image: sitk.Image) -> Prediction:
    """Segment and name an image in reading order as ``analyze`` does."""
    began = time.monotonic()
    opinion = look(committee, sitk.Cast(image, sitk.sitkFloat32))
    try:
        spine, problem = name_spine(opinion), ""
    except UnsuitableError as error:
        empty = np.zeros(opinion.grid.shape, np.uint16)
        spine, problem = NamedSpine.from_labels(empty, opinion.grid, (), Naming(False, "none")), str(error)
    return Prediction(spine, problem, time.monotonic() - began)


class PredictionStore:
    """Predictions of one committee in a folder.

    Parameters
    ----------
    committee : Committee
        The networks; predictions of other weights lie in other folders.
    folder : Path
        Made if need be.
    """

    def __init__(self, committee: Committee, folder: Path) -> None:
        self._committee = committee
        self._folder = folder / committee.card.info.sha256[:12]
        self._folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str, path: Path) -> Prediction:
        """Prediction for an image file; made and kept where it is not there or the file has changed."""
        digest = hash_volume(path)
        return self.of(name, digest, lambda: to_reading_order(sitk.ReadImage(str(path))))

    def of(self, name: str, digest: str, image: Callable[[], sitk.Image]) -> Prediction:
        """Prediction for an image in reading order that ``digest`` stands for; made and kept where it is not there."""
        found = self._load(name, digest)
        if found is None:
            log.info("predicting %s", name)
            found = judge(self._committee, image())
            self._save(name, digest, found)
        return found

    def _load(self, name: str, digest: str) -> Prediction | None:
        path = self._folder / f"{name}.npz"
        if not path.exists():
            return None
        with np.load(path) as data:
            facts = json.loads(str(data["facts"]))
            if facts["image"] != digest:
                return None
            grid = Grid(*(tuple(map(tuple, v)) if n == "directions" else tuple(v) for n, v in facts["grid"].items()))
            box = tuple(slice(a, b) for a, b in facts["box"])
            labels = np.zeros(grid.shape, np.uint16)
            labels[box] = data["labels"]
            occupancy = {}
            for structure in (s for s in Structure if s is not Structure.SPINE):
                occupancy[structure] = np.zeros(grid.shape, np.float32)
                occupancy[structure][box] = data[structure.value]
        naming = Naming(facts["named"], facts["method"], tuple(facts["evidence"]), tuple(facts["doubts"]))
        # Predictions of earlier versions took the whole array for the view.
        view = tuple(map(tuple, facts["view"])) if facts.get("view") else None
        spine = NamedSpine(grid, labels, occupancy, tuple(facts["vertebrae"]), naming, view)
        return Prediction(spine, facts["problem"], facts["seconds"])

    def _save(self, name: str, digest: str, found: Prediction) -> None:
        """Write aside, then rename: what is there is complete."""
        spine, naming = found.spine, found.spine.naming
        seen = spine.labels > 0
        for soft in spine.occupancy.values():
            seen |= soft > 0
        box = [_extent(seen, axis) for axis in range(3)]
        cut = tuple(slice(a, b) for a, b in box)
        facts = {
            "image": digest,
            "grid": asdict(spine.grid),
            "box": box,
            "view": spine.view,
            "vertebrae": spine.vertebrae,
            **asdict(naming),
            "problem": found.problem,
            "seconds": round(found.seconds, 1),
        }
        part = self._folder / f"{name}.part.npz"
        # Half precision moves a border by less than a thousandth of a voxel.
        soft = {s.value: a[cut].astype(np.float16) for s, a in spine.occupancy.items()}
        np.savez_compressed(part, labels=spine.labels[cut], facts=json.dumps(facts, ensure_ascii=False), **soft)
        part.replace(self._folder / f"{name}.npz")


def _extent(mask: np.ndarray, axis: int) -> tuple[int, int]:
    hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
    return (int(hit[0]), int(hit[-1]) + 1) if len(hit) else (0, 0)
