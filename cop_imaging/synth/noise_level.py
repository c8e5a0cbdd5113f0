"""How strong noise is at each place: a point sees rays from all sides, and tissue on their way weakens them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array, Float64Array, Int64Array
from cop_imaging.core.geometry import Geometry

__all__ = ["NoiseLevel"]

WATER_PER_MM = 0.0195
"""Attenuation of water for the mean energy of a 120 kVp beam."""
BLOCK_MM = 8.0
DIRECTIONS = 16
CURRENT_FOLLOWS = 0.65
"""Power with which tube current follows attenuation, by slice and direction (1 would make noise even)."""
BOWTIE_MM, BOWTIE_SHARE = 320.0, 0.4
"""Diameter of the cylinder of water that the bowtie filter evens out, and how far."""
LONGEST_PATH = 14.0
"""Attenuation beyond which detectors see scatter rather than the beam."""


@dataclass(frozen=True, slots=True, eq=False)
class NoiseLevel:
    """Relative SD of noise, 1 in the axis of the body in the median slice, on blocks of about 8 mm.

    Parameters
    ----------
    lateral, frontal : float32 [block of slices, y, x]
        Amplitude of stripes along x (from rays through both shoulders) and along y.
    first, every : int
        Slice of block 0, and slices from block to block.
    rows, columns : float64 (y,), (x,)
        Fractional block index of each pixel.
    """

    lateral: Float32Array
    frontal: Float32Array
    first: int
    every: int
    rows: Float64Array
    columns: Float64Array

    @classmethod
    def of(cls, hu: Float32Array, geometry: Geometry) -> NoiseLevel:
        """The level that the noise-free chest [z, y, x] itself causes."""
        dz, dy, dx = geometry.spacing_mm
        every = max(1, round(BLOCK_MM / dz))
        by, bx = (max(1, min(round(BLOCK_MM / d), n)) for d, n in ((dy, hu.shape[1]), (dx, hu.shape[2])))
        first = (hu.shape[0] - 1) % every // 2
        maps = [variances(attenuation(hu[z], by, bx), (by * dy, bx * dx)) for z in range(first, hu.shape[0], every)]
        lateral, frontal, axis = (np.array(part) for part in zip(*maps, strict=True))
        scale = np.float32(1.0 / max(float(np.median(axis)), 1e-6))
        rows, columns = ((np.arange(n) + 0.5) / b - 0.5 for n, b in ((hu.shape[1], by), (hu.shape[2], bx)))
        return cls(lateral * scale, frontal * scale, first, every, rows, columns)

    def at(self, z: int) -> tuple[Float32Array, Float32Array]:
        """Amplitude of stripes along x, and how much more stripes along y have, float32 [y, x] of a slice."""
        last = len(self.lateral) - 1
        at = min(max((z - self.first) / self.every, 0.0), float(last))
        k = min(int(at), max(last - 1, 0))
        part = np.float32(at - k)
        a, b = (m[k] + part * (m[min(k + 1, last)] - m[k]) for m in (self.lateral, self.frontal))
        return enlarged(a, self.rows, self.columns), enlarged(b - a, self.rows, self.columns)


def attenuation(plane: Float32Array, by: int, bx: int) -> Float64Array:
    """Attenuation per mm of blocks of a slice [y, x]."""
    ny, nx = plane.shape[0] // by, plane.shape[1] // bx
    blocks = plane[: ny * by, : nx * bx].reshape(ny, by, nx, bx).mean(axis=(1, 3), dtype=np.float64)
    out: Float64Array = np.clip(blocks + 1000.0, 0.0, 3000.0) * (WATER_PER_MM / 1000.0)
    return out


def variances(per_mm: Float64Array, block_mm: tuple[float, float]) -> tuple[Float32Array, Float32Array, float]:
    """Amplitudes of stripes along x and along y [y, x], and the SD in the centre of mass, of one slice of blocks."""
    y, x = (b * (np.arange(n) - 0.5 * (n - 1)) for b, n in zip(block_mm, per_mm.shape, strict=True))
    turn = (np.arange(DIRECTIONS) + 0.5) * (np.pi / DIRECTIONS)
    # Distance of a block from the ray through the axis whose normal has the angle ``turn``.
    at = x[None, None, :] * np.cos(turn)[:, None, None] + y[None, :, None] * np.sin(turn)[:, None, None]
    width = max(block_mm)
    half = int(np.ceil(np.hypot(y[-1], x[-1]) / width)) + 1
    where = at / width + half
    low = np.floor(where).astype(np.int64)
    part = where - low
    paths = path_lengths(per_mm * (block_mm[0] * block_mm[1] / width), low, part, 2 * half + 2)
    offset = (np.arange(paths.shape[1]) - half) * width
    bowtie = BOWTIE_MM - 2.0 * np.sqrt(np.maximum((0.5 * BOWTIE_MM) ** 2 - offset**2, 0.0))
    weakness = np.minimum(paths, LONGEST_PATH) + BOWTIE_SHARE * WATER_PER_MM * bowtie[None]
    weakness -= CURRENT_FOLLOWS * np.minimum(paths.max(axis=1, keepdims=True), LONGEST_PATH)
    variance = np.exp(weakness)
    line = np.arange(DIRECTIONS)[:, None, None]
    seen = variance[line, low] * (1.0 - part) + variance[line, low + 1] * part
    frontal = np.sqrt(2.0 * np.mean(seen * (np.cos(turn) ** 2)[:, None, None], axis=0))
    lateral = np.sqrt(2.0 * np.mean(seen * (np.sin(turn) ** 2)[:, None, None], axis=0))
    # Amplitude a cos2 + b sin2 of the direction, squared and averaged over all directions.
    sd = np.sqrt(0.375 * (frontal**2 + lateral**2) + 0.25 * frontal * lateral)
    mass = per_mm + 1e-9
    j = round(float((mass.sum(axis=1) * np.arange(len(y))).sum() / mass.sum()))
    i = round(float((mass.sum(axis=0) * np.arange(len(x))).sum() / mass.sum()))
    return lateral.astype(np.float32), frontal.astype(np.float32), float(sd[j, i])


def path_lengths(mass: Float64Array, low: Int64Array, part: Float64Array, bins: int) -> Float64Array:
    """Attenuation of parallel rays [direction, offset]: each block is shared by the two rays beside it."""
    index = (low + bins * np.arange(len(low))[:, None, None]).ravel()
    size = len(low) * bins
    left = np.bincount(index, weights=((1.0 - part) * mass).ravel(), minlength=size)
    right = np.bincount(index + 1, weights=(part * mass).ravel(), minlength=size)
    return np.asarray(left + right[:size], dtype=np.float64).reshape(len(low), bins)


def enlarged(blocks: Float32Array, rows: Float64Array, columns: Float64Array) -> Float32Array:
    """Linear interpolation of blocks [y, x] at fractional indices, constant beyond the outer ones."""
    for axis, at in ((0, rows), (1, columns)):
        last = blocks.shape[axis] - 1
        inside = np.clip(at, 0.0, last)
        low = np.minimum(inside.astype(np.int64), max(last - 1, 0))
        part = (inside - low).astype(np.float32)
        part = part[:, None] if axis == 0 else part[None]
        below = np.take(blocks, low, axis=axis)
        blocks = below + part * (np.take(blocks, np.minimum(low + 1, last), axis=axis) - below)
    return blocks
