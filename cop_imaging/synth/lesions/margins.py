"""Edges of lesions: ragged at the size of acini, thin sheets on any grid, limits at fissures."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.lesion import Place, Point, smoothstep
from cop_imaging.synth.random_field import Field
from cop_imaging.synth.shapes import Slab

__all__ = ["in_lobe", "ragged", "sheet", "smooth_noise"]

LARGEST = np.float32(2.2)
TILE_HILLS = 12.0


def smooth_noise(slab: Slab, centre_mm: Point, *, reach_mm: float, seed: int, size_mm: float) -> Float32Array:
    """Smooth noise of SD 1 around a lesion, [z, y, x]; its hills are about ``size_mm`` across."""
    field, period = repeated(centre_mm, reach_mm, seed, size_mm)
    low = field.origin_mm
    there = (np.float32(a) + (c - np.float32(a)) % period for a, c in zip(low, (slab.x, slab.y, slab.z), strict=True))
    at_x, at_y, at_z = there
    out: Float32Array = np.clip(field.on(Slab(at_z, at_y, at_x, slab.voxel_mm)), -2.5, 2.5)
    return out


@lru_cache(maxsize=512)
def repeated(centre_mm: Point, reach_mm: float, seed: int, size_mm: float) -> tuple[Field, np.float32]:
    """A tile of smooth noise and the length after which it repeats; slabs come one after the other and share it."""
    (x, y, z), half = centre_mm, reach_mm + size_mm
    # Fine noise over a large lesion costs much to draw: a tile of some 12 hills is repeated instead.
    wide = min(2.0 * half, TILE_HILLS * size_mm)
    low = (x - half, y - half, z - half)
    rng = np.random.default_rng([seed, 101])
    tile = Field.random(rng, low, (low[0] + wide, low[1] + wide, low[2] + wide), 0.4 * size_mm)
    # The field goes on from its last node to its first.
    field = Field(np.pad(tile.values, (0, 1), mode="wrap"), low, tile.step_mm)
    return field, np.float32(tile.values.shape[0] * tile.step_mm)


def ragged(slab: Slab, centre_mm: Point, *, reach_mm: float, seed: int, size_mm: float = 6.0) -> Float32Array:
    """Noise of SD 1 in two octaves, [z, y, x], never beyond 2.2: acini are 6-10 mm across and fill one by one."""
    coarse = smooth_noise(slab, centre_mm, reach_mm=reach_mm, seed=seed, size_mm=size_mm)
    fine = smooth_noise(slab, centre_mm, reach_mm=reach_mm, seed=seed + 1, size_mm=0.5 * size_mm)
    out: Float32Array = np.clip(np.float32(0.85) * coarse + np.float32(0.53) * fine, -LARGEST, LARGEST)
    return out


def sheet(distance_mm: Float32Array, thickness_mm: Float32Array | float, slab: Slab, soft_mm: float) -> Float32Array:
    """Part of each voxel in a sheet, by the distance to its middle; on coarse grids a thin sheet keeps its volume."""
    width = max(soft_mm, 0.9 * slab.voxel_mm)
    thickness = np.asarray(thickness_mm, dtype=np.float32)
    drawn = np.maximum(thickness, np.float32(width))
    level: Float32Array = (np.float32(0.5) * drawn - np.abs(distance_mm)).astype(np.float32)
    out: Float32Array = (thickness / drawn).astype(np.float32) * smoothstep(level, width)
    return out


def in_lobe(place: Place, lobe: int) -> Float32Array:
    """1 inside a lobe and 0 beyond its fissures; 1 everywhere for lobe 0."""
    if lobe == 0:
        return np.ones((1, 1, 1), dtype=np.float32)
    out: Float32Array = (place.lobe == lobe).astype(np.float32)
    return out
