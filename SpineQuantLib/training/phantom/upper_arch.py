"""Posterior elements from C2 to T7, the atlas, and the ribs. Drawn, never labelled."""

from __future__ import annotations

import itertools

from .proportions import SIZES, is_cervical
from .rods import Rod
from .skeleton import Body

__all__ = ["UPPER_PEDICLES", "atlas_rods", "rib_rods", "upper_rods"]

# Medial border, width, distance of the upper border from the upper rim, and height, of a mean adult: half the width of
# the canal, width and height of the pedicles after Panjabi et al. (Spine 1991;16:861 and 888).
UPPER_PEDICLES = {
    "C2": (11.6, 6.6, 1.5, 8.6),
    "C3": (11.6, 5.2, 1.0, 7.2),
    "C4": (12.0, 5.2, 1.0, 7.2),
    "C5": (12.3, 5.4, 1.0, 7.0),
    "C6": (12.5, 5.8, 1.0, 7.2),
    "C7": (12.2, 6.6, 1.0, 7.6),
    "T1": (10.8, 8.0, 1.0, 9.2),
    "T2": (9.8, 7.2, 1.0, 10.2),
    "T3": (9.2, 6.2, 1.0, 10.6),
    "T4": (8.8, 5.5, 1.0, 10.8),
    "T5": (8.7, 5.3, 1.0, 10.9),
    "T6": (8.7, 5.4, 1.1, 11.2),
    "T7": (8.8, 5.7, 1.2, 11.2),
}
# Length of the spinous process behind the lamina, how far it slopes down, and its radius.
_SPINOUS = {
    "C2": (15.0, -5.0, 4.2),
    "C3": (9.5, -5.0, 2.6),
    "C4": (9.5, -5.0, 2.6),
    "C5": (11.0, -6.0, 2.7),
    "C6": (16.0, -8.0, 3.0),
    "C7": (26.0, -11.0, 3.5),
    "T1": (27.0, -11.0, 3.5),
    "T2": (25.0, -15.0, 3.3),
    "T3": (23.0, -20.0, 3.1),
    "T4": (21.0, -24.0, 3.0),
    "T5": (20.0, -27.0, 2.9),
    "T6": (20.0, -28.0, 2.9),
    "T7": (21.0, -27.0, 2.9),
}
_Borders = tuple[tuple[float, float], tuple[float, float]]


def upper_rods(body: Body, pedicle: _Borders) -> list[Rod]:
    """Parts of the left half of an arch from C2 to T7, in the frame of the body.

    Parameters
    ----------
    body : Body
        The vertebra.
    pedicle : tuple
        Medial and low, then lateral and high border of its pedicle.
    """
    return _neck_rods(body, pedicle) if is_cervical(body.name) else _chest_rods(body, pedicle)


def _neck_rods(body: Body, pedicle: _Borders) -> list[Rod]:
    (medial, low), (lateral, high) = pedicle
    s = body.height / SIZES[body.name].height
    wall, half = body.ap / 2, body.height / 2
    level, tall = (low + high) / 2, high - low
    thin = (0.8 * (lateral - medial) / tall, 1.0, 1.0)
    bottom = -half if body.name != "C2" else -half - 0.5 * s
    top = half if body.name != "C2" else level + 1.0 * s
    length, drop, radius = (v * s for v in _SPINOUS[body.name])
    lamina = (wall + 17.2 * s, level - 4.5 * s)
    rods = [
        # The pedicle runs backwards and outwards to the articular pillar.
        Rod((body.rl / 2 - 2.0 * s, wall - 4.0 * s, level), (lateral - 0.5 * s, wall + 2.5 * s, level), tall / 2, thin),
        Rod((18.0 * s, wall + 4.6 * s, top + 0.6 * s), (18.4 * s, wall + 8.6 * s, bottom - 0.8 * s), 4.6 * s),
        Rod((16.0 * s, wall + 9.5 * s, level - 2.0 * s), (0.0, *lamina), 2.3 * s, (1.0, 1.0, 2.1)),
        # The tips of the spinous processes are split, but for C7's.
        Rod(
            (0.0, lamina[0] + 1.0 * s, lamina[1] - 1.0 * s),
            (0.0 if body.name == "C7" else 2.0 * s, lamina[0] + length, lamina[1] + drop),
            radius,
            (0.8, 1.0, 1.5),
        ),
        Rod((body.rl / 2, wall - 7.0 * s, level - 1.0 * s), (21.0 * s, wall - 9.0 * s, level - 3.5 * s), 1.7 * s),
        Rod((17.5 * s, wall + 2.0 * s, level - 1.0 * s), (25.0 * s, wall - 2.5 * s, level - 4.0 * s), 2.1 * s),
    ]
    if body.name == "C2":
        rods.append(Rod((9.0 * s, wall - 8.0 * s, half - 2.0 * s), (15.0 * s, wall - 5.5 * s, half - 0.5 * s), 4.6 * s))
    if body.name == "C7":
        rods.append(Rod((19.0 * s, wall + 4.0 * s, level), (32.0 * s, wall + 6.0 * s, level + 1.0 * s), 3.6 * s))
    return rods


