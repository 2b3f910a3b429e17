"""A small spine of ellipsoids and boxes whose borders are known exactly, analysed and doubted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from SpineQuantLib.anatomy.labels import CANAL_VALUE, disc_value, foramen_value
from SpineQuantLib.anatomy.levels import vertebra_value
from SpineQuantLib.anatomy.structures import NetworkClass, Side, Structure
from SpineQuantLib.case.canal_profile import CanalProfile, CanalSection
from SpineQuantLib.case.grid import Grid, lps_to_ras
from SpineQuantLib.case.measurement import Geometry, Measurement
from SpineQuantLib.case.opinion import Assessment, Score, Verdict
from SpineQuantLib.case.result import CaseResult, Contrast, InputInfo, ModelInfo, StageCost
from SpineQuantLib.case.spine import NamedSpine, Naming

NAMES = ("L3", "L4", "L5", "S1")
SHAPE, SPACING = (17, 130, 90), (4.0, 1.2, 0.8)
GRID = Grid(SHAPE, SPACING, (-32.0, -30.0, 78.0), ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)))
SAC_Y, FORAMEN_X = 26.0, 17.0
DISC_Z = {"L3": 42.0, "L4": 6.0, "L5": -30.0}


def _ellipsoid(lps: np.ndarray, centre: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
    """Occupancy of an ellipsoid: 0.5 on its surface, falling linearly across about 4 mm."""
    radius = np.sqrt((((lps - np.array(centre)) / np.array(radii)) ** 2).sum(axis=-1))
    return np.clip(0.5 + (1 - radius) * min(radii) / 4.0, 0, 1)


def _solids(bend: float) -> list[tuple[int, NetworkClass, tuple[float, ...], tuple[float, ...]]]:
    """Label value, network class, centre and radii of each ellipsoid; ``bend`` mm is how far the top leans left."""
    out = []
    for n, name in enumerate(NAMES):
        z = 60.0 - 36.0 * n
        channel = NetworkClass.SACRUM if name == "S1" else NetworkClass.BODY
        out.append((vertebra_value(name), channel, (bend * z / 60, 0.0, z), (18.0, 14.0, 11.0)))
    for name, z in DISC_Z.items():
        x = bend * z / 60
        out.append((disc_value(name), NetworkClass.DISC, (x, 0.0, z), (16.0, 13.0, 5.0)))
        for side, sign in ((Side.RIGHT, -1), (Side.LEFT, 1)):
            if (name, side) != ("L3", Side.LEFT):
                centre = (x + sign * FORAMEN_X, SAC_Y, z + 6)
                out.append((foramen_value(name, side), NetworkClass.FORAMEN, centre, (6.0, 5.0, 8.0)))
    return out


def _sac(lps: np.ndarray, bend: float) -> np.ndarray:
    """Occupancy of a round sac of 16 mm from top to bottom of the scan."""
    radius = np.hypot(lps[..., 0] - bend * lps[..., 2] / 60, lps[..., 1] - SAC_Y)
    return np.clip(0.5 + (8.0 - radius) / 4.0, 0, 1)


def _spine(bend: float, naming: Naming) -> tuple[NamedSpine, np.ndarray]:
    lps = GRID.to_lps(np.stack(np.indices(SHAPE), axis=-1))
    labels, classes = np.zeros(SHAPE, np.uint16), np.zeros(SHAPE, np.uint8)
    occupancy = {s: np.zeros(SHAPE, np.float32) for s in Structure if s is not Structure.SPINE}
    structures = {
        NetworkClass.BODY: Structure.VERTEBRA,
        NetworkClass.SACRUM: Structure.VERTEBRA,
        NetworkClass.DISC: Structure.DISC,
        NetworkClass.FORAMEN: Structure.FORAMEN,
    }
    masks = [(v, c, structures[c], _ellipsoid(lps, *where)) for v, c, *where in _solids(bend)]
    masks.append((CANAL_VALUE, NetworkClass.CANAL, Structure.CANAL, _sac(lps, bend)))
    for value, channel, structure, soft in masks:
        free = (soft > 0.5) & (labels == 0)
        labels[free], classes[free] = value, channel
        occupancy[structure] = np.maximum(occupancy[structure], soft).astype(np.float32)
    return NamedSpine(GRID, labels, occupancy, NAMES, naming), classes


def _measurements() -> tuple[Measurement, ...]:
    rows = []
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    for name, below in pairwise(NAMES):
        level, z = f"{name}-{below}", DISC_Z[name]
        ends = lps_to_ras(np.array([[0.0, 0.0, z + 5], [0.0, 0.0, z - 5]]))
        line = Geometry.of("line", ends)
        rows.append(Measurement(Structure.DISC, level, None, "height", "Fyllos", 10.0, "mm", 9.2, 10.9, accuracy=0.24))
        rows.append(
            Measurement(Structure.DISC, level, None, "middle height", "mid-sagittal", 10.0, "mm", geometry=line)
        )
        ring = np.stack([8 * np.cos(turn), SAC_Y + 8 * np.sin(turn), np.full(60, z)], axis=1)
        closed = Geometry.of("closed curve", lps_to_ras(ring))
        rows.append(Measurement(Structure.CANAL, level, None, "area", "perpendicular", 201.06, "mm2", geometry=closed))
        diameter = Geometry.of("line", lps_to_ras(np.array([[0.0, SAC_Y - 8, z], [0.0, SAC_Y + 8, z]])))
        rows.append(
            Measurement(Structure.CANAL, level, None, "AP diameter", "perpendicular", 16.0, "mm", geometry=diameter)
        )
        for side in Side:
            missing = (name, side) == ("L3", Side.LEFT)
            flag = "the foramen was not found" if missing else "seen on two slices only"
            rows.append(
                Measurement(
                    Structure.FORAMEN, level, side, "area", "narrowest", None if missing else 118.4, "mm2", flag=flag
                )
            )
    plates = lps_to_ras(np.array([[0, 14, 71.0], [0, -14, 71.0], [0, -14, -40.0], [0, 14, -44.0]]))
    bracket = Geometry.of("curve", plates)
    rows.append(Measurement(Structure.SPINE, "L3-S1", None, "lordosis", "Cobb", 42.5, "deg", 40, 45, geometry=bracket))
    step = Geometry.of("line", lps_to_ras(np.array([[0, 14, -40.0], [0, 9, -40.0]])))
    slip = {"grade": "Meyerding I (a source)", "flag": "supine", "geometry": step}
    rows.append(Measurement(Structure.SPINE, "L5-S1", None, "slip", "posterior corners", 5.0, "mm", **slip))
    front = Geometry.of("curve", lps_to_ras(np.array([[-20, 0, 71.0], [20, 0, 70.0], [20, 0, -20.0], [-20, 0, -22.0]])))
    rows.append(
        Measurement(Structure.SPINE, "L3-L5", None, "coronal Cobb angle", "greatest", -4.2, "deg", geometry=front)
    )
    return tuple(rows)


def _profile() -> CanalProfile:
    """A round sac of 16 mm, every 4 mm, but for a stretch of doubt and one without a section."""
    sections = []
    levels = {z: f"{name}-{below}" for (name, z), below in zip(DISC_Z.items(), NAMES[1:], strict=True)}
    for n, z in enumerate(sorted({*range(60, -61, -4), *DISC_Z.values()}, reverse=True)):
        place = {"distance": 60.0 - z, "centre": (0.0, -SAC_Y, float(z)), "level": levels.get(z, "")}
        if n == 3:
            sections.append(CanalSection(**place, area=None, ap=None, transverse=None, flag="cut by the edge"))
        else:
            flag = "ragged outline" if n in (7, 8) else ""
            sections.append(CanalSection(**place, area=201.06, ap=16.0, transverse=16.0, flag=flag))
    return CanalProfile(tuple(sections))


def _scores() -> tuple[Score, ...]:
    return (
        Score(None, "", None, 0.07, 0.2, 0.93, Verdict.REVIEW, "two objects are in doubt"),
        Score(Structure.DISC, "L4-L5", None, 0.01, 0.02, 0.99, Verdict.PASS),
        Score(Structure.FORAMEN, "L4-L5", Side.RIGHT, 0.12, 0.5, 0.81, Verdict.REVIEW, "the members differ"),
        Score(Structure.CANAL, "L5-S1", None, 0.3, 1.1, 0.6, Verdict.FAIL, "two members did not find it"),
        Score(Structure.FORAMEN, "L3-L4", Side.LEFT, None, None, None, Verdict.FAIL, "no member found it"),
    )


@pytest.fixture(scope="session")
def make_case() -> Callable[..., CaseResult]:
    """A case; keyword ``bend`` leans the spine to the left, others replace parts of the result."""

    def make(
        *,
        bend: float = 0.0,
        naming: Naming | None = None,
        image: np.ndarray | None = None,
        dicom: dict | None = None,
        verdict: Verdict = Verdict.REVIEW,
        reasons: tuple[str, ...] = ("The members differ about the L5-S1 sac.",),
    ) -> CaseResult:
        spine, classes = _spine(bend, naming or Naming(True, "counted from S1", ("S1 in view",), ("L6 possible",)))
        members = np.stack([np.roll(classes, shift, axis=1) for shift in (0, 1, 0)])
        if image is None:
            image = 200.0 * spine.occupancy[Structure.CANAL] + 90.0 * spine.occupancy[Structure.VERTEBRA] + 20.0
        disagreement = (255 * (members != members[0]).any(axis=0)).astype(np.uint8)
        return CaseResult(
            image=image.astype(np.float32),
            spine=spine,
            members=members,
            measurements=_measurements(),
            assessment=Assessment(verdict, reasons, _scores(), disagreement),
            input=InputInfo(
                path=Path("/archive/Muster^Erika/scan-17"),
                files=(Path("/archive/Muster^Erika/scan-17/1.dcm"),) * 17,
                format="DICOM",
                sha256="0f" * 32,
                size=SHAPE[::-1],
                spacing=SPACING[::-1],
                orientation="PIL",
                contrast=Contrast.T2,
                contrast_evidence="EchoTime 112 ms",
                dicom={"SeriesDescription": "t2 sag"} if dicom is None else dicom,
                notes=("Slices are 4.0 mm apart.",),
            ),
            model=ModelInfo("lumbar", "0.1.0", "c4" * 32, 3),
            device="CPU",
            costs=(StageCost("segment", 31.25, 1890.0), StageCost("measure", 2.5, 1910.0)),
            canal_profile=_profile(),
        )

    return make


@pytest.fixture(scope="session")
def empty_case(make_case: Callable[..., CaseResult]) -> CaseResult:
    """A case in which nothing was found, measured or scored."""
    case = make_case(verdict=Verdict.FAIL, reasons=("No vertebra was found.",))
    labels = np.zeros(SHAPE, np.uint16)
    spine = NamedSpine.from_labels(labels, GRID, (), Naming(False, "none", (), ("nothing was found",)))
    return replace(
        case,
        spine=spine,
        members=np.zeros((3, *SHAPE), np.uint8),
        measurements=(),
        canal_profile=None,
        assessment=replace(case.assessment, scores=(), disagreement=np.zeros(SHAPE, np.uint8)),
        costs=(),
    )
