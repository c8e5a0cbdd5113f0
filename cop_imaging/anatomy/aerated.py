"""Aerated lung: air inside the body that is neither airway nor bowel gas, told apart into right and left."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from cop_imaging.core.anatomy import LEFT, RIGHT
from cop_imaging.core.arrays import BoolArray, Float32Array, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import bounding_box, components, dilated, distance_to, eroded, opened, volume_ml_by_label

__all__ = ["aerated_lung", "right_and_left"]

CORE_MM = 3.0
GAS_RADIUS_MM = 5.0
GAS_WALL_MM = 4.0
TISSUE_HU = -300.0
NOT_GAS_HU = -900.0
PURE_GAS_HU = -960.0
GAS_REACH_MM = 40.0
MOST_GROWTH = 3.0
WALLED_SHARE = 0.7
MOST_GAS_ML = 1000.0
SPLIT_MM = (0.0, 2.0, 3.5, 5.0, 7.0, 9.0, 12.0)
PART_SHARE = 0.12
"""A piece of lung core of at least this share of the whole decides on its side."""


def aerated_lung(
    smooth: Float32Array,
    body: BoolArray,
    excluded: BoolArray,
    geometry: Geometry,
    *,
    lung_hu: float,
    gas_hu: float,
    smallest_ml: float,
) -> BoolArray:
    """Air spaces of the body that are lung by size and density, bool [z, y, x].

    Bowel gas, pockets of air under an arm and the oesophagus are pure air to their core; lung never is.
    """
    air = (smooth < lung_hu) & body & ~excluded
    air &= ~bowel_gas(smooth, air, geometry, gas_hu=gas_hu, smallest_ml=smallest_ml)
    labels, n = components(air, connectivity=6)
    if n == 0:
        return air
    volume = volume_ml_by_label(labels, n, geometry)
    n_large = int((volume >= smallest_ml).sum())
    labels[labels > n_large] = 0
    # One voxel shell is partial volume: judge a piece by what lies deeper.
    core = eroded(labels > 0, geometry, CORE_MM)
    flat = np.where(core, labels, 0).ravel()
    count = np.bincount(flat, minlength=n_large + 1)
    mean = np.bincount(flat, weights=smooth.ravel(), minlength=n_large + 1) / np.maximum(count, 1)
    keep = (count > 0) & (mean > gas_hu)
    keep[0] = False
    out: BoolArray = keep[labels]
    return out


def bowel_gas(
    smooth: Float32Array, air: BoolArray, geometry: Geometry, *, gas_hu: float, smallest_ml: float
) -> BoolArray:
    """Gas of stomach and colon that touches lung through a thin diaphragm, bool [z, y, x].

    Gas is homogeneous and walled by tissue nearly all around; a bulla is walled by lung.
    """
    pure = opened((smooth < gas_hu) & air, geometry, GAS_RADIUS_MM)
    labels, n = components(pure, connectivity=6)
    found = np.zeros_like(air)
    if n == 0:
        return found
    for k in np.flatnonzero(volume_ml_by_label(labels, n, geometry) >= smallest_ml) + 1:
        box = bounding_box(labels == k, geometry, GAS_REACH_MM)
        local = geometry.crop(box)
        core = labels[box] == k
        if smooth[box][core].mean() > PURE_GAS_HU:
            continue
        # The opened core lacks narrow parts and corners: take the gas, then the air near it, that no wall cuts off.
        gas = _touching(core, (smooth[box] < NOT_GAS_HU) & air[box])
        if gas.sum() > MOST_GROWTH * core.sum():
            gas = core
        distance = distance_to(gas, local)
        gas = _touching(core, (distance <= 2 * GAS_WALL_MM) & air[box])
        # Past the blurred edge lies the wall or, for a bulla, lung; what is left of the gas does not count.
        shell = (distance > 1.5 * GAS_WALL_MM) & (distance <= 2.5 * GAS_WALL_MM) & (smooth[box] > NOT_GAS_HU)
        small = gas.sum() * geometry.voxel_ml < MOST_GAS_ML  # an emphysematous lung is walled as well
        if small and (smooth[box][shell] > TISSUE_HU).mean() >= WALLED_SHARE:
            found[box] |= gas
    return found


def _touching(core: BoolArray, space: BoolArray) -> BoolArray:
    """The components of ``space`` that the core reaches into."""
    pieces, _ = components(space | core, connectivity=6)
    out: BoolArray = np.isin(pieces, np.unique(pieces[core]))
    return out


def right_and_left(lung: BoolArray, smooth: Float32Array, middle_x: float, geometry: Geometry) -> UInt8Array:
    """Labels 1 (patient's right) and 2 (left) of aerated lung, uint8.

    Cores of the two lungs come apart under erosion; the flood from them meets at the junction lines, which are
    brighter than lung.
    """
    if not lung.any():
        return np.zeros(lung.shape, dtype=np.uint8)
    box = bounding_box(lung, geometry, 3 * geometry.spacing_mm[2])
    out = np.zeros(lung.shape, dtype=np.uint8)
    out[box] = _flooded(lung[box], smooth[box], middle_x - box[2].start, geometry.crop(box))
    return out


def _flooded(lung: BoolArray, smooth: Float32Array, middle_x: float, geometry: Geometry) -> UInt8Array:
    markers = _side_markers(lung, middle_x, geometry)
    sides = [s for s in (RIGHT, LEFT) if (markers == s).any()]
    if len(sides) == 1:
        return np.where(lung, sides[0], 0).astype(np.uint8)
    relief = sitk.GetImageFromArray(np.clip(smooth, -1000, 200).astype(np.float32))
    seeds = markers.copy()
    seeds[~dilated(lung, geometry, 2 * geometry.spacing_mm[2])] = 3
    flood = sitk.GetArrayFromImage(
        sitk.MorphologicalWatershedFromMarkers(relief, sitk.GetImageFromArray(seeds), markWatershedLine=False)
    )
    return np.where(lung & (flood < 3), flood, 0).astype(np.uint8)


def _side_markers(lung: BoolArray, middle_x: float, geometry: Geometry) -> UInt8Array:
    """Cores of right and left lung: the weakest erosion after which they hang together no more."""
    markers = np.zeros(lung.shape, dtype=np.uint8)
    x = np.arange(lung.shape[2], dtype=np.float64)
    depth_mm = distance_to(~lung, geometry)
    for radius_mm in SPLIT_MM:
        core = depth_mm > radius_mm
        labels, n = components(core, connectivity=6)
        if n == 0:
            break
        sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
        large = np.flatnonzero(sizes >= PART_SHARE * sizes.sum()) + 1
        if large.size == 0:  # only small islands are aerated: the midline decides
            break
        columns = np.stack([np.bincount(np.nonzero(labels == k)[2], minlength=lung.shape[2]) for k in large])
        centre = columns @ x / columns.sum(axis=1)
        # Joined lungs: one large piece with a fair share on both sides of the midline.
        right_share = columns[:, x < middle_x].sum(axis=1) / columns.sum(axis=1)
        if ((right_share > 0.15) & (right_share < 0.85)).any() and radius_mm < SPLIT_MM[-1]:
            continue
        for k, c in zip(large, centre, strict=True):
            markers[labels == k] = RIGHT if c < middle_x else LEFT
        return markers
    markers[lung] = np.where(x < middle_x, RIGHT, LEFT)[np.nonzero(lung)[2]]
    return markers
