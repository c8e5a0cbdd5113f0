"""Density of the lung between its vessels: what haze is judged on."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import distance_to, resample, smoothed
from cop_imaging.core.scene import Scene

__all__ = ["density_between_vessels"]

LEAST_WEIGHT = 0.08


def density_between_vessels(
    scene: Scene, without: BoolArray, work: Geometry, *, sigma_mm: float, shell_mm: float
) -> Float32Array:
    """Mean HU of nearby clean lung on the grid ``work``, float32; NaN outside the lungs and where none is near.

    A normalised average with a Gaussian of SD ``sigma_mm`` over lung that is no vessel, airway, pleura, none of
    ``without`` (bool on the scene's crop) and no partial-volume shell of these, so that none of them makes haze.
    """
    geometry = scene.geometry
    coarse = resample(scene.hu, geometry, work, antialias=True)
    inside = resample(scene.lungs > 0, geometry, work, method="nearest")
    source = ~inside
    for mask in (scene.vessels, scene.airways, without):
        source |= resample(mask, geometry, work, method="nearest")
    clean = inside & (distance_to(source, work) > shell_mm)
    weight = smoothed(clean.astype(np.float32), work, sigma_mm)
    total = smoothed(np.where(clean, coarse, 0).astype(np.float32), work, sigma_mm)
    near = inside & (weight > LEAST_WEIGHT)
    mean = np.full(work.shape, np.nan, dtype=np.float32)
    mean[near] = total[near] / weight[near]
    return mean
