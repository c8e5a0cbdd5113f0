"""How much denser or darker a place of the lung is than the even lung of its height."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import dilated, resample, smoothed
from cop_imaging.core.scene import Gravity, Scene

__all__ = ["against_even_lung", "clean_lung_hu"]

LEAST_WEIGHT = 0.08
"""Share of clean lung in an average from which it holds."""

STEPS = 6
AROUND_MODE_HU = 30.0
"""Half width of the even lung's density about its mode."""
FIRST_AROUND_HU = 40.0
BIN_HU = 4.0
WIDEST_HU = 200.0
BLUR_BINS = 1.5
LEAST_ML = 50.0
"""Even lung that is needed to say how density changes with height."""


def clean_lung_hu(
    scene: Scene, without: BoolArray, work: Geometry, *, sigma_mm: float, shell_mm: float
) -> Float32Array:
    """Mean HU of nearby clean lung on the grid ``work``, float32; NaN outside the lungs and where none is near.

    A normalised average with a Gaussian of SD ``sigma_mm`` over lung that is no vessel, airway, pleura, none of
    ``without`` (bool on the scene's crop) and no partial-volume shell of these. Holes of air keep their share in it:
    nothing is taken off by its form, which would widen them.
    """
    geometry = scene.geometry
    coarse = resample(scene.hu, geometry, work, antialias=True)
    inside = resample(scene.lungs > 0, geometry, work, method="nearest")
    source = ~inside
    for mask in (scene.vessels, scene.airways, without):
        source |= resample(mask, geometry, work, method="nearest")
    clean = inside & ~dilated(source, work, shell_mm)
    weight = smoothed(clean.astype(np.float32), work, sigma_mm)
    total = smoothed(np.where(clean, coarse, 0).astype(np.float32), work, sigma_mm)
    near = inside & (weight > LEAST_WEIGHT)
    mean = np.full(work.shape, np.nan, dtype=np.float32)
    mean[near] = total[near] / weight[near]
    return mean


def against_even_lung(
    density_hu: Float32Array,
    geometry: Geometry,
    gravity: Gravity,
    aerated_mode_hu: float,
    *,
    haze_hu: float,
    above_mode_hu: float,
) -> Float32Array | None:
    """HU above the most frequent density of aerated lung at the same height, float32; NaN where there is no lung.

    Density rises towards the floor and changes from base to apex: a plane along both is fitted to the lung near its
    own mode, step by step, so that neither haze nor dark lobules bend it.

    Parameters
    ----------
    density_hu : float32 [z, y, x]
        Density between vessels; NaN where there is none.
    haze_hu : float
        Lung above it is not compared.
    above_mode_hu : float
        Even lung is at most so much denser than the mode of aerated lung. What is denser is faint haze, which is most
        frequent where haze is wide-spread: then lung is compared with the mode instead.

    Returns
    -------
    float32 [z, y, x], or None with less than 50 mL of even lung.
    """
    with np.errstate(invalid="ignore"):
        lung = np.isfinite(density_hu) & (density_hu < haze_hu)
    values = density_hu[lung].astype(np.float64)
    index = np.nonzero(lung)
    down = sum(np.asarray(i * s * g) for i, s, g in zip(index, geometry.spacing_mm, gravity, strict=True))
    terms = np.stack([np.ones(values.size), index[0] * geometry.spacing_mm[0], down], axis=1)
    even = np.abs(values - aerated_mode_hu) < FIRST_AROUND_HU
    rest = values
    for _ in range(STEPS):
        if even.sum() * geometry.voxel_ml < LEAST_ML:
            return None
        plane = np.linalg.lstsq(terms[even], values[even], rcond=None)[0]
        rest = values - terms @ plane
        rest -= mode_of(rest)
        even = np.abs(rest) < AROUND_MODE_HU
    level = float(np.median(values - rest)) - aerated_mode_hu
    out = np.full(density_hu.shape, np.nan, dtype=np.float32)
    out[lung] = rest + (level if level > above_mode_hu else 0.0)
    return out


def mode_of(values: np.ndarray) -> float:
    """Most frequent value within 200 HU of zero."""
    counts, edges = np.histogram(values, bins=np.arange(-WIDEST_HU, WIDEST_HU + BIN_HU, BIN_HU))
    k = int(np.argmax(ndimage.gaussian_filter1d(counts.astype(np.float64), BLUR_BINS)))
    return float(edges[k] + edges[k + 1]) / 2