def _chest_rods(body: Body, pedicle: _Borders) -> list[Rod]:
    (medial, low), (lateral, high) = pedicle
    s = body.height / SIZES[body.name].height
    wall, half = body.ap / 2, body.height / 2
    middle, level, tall = (medial + lateral) / 2, (low + high) / 2, high - low
    length, drop, radius = (v * s for v in _SPINOUS[body.name])
    lamina = (wall + 18.0 * s, level - 7.0 * s)
    return [
        Rod(
            (middle, wall - 4 * s, level), (middle, wall + 6.5 * s, level), tall / 2, ((lateral - medial) / tall, 1, 1)
        ),
        # Facets stand upright here: the upper one in front of the lower one of the vertebra above.
        Rod(
            (middle + s, wall + 8.0 * s, level), (middle + s, wall + 8.4 * s, half + 3.5 * s), 2.6 * s, (1.5, 0.9, 1.0)
        ),
        Rod((middle, wall + 10 * s, level), (middle, wall + 13.4 * s, -half - 3.5 * s), 2.8 * s, (1.5, 0.9, 1.0)),
        Rod((middle + s, wall + 11 * s, level - 3 * s), (0.0, *lamina), 2.2 * s, (1.0, 1.0, 2.9)),
        Rod((0.0, *lamina), (0.0, lamina[0] + length, lamina[1] + drop), radius, (1.1, 1.0, 1.6)),
        Rod((middle + 3 * s, wall + 9 * s, level), (middle + 23 * s, wall + 17 * s, level + 2 * s), 3.8 * s),
    ]


def rib_rods(body: Body) -> list[Rod]:
    """Left rib of a thoracic vertebra in the frame of its body: head at the disc above, neck, and a falling arc."""
    number = int(body.name[1:])
    s = body.height / SIZES[body.name].height
    wall, half, side = body.ap / 2, body.height / 2, body.rl / 2
    # Heads of the second to the tenth rib lie on the disc above, the others on their own vertebra.
    head = half + 0.5 * s if 2 <= number <= 10 else half - 5.0 * s
    out = min(1.0, 0.55 + 0.09 * number)
    places = [
        (side + 0.5 * s, wall - 2.0 * s, head),
        (side + 9.0 * s, wall + 7.0 * s, half - 3.0 * s),
        (side + 22.0 * s, wall + 15.0 * s, half - 6.0 * s),
        (side + (22.0 + 28.0 * out) * s, wall + 14.0 * s, -half - 1.0 * s),
        (side + (22.0 + 60.0 * out) * s, wall - 14.0 * s, -half - 20.0 * s),
        (side + (22.0 + 72.0 * out) * s, wall - 55.0 * s, -half - 44.0 * s),
    ]
    if number > 10:
        places = places[: 16 - number]
    shape = (1.0, 0.75, 1.35)
    return [Rod(a, b, (4.0 if n == 0 else 3.8) * s, shape) for n, (a, b) in enumerate(itertools.pairwise(places))]


def atlas_rods(axis: Body) -> list[Rod]:
    """Left half of C1 around the dens, in the frame of C2's body."""
    s = axis.height / SIZES["C2"].height
    up = axis.height / 2 + 0.6 * axis.dens
    return [
        Rod((0.0, -10.5 * s, up), (9.0 * s, -8.5 * s, up), 2.9 * s, (1.0, 1.0, 1.7)),
        Rod((9.0 * s, -8.5 * s, up), (15.0 * s, -3.0 * s, up), 3.2 * s, (1.0, 1.0, 1.5)),
        Rod((15.5 * s, -2.0 * s, up - 1.0 * s), (17.0 * s, 1.5 * s, up), 6.0 * s),
        Rod((17.0 * s, 5.0 * s, up), (11.0 * s, 21.0 * s, up + 1.0 * s), 2.2 * s, (1.0, 1.0, 1.5)),
        Rod((11.0 * s, 21.0 * s, up + 1.0 * s), (0.0, 26.0 * s, up + 1.0 * s), 2.6 * s, (1.0, 1.0, 1.7)),
        Rod((18.0 * s, 0.0, up - 1.0 * s), (33.0 * s, 1.0 * s, up - 2.0 * s), 3.4 * s),
    ]
