"""Sizes of the mean adult's vertebrae and discs, C2 to S4."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SACRUM", "SIZES", "UPPER", "Size", "is_cervical"]


class Size(NamedTuple):
    """Millimetres: height between rims, depth and width at the endplate, height of the disc below."""

    height: float
    ap: float
    rl: float
    disc: float


SIZES: dict[str, Size] = {
    # C2 to T7. Bodies after the mean endplates and posterior walls of Panjabi et al. (cervical: Spine 1991;16:861;
    # thoracic: Spine 1991;16:888), smoothed along the column and a millimetre higher, since the living are taller than
    # those specimens; discs after Frobin et al. (cervical: Clin Biomech 2002;17:423) and Kunkel et al. (thoracic:
    # J Anat 2011;219:375). C2's height ends at the base of the dens.
    "C2": Size(20.0, 15.4, 17.6, 5.0),
    "C3": Size(13.4, 15.6, 18.2, 5.2),
    "C4": Size(13.0, 15.8, 18.8, 5.3),
    "C5": Size(12.8, 16.2, 19.6, 5.4),
    "C6": Size(12.9, 16.8, 20.8, 5.6),
    "C7": Size(14.0, 17.2, 22.8, 5.6),
    "T1": Size(15.8, 17.6, 25.6, 4.9),
    "T2": Size(16.8, 18.8, 26.0, 4.5),
    "T3": Size(17.2, 20.4, 25.8, 4.2),
    "T4": Size(17.8, 21.8, 26.0, 4.1),
    "T5": Size(18.3, 23.2, 26.8, 4.1),
    "T6": Size(19.0, 24.6, 28.0, 4.2),
    "T7": Size(19.8, 25.9, 29.4, 4.4),
    # T8 to S4. Discs and depths after the manual masks in the literature (Hurxthal's height 9.1 ± 1.3 mm, depths
    # 28.8 to 32 mm), bodies after their volumes of 36 to 42 cm³.
    "T8": Size(20.5, 27.0, 31.0, 4.6),
    "T9": Size(21.5, 27.5, 33.0, 4.8),
    "T10": Size(22.5, 28.0, 35.0, 5.2),
    "T11": Size(23.5, 28.5, 38.0, 5.6),
    "T12": Size(25.0, 29.0, 41.0, 6.6),
    "L1": Size(26.5, 30.0, 44.0, 7.8),
    "L2": Size(27.2, 31.2, 46.0, 8.8),
    "L3": Size(27.5, 32.4, 48.0, 9.8),
    "L4": Size(27.5, 33.2, 50.0, 10.6),
    "L5": Size(27.5, 33.4, 52.0, 10.2),
    "L6": Size(27.0, 33.2, 52.0, 9.4),
    "S1": Size(29.0, 32.5, 51.0, 3.6),
    "S2": Size(25.0, 24.0, 38.0, 2.6),
    "S3": Size(20.0, 18.0, 30.0, 2.2),
    "S4": Size(16.0, 14.0, 24.0, 2.0),
}
SACRUM = ("S1", "S2", "S3", "S4")
UPPER = ("C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2", "T3", "T4", "T5", "T6", "T7")
"""Vertebrae above those of the lumbar phantom, whose shapes have tables of their own."""


def is_cervical(name: str) -> bool:
    """Whether a vertebra belongs to the neck."""
    return name.startswith("C")
