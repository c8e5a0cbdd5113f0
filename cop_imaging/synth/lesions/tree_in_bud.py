"""Tree-in-bud: small bronchioles filled with mucus or pus, branching, with buds at their ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array, Float64Array
from cop_imaging.synth.lesions.centrilobular import lobule_centres
from cop_imaging.synth.lesions.drawing import draw_seed, hilum
from cop_imaging.synth.lesions.lesion import Layer, Place, Point
from cop_imaging.synth.shapes import Tubes, draw_tubes
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["TreeInBud", "draw_tree_in_bud"]

BRANCHINGS = 3


@dataclass(frozen=True, slots=True)
class TreeInBud:
    """The filled bronchioles of one lobule."""

    centre_mm: Point
    outwards: Point
    """Direction in which it branches, a unit vector: away from the hilum."""
    seed: int
    length_mm: float = 14.0
    """From the stem's start to the last buds."""
    radius_mm: float = 1.0
    """Of the stem; bronchioles are 1-2 mm wide when filled."""
    bud_mm: float = 3.2
    """Diameter of the buds."""
    fraction: float = 0.92
    tissue_hu: float = 38.0

    @property
    def reach_mm(self) -> float:
        """Half of its length, and its spread to the sides."""
        return 0.75 * self.length_mm + self.bud_mm + 3.0

    def tubes(self) -> Tubes:
        """Stem, branches and buds (tubes almost without length)."""
        rng = np.random.default_rng(self.seed)
        step = self.length_mm / (1.0 + 0.72 + 0.55 + 0.4)
        start, way = np.array(self.centre_mm) - 0.5 * self.length_mm * np.array(self.outwards), np.array(self.outwards)
        rows: list[tuple[Float64Array, Float64Array, float, float]] = []
        todo = [(start, way, step, self.radius_mm, 0)]
        while todo:
            origin, along, length, radius, depth = todo.pop()
            middle = origin + 0.5 * length * turned(along, rng, 10.0)
            end = middle + 0.5 * length * turned(along, rng, 14.0)
            rows += [(origin, middle, radius, radius), (middle, end, radius, 0.9 * radius)]
            if depth == BRANCHINGS or (depth > 1 and rng.random() < 0.25):
                bud = 0.5 * self.bud_mm * float(rng.uniform(0.75, 1.2))
                rows.append((end, end + 0.6 * bud * along, bud, 0.85 * bud))
                continue
            # Buds sit along the branches too.
            if depth > 0 and rng.random() < 0.4:
                bud = 0.4 * self.bud_mm * float(rng.uniform(0.8, 1.2))
                rows.append((middle, middle + 0.9 * bud * turned(along, rng, 70.0), bud, 0.8 * bud))
            across = turned(along, rng, 90.0)
            for sign in (1.0, -1.0):
                lean = np.tan(np.radians(rng.uniform(24.0, 46.0)))
                child = along + sign * lean * across
                todo.append(
                    (
                        end,
                        child / np.linalg.norm(child),
                        length * float(rng.uniform(0.62, 0.86)),
                        0.88 * radius,
                        depth + 1,
                    )
                )
        begin, end_, r0, r1 = (np.array(column) for column in zip(*rows, strict=True))
        return Tubes(begin, end_, r0, r1)

    def part(self, place: Place) -> Float32Array:
        """Part of each voxel in it, 0-1."""
        return draw_tubes(place.slab, self.tubes())

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One layer of filled bronchioles."""
        return (Layer(np.float32(self.fraction) * self.part(place), self.tissue_hu),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """Stem, branches and buds."""
        return {"tree_in_bud": self.part(place)}


def turned(way: Float64Array, rng: np.random.Generator, degrees: float) -> Float64Array:
    """A unit vector turned out of ``way`` to a random side by that angle (90: at right angles to it)."""
    side = rng.standard_normal(3)
    side -= (side @ way) * way
    side /= np.linalg.norm(side)
    turn = np.radians(degrees)
    out: Float64Array = np.cos(turn) * way + np.sin(turn) * side
    return out


def draw_tree_in_bud(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    number: int,
    clusters: int = 3,
    cluster_mm: float = 24.0,
) -> tuple[TreeInBud, ...]:
    """Trees of 12-18 mm in clusters of neighbouring lobules, 5 mm or more off the pleura.

    Source: branching structures of 1-2 mm with buds of 2-4 mm a few millimetres from the pleura (Fleischner
    glossary, Radiology 2008;246:697, "tree-in-bud"); their clustering in segments is an estimate.
    """
    out: list[TreeInBud] = []
    middles: list[Point] = []
    for _ in range(clusters):
        point = terrain.draw(where, rng, clear_of=[(m, 2.0 * cluster_mm) for m in middles])
        if point is not None:
            middles.append(point)
    for left, middle in zip(range(len(middles), 0, -1), middles, strict=True):
        near = np.linalg.norm(terrain.points_mm - np.array(middle), axis=1) < cluster_mm
        wanted = -(-(number - len(out)) // left)
        centres = lobule_centres(terrain, where, rng, apart_mm=9.0, number=wanted, margin_mm=8.0, within=near)
        for x, y, z in centres:
            point = (float(x), float(y), float(z))
            way = np.array(point) - np.array(hilum(terrain, point)) + rng.normal(0.0, 12.0, 3)
            u, v, w = (way / np.linalg.norm(way)).round(4)
            out.append(
                TreeInBud(
                    point,
                    (float(u), float(v), float(w)),
                    draw_seed(rng),
                    length_mm=round(float(rng.uniform(12.0, 18.0)), 1),
                    radius_mm=round(float(rng.uniform(0.8, 1.15)), 2),
                    bud_mm=round(float(rng.uniform(2.6, 4.0)), 2),
                )
            )
    return tuple(out)
