"""Lines around each voxel as the signs count them: without dense lung, and where they make a net."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import dilated, resample, share_above
from cop_imaging.core.line_density import LineDensity, line_density_in
from cop_imaging.core.scene import Scene

__all__ = ["line_density", "net", "on_scene", "union", "usual_strength"]

DENSE_SHELL_MM = 2.5
"""Partial-volume shell of dense lung, in which no line is counted."""
NOISE_SHARE = 0.15
"""What noise of 1 HU adds to the limit of the mean strength, in quadrature; set on made chests."""


def line_density(scene: Scene, dense: BoolArray, lung: BoolArray | None = None) -> LineDensity:
    """Line density of a scene, counted in lung without dense parts (bool on the scene's crop).

    Parameters
    ----------
    lung : bool, optional
        Lung in which lines are counted, on the grid of the scene's ridges, in the place of all between the bundles.
    """
    if lung is None:
        if not dense.any():
            return scene.line_density
        lung = scene.line_density.counted
    grid = scene.ridges.geometry
    shell = dilated(resample(dense, scene.geometry, grid, method="nearest"), grid, DENSE_SHELL_MM)
    return line_density_in(scene.ridges, lung & ~shell)


def net(scene: Scene, dense: BoolArray, work: Geometry, *, strength_hu: float, between_hu: float) -> BoolArray:
    """Where lines lie close, and the lung between them is less dense than ``between_hu``; bool on the grid ``work``.

    Parameters
    ----------
    dense : bool [z, y, x]
        Dense lung in which no lines are counted, on the scene's crop.
    strength_hu : float
        Least mean strength of the lines in a scan without noise.
    """
    lines = line_density(scene, dense)
    found = lines.strength_hu > usual_strength(strength_hu, scene.noise_hu)
    found &= lines.between_hu < between_hu
    return resample(found, lines.geometry, work, method="nearest")


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
    (found,) = share_above(mask, grid, scene.geometry, 0.5)
    out: BoolArray = found & (scene.lungs > 0) & ~scene.airways & ~without
    return out
