"""Levels with known millimetres: from manual masks through the measuring room, from phantoms exactly.

A cached volume is one ``.npz`` with the scan (normalised, float16) and a JSON list of its levels.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from ...anatomy.structures import Structure
from ...case.direct import QUANTITIES, LevelPlace, level_places
from ...case.grid import Grid, to_reading_order
from ...case.measurement import Measurement
from ...case.spine import NamedSpine
from ...measure.spine import measure_spine
from ...models.network import NetworkConfig
from ...models.regressor import RegressorConfig, Scan
from ..collect import LabelledVolume
from ..committee import phantom_spec
from ..evaluation.reference import Reference, read_references, reference_spine
from ..phantom import Phantom, make_phantom
from ..phantom.truth import true_measurements

__all__ = [
    "KnownLevel",
    "LevelVolume",
    "cache_phantom",
    "cache_volume",
    "is_implausible",
    "known_levels",
    "measured_levels",
    "phantom_of",
    "read_levels",
    "true_rows",
]

log = logging.getLogger(__name__)

_ROOM = 70.0
"""Millimetres around each level that are kept: what a turned and shrunken patch can reach."""
_PHANTOM_SIZE = ((11, 15), (200, 240), (150, 180))
"""Voxels of a phantom: no more than what lies around the lumbar levels."""


@dataclass(frozen=True)
class KnownLevel:
    """A level and what is known of it.

    Attributes
    ----------
    place : LevelPlace
        Where it lies.
    values : tuple of float or None
        Millimetres, in the order of :data:`~SpineQuantLib.case.direct.QUANTITIES`; None where unknown.
    across : tuple of float
        Direction (anterior, up) in the level's frame along which the sac's AP diameter is read; unit length.
    """

    place: LevelPlace
    values: tuple[float | None, ...]
    across: tuple[float, float] = (1.0, 0.0)


@dataclass(frozen=True)
class LevelVolume:
    """A cached volume.

    Attributes
    ----------
    id, subject, contrast, split : str
        As in the index; ``phantom`` is part of a phantom's id.
    scan : Scan
        The volume.
    levels : tuple of KnownLevel
        Its levels, top down.
    """

    id: str
    subject: str
    contrast: str
    split: str
    scan: Scan
    levels: tuple[KnownLevel, ...]

    @property
    def is_phantom(self) -> bool:
        """Whether its values are exact."""
        return self.id.startswith("phantom-")


def _wanted(structure: Structure, level: str) -> bool:
    return "-" in level and structure in (Structure.DISC, Structure.CANAL)


def measured_levels(spine: NamedSpine) -> list[Measurement]:
    """Rows of the discs, and of the sac at the discs."""
    return measure_spine(spine, wanted=_wanted)


def _across(row: Measurement | None, place: LevelPlace) -> tuple[float, float]:
    """Direction of a line in the level's (anterior, up) plane."""
    if row is None or row.geometry is None:
        return 1.0, 0.0
    first, last = np.array(row.geometry.points[:2], dtype=float)
    both = np.array([(last - first) @ np.array(place.anterior), (last - first) @ np.array(place.up)])
    length = float(np.linalg.norm(both))
    return (float(both[0] / length), float(both[1] / length)) if length > 1e-6 else (1.0, 0.0)


def _sure(row: Measurement | None) -> float | None:
    """The value of a row, unless it is implausible.

    Other flags are no hindrance: the gap between drawn bodies is ragged by nature, and a slice that is missing at the
    side changes nothing in the middle.
    """
    return row.value if row is not None and not is_implausible(row) else None


def is_implausible(row: Measurement) -> bool:
    """Whether the measuring room found the value impossible in an adult."""
    return "implausible" in row.flag


def known_levels(volume: LabelledVolume, references: tuple[Reference, ...]) -> list[KnownLevel]:
    """Levels of a labelled volume with what its annotators tell of them.

    The disc's height is that of the gap between the bodies, which is what the committee's disc and a phantom's are.
    Discs that were drawn leave the endplates out, and so are about a millimetre lower: their heights stay unknown. Of a
    sac that several raters drew the mean diameter counts.
    """
    labels, raters = references[0], references[1:]
    rows = measured_levels(reference_spine(labels, raters[0] if raters else None))
    sac_rows = [rows] if raters else []
    sac_rows += [
        measure_spine(reference_spine(labels, r), wanted=lambda s, name: s is Structure.CANAL and "-" in name)
        for r in raters[1:]
    ]
    known = []
    for place in level_places(rows):
        knows_gap = volume.complete or labels.derives(place.level)
        height = _sure(QUANTITIES[0].value_in(rows, place.level)) if knows_gap else None
        found = [QUANTITIES[1].value_in(own, place.level) for own in sac_rows]
        widths = [value for row in found if (value := _sure(row)) is not None]
        width = float(np.mean(widths)) if widths and len(widths) == len(sac_rows) else None
        if height is not None or width is not None:
            known.append(KnownLevel(place, (height, width), _across(found[0] if found else None, place)))
    return known


