"""Tiles inside a scan's own muscle, heart and liver: what its soft tissue looks like away from every border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import AnyArray, BoolArray, Float64Array, Int16Array, Int64Array, UInt8Array
from cop_imaging.synth.shapes import Slab

__all__ = ["SoftTiles", "box_means"]

TILE_MM, FEWEST_PIXELS, MOST_PIXELS = 9.0, 6, 24
SOFT_HU = (0.0, 230.0)
"""Density of soft organs, enhanced ones included."""
CLEAR_PIXELS = 2
"""Distance of tiles from the organ's border."""
SLICES = 32
EVENEST = 0.2
"""Share of tiles that hold noise alone."""
BY_CHANCE = 1.15
"""How much more tiles of noise alone vary on the average than the evenest of them, which are so by chance."""
OUTLYING = 0.97
"""Quantile of the variation above which a tile holds metal, gas or bone."""


@dataclass(frozen=True, slots=True, eq=False)
class SoftTiles:
    """Square tiles inside soft organs, from slices spread over the lungs' height.

    Parameters
    ----------
    z, y, x : int64 (n,)
        Index of the first voxel; the two slices above it exist.
    size : int
        Edge in pixels.
    pixel_mm : float
    radius_mm, z_mm : float64 (n,)
        Of the middle: distance from the isocentre in the plane, and height.
    variance : float64 (n,)
        Of the whole tile.
    noise_hu : float64 (n,)
        SD of its noise, by its finest part.
    """

    z: Int64Array
    y: Int64Array
    x: Int64Array
    size: int
    pixel_mm: float
    radius_mm: Float64Array
    z_mm: Float64Array
    variance: Float64Array
    noise_hu: Float64Array

    @classmethod
    def of(cls, hu: Int16Array, lungs: UInt8Array, slab: Slab, centre_mm: tuple[float, float]) -> SoftTiles:
        """Find the tiles of a scan.

        Noise and structure are told apart without knowing either: a tile of noise alone varies in a fixed proportion
        to its own finest part, and the evenest tiles are noise alone.
        """
        pixel = float(np.abs(np.diff(slab.x.ravel())).mean())
        size = int(np.clip(2 * round(0.5 * TILE_MM / pixel), FEWEST_PIXELS, MOST_PIXELS))
        hit = np.flatnonzero(lungs.any(axis=(1, 2)))
        low, high = (int(hit[0]), int(hit[-1])) if hit.size else (0, hu.shape[0] - 1)
        last = max(min(high, hu.shape[0] - 3), 0)
        planes = np.unique(np.linspace(min(low, last), last, SLICES).astype(int))
        rows = np.concatenate([tiles_of(hu[k], lungs[k], size, int(k)) for k in planes])
        if len(rows):
            rows = rows[rows[:, 3] <= np.quantile(rows[:, 3], OUTLYING)]
            ratio = rows[:, 3] / rows[:, 4]
            usual = BY_CHANCE * np.median(ratio[ratio <= np.quantile(ratio, 2.0 * EVENEST)])
            rows[:, 4] = np.sqrt(np.minimum(usual * rows[:, 4], rows[:, 3]))
        z, y, x = (rows[:, n].astype(np.int64) for n in range(3))
        middle = size // 2
        dx = slab.x.ravel()[x + middle] - centre_mm[0]
        dy = slab.y.ravel()[y + middle] - centre_mm[1]
        radius = np.hypot(dx, dy).astype(np.float64)
        height = slab.z.ravel()[z].astype(np.float64)
        return cls(z, y, x, size, pixel, radius, height, rows[:, 3], rows[:, 4])

    def __len__(self) -> int:
        return len(self.z)

    @property
    def even(self) -> BoolArray:
        """Which tiles are hardly more than noise."""
        out: BoolArray = self.variance < 1.4 * self.noise_hu**2
        return out

    def cut(self, hu: Int16Array, chosen: AnyArray) -> Float64Array:
        """Chosen tiles with the two slices above, without their means, (n, 3, size, size)."""
        at = zip(self.z[chosen], self.y[chosen], self.x[chosen], strict=True)
        n = self.size
        tiles = [hu[k : k + 3, j : j + n, i : i + n] for k, j, i in at]
        out = np.clip(np.array(tiles, dtype=np.float64).reshape(-1, 3, n, n), -1024.0, 600.0)
        out -= out.mean(axis=(2, 3), keepdims=True)
        return out


def tiles_of(plane: Int16Array, lungs: UInt8Array, size: int, k: int) -> Float64Array:
    """Slice, row, column, variance and finest part's mean square of the tiles of a slice, (n, 5)."""
    values = np.clip(plane, -1024, 600).astype(np.float32)
    smooth = ndimage.gaussian_filter(values, 1.5)
    organ = (smooth > SOFT_HU[0]) & (smooth < SOFT_HU[1]) & (lungs == 0)
    wide = 2 * CLEAR_PIXELS + 1
    organ = ndimage.binary_erosion(organ, np.ones((wide, wide), dtype=bool))
    step = max(size // 2, 1)
    j, i = np.nonzero(box_means(organ.astype(np.float64), size)[::step, ::step] > 0.999)
    whole = values.astype(np.float64)
    fine = whole - ndimage.uniform_filter(whole, 3)
    mean, square, finest = (box_means(v, size)[::step, ::step][j, i] for v in (whole, whole**2, fine**2))
    variance = square - mean**2
    rows = np.stack([np.full(len(j), k), j * step, i * step, variance, finest], axis=1)
    out: Float64Array = rows[(variance > 0.25) & (finest > 0.01)]
    return out


def box_means(plane: Float64Array, size: int) -> Float64Array:
    """Mean of every square of a plane, (ny - size + 1, nx - size + 1)."""
    total = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1))
    total[1:, 1:] = plane.cumsum(axis=0).cumsum(axis=1)
    s = size
    out: Float64Array = (total[s:, s:] - total[:-s, s:] - total[s:, :-s] + total[:-s, :-s]) / (s * s)
    return out
