"""From the work grid to the scan's own resolution: the lung's border follows the image, not the coarse grid."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.anatomy import LEFT, RIGHT
from cop_imaging.core.arrays import BoolArray, Int16Array, UInt8Array
from cop_imaging.core.geometry import Box, Geometry
from cop_imaging.core.grid import bounding_box, distance_to, resample

__all__ = ["CROP_MARGIN_MM", "full_box", "refine_lungs", "to_full_grid"]

BAND_MM = 2.5
"""Half width of the band around the coarse border in which the full-resolution HU decide."""
INPLANE_SIGMA_MM = 0.6
CROP_MARGIN_MM = 6.0
HEIGHT = 200
"""Value of a mask while it is carried to another grid: fine enough for its border, in a byte."""


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
    inside = coarse > 0
    signed = distance_to(inside, work) - distance_to(~inside, work)
    depth = resample(signed, work, full)
    del signed
    blurred = ndimage.gaussian_filter(
        hu, (0, *(INPLANE_SIGMA_MM / s for s in full.spacing_mm[1:])), truncate=3.0, mode="nearest"
    )
    lung = (blurred < lung_hu) & (depth < BAND_MM)
    del blurred
    lung |= depth < -BAND_MM
    lung |= (depth < 0) & resample(soft_border, work, full, method="nearest")
    del depth
    lung &= ~resample(excluded, work, full, method="nearest")
    side = np.where(distance_to(coarse == RIGHT, work) <= distance_to(coarse == LEFT, work), RIGHT, LEFT)
    labels: UInt8Array = resample(side.astype(np.uint8), work, full, method="nearest")
    labels[~lung] = 0
    return labels


def to_full_grid(mask: BoolArray, work: Geometry, full: Geometry) -> BoolArray:
    """A mask of the work grid on the full grid, its border at half height."""
    out = np.zeros(full.shape, dtype=bool)
    if not mask.any():
        return out
    near, target = bounding_box(mask, work, 2.0 * max(work.spacing_mm)), full_box(mask, work, full)
    values = resample(mask[near].astype(np.uint8) * np.uint8(HEIGHT), work.crop(near), full.crop(target))
    out[target] = values > HEIGHT // 2
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
