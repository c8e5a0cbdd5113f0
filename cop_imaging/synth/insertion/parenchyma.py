"""How much of each voxel is lung tissue between vessels and bronchi, and how dense that tissue is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import BoolArray, Float32Array, Int16Array
from cop_imaging.synth.insertion.lung_map import STEP_MM, LungMap
from cop_imaging.synth.insertion.point_spread import ScanSpread, blurred
from cop_imaging.synth.random_field import Field
from cop_imaging.synth.shapes import Slab

__all__ = ["Shares", "blood_hu", "parenchyma_field", "quiet", "shares", "wall_field"]

AIR_HU = -1000.0
LEVEL_QUANTILE = 0.4
"""Of the lung's density around a place: vessels lie above."""
LEVEL_MM = 7.5
DENSEST_PARENCHYMA_HU, USUAL_PARENCHYMA_HU = -500.0, -860.0
DEAD_SHARE = 0.03
"""Shares of lung that noise alone feigns in soft tissue."""
NEAR_BORDER = 3.0
"""How much more lung than the mask's blurred border says a voxel at the border may hold."""
WALL_MM = 2.5
USUAL_WALL_HU = 40.0
LEAST_WALL_HU, MOST_WALL_HU = -120.0, 250.0
WALL_HU = 60.0
"""Least density of what fills a voxel that is not parenchyma: walls of bronchi, septa."""
LUMEN_DEPTH_HU, LUMEN_RANGE_HU = 250.0, 150.0
"""How much darker than its wall a lumen is that no mask shows, and over which range it is taken for one."""


