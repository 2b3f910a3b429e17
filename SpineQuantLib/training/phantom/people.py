"""People whose neck or chest is imaged: knobs drawn at random for phantoms of these regions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ...anatomy.levels import column, level_between
from ...anatomy.structures import Side

__all__ = ["draw_upper"]

# What is imaged, vertebrae between which discs degenerate, and by how much a disc may lose height, millimetres.
_VIEWS: dict[str, dict[str, Any]] = {
    "cervical": {"extent": (190, 270), "thickness": (2.0, 3.0, 3.0, 3.3, 4.0), "wide": (42, 66), "off": (18, 10, 12)},
    "thoracic": {"extent": (280, 420), "thickness": (3.0, 3.0, 3.5, 4.0), "wide": (48, 76), "off": (30, 15, 15)},
}
_WORN = {"cervical": ("C3", "T1", 1.6), "thoracic": ("T4", "L1", 1.1)}


def draw_upper(rng: np.random.Generator, region: str, contrasts: tuple[str, ...]) -> dict[str, Any]:
    """Knobs of a cervical or thoracic phantom: any contrast, healthy or degenerate, any size of person and view."""
    view = _VIEWS[region]
    scale = float(np.clip(rng.normal(1.0, 0.07), 0.82, 1.18))
    thickness = float(rng.choice(view["thickness"]))
    pixel = float(rng.uniform(0.6, 1.0) if region == "cervical" else rng.uniform(0.8, 1.25))
    rows = int(np.clip(round(rng.uniform(*view["extent"]) / pixel / 16) * 16, 192, 400))
    columns = (
        rows if region == "cervical" or rng.random() < 0.5 else int(np.clip(round(0.7 * rows / 16) * 16, 160, 400))
    )
    lift, forwards, aside = view["off"]
    return {
        "region": region,
        "lumbar": int(rng.choice([4, 5, 6], p=[0.08, 0.82, 0.10])),
        "lordosis": float(np.clip(rng.normal(47, 9), 25, 64)),
        "kyphosis": float(np.clip(rng.normal(36, 9), 15, 65)),
        "cervical_lordosis": float(np.clip(rng.normal(13, 10), -15, 38)),
        "scoliosis": float(rng.normal(0, 3) if region == "cervical" or rng.random() < 0.8 else rng.normal(0, 12)),
        "body_scale": scale,
        "variation": 1.0,
        "fat": float(rng.uniform(6, 40)),
        "patient_rotation": tuple(float(v) for v in rng.normal(0, (4, 3, 4))),
        "slice_rotation": tuple(float(v) for v in rng.normal(0, (3, 3, 3))),
        "centre": (
            float(rng.normal(0, 3)),
            float(8.0 + rng.uniform(-forwards, forwards) + (aside if region == "thoracic" else 0.0) / 2),
            float(rng.uniform(-lift, lift)),
        ),
        "size": (int(np.clip(round(rng.uniform(*view["wide"]) / thickness), 11, 30)), rows, columns),
        "spacing": (thickness, pixel, pixel),
        "slice_thickness": thickness * float(rng.choice([1.0, 1.0, 0.9, 0.8])),
        "contrast": str(rng.choice(contrasts, p=[0.3, 0.45, 0.15, 0.1])),
        "contrast_jitter": float(rng.uniform(0.05, 0.3)),
        "texture": float(rng.uniform(0.2, 1.0)),
        "noise": float(rng.uniform(0.005, 0.05)),
        "bias": float(rng.uniform(0.0, 1.2)),
        "blur": float(rng.uniform(0.0, 0.6)),
        "seed": int(rng.integers(2**31)),
        **_worn(rng, region, scale),
    }


def _worn(rng: np.random.Generator, region: str, scale: float) -> dict[str, Any]:
    """Knobs of degeneration; one phantom in three is healthy, and the lower discs of a neck suffer more."""
    top, bottom, low = _WORN[region]
    names = column()
    chain = names[names.index(top) : names.index(bottom) + 1]
    levels = [level_between(*pair) for pair in itertools.pairwise(chain)]
    out: dict[str, Any] = {
        "disc_narrowing": {},
        "disc_bulge": {},
        "listhesis": {},
        "disc_degeneration": {},
        "central_stenosis": {},
        "foraminal_stenosis": {},
    }
    burden = 0.0 if rng.random() < 0.33 else rng.uniform(0.2, 0.9)
    for rank, level in enumerate(levels):
        chance = burden * (0.4 + 0.5 * rank / (len(levels) - 1))
        if rng.random() < chance:
            grade = float(rng.beta(1.6, 1.8))
            out["disc_degeneration"][level] = grade
            out["disc_narrowing"][level] = low * scale * grade
            out["disc_bulge"][level] = float(rng.uniform(0, 2.5)) * grade
        if rng.random() < 0.4 * chance:
            out["central_stenosis"][level] = float(rng.uniform(0.1, 0.5))
        for side in Side:
            if rng.random() < 0.4 * chance:
                out["foraminal_stenosis"][level, side] = float(rng.uniform(0.1, 0.6))
    if region == "cervical" and rng.random() < 0.3 * burden:
        out["listhesis"][levels[int(rng.integers(3))]] = float(rng.uniform(-2.0, 3.0))
    return out
