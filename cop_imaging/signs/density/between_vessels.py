"""Density of the lung between its vessels and lines: what haze is judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import dilated, resample, smoothed
from cop_imaging.core.scene import Scene

__all__ = [
    "LungWithoutLines",
    "edge_blur_mm",
    "haze_density",
    "least_ml",
    "lung_without_lines",
    "without_lines",
]

LEAST_WEIGHT = 0.08
WIDER = 2.5
SHELL_PER_BLUR = 1.5
"""Width of a shell over the blur's SD: at 1.2 SD from soft tissue aerated lung has the density of haze."""
STEP_HU, NEAR_STEP_HU = 900.0, (-550.0, -250.0)
"""From aerated lung to soft tissue, and densities about half way between."""
SHARPEST_PERCENT = 80.0
EDGE_SLICES = 8
NOTHING_HU, IGNORED_HU = -3000.0, 3000.0


@dataclass(frozen=True, slots=True, eq=False)
class LungWithoutLines:
    """Density of the lungs on a grid of about 1.5 mm, without vessels, walls and septa thinner than three voxels."""

    geometry: Geometry
    hu: Float32Array
    inside: BoolArray
    """The lungs."""
    known: BoolArray
    """Where there is lung that is no lumen of a bronchus."""
    blur_mm: float
    """SD of the scan's blur."""


def lung_without_lines(scene: Scene, work: Geometry) -> LungWithoutLines:
    """The scene's lungs on the grid ``work``, opened so that neither vessels nor a net of septa make haze."""
    geometry = scene.geometry
    density = resample(scene.hu, geometry, work, antialias=True).astype(np.float32)
    inside = resample(scene.lungs > 0, geometry, work, method="nearest")
    lumen = resample(scene.airways, geometry, work, method="nearest") & inside
    opened = without_lines(np.where(lumen, IGNORED_HU, density), inside)
    known = inside & (opened > NOTHING_HU) & (opened < IGNORED_HU)
    # An opening takes noise and small vessels off everywhere: healthy lung keeps its density.
    opened += np.median((density - opened)[known]) if known.any() else 0.0
    return LungWithoutLines(work, opened, inside, known, edge_blur_mm(scene))


def haze_density(
    lung: LungWithoutLines, without: BoolArray, *, sigma_mm: float, shell_mm: float, dense_hu: float
) -> tuple[Float32Array, BoolArray]:
    """HU of nearby lung between its vessels (float32), and where it was seen itself (bool), on the lung's grid.

    A normalised average with a Gaussian of SD ``sigma_mm`` over lung that is none of ``without`` (bool on the same
    grid) nor thick and dense, and no partial-volume shell of these and of the pleura. Into the shells the average of
    what lies beyond them is carried.

    Parameters
    ----------
    shell_mm : float
        Width of the shells; where the scan is blurred they are wider, up to twice as wide.
    dense_hu : float
        Density above which lung that is thicker than the window is the source of a shell.

    Returns
    -------
    density : float32 [z, y, x]
        NaN outside the lungs and where no clean lung is near.
    clean : bool [z, y, x]
        Lung beyond the shells.
    """
    work, inside, opened = lung.geometry, lung.inside, lung.hu
    source = ~inside | without | (inside & (opened > dense_hu))
    clean = lung.known & ~dilated(source, work, min(max(shell_mm, SHELL_PER_BLUR * lung.blur_mm), 2 * shell_mm))
    seen = np.where(clean, opened, np.float32(0.0))
    # Where the nearest clean lung is farther away, a wider average reaches it.
    mean = np.full(work.shape, np.nan, dtype=np.float32)
    for reach_mm in (WIDER * sigma_mm, sigma_mm):
        weight = smoothed(clean.astype(np.float32), work, reach_mm)
        near = inside & (weight > LEAST_WEIGHT)
        mean[near] = smoothed(seen, work, reach_mm)[near] / weight[near]
    return mean, clean


def edge_blur_mm(scene: Scene) -> float:
    """SD in mm of the blur in the plane of the smoothed scan, from its steepest steps between air and soft tissue.

    A step blurred by a Gaussian rises by its height over ``sqrt(2 pi)`` SD per millimetre at its middle.
    """
    picked = np.unique(np.linspace(0, scene.hu.shape[0] - 1, EDGE_SLICES + 2).astype(int)[1:-1])
    slices = np.clip(scene.smooth_hu[picked].astype(np.float32), -1000.0, 100.0)
    y, x = np.gradient(slices, *scene.geometry.spacing_mm[1:], axis=(1, 2))
    edge = (scene.lungs[picked] > 0) & (slices > NEAR_STEP_HU[0]) & (slices < NEAR_STEP_HU[1])
    if not edge.any():
        return 0.0
    steepest = float(np.percentile(np.hypot(y, x)[edge], SHARPEST_PERCENT))
    return STEP_HU / max(steepest, 1.0) / float(np.sqrt(2.0 * np.pi))


def without_lines(density: AnyArray, inside: BoolArray) -> Float32Array:
    """Grey opening by a cube of three voxels inside a mask: bright structures thinner than that are gone, float32.

    Values outside the mask count as lower than any: what is thin beside them is gone too.
    """
    lowest = _among_neighbours(np.where(inside, density, NOTHING_HU).astype(np.float32), np.minimum)
    lowest[lowest >= IGNORED_HU] = NOTHING_HU
    return _among_neighbours(lowest, np.maximum)


def _among_neighbours(values: Float32Array, extreme: np.ufunc) -> Float32Array:
    """The lowest or highest of each voxel and its 26 neighbours, float32."""
    for axis in range(3):
        here = np.moveaxis(values, axis, 0)
        values = values.copy()
        out = np.moveaxis(values, axis, 0)
        extreme(out[1:], here[:-1], out=out[1:])
        extreme(out[:-1], here[1:], out=out[:-1])
    return values


def least_ml(geometry: Geometry, smallest_ml: float) -> float:
    """Smallest volume to keep on a grid that may be thinner than a ball of ``smallest_ml``.

    There a component is cut off above and below, and it is kept when it is as wide as such a ball.
    """
    diameter_mm = (6000.0 * smallest_ml / np.pi) ** (1 / 3)
    height_mm = geometry.shape[0] * geometry.spacing_mm[0]
    return smallest_ml if height_mm >= diameter_mm else float(np.pi / 4 * diameter_mm**2 * height_mm / 1000.0)
