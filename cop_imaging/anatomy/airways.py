"""Trachea and bronchi: a seed in the neck, grown by the highest threshold that does not leak into lung."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from cop_imaging.anatomy.airway_tree import airway_tree
from cop_imaging.anatomy.bronchi import grow_bronchi
from cop_imaging.anatomy.bronchi_config import BronchiConfig
from cop_imaging.core.airway_tree import AirwayTree
from cop_imaging.core.arrays import BoolArray, Float32Array, Int16Array, UInt8Array
from cop_imaging.core.geometry import Box, Geometry
from cop_imaging.core.grid import bounding_box, components, opened, resample

__all__ = ["central_airways", "full_airways", "grow_airways", "trachea_seed"]

AREA_MM2 = (50.0, 800.0)
MIDLINE_MM = 45.0
THRESHOLD_STEP_HU = 15.0
SHORTEST_TRACHEA_MM = 20.0
AROUND_MM = 12.0
"""How far beyond lungs and trachea the scan is looked at: farther than rays go."""
WALL_MM = 3.0


def trachea_seed(
    smooth: Float32Array, body: BoolArray, lungs_air: BoolArray, geometry: Geometry, trachea_hu: float
) -> BoolArray:
    """The longest stack of round dark discs near the midline in the upper part of the chest; empty when there is none.

    Parameters
    ----------
    smooth : float32 [z, y, x]
        HU, lightly blurred.
    body, lungs_air : bool [z, y, x]
        Inside the skin; air and aerated lung.
    """
    dark = (smooth < trachea_hu) & body
    seed = np.zeros_like(body)
    rows = np.flatnonzero(lungs_air.any(axis=(1, 2)))
    if rows.size == 0:
        return seed
    pixel_mm2 = geometry.spacing_mm[1] * geometry.spacing_mm[2]
    lowest = int(rows[0] + 0.45 * (rows[-1] - rows[0]))
    middle_x = float(np.average(np.arange(body.shape[2]), weights=body[rows].sum(axis=(0, 1))))
    for z in range(lowest, body.shape[0]):
        labels, n = ndimage.label(dark[z])
        if n == 0:
            continue
        index = np.arange(1, n + 1)
        area = np.bincount(labels.ravel(), minlength=n + 1)[1:] * pixel_mm2
        centre = np.array(ndimage.center_of_mass(labels > 0, labels, index))
        boxes = ndimage.find_objects(labels)
        extent = np.array(
            [[(b.stop - b.start) * s for b, s in zip(box, geometry.spacing_mm[1:], strict=True)] for box in boxes]
        )
        full = area / np.maximum(extent.prod(axis=1), 1e-6)
        near = np.abs(centre[:, 1] - middle_x) * geometry.spacing_mm[2] < MIDLINE_MM
        aspect = extent.max(axis=1) / np.maximum(extent.min(axis=1), 1e-6)
        good = (area > AREA_MM2[0]) & (area < AREA_MM2[1]) & near & (full > 0.5) & (aspect < 2.5)
        seed[z] = np.concatenate([[False], good])[labels]
    labels3, n = components(seed, connectivity=6)
    if n == 0:
        return seed
    boxes3 = ndimage.find_objects(labels3)
    height = np.array([(b[0].stop - b[0].start) * geometry.spacing_mm[0] for b in boxes3])
    best = int(np.argmax(height))
    return labels3 == best + 1 if height[best] >= SHORTEST_TRACHEA_MM else seed & False


def grow_airways(
    smooth: Float32Array, body: BoolArray, seed: BoolArray, geometry: Geometry, most_ml: float
) -> BoolArray:
    """The airway lumen that hangs together with ``seed`` at the highest threshold that does not leak.

    A leak is a jump of the volume: bronchial walls open into lung and the region grows without bound.
    """
    grown = seed
    volume_ml = float(seed.sum()) * geometry.voxel_ml
    if not seed.any():
        return grown
    image = sitk.GetImageFromArray(np.where(seed, np.float32(-np.inf), np.where(body, smooth, np.float32(np.inf))))
    pieces, n = components(seed, connectivity=6)
    starts = [[int(i) for i in np.argwhere(pieces == k)[0][::-1]] for k in range(1, n + 1)]
    for threshold in np.arange(-985.0, -840.0, THRESHOLD_STEP_HU, dtype=np.float32):
        below = float(np.nextafter(threshold, np.float32(-np.inf)))
        region = sitk.GetArrayFromImage(sitk.ConnectedThreshold(image, starts, -np.inf, below)).view(np.bool_)
        now_ml = float(region.sum()) * geometry.voxel_ml
        if now_ml > most_ml or now_ml > 1.6 * max(volume_ml, 15.0) + 15.0:
            break
        grown, volume_ml = region, now_ml
    return grown


def central_airways(airways: BoolArray, geometry: Geometry, radius_mm: float) -> BoolArray:
    """The part of the airways at least ``radius_mm`` in radius: trachea and main bronchi."""
    wide = opened(airways, geometry, radius_mm - geometry.spacing_mm[2] / 2)
    labels, n = components(wide, connectivity=26)
    return wide if n == 0 else labels == 1


def full_airways(
    hu: Int16Array,
    airways: BoolArray,
    lungs: UInt8Array,
    work: Geometry,
    full: Geometry,
    config: BronchiConfig | None = None,
) -> tuple[BoolArray, AirwayTree | None]:
    """The airways on the scan's own grid, bronchi followed as far as they are seen, and their tree.

    Parameters
    ----------
    hu : int16 [z, y, x]
        The scan.
    airways : bool
        ``grow_airways`` on the grid ``work``.
    lungs : uint8 [z, y, x]
        0 outside the lungs.
    """
    out = np.zeros(full.shape, dtype=bool)
    if not airways.any():
        return out, None
    inside = lungs > 0
    box = _box_of(airways, inside, work, full)
    local = full.crop(box)
    seed: BoolArray = resample(airways, work, local, method="nearest")
    if not seed.any():
        return out, None
    found = grow_bronchi(hu[box], seed, inside[box], local, config)
    out[box] = found
    small = bounding_box(found, local, WALL_MM)
    return out, airway_tree(np.ascontiguousarray(found[small]), hu[box][small], local.crop(small))


def _box_of(airways: BoolArray, lungs: BoolArray, work: Geometry, full: Geometry) -> Box:
    """Box on the full grid around airways of the work grid and lungs of the full grid."""
    coarse = bounding_box(airways, work)
    corners = np.array([[b.start for b in coarse], [b.stop - 1 for b in coarse]], dtype=np.float64)
    ends = full.to_index(work.to_patient(corners))
    low, high = ends.min(axis=0), ends.max(axis=0)
    if lungs.any():
        fine = bounding_box(lungs, full)
        low = np.minimum(low, [b.start for b in fine])
        high = np.maximum(high, [b.stop - 1 for b in fine])
    spans = [
        slice(max(int(np.floor(a - AROUND_MM / s)), 0), min(int(np.ceil(b + AROUND_MM / s)) + 1, n))
        for a, b, s, n in zip(low, high, full.spacing_mm, full.shape, strict=True)
    ]
    return (spans[0], spans[1], spans[2])
