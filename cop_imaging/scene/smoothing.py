"""One point spread for every kernel, and no more noise than the density classes can bear."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import AnyArray, BoolArray, Int16Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import FWHM_PER_SIGMA

__all__ = ["added_sigma_mm", "noise_hu", "smooth"]

KERNEL_FWHM_MM = {"soft": 1.3, "medium": 0.95, "sharp": 0.6}
"""Typical in-plane width by kernel class (mean of the ranges 1.1-1.6, 0.8-1.1, 0.5-0.7 mm); unknown is medium."""
WINDOW = 7
SAMPLE_SLICES = 12
SIGMA_STEP_MM = 0.2


def noise_hu(hu: AnyArray, tissue: BoolArray) -> float:
    """SD of noise in homogeneous tissue, HU: the lower quartile of local in-plane SDs; 0 without tissue.

    Parameters
    ----------
    hu : [z, y, x]
        A few slices.
    tissue : bool [z, y, x]
        Soft tissue in them.
    """
    values = np.clip(hu, -200, 300).astype(np.float32)
    size = (0, WINDOW, WINDOW)
    full = np.stack([ndimage.uniform_filter(t.astype(np.float32), WINDOW) > 0.999 for t in tissue])
    if full.sum() < 200:
        return 0.0
    mean = np.stack([ndimage.uniform_filter(v, size[1:]) for v in values])
    square = np.stack([ndimage.uniform_filter(v * v, size[1:]) for v in values])
    sd = np.sqrt(np.maximum(square - mean * mean, 0.0))
    return float(np.percentile(sd[full], 25))


def added_sigma_mm(
    hu: Int16Array,
    lungs: AnyArray,
    body: BoolArray,
    geometry: Geometry,
    *,
    kernel_class: str | None,
    common_psf_mm: float,
    target_hu: float,
    widest_mm: float,
) -> tuple[float, float]:
    """SD in mm of the Gaussian that brings the scan to the common point spread and its noise below the target.

    Returns also the scan's own noise SD in HU. Measured on a few slices, so that it holds for any kernel.
    """
    own = KERNEL_FWHM_MM.get(kernel_class or "medium", KERNEL_FWHM_MM["medium"])
    sigma = float(np.sqrt(max(common_psf_mm**2 - own**2, 0.0))) / FWHM_PER_SIGMA
    last = hu.shape[0] - 1
    picked = np.unique(np.linspace(min(2, last), max(last - 2, 0), SAMPLE_SLICES).astype(int))
    tissue = np.stack(
        [
            body[z] & (lungs[z] == 0) & (np.abs(ndimage.uniform_filter(hu[z].astype(np.float32), WINDOW) - 50.0) < 60.0)
            for z in picked
        ]
    )
    raw = noise_hu(hu[picked], tissue)
    while sigma < widest_mm:
        blurred = np.stack([_blur_around(hu, int(z), geometry, sigma) for z in picked])
        if noise_hu(blurred, tissue) <= target_hu:
            break
        sigma += SIGMA_STEP_MM
    return min(sigma, widest_mm), raw


def smooth(hu: Int16Array, geometry: Geometry, sigma_mm: float) -> Int16Array:
    """Gaussian blur of SD ``sigma_mm`` in all three directions, int16."""
    sigma = [sigma_mm / s for s in geometry.spacing_mm]
    blurred = ndimage.gaussian_filter(hu, sigma, output=np.float32, truncate=3.0, mode="nearest")
    # Filtering int16 in place would truncate after each axis and shift every density towards zero.
    out: Int16Array = np.rint(blurred, out=blurred).astype(np.int16)
    return out


def _blur_around(hu: Int16Array, z: int, geometry: Geometry, sigma_mm: float) -> AnyArray:
    """Slice z of the blurred volume, from the slices that reach it."""
    reach = max(1, int(np.ceil(3.0 * sigma_mm / geometry.spacing_mm[0])))
    low = max(z - reach, 0)
    slab: AnyArray = smooth(hu[low : z + reach + 1], geometry, sigma_mm) if sigma_mm else hu[low : z + reach + 1]
    middle: AnyArray = slab[z - low]
    return middle
