"""Density of the lung between its vessels and lines: what haze is judged on."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import distance_to, resample, smoothed
from cop_imaging.core.scene import Scene

__all__ = ["density_between_vessels", "edge_blur_mm", "haze_density", "least_ml", "without_lines"]

LEAST_WEIGHT = 0.08
WIDER = 2.5
SHELL_PER_BLUR = 1.5
"""Width of a shell over the blur's SD: at 1.2 SD from soft tissue aerated lung has the density of haze."""
STEP_HU, NEAR_STEP_HU = 900.0, (-550.0, -250.0)
"""From aerated lung to soft tissue, and densities about half way between."""
SHARPEST_PERCENT = 80.0
EDGE_SLICES = 8
WINDOW = 3
"""Voxels along each axis that haze fills without a gap."""
NOTHING_HU, IGNORED_HU = -3000.0, 3000.0
DENSE_HU = -300.0
"""Upper limit of haze."""


def density_between_vessels(
    scene: Scene, without: BoolArray, work: Geometry, *, sigma_mm: float, shell_mm: float
) -> Float32Array:
    """HU of nearby lung between its vessels on the grid ``work``, float32; NaN outside the lungs and where none is.

    The first of what ``haze_density`` gives.
    """
    return haze_density(scene, without, work, sigma_mm=sigma_mm, shell_mm=shell_mm)[0]


def haze_density(
    scene: Scene,
    without: BoolArray,
    work: Geometry,
    *,
    sigma_mm: float,
    shell_mm: float,
    dense_hu: float = DENSE_HU,
) -> tuple[Float32Array, BoolArray]:
    """HU of nearby lung between its vessels on the grid ``work`` (float32), and where it was seen itself (bool).

    Vessels, walls and septa that are thinner than three voxels of ``work`` are taken out by a grey opening, so that
    neither they nor a net of them makes haze. A normalised average with a Gaussian of SD ``sigma_mm`` follows, over
    lung that is none of ``without`` (bool on the scene's crop) nor thick and dense, and no partial-volume shell of
    these and of the pleura. Into the shells the average of what lies beyond them is carried.

    Parameters
    ----------
    work : Geometry
        A grid of about 1.5 mm.
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
    geometry = scene.geometry
    density = resample(scene.hu, geometry, work, antialias=True).astype(np.float32)
    inside = resample(scene.lungs > 0, geometry, work, method="nearest")
    lumen = resample(scene.airways, geometry, work, method="nearest") & inside
    opened = without_lines(np.where(lumen, IGNORED_HU, density), inside)
    known = inside & (opened > NOTHING_HU) & (opened < IGNORED_HU)
    # An opening takes noise and small vessels off everywhere: healthy lung keeps its density.
    opened += np.median((density - opened)[known]) if known.any() else 0.0
    source = ~inside | resample(without, geometry, work, method="nearest") | (inside & (opened > dense_hu))
    clean = known & (distance_to(source, work) > min(max(shell_mm, SHELL_PER_BLUR * edge_blur_mm(scene)), 2 * shell_mm))
    # Where the nearest clean lung is farther away, a wider average reaches it.
    mean = np.full(work.shape, np.nan, dtype=np.float32)
    for reach_mm in (WIDER * sigma_mm, sigma_mm):
        weight = smoothed(clean.astype(np.float32), work, reach_mm)
        total = smoothed(np.where(clean, opened, 0).astype(np.float32), work, reach_mm)
        near = inside & (weight > LEAST_WEIGHT)
        mean[near] = total[near] / weight[near]
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
    lowest = ndimage.minimum_filter(np.where(inside, density, NOTHING_HU).astype(np.float32), WINDOW)
    lowest[lowest >= IGNORED_HU] = NOTHING_HU
    out: Float32Array = ndimage.maximum_filter(lowest, WINDOW)
    return out


def least_ml(geometry: Geometry, smallest_ml: float) -> float:
    """Smallest volume to keep on a grid that may be thinner than a ball of ``smallest_ml``.

    There a component is cut off above and below, and it is kept when it is as wide as such a ball.
    """
    diameter_mm = (6000.0 * smallest_ml / np.pi) ** (1 / 3)
    height_mm = geometry.shape[0] * geometry.spacing_mm[0]
    return smallest_ml if height_mm >= diameter_mm else float(np.pi / 4 * diameter_mm**2 * height_mm / 1000.0)
