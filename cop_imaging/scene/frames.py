"""Frames of reference in the lungs: depth from the costal pleura, zones, height along gravity, distance to bundles."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.anatomy import LEFT, RIGHT, WorkGrid
from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import distance_to, resample
from cop_imaging.core.scene import Gravity

__all__ = ["along_gravity", "bundle_mm", "costal_depth_mm", "dependent_mm", "gravity_of", "zones"]

GRAVITY_BY_POSITION: dict[str, Gravity] = {
    "S": (0.0, 1.0, 0.0),
    "P": (0.0, -1.0, 0.0),
    "DL": (0.0, 0.0, 1.0),
    "DR": (0.0, 0.0, -1.0),
}
"""Direction to the floor for DICOM Patient Position suffixes: supine, prone, decubitus left, decubitus right."""


def gravity_of(patient_position: str | None) -> Gravity:
    """Unit vector (z, y, x) to the floor from Patient Position; supine when it is not known."""
    suffix = (patient_position or "HFS").upper()[2:]
    return GRAVITY_BY_POSITION.get(suffix, GRAVITY_BY_POSITION["S"])


def along_gravity(gravity: Gravity) -> tuple[int, int]:
    """Array axis of gravity and its sign."""
    axis = int(np.argmax(np.abs(gravity)))
    return axis, int(np.sign(gravity[axis]))


def zones(lungs: UInt8Array) -> UInt8Array:
    """Labels 1-6: upper, middle, lower third of the volume of right (1-3) and left lung (4-6); 0 outside."""
    out = np.zeros(lungs.shape, dtype=np.uint8)
    for side, first in ((RIGHT, 1), (LEFT, 4)):
        mine = lungs == side
        per_slice = np.array([np.count_nonzero(level) for level in mine], dtype=np.float64)
        total = per_slice.sum()
        if total == 0:
            continue
        # Share of the lung above the middle of each slice: 0 at the apex, 1 at the base.
        above = 1.0 - (np.cumsum(per_slice) - per_slice / 2) / total
        third = np.minimum((above * 3).astype(np.int64), 2)
        label = (first + third).astype(np.uint8)
        np.copyto(out, label[:, None, None], where=mine)
    return out


def costal_depth_mm(lungs: UInt8Array, geometry: Geometry, work: Geometry, mediastinum_half_mm: float) -> Float32Array:
    """Distance in mm from chest wall and diaphragm, not from the mediastinum; 0 outside the lungs.

    Mediastinum is what lies between the two lungs in its row: near the midline always, farther out when it is not
    below a lung (there it is diaphragm).
    """
    coarse: UInt8Array = resample(lungs, geometry, work, method="nearest")
    outside = coarse == 0
    between = _between_lungs(coarse)
    over_lung = np.maximum.accumulate(coarse > 0, axis=0)
    under_lung = np.flip(np.maximum.accumulate(np.flip(coarse > 0, axis=0), axis=0), axis=0)
    below = outside & under_lung & ~over_lung
    x = np.arange(coarse.shape[2])
    middle = _middle_x(coarse)
    central = np.abs(x - middle) * work.spacing_mm[2] < mediastinum_half_mm
    mediastinum = outside & between & (central[None, None, :] | ~below)
    depth = distance_to(outside & ~mediastinum, work)
    if not np.isfinite(depth).all():
        depth = np.zeros(work.shape, dtype=np.float32)
    out: Float32Array = resample(depth, work, geometry)
    out *= lungs > 0
    return out


def _between_lungs(lungs: UInt8Array) -> BoolArray:
    """Voxels with right lung on their right and left lung on their left in the same row."""
    right = np.maximum.accumulate(lungs == RIGHT, axis=2)
    left = np.flip(np.maximum.accumulate(np.flip(lungs == LEFT, axis=2), axis=2), axis=2)
    out: BoolArray = right & left
    return out


def _middle_x(lungs: UInt8Array) -> float:
    """Column of the midline: halfway between the inner borders of the two lungs."""
    columns = [np.flatnonzero((lungs == side).any(axis=(0, 1))) for side in (RIGHT, LEFT)]
    if columns[0].size and columns[1].size:
        return (float(columns[0][0]) + float(columns[1][-1])) / 2
    only = columns[0] if columns[0].size else columns[1]
    return float(only[-1] if columns[0].size else only[0])


def dependent_mm(lungs: UInt8Array, geometry: Geometry, gravity: Gravity) -> AnyArray:
    """Height in mm above the lowest lung of the same column along gravity, float16; 0 outside."""
    axis, sign = along_gravity(gravity)
    n = lungs.shape[axis]
    out = np.zeros(lungs.shape, dtype=np.float16)
    index = np.arange(n, dtype=np.int16).reshape([n if a == axis else 1 for a in range(3)])
    heights = (np.arange(n) * geometry.spacing_mm[axis]).astype(np.float16)
    for side in (RIGHT, LEFT):
        mine = lungs == side
        lowest = n - 1 - np.argmax(np.flip(mine, axis=axis), axis=axis) if sign > 0 else np.argmax(mine, axis=axis)
        above = np.abs(np.expand_dims(lowest.astype(np.int16), axis) - index)
        for level, voxels, inside in zip(out, above, mine, strict=True):
            np.copyto(level, heights[voxels], where=inside)
    return out


def bundle_mm(
    lungs: UInt8Array, airways: BoolArray, vessels: WorkGrid, geometry: Geometry, *, answer: float, radius_mm: float
) -> AnyArray:
    """Distance in mm to the nearest vessel or bronchus of at least ``radius_mm``, float16; 0 outside the lungs."""
    work = vessels.geometry
    bundle = (vessels.vesselness > answer) & (vessels.vessel_radius_mm >= radius_mm)
    bundle |= resample(airways, geometry, work, method="nearest")
    distance = distance_to(bundle, work)
    far = float(np.finfo(np.float16).max)
    out = resample(np.minimum(distance, far), work, geometry)
    out *= lungs > 0
    return out.astype(np.float16)
