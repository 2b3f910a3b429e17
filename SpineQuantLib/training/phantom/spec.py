"""What a phantom shall look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...anatomy.levels import column, level_between
from ...anatomy.structures import Side
from .column import build_column
from .people import draw_upper
from .regions import view_of

__all__ = ["CONTRASTS", "PhantomSpec"]

CONTRASTS = ("T1", "T2", "STIR", "water")
"""Weightings: T1, T2 (turbo spin echo, bright fat), STIR (T2 without fat), and the water image of a Dixon sequence."""


@dataclass(frozen=True)
class PhantomSpec:
    """Knobs of the phantom; the same knobs make the same phantom.

    Attributes
    ----------
    region : str
        What is looked at: ``lumbar`` (T8 to S1), ``thoracic`` or ``cervical`` (both C2 to S1). The region's middle
        vertebra is the third lowest lumbar one, T7 or C5.
    lumbar : int
        Number of lumbar vertebrae, 4 to 6.
    lumbarised : bool
        S1 is squared and has a well-formed S1-S2 disc below it.
    disc_narrowing, disc_bulge, listhesis : mapping of level to float
        Millimetres by which a disc is lower everywhere, by which it reaches behind the posterior wall, and by which
        the upper vertebra has slipped forwards (negative: backwards).
    lysis : tuple of str
        Levels whose upper vertebra has a defect in both isthmi (isthmic listhesis): its loose arch stays behind when
        the body slips, so the canal is not narrowed by it and the foramina grow longer and flatter.
    disc_degeneration : mapping of level to float
        Loss of the nucleus' signal, 0 to 1.
    central_stenosis : mapping of level to float
        Share of the sac's cross-sectional area that is lost at the disc, 0 to 0.85.
    foraminal_stenosis : mapping of (level, Side) to float
        Share of the foramen's width that is lost, 0 to 0.9.
    lordosis : float
        Degrees between L1's upper and S1's upper endplate.
    kyphosis : float
        Degrees between T4's upper and T12's lower endplate, 5 to 80; of no effect in a lumbar phantom.
    cervical_lordosis : float
        Degrees between C2's and C7's lower endplate, -30 to 50, negative: kyphotic; of no effect in a lumbar phantom.
    scoliosis : float
        Coronal Cobb angle in degrees, around the region's middle; positive: convex to the left.
    body_scale : float
        Size of the skeleton relative to the mean adult.
    variation : float
        Spread of the proportions between people, drawn from ``seed``; 0 gives the mean adult exactly.
    fat : float
        Millimetres of subcutaneous fat behind L3; less of it lies behind the chest and the neck.
    patient_rotation : tuple of float
        Degrees by which the patient is turned in the scanner about the left, posterior and superior axis.
    slice_rotation : tuple of float
        Degrees by which the grid is turned about the same axes.
    centre : tuple of float
        Millimetres (left, posterior, superior) from the middle of the region's middle vertebra to the middle of the
        field of view. Here, and for size and spacing, None means that of the region's usual view.
    size, spacing : tuple
        Voxels, and millimetres between their centres, along (k, j, i) of reading order: right→left,
        superior→inferior, anterior→posterior.
    slice_thickness : float or None
        Millimetres over which a voxel averages along the axis of the largest spacing; None: no gap.
    orientation : str
        ITK orientation of the stored image, for example ``PIL`` (sagittal slices), ``RPI``.
    contrast : str
        One of :data:`CONTRASTS`.
    contrast_jitter : float
        Relative standard deviation of the tissues' mean intensities.
    texture : float
        Strength of the variation inside a tissue, 0 to 1.
    noise : float
        Standard deviation of the Rician noise relative to the brightest tissue.
    bias : float
        Strength of the bias field: roughly the natural logarithm of the fall from the back to the belly.
    blur : float
        Standard deviation in millimetres of an additional in-plane point spread.
    seed : int
        Of everything random.

    Raises
    ------
    ValueError
        If a knob is out of range or names a level that the phantom does not have.
    """

    region: str = "lumbar"
    lumbar: int = 5
    lumbarised: bool = False
    disc_narrowing: Mapping[str, float] = field(default_factory=dict)
    disc_bulge: Mapping[str, float] = field(default_factory=dict)
    listhesis: Mapping[str, float] = field(default_factory=dict)
    lysis: tuple[str, ...] = ()
    disc_degeneration: Mapping[str, float] = field(default_factory=dict)
    central_stenosis: Mapping[str, float] = field(default_factory=dict)
    foraminal_stenosis: Mapping[tuple[str, Side], float] = field(default_factory=dict)
    lordosis: float = 50.0
    kyphosis: float = 38.0
    cervical_lordosis: float = 15.0
    scoliosis: float = 0.0
    body_scale: float = 1.0
    variation: float = 0.0
    fat: float = 16.0
    patient_rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    slice_rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    centre: tuple[float, float, float] = None
    size: tuple[int, int, int] = None
    spacing: tuple[float, float, float] = None
    slice_thickness: float | None = None
    orientation: str = "PIL"
    contrast: str = "T2"
    contrast_jitter: float = 0.0
    texture: float = 0.5
    noise: float = 0.015
    bias: float = 0.8
    blur: float = 0.35
    seed: int = 0

    def __post_init__(self) -> None:
        view = view_of(self.region)
        for name in ("centre", "size", "spacing"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(view, name))
        known = set(self.levels)
        for name in ("disc_narrowing", "disc_bulge", "listhesis", "disc_degeneration", "central_stenosis"):
            unknown = set(getattr(self, name)) - known
            if unknown:
                raise ValueError(f"{name} names {sorted(unknown)}; this phantom has {', '.join(self.levels)}")
        unknown = {level for level, _ in self.foraminal_stenosis} - known
        if unknown:
            raise ValueError(f"foraminal_stenosis names {sorted(unknown)}; this phantom has {', '.join(self.levels)}")
        if unknown := set(self.lysis) - known:
            raise ValueError(f"lysis names {sorted(unknown)}; this phantom has {', '.join(self.levels)}")
        _within("central_stenosis", self.central_stenosis.values(), 0, 0.85)
        _within("foraminal_stenosis", self.foraminal_stenosis.values(), 0, 0.9)
        _within("disc_degeneration", self.disc_degeneration.values(), 0, 1)
        _within("disc_bulge", self.disc_bulge.values(), 0, 10)
        _within("listhesis", self.listhesis.values(), -15, 15)
        _within("lordosis", [self.lordosis], 0, 90)
        _within("kyphosis", [self.kyphosis], 5, 80)
        _within("cervical_lordosis", [self.cervical_lordosis], -30, 50)
        _within("scoliosis", [self.scoliosis], -60, 60)
        _within("body_scale", [self.body_scale], 0.5, 1.5)
        if self.contrast not in CONTRASTS:
            raise ValueError(f"contrast is '{self.contrast}', but must be one of {', '.join(CONTRASTS)}")
        if min(self.size) < 1 or min(self.spacing) <= 0:
            raise ValueError(f"a grid of {self.size} voxels of {self.spacing} mm does not exist")
        if self.slice_thickness is not None and not 0 < self.slice_thickness <= max(self.spacing):
            raise ValueError(f"slice_thickness is {self.slice_thickness}, but must be in (0, {max(self.spacing)}]")

    @property
    def names(self) -> tuple[str, ...]:
        """Vertebrae that the phantom has, top down: from T8, or from C2, to S1."""
        every = column(self.lumbar)
        return every[every.index(view_of(self.region).top) :]

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels between them, top down."""
        return tuple(map(level_between, self.names, self.names[1:]))

    @classmethod
    def random(cls, rng: np.random.Generator, region: str = "lumbar") -> PhantomSpec:
        """A spec drawn for training: any contrast, healthy or degenerate, any size of person and field of view.

        Parameters
        ----------
        rng : np.random.Generator
            Source of all knobs.
        region : str
            What is looked at.

        Raises
        ------
        ValueError
            If there is no such region.
        """
        view_of(region)
        while True:
            spec = cls._draw(rng) if region == "lumbar" else cls(**draw_upper(rng, region, CONTRASTS))
            try:
                build_column(spec)
            except ValueError:
                # A narrow disc in a strongly curved spine: its endplates would touch, so another person is drawn.
                continue
            return spec

    @classmethod
    def _draw(cls, rng: np.random.Generator) -> PhantomSpec:
        lumbar = int(rng.choice([4, 5, 6], p=[0.08, 0.82, 0.10]))
        scale = float(np.clip(rng.normal(1.0, 0.07), 0.82, 1.18))
        thickness = float(rng.choice([2.0, 3.0, 4.0, 4.0, 4.4, 5.0]))
        gap = float(rng.choice([1.0, 1.0, 0.9, 0.8]))
        pixel = float(rng.uniform(0.7, 1.15))
        extent = float(rng.uniform(200, 300))
        pixels = int(np.clip(round(extent / pixel / 16) * 16, 160, 320))
        slices = int(np.clip(round(rng.uniform(56, 84) / thickness), 11, 34))
        # One in seven fields of view ends above the sacrum.
        lift = rng.uniform(60, 95) if rng.random() < 0.14 else rng.uniform(-25, 25)
        return cls(
            lumbar=lumbar,
            lumbarised=bool(rng.random() < 0.06),
            lordosis=float(np.clip(rng.normal(47, 9), 25, 64)),
            scoliosis=float(rng.normal(0, 4) if rng.random() < 0.8 else rng.normal(0, 12)),
            body_scale=scale,
            variation=1.0,
            fat=float(rng.uniform(6, 40)),
            patient_rotation=tuple(float(v) for v in rng.normal(0, (4, 3, 4))),
            slice_rotation=tuple(float(v) for v in rng.normal(0, (3, 3, 3))),
            centre=(float(rng.normal(0, 4)), float(rng.uniform(-10, 30)), float(lift)),
            size=(slices, pixels, pixels),
            spacing=(thickness, pixel, pixel),
            slice_thickness=thickness * gap,
            contrast=str(rng.choice(CONTRASTS, p=[0.25, 0.5, 0.1, 0.15])),
            contrast_jitter=float(rng.uniform(0.05, 0.3)),
            texture=float(rng.uniform(0.2, 1.0)),
            noise=float(rng.uniform(0.005, 0.05)),
            bias=float(rng.uniform(0.0, 1.4)),
            blur=float(rng.uniform(0.0, 0.7)),
            seed=int(rng.integers(2**31)),
            **_pathology(rng, lumbar, scale),
        )


