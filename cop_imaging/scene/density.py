"""Density of the lung between its vessels, and how deep the breath was."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import BoolArray, Int16Array, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import distance_to, resample, smoothed
from cop_imaging.core.scene import Parenchyma

__all__ = ["aerated_mode_hu", "parenchyma"]

AERATED_HU = (-1000, -500)
BIN_HU = 5
MODE_SMOOTHING_BINS = 3.0
LEAST_WEIGHT = 0.1


def aerated_mode_hu(smooth_hu: Int16Array, lungs: UInt8Array) -> float:
    """Most frequent density of lung below -500 HU; -850 when there is none."""
    values = smooth_hu[(lungs > 0) & (smooth_hu < AERATED_HU[1]) & (smooth_hu >= AERATED_HU[0])]
    if values.size == 0:
        return -850.0
    counts, edges = np.histogram(values, bins=np.arange(AERATED_HU[0], AERATED_HU[1] + BIN_HU, BIN_HU))
    blurred = ndimage.gaussian_filter1d(counts.astype(np.float64), MODE_SMOOTHING_BINS)
    k = int(np.argmax(blurred))
    return float(edges[k] + edges[k + 1]) / 2


def parenchyma(
    hu: Int16Array,
    lungs: UInt8Array,
    vessels: BoolArray,
    airways: BoolArray,
    geometry: Geometry,
    *,
    spacing_mm: float,
    sigma_mm: float,
    shell_mm: float,
) -> Parenchyma:
    """Mean density of lung that is no vessel, wall, pleura, or partial-volume shell of one.

    A normalised average: each voxel of the coarse grid gets the mean of the clean lung around it, weighted by a
    Gaussian of SD ``sigma_mm``, so that neither a vessel nor the pleura makes haze.
    """
    work = geometry.resampled((spacing_mm,) * 3)
    coarse = resample(hu, geometry, work, antialias=True, outside=-1024)
    inside = resample(lungs > 0, geometry, work, method="nearest")
    source = ~inside
    source |= resample(vessels, geometry, work, method="nearest")
    source |= resample(airways, geometry, work, method="nearest")
    clean = inside & (distance_to(source, work) > shell_mm)
    weight = smoothed(clean.astype(np.float32), work, sigma_mm)
    total = smoothed(np.where(clean, coarse, 0).astype(np.float32), work, sigma_mm)
    near = inside & (weight > LEAST_WEIGHT)
    mean = np.full(work.shape, np.nan, dtype=np.float32)
    mean[near] = total[near] / weight[near]
    return Parenchyma(geometry=work, hu=mean, near=near)
