"""How unlike the training volumes an input is, without any truth: for inputs that all members get wrong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["FOREIGN", "USUAL", "Familiarity"]

USUAL, FOREIGN = 1.0, 2.0
"""Multiples of the limit: up to the first an input is usual, beyond the second the networks know nothing of it."""
_COMPONENTS = 16


@dataclass(frozen=True)
class Familiarity:
    """Embeddings of the training volumes, and how far from them is still usual.

    An embedding is standardised feature by feature and projected onto the leading principal components of the
    training volumes. Its distance is the root of the mean squared distance to the nearest of them, per feature, what
    the components cannot describe included.

    Attributes
    ----------
    centre, scale : np.ndarray
        float (features,): mean and standard deviation over the training volumes.
    axes : np.ndarray
        float (components, features): orthonormal rows.
    points : np.ndarray
        float (volumes, components): the training volumes.
    neighbours : int
        How many of the nearest are asked.
    limit : float
        Distance up to which an input is usual.
    """

    centre: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    points: np.ndarray
    neighbours: int = 1
    limit: float = 1.0

    @classmethod
    def fit(cls, embeddings: np.ndarray, neighbours: int = 1) -> Familiarity:
        """From the embeddings (volumes, features) of the training volumes; the limit is still to be set.

        Raises
        ------
        ValueError
            If there are fewer volumes than two more than the neighbours.
        """
        embeddings = np.asarray(embeddings, float)
        if len(embeddings) < neighbours + 2:
            raise ValueError(f"{len(embeddings)} training volumes are too few to tell what is usual")
        centre, scale = embeddings.mean(axis=0), embeddings.std(axis=0)
        # A feature that hardly varies in training would make anything look foreign.
        scale = np.maximum(scale, 0.1 * float(np.median(scale)) + 1e-9)
        standard = (embeddings - centre) / scale
        count = min(_COMPONENTS, len(embeddings) - 2)
        axes = np.linalg.svd(standard, full_matrices=False)[2][:count]
        return cls(centre, scale, axes, standard @ axes.T, neighbours)

    def distance(self, embedding: np.ndarray) -> float:
        """Distance of one embedding (features,) to the nearest training volumes, per feature."""
        standard = (np.asarray(embedding, float) - self.centre) / self.scale
        point = self.axes @ standard
        beyond = float(((standard - point @ self.axes) ** 2).sum())
        near = np.sort(((self.points - point) ** 2).sum(axis=1))[: self.neighbours]
        return float(np.sqrt((near.mean() + beyond) / len(standard)))

    def unlikeness(self, embedding: np.ndarray) -> float:
        """Distance as a multiple of the limit: above 1 the input is foreign."""
        return self.distance(embedding) / self.limit

    def to_dict(self) -> dict[str, Any]:
        """JSON form; five significant digits."""
        return {
            "centre": _short(self.centre),
            "scale": _short(self.scale),
            "axes": [_short(row) for row in self.axes],
            "points": [_short(row) for row in self.points],
            "neighbours": self.neighbours,
            "limit": self.limit,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Familiarity:
        """From the JSON form.

        Raises
        ------
        KeyError, ValueError
            If something is missing or of another size.
        """
        centre, scale, axes, points = (np.array(values[k], float) for k in ("centre", "scale", "axes", "points"))
        if centre.shape != scale.shape or axes.shape != (points.shape[1], len(centre)):
            raise ValueError("sizes of the embedding do not fit together")
        return cls(centre, scale, axes, points, int(values["neighbours"]), float(values["limit"]))


def _short(values: np.ndarray) -> list[float]:
    return [float(f"{v:.5g}") for v in values]
