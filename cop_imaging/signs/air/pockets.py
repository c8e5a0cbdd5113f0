"""Gas that dense tissue closes in, and the wall around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, Float64Array, Int32Array, Int64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import closed, components, fill_holes, resample, volume_ml_by_label
from cop_imaging.core.scene import Scene
from cop_imaging.signs.shapes.compact import Shapes, shapes_of
from cop_imaging.signs.shapes.rings import sphere_directions

__all__ = ["Pockets", "gas_pockets", "walls_mm"]

GRID_MM = 1.5
LEAK_MM = 1.5
"""Gaps in the wall up to twice this wide (a draining bronchus) do not open a pocket."""
SMALLEST_ML, LARGEST_ML = 0.05, 250.0
NEAR_MM = 20.0
RAYS, STEP_MM, REACH_MM = 96, 0.5, 50.0


@dataclass(frozen=True, slots=True, eq=False)
class Pockets:
    """Places inside the lungs that dense tissue closes in, one row each."""

    grid: Geometry
    labels: Int32Array
    """1..n on ``grid``."""
    shapes: Shapes
    middle_hu: Float64Array
    """Density in the middle of the largest ball inside."""
    airway_share: Float64Array
    """Share of it that belongs to the airways."""
    wall_mm: Float64Array
    """Median thickness of the dense tissue around, over all directions."""
    wall_lower_mm: Float64Array
    """Lower quartile of that thickness."""
    outer_mm: Float64Array
    """Median diameter with the wall."""
    neighbours: Int64Array
    """Other pockets within 20 mm of its middle: honeycombing has many."""


def gas_pockets(scene: Scene, wall_hu: float) -> Pockets:
    """All pockets inside tissue denser than ``wall_hu``, of gas or of spared lung."""
    grid = scene.geometry.resampled((GRID_MM,) * 3)
    hu = resample(scene.smooth_hu.astype(np.float32), scene.geometry, grid)
    inside = fill_holes(resample(scene.lungs, scene.geometry, grid, method="nearest") > 0)
    dense = closed((hu > wall_hu) | ~inside, grid, LEAK_MM)
    labels, n = components(~dense)
    volume = volume_ml_by_label(labels, n, grid)
    kept = np.flatnonzero((volume >= SMALLEST_ML) & (volume <= LARGEST_ML)) + 1
    renumbered = np.zeros(n + 1, dtype=np.int32)
    renumbered[kept] = np.arange(1, len(kept) + 1)
    labels = renumbered[labels]
    shapes = shapes_of(labels, len(kept), grid)
    size = np.maximum(np.bincount(labels.ravel(), minlength=len(kept) + 1)[1:], 1)
    airways: BoolArray = resample(scene.airways, scene.geometry, grid, method="nearest")
    tubes = np.bincount(labels[airways], minlength=len(kept) + 1)[1:]
    z, y, x = shapes.deepest.T
    middle = ndimage.uniform_filter(hu, 3)[z, y, x].astype(np.float64)
    inner, wall = walls_mm(hu, grid, shapes.deepest, wall_hu)
    lower, median = np.percentile(wall, [25, 50], axis=1) if len(kept) else np.empty((2, 0))
    outer = 2.0 * np.median(inner + wall, axis=1) if len(kept) else np.empty(0)
    place = shapes.deepest * np.array(grid.spacing_mm)
    near = cKDTree(place).query_ball_point(place, NEAR_MM, return_length=True) if len(kept) else np.empty(0)
    neighbours = np.asarray(near, dtype=np.int64) - 1
    return Pockets(grid, labels, shapes, middle, tubes / size, median, lower, outer, neighbours)


def walls_mm(hu: Float32Array, grid: Geometry, start: AnyArray, wall_hu: float) -> tuple[Float64Array, Float64Array]:
    """Distance from each start (index z, y, x) to the wall along rays, and the wall's thickness; (n, rays) each.

    Where a ray meets no wall within 50 mm, its thickness is 0.
    """
    steps = np.arange(0.0, REACH_MM, STEP_MM)
    offset = sphere_directions(RAYS)[:, None, :] * steps[:, None] / np.array(grid.spacing_mm)
    inner, wall = np.zeros((len(start), RAYS)), np.zeros((len(start), RAYS))
    for k, point in enumerate(np.asarray(start, dtype=np.float64)):
        at = (point + offset).reshape(-1, 3).T
        dense = ndimage.map_coordinates(hu, at, order=1, mode="nearest").reshape(RAYS, -1) > wall_hu
        first = dense.argmax(axis=1)
        beyond = ~dense & (np.arange(len(steps)) > first[:, None])
        last = np.where(beyond.any(axis=1), beyond.argmax(axis=1), len(steps))
        inner[k] = np.where(dense.any(axis=1), first, len(steps)) * STEP_MM
        wall[k] = np.where(dense.any(axis=1), last - first, 0) * STEP_MM
    return inner, wall
