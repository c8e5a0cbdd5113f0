"""Soft tissue of a scan, cut out block by block and put together again: its noise and unevenness as the scan has them.

No simple model of noise knows the streaks between the shoulders, the strands of fat in muscle and what neighbouring
slices share; blocks of the scan's own muscle, heart and liver hold all of it. Blocks without their means are laid side
by side, and their seams are joined with weights whose squares sum to one, which keeps the variance (Heitz and Neyret,
Proc ACM Comput Graph Interact Tech 2018;1:31).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from cop_imaging.core.arrays import BoolArray, Float32Array, Float64Array, Int16Array, Int64Array, UInt8Array
from cop_imaging.core.geometry import Box
from cop_imaging.synth.shapes import Slab

__all__ = ["TissueBlocks"]

WIDE_MM, FEWEST_PIXELS, MOST_PIXELS = 9.0, 6, 24
TALL_MM, FEWEST_SLICES, MOST_SLICES = 12.5, 3, 12
JOINT = 4
"""A seam is this part of a block."""
RUNS = 28
"""Heights at which blocks are cut out."""
SOFT_HU = (0.0, 230.0)
"""Density of soft organs, enhanced ones included."""
BONE_HU, MARROW_MM = 200.0, 10.0
"""Bone, and how far apart its walls are taken to hold marrow: that is no soft tissue, though as dense."""
CLEAR_PIXELS = 2
"""Distance of blocks from the organ's border."""
FEWEST_BLOCKS, MOST_BLOCKS = 24, 4000
OUTLYING = 0.97
"""Quantile of the SD above which a block holds metal, gas or bone."""
NEAREST = 32
"""Blocks among which one is drawn for a place."""
RADIUS_MM, HEIGHT_MM = 10.0, 20.0
"""Distances that count the same: from the isocentre, where noise is most like, and along z."""
FALLBACK_SD_HU = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class TissueBlocks:
    """Blocks of soft tissue of one scan.

    Parameters
    ----------
    values : float32 (n, tall, wide, wide)
        Differences from the block's mean, in HU.
    radius_mm, z_mm : float64 (n,)
        Of the middle: distance from the isocentre in the plane, and height.
    centre_mm : (x, y)
        Isocentre.
    """

    values: Float32Array
    radius_mm: Float64Array
    z_mm: Float64Array
    centre_mm: tuple[float, float]

    @classmethod
    def of(cls, hu: Int16Array, lungs: UInt8Array, slab: Slab, centre_mm: tuple[float, float]) -> TissueBlocks:
        """Cut out the blocks of a scan; where it shows hardly any soft tissue, white noise stands for it."""
        pixel, dz = (float(np.abs(np.diff(axis.ravel())).mean()) for axis in (slab.x, slab.z))
        wide = int(np.clip(2 * round(0.5 * WIDE_MM / pixel), FEWEST_PIXELS, MOST_PIXELS))
        tall = min(int(np.clip(round(TALL_MM / dz), FEWEST_SLICES, MOST_SLICES)), hu.shape[0])
        hit = np.flatnonzero(lungs.any(axis=(1, 2)))
        low, high = int(hit[0]), min(int(hit[-1]) + 1, hu.shape[0]) - tall
        low = max(min(low, high), 0)
        starts = np.unique(np.linspace(low, max(high, low), RUNS).astype(int))
        corners = np.concatenate([corners_of(hu, lungs, int(k), tall, wide, pixel) for k in starts])
        if len(corners) < FEWEST_BLOCKS:
            values = np.random.default_rng(0).normal(0.0, FALLBACK_SD_HU, (FEWEST_BLOCKS, tall, wide, wide))
            return cls(values.astype(np.float32), np.zeros(FEWEST_BLOCKS), np.zeros(FEWEST_BLOCKS), centre_mm)
        some = np.linspace(0, len(corners) - 1, min(len(corners), MOST_BLOCKS)).astype(int)
        corners = corners[some]
        values = np.array([hu[k : k + tall, j : j + wide, i : i + wide] for k, j, i in corners], dtype=np.float32)
        values -= values.mean(axis=(1, 2, 3), keepdims=True)
        sd = values.std(axis=(1, 2, 3))
        usual = sd <= np.quantile(sd, OUTLYING)
        k, j, i = (corners[usual, n] + s // 2 for n, s in enumerate((tall, wide, wide)))
        radius = np.hypot(slab.x.ravel()[i] - centre_mm[0], slab.y.ravel()[j] - centre_mm[1]).astype(np.float64)
        return cls(values[usual], radius, slab.z.ravel()[k].astype(np.float64), centre_mm)

    @property
    def index(self) -> KDTree:
        """Where the blocks lie: by radius and height."""
        return KDTree(np.stack([self.radius_mm / RADIUS_MM, self.z_mm / HEIGHT_MM], axis=1))

    def draw(self, box: Box, slab: Slab, seed: int) -> Float32Array:
        """Differences in HU at a box of the scan, [z, y, x]; the same voxel has the same, whatever the box.

        Parameters
        ----------
        slab : Slab
            The whole scan.
        """
        size = self.values.shape[1:]
        joint = [max(n // JOINT, 1) for n in size]
        hop = [n - t for n, t in zip(size, joint, strict=True)]
        rise = [np.sin(0.5 * np.pi * (np.arange(t) + 0.5) / t) for t in joint]
        z, y, x = (
            np.concatenate([r, np.ones(n - 2 * len(r)), r[::-1]]).astype(np.float32)
            for r, n in zip(rise, size, strict=True)
        )
        weight = z[:, None, None] * y[:, None] * x
        cells = [
            np.arange((b.start - n) // h + 1, (b.stop - 1) // h + 1) for b, h, n in zip(box, hop, size, strict=True)
        ]
        near = self.near(slab, cells, hop)
        dice = rolled(cells, [-(-n // h) + 1 for n, h in zip(slab.shape, hop, strict=True)], seed)
        out = np.zeros([b.stop - b.start for b in box], dtype=np.float32)
        for at in np.ndindex(*dice.shape):
            cell = [int(c[n]) for c, n in zip(cells, at, strict=True)]
            pick, turned = divmod(int(dice[at]), 4)
            block = self.values[near[at][pick % near.shape[3]]]
            block = block[:, :: 1 - 2 * (turned // 2), :: 1 - 2 * (turned % 2)]
            here, there = [], []
            for c, h, b, n in zip(cell, hop, box, size, strict=True):
                low, high = max(c * h, b.start), min(c * h + n, b.stop)
                here.append(slice(low - b.start, high - b.start))
                there.append(slice(low - c * h, high - c * h))
            out[tuple(here)] += weight[tuple(there)] * block[tuple(there)]
        return out

    def near(self, slab: Slab, cells: list[Int64Array], hop: list[int]) -> Int64Array:
        """The nearest blocks of every cell, (cells along z, y, x, n)."""
        axes = [axis.ravel() for axis in (slab.z, slab.y, slab.x)]
        z, y, x = (
            a[0] + (a[-1] - a[0]) / max(len(a) - 1, 1) * (c + 0.5) * h for a, c, h in zip(axes, cells, hop, strict=True)
        )
        radius = np.hypot(y[:, None] - self.centre_mm[1], x - self.centre_mm[0])
        shape = (len(z), *radius.shape)
        place = np.stack(
            [np.broadcast_to(radius / RADIUS_MM, shape), np.broadcast_to(z[:, None, None] / HEIGHT_MM, shape)], axis=-1
        )
        return np.asarray(self.index.query(place, k=min(NEAREST, len(self.values)))[1], dtype=np.int64)


def rolled(cells: list[Int64Array], count: list[int], seed: int) -> Int64Array:
    """A random number for every cell [z, y, x]; a cell has the same whatever the box. The first of an axis is -1."""
    rolls = [np.random.default_rng([seed, k + 1]).integers(0, 2**31, count[1:]) for k in map(int, cells[0])]
    out: Int64Array = np.stack(rolls)[:, (cells[1] + 1)[:, None], cells[2] + 1]
    return out


def corners_of(hu: Int16Array, lungs: UInt8Array, k: int, tall: int, wide: int, pixel_mm: float) -> Int64Array:
    """First voxels (n, 3) of blocks that begin at a slice and lie in soft organs in their first, middle, last slice."""
    clear = np.ones(hu.shape[1:], dtype=bool)
    for n in {k, k + tall // 2, k + tall - 1}:
        clear &= soft_organs(hu[n], lungs[n], pixel_mm)
    step = max(wide // 2, 1)
    j, i = np.nonzero(box_means(clear.astype(np.float64), wide)[::step, ::step] > 0.999)
    return np.stack([np.full(len(j), k), j * step, i * step], axis=1)


def soft_organs(plane: Int16Array, lungs: UInt8Array, pixel_mm: float) -> BoolArray:
    """Muscle, heart, liver and the like in a slice, without their borders and without bones and marrow."""
    smooth = ndimage.gaussian_filter(np.clip(plane, -1024, 600).astype(np.float32), 1.5)
    soft = (smooth > SOFT_HU[0]) & (smooth < SOFT_HU[1]) & (lungs == 0)
    bone = smooth[::2, ::2] > BONE_HU
    walls = ndimage.binary_closing(bone, iterations=max(round(0.5 * MARROW_MM / pixel_mm), 1))
    inside = ndimage.binary_fill_holes(walls).repeat(2, axis=0).repeat(2, axis=1)
    soft &= ~inside[: plane.shape[0], : plane.shape[1]]
    across = 2 * CLEAR_PIXELS + 1
    out: BoolArray = ndimage.binary_erosion(soft, np.ones((across, across), dtype=bool))
    return out


def box_means(plane: Float64Array, size: int) -> Float64Array:
    """Mean of every square of a plane, (ny - size + 1, nx - size + 1)."""
    total = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1))
    total[1:, 1:] = plane.cumsum(axis=0).cumsum(axis=1)
    s = size
    out: Float64Array = (total[s:, s:] - total[:-s, s:] - total[s:, :-s] + total[:-s, :-s]) / (s * s)
    return out
