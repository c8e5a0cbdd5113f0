"""The voxels of nodules, from their middles and radii."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import Float64Array, Int32Array
from cop_imaging.core.scene import Scene

__all__ = ["labelled"]

WIDER = 1.2
"""A nodule is not an exact ball: voxels out to this many radii belong to it when they are dense enough."""
TOGETHER = 512
"""Nodules that are drawn at once."""


def labelled(scene: Scene, point_mm: Float64Array, radius_mm: Float64Array, level_hu: Float64Array) -> Int32Array:
    """Labels 1..n of the nodules on the scene's crop: voxels of lung near the middle and denser than the level.

    The voxel in the middle always belongs to its nodule, so that every nodule has one. Where two meet, a voxel belongs
    to the later one.

    Parameters
    ----------
    point_mm : float64 (n, 3)
        Middles, LPS.
    radius_mm, level_hu : float64 (n,)
        Radius, and the density that is halfway between the nodule and its surroundings.
    """
    labels = np.zeros(scene.lungs.shape, dtype=np.int32)
    if len(point_mm) == 0:
        return labels
    spacing, shape = np.array(scene.geometry.spacing_mm), np.array(scene.lungs.shape)
    reach = WIDER * float(radius_mm.max()) + float(spacing.max())
    axes = [np.arange(-int(reach / s), int(reach / s) + 1) for s in spacing]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    middle = scene.geometry.to_index(point_mm)
    nearest = np.clip(np.rint(middle), 0, shape - 1).astype(np.int64)
    for k in range(0, len(middle), TOGETHER):
        part = slice(k, k + TOGETHER)
        at = nearest[part, None] + offsets
        inside = ((at >= 0) & (at < shape)).all(axis=2)
        distance = np.linalg.norm((at - middle[part, None]) * spacing, axis=2)
        row, column = np.nonzero(inside & (distance <= WIDER * radius_mm[part, None]))
        voxel = tuple(at[row, column].T)
        mine = (scene.lungs[voxel] > 0) & (scene.smooth_hu[voxel] > level_hu[part][row])
        labels[tuple(at[row[mine], column[mine]].T)] = row[mine] + k + 1
    labels[tuple(nearest.T)] = np.arange(1, len(middle) + 1)
    return labels
