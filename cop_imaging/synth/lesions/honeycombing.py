"""Honeycombing: stacked cysts under the pleura that share their walls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cop_imaging.core.arrays import Float32Array, Float64Array
from cop_imaging.synth.lesions.drawing import draw_seed
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, smoothstep
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["Honeycombing", "draw_honeycombing"]


SWELL = 1.8
"""Volume of a cluster over that of the places it was drawn from: its outer cysts reach beyond them."""


@dataclass(frozen=True, slots=True)
class Honeycombing:
    """A cluster of cysts; walls are shared where cysts meet."""

    cells: tuple[tuple[float, float, float, float], ...]
    """(x, y, z, radius) in mm, walls included."""
    seed: int
    wall_mm: float = 1.4
    tissue_hu: float = 38.0
    air_hu: float = -970.0

    @property
    def ends(self) -> Float64Array:
        """Corners of the box around the cysts' centres, (2, 3)."""
        points = np.array(self.cells)[:, :3]
        return np.stack([points.min(axis=0), points.max(axis=0)])

    @property
    def centre_mm(self) -> Point:
        """Middle of that box."""
        x, y, z = self.ends.mean(axis=0)
        return float(x), float(y), float(z)

    @property
    def reach_mm(self) -> float:
        """Half of the box's longest side and the widest cyst."""
        return float(0.5 * np.ptp(self.ends, axis=0).max() + 1.35 * max(c[3] for c in self.cells) + 5.0)

    def levels(self, place: Place) -> tuple[Float32Array, Float32Array]:
        """Distance inside the largest and the second largest cyst at each voxel, in mm."""
        s = place.slab
        first, second = (np.full(s.shape, -99.0, dtype=np.float32) for _ in range(2))
        # Cysts are no balls: each is squeezed in its own way.
        squeeze = np.random.default_rng(self.seed).uniform(0.8, 1.22, (len(self.cells), 3)).astype(np.float32)
        for (x, y, z, radius), k in zip(self.cells, squeeze, strict=True):
            middle, reach = np.array((x, y, z)), 1.3 * radius + 4.0
            box = s.box(middle - reach, middle + reach)
            if box is None:
                continue
            c = s.crop(box)
            u, v, w = ((a - np.float32(o)) * q for a, o, q in zip((c.x, c.y, c.z), (x, y, z), k, strict=True))
            level = np.float32(radius) - np.sqrt(u * u + v * v + w * w)
            np.maximum(second[box], np.minimum(first[box], level), out=second[box])
            np.maximum(first[box], level, out=first[box])
        return first, second

    def parts(self, place: Place) -> tuple[Float32Array, Float32Array]:
        """Parts of each voxel in the cluster with its walls, and in its air."""
        first, second = self.levels(place)
        width = max(0.7, 0.9 * place.slab.voxel_mm)
        # Half a wall on either side of a border; the pleura closes the outermost cysts.
        inside = np.minimum(np.minimum(first, np.float32(0.5) * (first - second)), place.depth_mm - np.float32(0.3))
        air = smoothstep((inside - np.float32(0.5 * self.wall_mm)).astype(np.float32), width)
        return smoothstep(first + np.float32(self.wall_mm), width), air

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """Walls, then the air in them."""
        whole, air = self.parts(place)
        return Layer(np.float32(0.9) * whole, self.tissue_hu), Layer(air, self.air_hu, over=True)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """Cysts with their walls."""
        return {"honeycombing": self.parts(place)[0]}


def draw_honeycombing(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    target_ml: float,
    radius_mm: tuple[float, float] = (1.9, 4.6),
) -> tuple[Honeycombing, ...]:
    """Clusters of cysts 3-10 mm wide in two to four layers under the pleura, with walls of 1-2 mm.

    Source: clustered cystic airspaces of 3-10 mm with walls of 1-3 mm, subpleural (Fleischner glossary, Radiology
    2008;246:697, "honeycombing"); the size of clusters is an estimate.
    """
    taken = np.zeros(len(terrain.points_mm), dtype=bool)
    place_ml = SWELL * terrain.lung_ml / max(len(taken), 1)
    left = target_ml
    for _ in range(60):
        seed = terrain.draw(where, rng)
        if left <= 0.0 or seed is None:
            break
        extent, deep = float(rng.uniform(18.0, 40.0)), float(rng.uniform(9.0, 18.0))
        away = np.linalg.norm(terrain.points_mm - np.array(seed), axis=1)
        inside = np.flatnonzero((away < extent) & (terrain.depth_mm < deep * (1.2 - away / extent)) & ~taken)
        inside = inside[np.argsort(away[inside], kind="stable")][: max(8, round(left / place_ml))]
        if inside.size < 8:
            continue
        taken[inside] = True
        left -= inside.size * place_ml
    # Clusters that meet are one honeycomb: the air of one must not break the walls of the other.
    sides = [taken & (terrain.right == right) for right in (True, False)]
    return tuple(
        Honeycombing(packed(terrain.points_mm[own], rng, radius_mm), draw_seed(rng)) for own in sides if own.any()
    )


def packed(
    points_mm: Float64Array, rng: np.random.Generator, radius_mm: tuple[float, float]
) -> tuple[tuple[float, float, float, float], ...]:
    """Cysts that fill the cells of 5 mm around places, the next one always touching its neighbours."""
    fine = np.repeat(points_mm, 12, axis=0) + rng.uniform(-2.5, 2.5, (12 * len(points_mm), 3))
    radius = rng.uniform(*radius_mm, len(fine))
    order = np.argsort(-radius * rng.uniform(0.5, 1.0, len(fine)), kind="stable")
    fine, radius = fine[order], radius[order]
    tree, free, rows = cKDTree(fine), np.ones(len(fine), dtype=bool), []
    for row in range(len(fine)):
        if free[row]:
            rows.append(row)
            near = np.array(tree.query_ball_point(fine[row], 1.5 * radius[row]))
            free[near] = False
    # Neighbours overlap a little, so that their walls are shared.
    return tuple(
        (round(float(x), 2), round(float(y), 2), round(float(z), 2), round(float(1.3 * r), 2))
        for (x, y, z), r in zip(fine[rows], radius[rows], strict=True)
    )
