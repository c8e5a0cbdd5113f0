"""From the work grid to the scan's own resolution: the lung's border follows the image, not the coarse grid."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.anatomy import LEFT, RIGHT
from cop_imaging.core.arrays import BoolArray, Float32Array, Int16Array, UInt8Array
from cop_imaging.core.geometry import Box, Geometry
from cop_imaging.core.grid import bounding_box, resample
from cop_imaging.core.separable import blurred, each_slab

__all__ = ["CROP_MARGIN_MM", "full_box", "refine_lungs", "to_full_grid"]

BAND_MM = 2.5
"""Half width of the band around the coarse border in which the full-resolution HU decide."""
INPLANE_SIGMA_MM = 0.6
CROP_MARGIN_MM = 6.0
HALF = 0.5
"""Share of a mask above which a voxel of another grid belongs to it."""
REACH = 6
"""Voxels of the work grid up to which distances are measured: farther than the band and a voxel's diagonal."""


def refine_lungs(
    coarse: UInt8Array,
    soft_border: BoolArray,
    hu: Int16Array,
    work: Geometry,
    full: Geometry,
    *,
    lung_hu: float,
    excluded: BoolArray,
) -> UInt8Array:
    """Right and left lung (1, 2) on the grid ``full``.

    Deep inside the coarse mask a voxel is lung whatever its density; near the border it is lung when it is darker
    than ``lung_hu``. Where the coarse mask ends in dense tissue (``soft_border``: lung that was brought back,
    vessels at the hilum) the coarse border stands.

    Parameters
    ----------
    coarse, soft_border, excluded : [z, y, x] on the work grid
        Lung labels; dense lung; trachea and main bronchi with walls.
    hu : int16 [z, y, x]
        The scan on the grid ``full``.
    """
    near = bounding_box(coarse > 0, work, CROP_MARGIN_MM + 3.0 * work.spacing_mm[0])
    labels, local = coarse[near], work.crop(near)
    to_right, to_left, to_outside = (_squares(mask) for mask in (labels == RIGHT, labels == LEFT, labels == 0))
    root_mm = (np.sqrt(np.arange(REACH**2 + 1)) * work.spacing_mm[0]).astype(np.float32)
    signed = root_mm[np.minimum(to_right, to_left)] - root_mm[to_outside]
    side = np.where(to_right <= to_left, RIGHT, LEFT).astype(np.uint8)
    smooth = blurred(hu, (0.0, *(INPLANE_SIGMA_MM / s for s in full.spacing_mm[1:])))
    soft = resample(soft_border[near], local, full, method="nearest")
    lung = np.empty(full.shape, dtype=bool)

    def fill(levels: slice, depth: Float32Array) -> None:
        lung[levels] = (smooth[levels] < lung_hu) & (depth < BAND_MM)
        lung[levels] |= (depth < -BAND_MM) | ((depth < 0) & soft[levels])

    each_slab(signed, local, full, fill)
    lung &= ~resample(excluded[near], local, full, method="nearest")
    refined: UInt8Array = resample(side, local, full, method="nearest")
    refined *= lung
    return refined


def _squares(mask: BoolArray) -> UInt8Array:
    """Squared distance in voxels to the mask, ``REACH`` squared from where it is at least that."""
    out = np.where(mask, np.uint8(0), np.uint8(REACH**2))
    before, shifted = np.empty_like(out), np.empty_like(out)
    for axis in range(3):
        before[:] = out
        lines, line, sum_ = (np.moveaxis(a, axis, 0) for a in (out, before, shifted))
        for step in range(1, REACH):
            np.add(line, np.uint8(step**2), out=sum_)
            np.minimum(lines[step:], sum_[:-step], out=lines[step:])
            np.minimum(lines[:-step], sum_[step:], out=lines[:-step])
    return out


def to_full_grid(mask: BoolArray, work: Geometry, full: Geometry) -> BoolArray:
    """A mask of the work grid on the full grid, its border at half height."""
    out = np.zeros(full.shape, dtype=bool)
    if not mask.any():
        return out
    near, target = bounding_box(mask, work, 2.0 * max(work.spacing_mm)), full_box(mask, work, full)
    inside = out[target]

    def fill(levels: slice, share: Float32Array) -> None:
        np.greater(share, HALF, out=inside[levels])

    each_slab(mask[near], work.crop(near), full.crop(target), fill)
    return out


def full_box(mask: BoolArray, work: Geometry, full: Geometry) -> Box:
    """Box on the full grid around a mask of the work grid."""
    box = bounding_box(mask, work, CROP_MARGIN_MM)
    # One work voxel more on each side: the grids may end up to half a work voxel apart.
    low = full.to_index(work.to_patient(np.array([b.start - 1 for b in box])))
    high = full.to_index(work.to_patient(np.array([b.stop for b in box])))
    spans = [
        slice(max(int(np.floor(a)), 0), min(int(np.ceil(b)) + 1, n))
        for a, b, n in zip(low, high, full.shape, strict=True)
    ]
    return (spans[0], spans[1], spans[2])