def _within(name: str, values: object, low: float, high: float) -> None:
    """Raise ValueError where a value lies outside the allowed range."""
    for value in values:
        if not low <= value <= high:
            raise ValueError(f"{name} is {value}, but must lie in {low} to {high}")


def _pathology(rng: np.random.Generator, lumbar: int, scale: float) -> dict[str, Any]:
    """Knobs of degeneration; one phantom in three is healthy, and lower levels suffer more."""
    levels = PhantomSpec(lumbar=lumbar).levels[-lumbar:]
    out: dict[str, Any] = {
        "disc_narrowing": {},
        "disc_bulge": {},
        "listhesis": {},
        "disc_degeneration": {},
        "central_stenosis": {},
        "foraminal_stenosis": {},
    }
    burden = 0.0 if rng.random() < 0.33 else rng.uniform(0.2, 1.0)
    for rank, level in enumerate(levels):
        depth = rank / (len(levels) - 1)
        chance = burden * (0.25 + 0.75 * depth)
        if rng.random() < chance:
            grade = float(rng.beta(1.6, 1.8))
            out["disc_degeneration"][level] = grade
            out["disc_narrowing"][level] = (2.2 + 0.8 * depth) * scale * grade
            out["disc_bulge"][level] = float(rng.uniform(0, 4.5)) * grade
        if rng.random() < 0.6 * chance:
            out["central_stenosis"][level] = float(rng.uniform(0.1, 0.75))
        for side in Side:
            if rng.random() < 0.5 * chance:
                out["foraminal_stenosis"][level, side] = float(rng.uniform(0.1, 0.65))
    if rng.random() < 0.25 * burden:
        out["listhesis"][levels[-1 if rng.random() < 0.4 else -2]] = float(rng.uniform(2, 9))
    if rng.random() < 0.06:
        # Isthmic listhesis: four in five at the lowest level, whose disc is as good as gone.
        level = levels[-1 if rng.random() < 0.8 else -2]
        out["listhesis"][level] = float(rng.uniform(4, 15))
        out["lysis"] = (level,)
        out["disc_narrowing"][level] = float(rng.uniform(1.0, 3.5)) * scale
        out["disc_degeneration"][level] = float(rng.uniform(0.4, 1.0))
    return out