def parenchyma_field(hu: Int16Array, slab: Slab, lung_map: LungMap) -> Field:
    """Density of lung between vessels as a smooth field, from a lower quantile of the coarse cubes around."""
    inner = lung_map.edge_mm > STEP_MM
    values = np.where(inner, on_cubes(hu, slab, lung_map), 3000).astype(np.float32)
    # Blocks of 4^3 cubes (10 mm): the quantile of what lies in the lung.
    block = 4
    shape = [-(-n // block) * block for n in values.shape]
    padded = np.full(shape, 3000.0, dtype=np.float32)
    padded[tuple(slice(n) for n in values.shape)] = values
    a, b, c = (n // block for n in shape)
    blocks = np.sort(padded.reshape(a, block, b, block, c, block).transpose(0, 2, 4, 1, 3, 5).reshape(a, b, c, -1))
    count = (blocks < 2000.0).sum(axis=-1)
    level = np.take_along_axis(blocks, (LEVEL_QUANTILE * np.maximum(count - 1, 0)).astype(int)[..., None], -1)[..., 0]
    weight = np.where((level < DENSEST_PARENCHYMA_HU), count, 0).astype(np.float32)
    level = np.where(weight > 0.0, level, 0.0)
    sigma = LEVEL_MM / (block * STEP_MM)
    below = ndimage.gaussian_filter(weight, sigma) + 0.02
    smooth = (ndimage.gaussian_filter(level * weight, sigma) + 0.02 * USUAL_PARENCHYMA_HU) / below
    x, y, z = lung_map.grid.origin_mm
    middle = 0.5 * (block - 1) * STEP_MM
    return Field(smooth.astype(np.float32), (x + middle, y + middle, z + middle), block * STEP_MM)


def on_cubes(hu: Int16Array, slab: Slab, lung_map: LungMap) -> Int16Array:
    """Density of the voxel nearest to the middle of each coarse cube around the lungs."""
    index = []
    for axis, (c, o) in enumerate(zip((slab.z, slab.y, slab.x), lung_map.grid.origin_mm[::-1], strict=True)):
        flat = c.ravel()
        step = flat[1] - flat[0] if len(flat) > 1 else 1.0
        node = o + STEP_MM * np.arange(lung_map.lungs.shape[axis])
        index.append(np.clip(np.rint((node - flat[0]) / step).astype(int), 0, len(flat) - 1))
    return hu[np.ix_(*index)]


def wall_field(hu: Int16Array, slab: Slab, lung_map: LungMap) -> Field:
    """Density of what lies next to the lungs, as a smooth field: muscle, heart, liver or fat, neither air nor bone."""
    inside = ndimage.binary_dilation(lung_map.lungs > 0)
    values = on_cubes(hu, slab, lung_map).astype(np.float32)
    beyond = (~inside & (values > 2.0 * LEAST_WALL_HU)).astype(np.float32)
    sigma = WALL_MM / STEP_MM
    weight = ndimage.gaussian_filter(beyond, sigma) + np.float32(1e-4)
    wall = ndimage.gaussian_filter(beyond * np.clip(values, LEAST_WALL_HU, MOST_WALL_HU), sigma)
    x, y, z = lung_map.grid.origin_mm
    return Field((wall + np.float32(1e-4 * USUAL_WALL_HU)) / weight, (x, y, z), STEP_MM)


def blood_hu(hu: Int16Array, lung_map: LungMap, slab: Slab) -> float:
    """Density of blood: the commonest density between the lungs, where heart and great vessels lie, in HU."""
    k, j, i = (ndimage.center_of_mass(lung_map.lungs > 0)[n] for n in range(3))
    x, y, z = lung_map.grid.to_patient((k, j, i))
    box = slab.box(np.array([x - 45.0, y - 60.0, z - 50.0]), np.array([x + 60.0, y + 30.0, z + 30.0]))
    values = hu[box][::2, ::2, ::2].ravel() if box is not None else np.zeros(0, dtype=np.int16)
    counts = np.bincount(np.clip(values[(values > 0) & (values < 400)] // 10, 0, 40), minlength=41).astype(float)
    if counts.sum() < 100.0:
        return 40.0
    return float(10.0 * np.argmax(ndimage.gaussian_filter1d(counts, 1.0)) + 5.0)


def quiet(hu: Float32Array, sd_hu: Float32Array, spacing_mm: tuple[float, float, float]) -> Float32Array:
    """The image without the noise of even regions (Wiener's local filter; Lee, IEEE PAMI 1980;2:165).

    Where the image varies more than its noise, at vessels and walls, it is kept as it is.
    """
    z, y, x = spacing_mm
    sigma = (min(0.6, 0.5 * (y + x) / z), 1.1, 1.1)
    mean = ndimage.gaussian_filter(hu, sigma, truncate=2.5)
    square = ndimage.gaussian_filter((hu - mean) ** 2, sigma, truncate=2.5)
    noise = 1.6 * sd_hu**2
    keep = np.clip(1.0 - noise / np.maximum(square, 1e-3), 0.0, 1.0)
    out: Float32Array = mean + keep * (hu - mean)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """What the voxels of a box hold, all float32 [z, y, x].

    Parameters
    ----------
    parenchyma : float32
        Part of each voxel that is lung between vessels and bronchi; slightly above 1 where lung is lighter than around.
    lung : float32
        Part that is lung with all that it holds.
    core : float32
        1 well inside the lung, 0 at its border and beyond.
    """

    parenchyma: Float32Array
    lung: Float32Array
    core: Float32Array


def shares(
    image: Float32Array,
    inside: BoolArray,
    airways: BoolArray | None,
    level_hu: Float32Array,
    wall_hu: Float32Array,
    *,
    blood: float,
    spread: ScanSpread,
    spacing_mm: tuple[float, float, float],
) -> Shares:
    """Take voxels apart into parenchyma, what is denser (vessel, wall of the chest) and what is air (bronchus).

    A voxel of density h that holds a lumen share q, and else lung of density L and something of density V, holds the
    share ``((1 - q) V - 1000 q - h) / (V - L)`` of lung. V is blood in
    the lung, and at its border the tissue next to it.
    """
    wide = ScanSpread(spread.plane_mm + 0.4 * spacing_mm[2], spread.z_mm + 0.2 * spacing_mm[0])
    soft = blurred(inside.astype(np.float32), wide, spacing_mm)
    core = np.clip((soft - 0.8) / 0.19, 0.0, 1.0)
    other = core * np.float32(blood) + (1.0 - core) * wall_hu
    lumen = lumen_share(image, airways, level_hu, spread, spacing_mm)
    # Walls of bronchi, septa and the finest vessels are part of airless tissue: only what is as bright as blood near by
    # is taken for blood.
    brightest = np.clip(ndimage.grey_dilation(image, size=(1, 3, 3)), min(WALL_HU, blood), blood)
    other = other + core * (np.minimum(brightest, other) - other)
    part = ((1.0 - lumen) * other + np.float32(AIR_HU) * lumen - image) / (other - level_hu)
    part = np.clip(part, 0.0, 1.1 * (1.0 - lumen))
    part = np.maximum(part - np.float32(DEAD_SHARE) * (part < 0.3), 0.0)
    part = np.minimum(part, np.float32(NEAR_BORDER) * soft * (soft > 0.01))
    if airways is not None and airways.any():
        # Bronchi are no part of the mask, but lie in the lung: fluid and masses leave none of them.
        core = np.clip((blurred((inside | airways).astype(np.float32), wide, spacing_mm) - 0.8) / 0.19, 0.0, 1.0)
    lung = np.maximum(np.clip(part, 0.0, 1.0), core)
    return Shares(part.astype(np.float32), lung.astype(np.float32), core.astype(np.float32))


def lumen_share(
    image: Float32Array,
    airways: BoolArray | None,
    level_hu: Float32Array,
    spread: ScanSpread,
    spacing_mm: tuple[float, float, float],
) -> Float32Array:
    """Part of each voxel in a bronchus: the mask as the scan blurs it, and small dark tubes inside walls."""
    closed = ndimage.grey_closing(image, size=(1, 5, 5))
    dark = np.clip((closed - image - LUMEN_DEPTH_HU) / LUMEN_RANGE_HU, 0.0, 1.0) * (image < level_hu - 30.0)
    if airways is not None and airways.any():
        np.maximum(dark, blurred(airways.astype(np.float32), spread, spacing_mm), out=dark)
    out: Float32Array = dark.astype(np.float32)
    return out
