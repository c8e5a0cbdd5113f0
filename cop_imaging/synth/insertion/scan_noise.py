"""The noise and texture of soft tissue in a scan, measured in its own muscle, heart and liver, and drawn again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from cop_imaging.core.arrays import Float32Array, Float64Array, Int16Array, Int64Array, UInt8Array
from cop_imaging.synth.shapes import Slab

__all__ = ["ScanNoise", "Tiles", "soft_tiles"]

TILE_MM = 15.0
SOFT_HU = (0.0, 230.0)
"""Mean density of a tile of soft tissue, enhanced blood included."""
PAIRS_OF_SLICES = 32
EVENEST, STRUCTURE, COARSEST = 0.15, 1.25, 2.0
"""Share of tiles that are noise alone; how much stronger a tile may vary before it holds structure, and before it holds
borders of organs."""
SPREAD = 1.08
"""How far tiles of noise alone vary by chance beyond the evenest of them."""
CLEAR_PIXELS = 3
"""Distance of tiles from the lungs, whose blurred border is no soft tissue."""
REACH_RADIUS_MM, REACH_Z_MM = 15.0, 15.0
"""Over which distances the noise of tiles is averaged."""
NODE_MM = 10.0
PRIOR = 0.5
"""Tiles' worth of the whole scan's noise that is mixed into that of every place."""
FEWEST_TILES = 12
FALLBACK_SD_HU = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Square tiles of even soft tissue.

    Parameters
    ----------
    z, y, x : int64 (n,)
        Index of the first voxel.
    size : int
        Edge in pixels.
    radius_mm, z_mm : float64 (n,)
        Of the middle: distance from the isocentre in the plane, and height.
    sd_hu : float64 (n,)
        Of their noise, by their finest part.
    structure_hu : float
        SD of what the scan's soft tissue shows beyond noise: streaks of fat, edges of muscles.
    """

    z: Int64Array
    y: Int64Array
    x: Int64Array
    size: int
    radius_mm: Float64Array
    z_mm: Float64Array
    sd_hu: Float64Array
    structure_hu: float


def box_means(plane: Float64Array, size: int) -> Float64Array:
    """Mean of every square of a plane, (ny - size + 1, nx - size + 1)."""
    total = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1))
    total[1:, 1:] = plane.cumsum(axis=0).cumsum(axis=1)
    s = size
    out: Float64Array = (total[s:, s:] - total[:-s, s:] - total[s:, :-s] + total[:-s, :-s]) / (s * s)
    return out


def without_slope(tile: Float64Array) -> Float64Array:
    """Tiles (..., n, n) without their mean and slopes."""
    ramp = np.arange(tile.shape[-1]) - 0.5 * (tile.shape[-1] - 1)
    ramp = ramp / np.sqrt((ramp**2).mean())
    out: Float64Array = tile - tile.mean(axis=(-1, -2), keepdims=True)
    for slope in (ramp[:, None], ramp[None, :]):
        out = out - (out * slope).mean(axis=(-1, -2), keepdims=True) * slope
    return out


