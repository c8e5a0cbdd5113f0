"""How many fine lines the lung around a voxel holds, and how dense it is between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import dilated, resample, smoothed
from cop_imaging.core.ridges import Ridges

__all__ = ["LineDensity", "line_density_in", "local_mean", "lung_between"]

SHELL_MM = 1.25
"""Partial-volume shell of vessels and bronchi, in which no line is counted."""
WINDOW_MM = 4.0
"""SD of the window: lobules are 10-25 mm."""
LEAST_WEIGHT = 0.1
BETWEEN_HU = 10.0
"""Strength below which a voxel lies between lines."""


@dataclass(frozen=True, slots=True, eq=False)
class LineDensity:
    """Lines of 1-3 mm around each voxel, on the grid of the scene's ridges."""

    geometry: Geometry
    counted: BoolArray
    """Lung in which lines are counted: no vessel, bronchus, dense lung, pleura or shell of these."""
    strength_hu: Float32Array
    """Mean strength of lines in the window; 0 where too little lung is counted."""
    between_hu: Float32Array
    """Mean density between the lines in the window; -1000 where it is not known."""


def lung_between(ridges: Ridges, tubes: BoolArray, source: Geometry) -> BoolArray:
    """Inner lung beyond the shells of tubes (bool on the grid ``source``), bool on the ridges' grid."""
    grid = ridges.geometry
    return ridges.inner & ~dilated(resample(tubes, source, grid, method="nearest"), grid, SHELL_MM)


def line_density_in(ridges: Ridges, counted: BoolArray) -> LineDensity:
    """Line density from the lung that is ``counted``, bool on the ridges' grid."""
    grid = ridges.geometry
    strength = local_mean(ridges.line_hu, counted, grid, missing=0.0)
    between = local_mean(ridges.fine_hu, counted & (ridges.line_hu < BETWEEN_HU), grid, missing=-1000.0)
    return LineDensity(grid, counted, strength, between)


def local_mean(values: Float32Array, counted: BoolArray, grid: Geometry, *, missing: float) -> Float32Array:
    """Mean of the counted voxels in a Gaussian window, float32; ``missing`` where few are."""
    weight = smoothed(counted.astype(np.float32), grid, WINDOW_MM)
    total = smoothed(np.where(counted, values, np.float32(0.0)), grid, WINDOW_MM)
    out: Float32Array = np.where(
        weight > LEAST_WEIGHT, total / np.maximum(weight, np.float32(LEAST_WEIGHT)), np.float32(missing)
    )
    return out
