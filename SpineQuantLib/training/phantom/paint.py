"""Paints a phantom on a fine lattice and averages it over voxels: tissues, occupancy of every labelled object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...anatomy.labels import CANAL_VALUE, disc_value, foramen_value
from ...anatomy.levels import vertebra_value
from ...anatomy.structures import Structure
from .arch import arch_corners, arch_depth
from .canal import Sac
from .column import Column
from .cord import Cord
from .foramen import Foramen
from .frames import Frame, Lattice
from .proportions import UPPER, is_cervical
from .rods import Rod, rods_corners, rods_depth
from .skeleton import Body, Disc
from .spec import PhantomSpec
from .surroundings import Noise, paint_surroundings
from .tissue import Tissue
from .upper_arch import atlas_rods, rib_rods
from .upper_surroundings import paint_upper_surroundings

__all__ = ["Anatomy", "Painting", "paint"]

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Anatomy:
    """All shapes of one phantom, in the body frame; ``cord`` is None in a lumbar phantom, where it is only drawn."""

    column: Column
    sac: Sac
    foramina: tuple[Foramen, ...]
    cord: Cord | None = None


@dataclass(frozen=True)
class Painting:
    """A phantom on a grid.

    Attributes
    ----------
    tissue : np.ndarray
        uint8, on the fine lattice.
    labels : np.ndarray
        uint16, per voxel: the object that fills most of it, background if nothing does.
    occupancy : dict of Structure to np.ndarray
        float32, per voxel: share that the structure fills.
    cord : np.ndarray or None
        float32, per voxel: share of the spinal cord, which is part of the sac; None in a lumbar phantom.
    """

    tissue: np.ndarray
    labels: np.ndarray
    occupancy: dict[Structure, np.ndarray]
    cord: np.ndarray | None


class _Canvas:
    """The fine lattice while it is painted."""

    def __init__(self, lattice: Lattice, factors: tuple[int, int, int], tissue: np.ndarray) -> None:
        self.lattice, self.factors, self.tissue = lattice, factors, tissue
        shape = tuple(n // f for n, f in zip(lattice.shape, factors, strict=True))
        self.occupancy = {s: np.zeros(shape, np.float32) for s in Structure if s is not Structure.SPINE}
        self.labels = np.zeros(shape, np.uint16)
        self.cord = np.zeros(shape, np.float32)
        self._best = np.zeros(shape, np.float32)
        self._taken = np.zeros(lattice.shape, np.uint8)
        steps = [float(np.min(np.diff(p))) if len(p) > 1 else 1.0 for p in lattice.positions]
        self.edge = np.float32(min(steps))

    def box(self, corners: np.ndarray) -> tuple[Box, Lattice] | None:
        """The part of the lattice around some points."""
        found = self.lattice.around(corners, self.factors)
        return None if found is None else (found, self.lattice.cut(found))

    def take(self, box: Box, depth: np.ndarray) -> np.ndarray:
        """Share of every point that lies inside an object and that no other has taken; it is taken with this.

        A point of the lattice stands for the cube around it, which the object's surface divides in proportion to the
        depth; so the border is finer than the lattice.
        """
        share = np.clip(np.float32(0.5) + depth / self.edge, 0.0, 1.0)
        taken = self._taken[box]
        np.minimum(share, (np.uint8(255) - taken) * np.float32(1 / 255), out=share)
        taken += np.rint(share * 255).astype(np.uint8)
        return share

    def claim(self, box: Box, depth: np.ndarray, structure: Structure, value: int) -> np.ndarray:
        """Take the points inside an object and label it; its share of every point is returned."""
        share = self.take(box, depth)
        coarse = self._coarse(box)
        mean = _blocks(share, self.factors)
        self.occupancy[structure][coarse] = np.minimum(self.occupancy[structure][coarse] + mean, 1.0)
        better = mean > self._best[coarse]
        self._best[coarse][better] = mean[better]
        self.labels[coarse][better] = value
        return share

    def add_cord(self, box: Box, depth: np.ndarray, sac: np.ndarray) -> None:
        """Note the share of the cord, as far as the sac has the points."""
        share = np.minimum(np.clip(np.float32(0.5) + depth / self.edge, 0.0, 1.0), sac)
        self.cord[self._coarse(box)] += _blocks(share, self.factors)

    def _coarse(self, box: Box) -> Box:
        k, j, i = (slice(s.start // f, s.stop // f) for s, f in zip(box, self.factors, strict=True))
        return k, j, i

    def taken(self, box: Box) -> np.ndarray:
        """Which points of a box mostly belong to a labelled object, bool."""
        return self._taken[box] >= 128

    def finish(self, cord: bool) -> Painting:
        """The painting; a voxel that is mostly background has no label."""
        empty = 1.0 - sum(self.occupancy.values())
        self.labels[self._best <= np.maximum(empty, 1e-3)] = 0
        return Painting(self.tissue, self.labels, self.occupancy, self.cord if cord else None)


def _blocks(values: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    """Mean over blocks of a fine array, float32."""
    k, j, i = factors
    nk, nj, ni = values.shape
    # Summing one axis at a time, the slowest first, is several times faster than one mean over three.
    out = values.reshape(nk // k, k, nj, ni).mean(axis=1, dtype=np.float32)
    out = out.reshape(nk // k, nj // j, j, ni).mean(axis=2, dtype=np.float32)
    return out.reshape(nk // k, nj // j, ni // i, i).mean(axis=3, dtype=np.float32)


def paint(anatomy: Anatomy, spec: PhantomSpec, lattice: Lattice, factors: tuple[int, int, int]) -> Painting:
    """Paint a phantom.

    Parameters
    ----------
    anatomy : Anatomy
        Its shapes.
    spec : PhantomSpec
        Its knobs.
    lattice : Lattice
        Fine lattice, ``factors`` points to a voxel along each axis.
    factors : tuple of int
        See ``lattice``.
    """
    noise = Noise.of(np.random.default_rng([spec.seed, 3]))
    canvas = _Canvas(lattice, factors, _background(lattice, factors, anatomy.column, spec, noise))
    column = anatomy.column
    sac_parts = list(_sac_parts(canvas, anatomy.sac))
    for part in sac_parts:
        _paint_canal_fat(canvas, part)
    for foramen in anatomy.foramina:
        _paint_recess(canvas, foramen)
    if spec.region != "lumbar":
        _paint_ribs_and_atlas(canvas, column)
    for body in (*column.bodies, *column.sacrum):
        _paint_arch(canvas, body)
    for body in (*column.bodies, *column.sacrum):
        _paint_body(canvas, body)
    for disc in (*column.discs, *column.remnants):
        _paint_disc(canvas, disc, column, spec)
    for part in sac_parts:
        _paint_sac(canvas, part, anatomy, spec)
    for foramen in anatomy.foramina:
        _paint_foramen(canvas, foramen, spec)
    return canvas.finish(anatomy.cord is not None)


def _background(
    lattice: Lattice, factors: tuple[int, int, int], column: Column, spec: PhantomSpec, noise: Noise
) -> np.ndarray:
    """Surroundings, painted once per voxel along the thickest axis and repeated."""
    axis = int(np.argmax(factors))
    f = factors[axis]
    centres = lattice.positions[axis].reshape(-1, f).mean(axis=1)
    positions = tuple(centres if a == axis else p for a, p in enumerate(lattice.positions))
    coarse = Lattice(lattice.origin, lattice.directions, (positions[0], positions[1], positions[2]))
    around = paint_surroundings if spec.region == "lumbar" else paint_upper_surroundings
    return np.repeat(around(coarse, column, spec, noise), f, axis=axis)


def _paint_arch(canvas: _Canvas, body: Body) -> None:
    part = canvas.box(arch_corners(body))
    if part is not None:
        _paint_bone(canvas, part[0], arch_depth(body, part[1]))


def _paint_ribs_and_atlas(canvas: _Canvas, column: Column) -> None:
    for body in column.bodies:
        if body.dens:
            _paint_rods(canvas, body.frame, atlas_rods(body))
        elif body.name.startswith("T"):
            _paint_rods(canvas, body.frame, rib_rods(body))


def _paint_rods(canvas: _Canvas, frame: Frame, rods: list[Rod]) -> None:
    part = canvas.box(frame.to_body(rods_corners(rods)))
    if part is not None:
        _paint_bone(canvas, part[0], rods_depth(rods, *part[1].coordinates(frame)))


def _paint_bone(canvas: _Canvas, box: Box, depth: np.ndarray) -> None:
    tissue = canvas.tissue[box]
    tissue[(depth > -1.5) & (tissue == Tissue.MUSCLE)] = Tissue.FATTY_MUSCLE
    tissue[(depth > 0) & (tissue != Tissue.AIR)] = Tissue.CORTEX
    tissue[depth > 0.8] = Tissue.MARROW


def _paint_body(canvas: _Canvas, body: Body) -> None:
    part = canvas.box(body.corners)
    if part is None:
        return
    box, points = part
    depth = body.depth(points)
    tissue = canvas.tissue[box]
    tissue[(depth > -0.7) & (depth <= 0) & (tissue != Tissue.MARROW)] = Tissue.LIGAMENT
    tissue[depth > 0] = Tissue.CORTEX
    tissue[depth > 0.75] = Tissue.MARROW
    left, posterior, up = points.coordinates(body.frame)
    # The basivertebral vein enters from behind, in the middle of the wall.
    reach = np.clip((posterior + 3.0) / (body.ap / 2), 0.0, 1.0)
    vein = (np.hypot(up, left * np.float32(0.28)) < 1.3 * reach) & (depth > -1.0) & (posterior > -2.0)
    if not body.name.startswith("S") and not is_cervical(body.name):
        tissue[vein] = Tissue.VEIN
    if not body.name.startswith("S") or body.name == "S1":
        canvas.claim(box, depth, Structure.VERTEBRA, vertebra_value(body.name))
    else:
        canvas.take(box, depth)


def _paint_disc(canvas: _Canvas, disc: Disc, column: Column, spec: PhantomSpec) -> None:
    part = canvas.box(disc.corners)
    if part is None:
        return
    box, points = part
    depth = disc.depth(points)
    tissue = canvas.tissue[box]
    tissue[(depth > -0.8) & (depth <= 0) & (tissue != Tissue.MARROW) & (tissue != Tissue.CORTEX)] = Tissue.LIGAMENT
    tissue[depth > 0] = Tissue.ANNULUS
    left, posterior, up = points.coordinates(disc.frame)
    # Thin discs have a thin layer of annulus above and below the nucleus.
    half = max(disc.height / 2 - (0.8 if disc.upper.name in UPPER else 1.3), 0.4)
    rx, ry = disc.rl * 0.36, disc.ap * 0.34
    shape = np.square(left / rx) + np.square((posterior - 0.04 * disc.ap) / ry)
    nucleus = (shape + np.square(up / half) ** 2 < 1.0) & (depth > 0.9)
    well_formed = not disc.upper.name.startswith("S") or (column.lumbarised and disc.upper.name == "S1")
    if well_formed:
        tissue[nucleus] = Tissue.NUCLEUS
        tissue[nucleus & (np.abs(up) < 0.6) & (shape < 0.55)] = Tissue.CLEFT
    degenerate = spec.disc_degeneration.get(disc.level, 0.0)
    if degenerate > 0:
        # The nucleus shrinks and dries: its points become annulus one by one.
        lot = np.random.default_rng([spec.seed, 4]).random(depth.shape, dtype=np.float32)
        wet = (tissue == Tissue.NUCLEUS) | (tissue == Tissue.CLEFT)
        tissue[wet & (lot < degenerate)] = Tissue.ANNULUS
    if well_formed:
        canvas.claim(box, depth, Structure.DISC, disc_value(disc.upper.name))
    else:
        canvas.take(box, depth)


def _paint_recess(canvas: _Canvas, foramen: Foramen) -> None:
    """Fat that leads from the canal through the foramen and out of it."""
    part = canvas.box(foramen.corners(foramen.recess + 1.0))
    if part is None:
        return
    box, points = part
    canvas.tissue[box][foramen.depth(points, extend=foramen.recess) > 0] = Tissue.FAT


def _paint_foramen(canvas: _Canvas, foramen: Foramen, spec: PhantomSpec) -> None:
    part = canvas.box(foramen.corners(foramen.recess))
    if part is None:
        return
    box, points = part
    depth = foramen.depth(points)
    tissue = canvas.tissue[box]
    free = ~canvas.taken(box)
    tissue[(depth > 0) & free] = Tissue.FAT
    _, posterior, up = foramen.along(points)
    y, z = foramen.root
    size = foramen.nerve * spec.body_scale
    root = np.square((posterior - y) / (0.8 * size)) + np.square((up - z) / size)
    tissue[(root < 1.0) & (foramen.depth(points, extend=foramen.recess - 1.0) > 0.5) & free] = Tissue.ROOT
    vein = np.square((posterior - y + 3.0) / 0.9) + np.square((up - z + 3.5) / 1.2)
    tissue[(vein < 1.0) & (depth > 0.3) & free] = Tissue.LIGAMENT
    canvas.claim(box, depth, Structure.FORAMEN, foramen_value(foramen.disc.upper.name, foramen.side))


@dataclass(frozen=True)
class _SacPart:
    """A box around a piece of the sac: where it is, and each of its points as the sac sees it (see :class:`Sac`)."""

    box: Box
    at: np.ndarray
    left: np.ndarray
    behind: np.ndarray
    depth: np.ndarray
    padding: np.ndarray


def _sac_parts(canvas: _Canvas, sac: Sac) -> Iterator[_SacPart]:
    """Boxes that cover the sac, one below the other, without overlap along the axis nearest to its course."""
    reach = float(max(sac.half_rl.max(), sac.half_ap.max()) * 1.35 + 4.0)
    whole = np.concatenate([sac.line - reach, sac.line + reach])
    found = canvas.lattice.around(whole, canvas.factors)
    if found is None:
        return
    course = sac.line[0] - sac.line[-1]
    axis = int(np.argmax(np.abs(canvas.lattice.directions @ course)))
    along = (sac.line - canvas.lattice.origin) @ canvas.lattice.directions.T
    step = canvas.factors[axis] * max(1, round(24.0 / (float(canvas.edge) * canvas.factors[axis])))
    for start in range(found[axis].start, found[axis].stop, step):
        stop = min(start + step, found[axis].stop)
        where = canvas.lattice.positions[axis]
        low, high = where[start] - reach, where[stop - 1] + reach
        near = sac.line[(along[:, axis] >= low) & (along[:, axis] <= high)]
        if not len(near):
            continue
        part = canvas.lattice.around(np.concatenate([near - reach, near + reach]), canvas.factors)
        if part is None:
            continue
        box = tuple(slice(start, stop) if a == axis else s for a, s in enumerate(part))
        place = sac.section_coordinates(canvas.lattice.cut(box))
        yield _SacPart(box, *place, sac.free_depth(*place), sac.padding_at(place[0]))


def _paint_canal_fat(canvas: _Canvas, part: _SacPart) -> None:
    # More fat behind the sac, in a wedge between the ligamenta flava.
    room = 1.6 + 3.2 * np.clip(part.behind / 9.0, 0.0, 1.0) * np.clip(1.0 - np.abs(part.left) / 9.0, 0.0, 1.0)
    room = room * part.padding
    tissue = canvas.tissue[part.box]
    tissue[part.depth > -room - 1.3] = Tissue.LIGAMENT
    tissue[part.depth > -room] = Tissue.EPIDURAL_FAT


def _paint_sac(canvas: _Canvas, part: _SacPart, anatomy: Anatomy, spec: PhantomSpec) -> None:
    tissue = canvas.tissue[part.box]
    free = ~canvas.taken(part.box) & (part.depth > -0.6)
    share = canvas.claim(part.box, part.depth, Structure.CANAL, CANAL_VALUE)
    tissue[free] = Tissue.LIGAMENT
    tissue[free & (part.depth > 0.2)] = Tissue.CSF
    _paint_nerves(tissue, free & (part.depth > 0.6), part, anatomy, spec)
    if anatomy.cord is not None:
        canvas.add_cord(part.box, anatomy.cord.depth(part.at, part.left, part.behind), share)


def _paint_nerves(
    tissue: np.ndarray,
    inside: np.ndarray,
    part: _SacPart,
    anatomy: Anatomy,
    spec: PhantomSpec,
) -> None:
    """Cord and conus above, below them the roots of the cauda equina, which settle behind in a supine patient."""
    sac = anatomy.sac
    conus = sac.column.discs[[b.name for b in sac.column.bodies].index("L1")].frame.origin
    end = float(np.argmin(np.linalg.norm(sac.line - conus, axis=1)))
    strands = np.random.default_rng([spec.seed, 5]).uniform(-1, 1, (26, 4))
    where = np.nonzero(inside)
    at, left, behind = part.at[where], part.left[where], part.behind[where]
    index = np.arange(len(sac.line))
    half_ap, half_rl = np.interp(at, index, sac.half_ap), np.interp(at, index, sac.half_rl)
    below = (at - end) * 0.5
    if anatomy.cord is None:
        taper = np.clip((10.0 - below) / 38.0, 0.0, 1.0) ** 0.7
        cord = np.hypot(left / 4.6, (behind - 0.12 * half_ap) / 3.4) < taper
    else:
        cord = anatomy.cord.depth(at, left, behind) > 0
    crowd = np.clip((below + 8.0) / 20.0, 0.0, 1.0) * np.clip((230.0 - below) / 150.0, 0.25, 1.0)
    root = np.zeros(len(at), bool)
    for x, y, phase, length in strands:
        drift = 0.12 * np.sin(at / 60.0 + 3 * phase)
        px = (0.85 * x + drift) * half_rl * np.sqrt(np.maximum(0.9 - np.square(0.25 + 0.6 * y), 0.05))
        py = (0.3 + 0.55 * y) * half_ap
        alive = crowd > 0.5 + 0.5 * length
        root |= alive & (np.hypot(left - px, behind - py) < 0.75)
    painted = tissue[where]
    painted[root] = Tissue.ROOT
    painted[cord] = Tissue.CORD
    tissue[where] = painted