def soft_tiles(hu: Int16Array, lungs: UInt8Array, slab: Slab, centre_mm: tuple[float, float]) -> Tiles:
    """Tiles of even soft tissue outside the lungs, from pairs of slices spread over the lungs' height.

    Noise and structure are told apart without knowing either: a tile of noise alone varies in a fixed proportion to
    its own finest part; tiles that vary clearly more hold edges or streaks of fat.
    """
    pixel = float(np.abs(np.diff(slab.x.ravel())).mean())
    size = int(np.clip(2 * round(0.5 * TILE_MM / pixel), 6, 32))
    inside = np.flatnonzero(lungs.any(axis=(1, 2)))
    low, high = (int(inside[0]), int(inside[-1])) if inside.size else (0, hu.shape[0] - 1)
    planes = np.unique(np.linspace(low, max(high - 1, low), PAIRS_OF_SLICES).astype(int))
    found: list[Float64Array] = []
    for k in planes:
        plane = np.clip(hu[k], -1024, 600).astype(np.float64)
        fine = plane - ndimage.uniform_filter(plane, 3)
        border = ndimage.binary_dilation(lungs[k] > 0, iterations=CLEAR_PIXELS)
        away = 1.0 - box_means(border.astype(np.float64), size)
        step = max(size // 2, 1)
        mean, square, finest = (box_means(v, size)[::step, ::step] for v in (plane, plane**2, fine**2))
        sd = np.sqrt(np.maximum(square - mean**2, 1e-6))
        good = (mean > SOFT_HU[0]) & (mean < SOFT_HU[1]) & (away[::step, ::step] > 0.999)
        good &= (sd > 0.5) & (sd < 90.0) & (finest > 0.01)
        j, i = (v * step for v in np.nonzero(good))
        found.append(np.stack([np.full(len(j), k), j, i, sd[good], np.sqrt(finest[good])], axis=1))
    rows = np.concatenate(found) if found else np.zeros((0, 5))
    ratio, structure = rows[:, 3] / rows[:, 4], 0.0
    if len(rows):
        # Noise alone has the ratio of the evenest tiles, and the finest part tells its SD everywhere.
        usual = float(np.quantile(ratio, EVENEST))
        excess = rows[:, 3] ** 2 - (SPREAD * usual * rows[:, 4]) ** 2
        structure = float(np.sqrt(max(np.median(excess[ratio < COARSEST * usual]), 0.0)))
        rows[:, 3] = usual * rows[:, 4]
        rows = rows[ratio < STRUCTURE * usual]
    z, y, x = (rows[:, n].astype(np.int64) for n in range(3))
    middle = size // 2
    dx = slab.x.ravel()[np.minimum(x + middle, hu.shape[2] - 1)] - centre_mm[0]
    dy = slab.y.ravel()[np.minimum(y + middle, hu.shape[1] - 1)] - centre_mm[1]
    radius = np.hypot(dx, dy).astype(np.float64)
    return Tiles(z, y, x, size, radius, slab.z.ravel()[z].astype(np.float64), rows[:, 3], structure)


@dataclass(frozen=True, slots=True, eq=False)
class ScanNoise:
    """Texture of soft tissue in one scan.

    Parameters
    ----------
    power : float64 (nz, n, n)
        Mean power spectrum of tiles of variance 1 near each height, over cycles per pixel in the order of the FFT:
        between the shoulders noise lies in streaks.
    along_z : float64 (2 r + 1,)
        Weights, sum of squares 1, that correlate slices as the scan's are.
    centre_mm : (x, y)
        Isocentre.
    radius_mm, z_mm : float64 (nr,), (nz,)
        Nodes of the table of SD.
    sd_hu : float64 (nz, nr)
    structure_hu : float
        SD of soft tissue beyond noise.
    """

    power: Float64Array
    along_z: Float64Array
    centre_mm: tuple[float, float]
    radius_mm: Float64Array
    z_mm: Float64Array
    sd_hu: Float64Array
    structure_hu: float

    @classmethod
    def measure(cls, hu: Int16Array, lungs: UInt8Array, slab: Slab) -> ScanNoise:
        """Measure spectrum, correlation of slices and SD by radius and height in the scan's soft tissue."""
        centre = (float(slab.x.mean()), float(slab.y.mean()))
        tiles = soft_tiles(hu, lungs, slab, centre)
        radius = np.arange(0.0, 260.0, NODE_MM)
        z = np.arange(float(slab.z.min()), float(slab.z.max()) + NODE_MM, NODE_MM)
        if len(tiles.z) < FEWEST_TILES:
            sd = np.full((len(z), len(radius)), FALLBACK_SD_HU)
            return cls(np.ones((len(z), 8, 8)), np.ones(1), centre, radius, z, sd, 0.0)
        n = tiles.size
        window = np.hanning(n + 2)[1:-1]
        window2 = window[:, None] * window[None]
        near = np.exp(-0.5 * ((z[:, None] - tiles.z_mm) / REACH_Z_MM) ** 2) + PRIOR / len(tiles.z)
        power, across = np.zeros((len(z), n, n)), np.zeros(2)
        for t, (k, j, i) in enumerate(zip(tiles.z, tiles.y, tiles.x, strict=True)):
            stack = without_slope(hu[k : k + 3, j : j + n, i : i + n].astype(np.float64))
            variance = float(stack[0].var())
            power += near[:, t, None, None] * (np.abs(np.fft.fft2(stack[0] * window2)) ** 2 / variance)
            for lag in range(1, len(stack)):
                both = max(float(np.sqrt(variance * stack[lag].var())), 1e-6)
                across[lag - 1] += float((stack[0] * stack[lag]).mean()) / both
        # The slopes were taken off: the lowest frequency is given the power of its neighbours.
        power[:, 0, 0] = 0.25 * (power[:, 0, 1] + power[:, 1, 0] + power[:, 0, -1] + power[:, -1, 0])
        power /= power.mean(axis=(1, 2), keepdims=True)
        return cls(
            power, z_weights(across / len(tiles.z)), centre, radius, z, sd_table(tiles, radius, z), tiles.structure_hu
        )

    def sd_on(self, slab: Slab) -> Float32Array:
        """SD of soft tissue at the voxels of a slab by their radius and height, [z, y, x]."""
        r = np.hypot(slab.x - np.float32(self.centre_mm[0]), slab.y - np.float32(self.centre_mm[1]))[0]
        column = np.clip(r / NODE_MM, 0.0, len(self.radius_mm) - 1.001)
        row = np.clip((slab.z.ravel() - self.z_mm[0]) / NODE_MM, 0.0, max(len(self.z_mm) - 1.001, 0.0))
        k, i = row.astype(int), column.astype(int)
        v, u = (row - k)[:, None], (column - i).astype(np.float32)
        table = self.sd_hu[k] * (1.0 - v) + self.sd_hu[np.minimum(k + 1, len(self.z_mm) - 1)] * v
        table = table.astype(np.float32)
        out: Float32Array = table[:, i] * (1.0 - u) + table[:, i + 1] * u
        return out

    def draw(self, slices: range, z_mm: Float32Array, plane: tuple[int, int], seed: int) -> Float32Array:
        """Noise of SD 1 for some slices [z, y, x] at heights (z,).

        A slice's noise depends on its number, its height, the plane and the seed, whatever the run of slices.
        """
        reach = len(self.along_z) // 2
        size = (fft.next_fast_len(plane[0] + 8, real=True), fft.next_fast_len(plane[1] + 8, real=True))
        step = float(np.diff(z_mm).mean()) if len(z_mm) > 1 else 0.0
        gains: dict[int, Float32Array] = {}
        out = np.zeros((len(slices), *plane), dtype=np.float32)
        for k in range(slices.start - reach, slices.stop + reach):
            rng = np.random.default_rng([seed, k + 100_000])
            spectrum = fft.rfft2(rng.standard_normal(size, dtype=np.float32), overwrite_x=True, workers=1)
            node = self.node(float(z_mm[0]) + step * (k - slices.start))
            if node not in gains:
                gains[node] = self.gain(node, size)
            spectrum *= gains[node]
            drawn = fft.irfft2(spectrum, s=size, overwrite_x=True, workers=1)[: plane[0], : plane[1]]
            for lag, weight in enumerate(self.along_z):
                at = k - (lag - reach) - slices.start
                if 0 <= at < len(slices):
                    out[at] += np.float32(weight) * drawn
        return out

    def node(self, z_mm: float) -> int:
        """The nearest height of the table."""
        return int(np.clip(round((z_mm - self.z_mm[0]) / NODE_MM), 0, len(self.z_mm) - 1))

    def gain(self, node: int, size: tuple[int, int]) -> Float32Array:
        """Amplitude that gives white noise on a plane the spectrum near a height and SD 1, for the real FFT."""
        n = self.power.shape[-1]
        fy = np.fft.fftfreq(size[0])[:, None] * n * np.ones((1, size[1] // 2 + 1))
        fx = np.fft.rfftfreq(size[1])[None] * n * np.ones((size[0], 1))
        power = ndimage.map_coordinates(self.power[node], [fy, fx], order=1, mode="grid-wrap")
        twice = np.full(power.shape[1], 2.0)
        twice[0] = 1.0
        if size[1] % 2 == 0:
            twice[-1] = 1.0
        mean = float((power * twice).sum() / (size[0] * size[1]))
        out: Float32Array = np.sqrt(np.maximum(power, 0.0) / mean).astype(np.float32)
        return out


def z_weights(correlation: Float64Array) -> Float64Array:
    """Weights, sum of squares 1, that give slices these correlations at lags 1 and 2 where that is possible."""
    c1, c2 = np.clip(correlation, 0.0, (0.9, 0.8))
    lags = np.zeros(32)
    lags[0], lags[1], lags[-1] = 1.0, c1, c1
    lags[2] = lags[-2] = c2
    root = np.fft.irfft(np.sqrt(np.maximum(np.fft.rfft(lags).real, 0.0)), 32)
    weights = np.concatenate([root[-3:], root[:4]])
    out: Float64Array = weights / np.sqrt((weights**2).sum())
    return out


def sd_table(tiles: Tiles, radius_mm: Float64Array, z_mm: Float64Array) -> Float64Array:
    """SD at nodes of height and radius: geometric mean of the tiles near by, the whole scan's where few are."""
    dr = (radius_mm[None, :, None] - tiles.radius_mm) / REACH_RADIUS_MM
    dz = (z_mm[:, None, None] - tiles.z_mm) / REACH_Z_MM
    weight = np.exp(-0.5 * (dr**2 + dz**2))
    level = np.log(tiles.sd_hu)
    whole = float(np.median(level))
    out: Float64Array = np.exp((weight @ level + PRIOR * whole) / (weight.sum(axis=-1) + PRIOR))
    return out
