"""Heights and depth of a disc or vertebral body in its mid-sagittal section."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .corners import Corners
from .section import Ends, Section

__all__ = ["HEIGHT_NAMES", "INSET", "Profile", "body_depth"]

HEIGHT_NAMES = ("anterior height", "middle height", "posterior height")
INSET = 0.1
"""Anterior and posterior height are read this share of the depth inside the margins."""
_STATIONS = 41


@dataclass(frozen=True, eq=False)
class Profile:
    """A mid-sagittal section whose plane has the axes anterior (u) and up (v) of the object's own frame.

    Attributes
    ----------
    section : Section
        The outline.
    back, front : float
        Posterior and anterior margin along u, in mm, between which heights are placed.
    """

    section: Section
    back: float
    front: float

    @property
    def heights(self) -> dict[str, Ends | None]:
        """Anterior, middle and posterior height: lower and upper end (2,) each."""
        return {name: self.height(share) for name, share in zip(HEIGHT_NAMES, (1 - INSET, 0.5, INSET), strict=True)}

    def height(self, share: float) -> Ends | None:
        """Lower and upper end (2,) of the height at a share of the way from the posterior to the anterior margin.

        Measured along the object's own up axis, between the outermost crossings of the outline.
        """
        u = self.back + share * (self.front - self.back)
        return self.section.chord(np.array([u, 0.0]), np.array([0.0, 1.0]))

    def along_depth(self) -> tuple[float, np.ndarray] | None:
        """Mean height over the depth, and the curve (n, 2) halfway up from behind to the front.

        The curve is the parabola through the points halfway between the lower and upper outline, from 10 % to 90 %
        of the way between the margins; at 41 equal steps the height is read perpendicular to it.
        """
        shares = np.linspace(INSET, 1 - INSET, _STATIONS)
        places = np.column_stack([self.back + shares * (self.front - self.back), np.zeros(len(shares))])
        lower, upper = self.section.chords(places, np.array([0.0, 1.0]))
        middles = ((lower + upper) / 2)[np.isfinite(lower[:, 0])]
        if len(middles) < 5:
            return None
        curve = np.polynomial.Polynomial.fit(middles[:, 0], middles[:, 1], 2)
        u = middles[:, 0]
        v, slope = curve(u), curve.deriv()(u)
        places = np.column_stack([u, v])
        lower, upper = self.section.chords(places, np.column_stack([-slope, np.ones_like(slope)]))
        lengths = np.linalg.norm(upper - lower, axis=1)
        lengths = lengths[np.isfinite(lengths)]
        return (float(lengths.mean()), places) if len(lengths) else None


def body_depth(section: Section, corners: Corners, *, lower_only: bool = False) -> Ends:
    """Posterior and anterior end (2,) of the depth of a vertebral body, halfway up its mid-sagittal section.

    Each is the mean of the section's corners of the two endplates along the AP axis; with ``lower_only`` they are those
    of the lower endplate, and the depth is drawn there.
    """
    if lower_only:
        level = float(corners.lower_back[1] + corners.lower_front[1]) / 2
        return np.array([corners.lower_back[0], level]), np.array([corners.lower_front[0], level])
    back, front = (corners.upper_back + corners.lower_back) / 2, (corners.upper_front + corners.lower_front) / 2
    middle = float(section.centroid[1])
    return np.array([back[0], middle]), np.array([front[0], middle])