def cache_volume(volume: LabelledVolume, folder: Path, config: RegressorConfig) -> None:
    """Cache a labelled volume; nothing is written where no level is known."""
    # Training takes a sac that a committee proposed like a drawn one.
    known = known_levels(volume, read_references(dataclasses.replace(volume, annotations=volume.taught, grown=())))
    image = to_reading_order(sitk.ReadImage(str(volume.image)))
    facts = {"id": volume.id, "subject": volume.subject, "contrast": volume.contrast, "split": volume.split}
    _store(folder, facts, sitk.GetArrayFromImage(image), Grid.of(image), known, config)


def phantom_of(number: int) -> Phantom:
    """The n-th phantom: any anatomy and contrast, no larger than the lumbar spine."""
    rng = np.random.default_rng(number)
    size = tuple(int(rng.integers(*ends)) for ends in _PHANTOM_SIZE)
    return make_phantom(dataclasses.replace(phantom_spec(number, NetworkConfig()), size=size))


def true_rows(phantom: Phantom) -> tuple[Measurement, ...]:
    """True values of a phantom's discs and sac; as :attr:`Phantom.truth`, without what takes long."""
    shapes = phantom.anatomy
    return true_measurements(shapes.column.bodies, shapes.column.discs, (), shapes.sac, phantom.in_view)


def cache_phantom(number: int, folder: Path, config: RegressorConfig, split: str) -> None:
    """Draw the n-th phantom into the cache, with the values that its shapes have and not its voxels."""
    phantom = phantom_of(number)
    truth, rows = true_rows(phantom), measured_levels(phantom.spine())
    known = []
    for place in level_places(rows):
        exact = tuple(
            row.value if (row := quantity.value_in(truth, place.level)) is not None else None for quantity in QUANTITIES
        )
        if any(v is not None for v in exact):
            known.append(KnownLevel(place, exact, _across(QUANTITIES[1].value_in(rows, place.level), place)))
    image = sitk.GetArrayFromImage(to_reading_order(phantom.image))
    name = f"phantom-{number:04d}"
    facts = {"id": name, "subject": name, "contrast": phantom.spec.contrast, "split": split}
    _store(folder, facts, image, phantom.grid, known, config)


def _store(
    folder: Path,
    facts: dict[str, Any],
    image: np.ndarray,
    grid: Grid,
    known: list[KnownLevel],
    config: RegressorConfig,
) -> None:
    """Write aside, then rename: what is there is complete."""
    if not known:
        log.info("%s shows no level with a known value", facts["id"])
        return
    centres = np.array([k.place.centre for k in known])
    corners = np.array(np.meshgrid(*[(-_ROOM, _ROOM)] * 3)).reshape(3, -1).T
    scan = Scan.of(image, grid, config, (centres[:, None] + corners).reshape(-1, 3))
    record = {
        **facts,
        "grid": dataclasses.asdict(scan.grid),
        "levels": [dataclasses.asdict(level) for level in known],
    }
    part = folder / f"{facts['id']}.part.npz"
    np.savez_compressed(part, image=scan.image.numpy().astype(np.float16), facts=json.dumps(record))
    part.replace(folder / f"{facts['id']}.npz")


def read_levels(folder: Path, only: Collection[str] | None = None) -> list[LevelVolume]:
    """Cached volumes by name: those of the given ids, or all."""
    out = []
    for path in sorted(folder.glob("*.npz")):
        if path.name.endswith(".part.npz") or (only is not None and path.name.removesuffix(".npz") not in only):
            continue
        with np.load(path) as data:
            facts = json.loads(str(data["facts"]))
            image = torch.from_numpy(data["image"].astype(np.float32))
        grid = facts.pop("grid")
        grid = Grid(*(tuple(grid[k]) for k in ("shape", "spacing", "origin")), tuple(map(tuple, grid["directions"])))
        levels = tuple(
            KnownLevel(_place(level["place"]), tuple(level["values"]), tuple(level["across"]))
            for level in facts.pop("levels")
        )
        out.append(LevelVolume(**facts, scan=Scan(image, grid), levels=levels))
    return out


def _place(values: dict[str, Any]) -> LevelPlace:
    return LevelPlace(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
