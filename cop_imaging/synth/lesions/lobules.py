"""Secondary lobules as Voronoi cells with bent walls: which lobule a voxel lies in, and how far its wall is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, cKDTree
from scipy.spatial.transform import Rotation

from cop_imaging.core.arrays import BoolArray, Float32Array, Float64Array
from cop_imaging.synth.random_field import Field
from cop_imaging.synth.shapes import Slab

__all__ = ["Lobules", "Walls", "rounded"]

Rows = NDArray[np.int64]
Point = tuple[float, float, float]

BEND = 0.12
"""How far the walls between lobules bend, as a share of a lobule: they are no planes."""


def rounded(a: Float32Array, b: Float32Array, round_mm: float) -> Float32Array:
    """The lesser of two distances, less near the corner where both are small (Quilez's polynomial minimum)."""
    out: Float32Array = np.minimum(a, b)
    if round_mm > 0.0:
        gap = np.maximum(np.float32(round_mm) - np.abs(a - b), 0.0)
        out = out - gap * gap * np.float32(0.25 / round_mm)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Walls:
    """The walls of the lobules at some voxels, all (n,)."""

    distance_mm: Float32Array
    """To the nearest wall; right within a third, as the walls' bends stretch it."""
    lobule: Rows
    """Row of the lobule that a voxel lies in."""
    other: Rows
    """Row of the lobule beyond the nearest wall."""


@dataclass(frozen=True, slots=True, eq=False)
class Lobules:
    """Lobules around a lesion: the Voronoi cells of a jittered lattice (secondary lobules are 10-25 mm across)."""

    seeds_mm: Float64Array
    """(n, 3) as (x, y, z)."""
    value: Float32Array
    """(n,) a standard normal number per lobule."""
    rough: Field
    """Smooth noise of SD 1 that also bends the walls."""
    lobule_mm: float

    @classmethod
    @lru_cache(maxsize=256)
    def around(cls, centre_mm: Point, *, reach_mm: float, seed: int, lobule_mm: float) -> Lobules:
        """Lobules out to ``reach_mm`` from a centre; the same arguments give the same lobules.

        They are kept for a while, as slabs come one after the other.
        """
        rng = np.random.default_rng(seed)
        low, high = (tuple(c + side * (reach_mm + 1.5 * lobule_mm) for c in centre_mm) for side in (-1.0, 1.0))
        rough = Field.random(rng, (low[0], low[1], low[2]), (high[0], high[1], high[2]), 0.4 * lobule_mm)
        half = reach_mm + 1.5 * lobule_mm
        steps = np.arange(0.0, 2.0 * np.sqrt(3.0) * half, lobule_mm) - np.sqrt(3.0) * half
        seeds = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
        # The lattice is turned at random: its planes must not show along the axes of the image.
        seeds = seeds @ Rotation.random(random_state=rng).as_matrix()
        seeds = seeds[(np.abs(seeds) < half).all(axis=1)] + np.array(centre_mm)
        seeds = seeds + rng.uniform(-0.45 * lobule_mm, 0.45 * lobule_mm, seeds.shape)
        return cls(seeds, rng.standard_normal(len(seeds)).astype(np.float32), rough, lobule_mm)

    def bent(self, slab: Slab, rough: Float32Array, within: BoolArray) -> Float64Array:
        """Chosen voxels (n, 3) as (x, y, z) where the walls are planes; ``rough`` is the field on the slab."""
        points = np.stack([np.broadcast_to(c, slab.shape)[within] for c in (slab.x, slab.y, slab.z)], axis=1)
        out: Float64Array = points + BEND * self.lobule_mm * rough[within][:, None]
        return out

    def nearest(self, slab: Slab, rough: Float32Array, within: BoolArray) -> Rows:
        """Row of the lobule that each of the chosen voxels lies in, (n,)."""
        return np.asarray(cKDTree(self.seeds_mm).query(self.bent(slab, rough, within), workers=1)[1], dtype=np.int64)

    def values(self, slab: Slab, rough: Float32Array, within: BoolArray) -> Float32Array:
        """The value of the lobule that each of the chosen voxels lies in, 0 elsewhere, [z, y, x]."""
        out = np.zeros(slab.shape, dtype=np.float32)
        out[within] = self.value[self.nearest(slab, rough, within)]
        return out

    def walls(
        self,
        slab: Slab,
        rough: Float32Array,
        within: BoolArray,
        *,
        drawn: Callable[[int, int], bool] | None = None,
        round_mm: float = 0.0,
    ) -> Walls:
        """The nearest wall of each chosen voxel's own lobule: the nearest plane that parts it from a neighbour.

        Parameters
        ----------
        drawn : function of two lobules' rows
            Which walls count, seen from inside the first lobule; a lobule without any has infinite distances.
        round_mm : float
            Radius over which the corners between two walls are rounded.
        """
        points = self.bent(slab, rough, within)
        # Seeds farther than three lobules from the slab have no wall in it.
        ends = np.array([[a.min(), a.max()] for a in (slab.x, slab.y, slab.z)])
        margin = 3.0 * self.lobule_mm
        kept = np.flatnonzero(
            ((self.seeds_mm > ends[:, 0] - margin) & (self.seeds_mm < ends[:, 1] + margin)).all(axis=1)
        )
        rows = kept[cKDTree(self.seeds_mm[kept]).query(points, workers=1)[1]]
        first, neighbours = Delaunay(self.seeds_mm[kept]).vertex_neighbor_vertices
        place = np.zeros(len(self.seeds_mm), dtype=np.int64)
        place[kept] = np.arange(len(kept))
        distance, other = np.empty(len(points), dtype=np.float32), np.empty(len(points), dtype=np.int64)
        order = np.argsort(rows, kind="stable")
        sizes = np.bincount(rows, minlength=len(self.seeds_mm))
        last = np.cumsum(sizes)
        for own in np.flatnonzero(sizes):
            voxels = order[last[own] - sizes[own] : last[own]]
            seed = self.seeds_mm[own]
            x, y, z = (points[voxels] - seed).T.astype(np.float32)
            least = np.full(len(voxels), np.inf, dtype=np.float32)
            beyond = np.full(len(voxels), own)
            # In the order of their rows, so that every slab rounds corners alike.
            for row in np.sort(kept[neighbours[first[place[own]] : first[place[own] + 1]]]):
                if drawn is not None and not drawn(int(own), int(row)):
                    continue
                way = self.seeds_mm[row] - seed
                apart = float(np.linalg.norm(way))
                u, v, w = (way / apart).astype(np.float32)
                gap = np.float32(0.5 * apart) - (x * u + y * v + z * w)
                beyond[gap < least] = row
                least = rounded(least, gap, round_mm)
            distance[voxels], other[voxels] = least, beyond
        return Walls(distance, rows, other)
