"""How many fine lines the lung around a voxel holds, and how dense it is between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import dilated, resample, smoothed
from cop_imaging.core.scene import Scene

__all__ = ["LineDensity", "line_density", "local_mean", "net", "on_scene", "union", "usual_strength"]

SHELL_MM, DENSE_SHELL_MM, PLEURA_MM = 1.25, 2.5, 2.5
"""Partial-volume shells of vessels and bronchi, of dense lung and of the pleura, in which no line is counted."""
WINDOW_MM = 4.0
"""SD of the window: lobules are 10-25 mm."""
LEAST_WEIGHT = 0.1
BETWEEN_HU = 10.0
"""Strength below which a voxel lies between lines."""
NOISE_SHARE = 0.15
"""What noise of 1 HU adds to the limit of the mean strength, in quadrature; set on made chests."""


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


def line_density(scene: Scene, tubes: BoolArray, dense: BoolArray) -> LineDensity:
    """Line density of a scene, counted in lung without tubes and dense parts (bool on the scene's crop)."""
    ridges, source = scene.ridges, scene.geometry
    grid = ridges.geometry
    counted = resample(scene.lungs > 0, source, grid, method="nearest")
    counted &= ~dilated(resample(tubes, source, grid, method="nearest"), grid, SHELL_MM)
    counted &= ~dilated(resample(dense, source, grid, method="nearest"), grid, DENSE_SHELL_MM)
    counted &= resample(scene.depth_mm, source, grid) > PLEURA_MM
    strength = local_mean(ridges.line_hu, counted, grid, missing=0.0)
    between = local_mean(ridges.fine_hu, counted & (ridges.line_hu < BETWEEN_HU), grid, missing=-1000.0)
    return LineDensity(grid, counted, strength, between)


def net(scene: Scene, dense: BoolArray, work: Geometry, *, strength_hu: float, between_hu: float) -> BoolArray:
    """Where lines lie close, and the lung between them is less dense than ``between_hu``; bool on the grid ``work``.

    Parameters
    ----------
    dense : bool [z, y, x]
        Dense lung in which no lines are counted, on the scene's crop.
    strength_hu : float
        Least mean strength of the lines in a scan without noise.
    """
    lines = line_density(scene, scene.vessels | scene.airways, dense)
    found = lines.strength_hu > usual_strength(strength_hu, scene.noise_hu)
    found &= lines.between_hu < between_hu
    return resample(found, lines.geometry, work, method="nearest")


def local_mean(values: Float32Array, counted: BoolArray, grid: Geometry, *, missing: float) -> Float32Array:
    """Mean of the counted voxels in a Gaussian window, float32; ``missing`` where few are."""
    weight = smoothed(counted.astype(np.float32), grid, WINDOW_MM)
    total = smoothed(np.where(counted, values, np.float32(0.0)), grid, WINDOW_MM)
    out: Float32Array = np.where(
        weight > LEAST_WEIGHT, total / np.maximum(weight, np.float32(LEAST_WEIGHT)), np.float32(missing)
    )
    return out


def usual_strength(least_hu: float, noise_hu: float) -> float:
    """The limit of the mean strength for a scan with that noise: noise makes lines of its own."""
    return float(np.hypot(least_hu, NOISE_SHARE * noise_hu))


def union(first: BoolArray, *others: BoolArray | None) -> BoolArray:
    """What lies in any of the masks; those of signs that were not assessable are None."""
    out = first
    for mask in others:
        out = out if mask is None else out | mask
    return out


def on_scene(mask: BoolArray, grid: Geometry, scene: Scene, without: BoolArray) -> BoolArray:
    """A mask of the ridges' grid on the scene's crop: lung without bronchi and without some other mask."""
    found = resample(mask.astype(np.float32), grid, scene.geometry) > 0.5
    out: BoolArray = found & (scene.lungs > 0) & ~scene.airways & ~without
    return out
