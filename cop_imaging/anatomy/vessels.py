"""Vessels of the lung: bright tubes, found by the curvature of the image at several scales, apart from dense lung."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from cop_imaging.anatomy.vessels_config import VesselsConfig
from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, Float64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import dilated, eroded, keep_large
from cop_imaging.core.threads import on_threads

__all__ = ["eigenvalues", "tube_filter", "vessels_apart"]

TUBE_RADIUS_PER_SIGMA = np.sqrt(2.0)
"""A tube of radius r answers most strongly at sigma = r / sqrt(2)."""


def tube_filter(
    hu: Float32Array, mask: BoolArray, geometry: Geometry, scales_mm: Sequence[float], contrast_hu: float
) -> tuple[Float32Array, Float32Array]:
    """How much each voxel of ``mask`` lies in a bright tube (0-1), and the radius in mm of the best scale.

    Parameters
    ----------
    hu : float32 [z, y, x]
        HU on an isotropic grid, clipped to lung and soft tissue.
    mask : bool [z, y, x]
        Where to answer; 0 elsewhere.
    contrast_hu : float
        Ridge strength (scale-normalised second derivative across the tube) that answers 0.5.

    Source
    ------
    Sato 1998, Med Image Anal 2:143, with the plate suppression of Frangi 1998.
    """
    where = np.nonzero(mask)

    def at(scale_mm: float) -> Float32Array:
        sigma = scale_mm / geometry.spacing_mm[0]
        low, middle, high = eigenvalues(_hessian(hu, sigma, where))
        # Bright tube: two strongly negative curvatures, the third near zero; a plate has one, a blob three.
        ridge = np.sqrt(np.maximum(-low, 0.0) * np.maximum(-middle, 0.0)) * sigma**2
        plate = np.clip(middle / np.minimum(low, -1e-6), 0.0, 1.0)
        blob = np.clip(1.0 + np.minimum(high, 0.0) / np.maximum(-middle, 1e-6), 0.0, 1.0)
        strength = ridge * np.sqrt(plate) * (0.5 + 0.5 * blob)
        now: Float32Array = (strength / (strength + contrast_hu)).astype(np.float32)
        return now

    best = np.zeros(where[0].size, dtype=np.float32)
    best_radius = np.zeros(where[0].size, dtype=np.float32)
    for scale_mm, now in zip(scales_mm, on_threads(at, scales_mm), strict=True):
        best_radius[now > best] = scale_mm * TUBE_RADIUS_PER_SIGMA
        np.maximum(best, now, out=best)
    answer, radius = np.zeros((2, *hu.shape), dtype=np.float32)
    answer[where] = best
    radius[where] = best_radius
    return answer, radius


def _hessian(hu: Float32Array, sigma: float, where: tuple[AnyArray, ...]) -> list[Float32Array]:
    """The six second derivatives (zz, yy, xx, zy, zx, yx) of the blurred image at the given voxels."""
    blurred = ndimage.gaussian_filter(hu, sigma, truncate=3.0, mode="nearest")
    out = []
    for order in ((2, 0, 0), (0, 2, 0), (0, 0, 2), (1, 1, 0), (1, 0, 1), (0, 1, 1)):
        derivative = blurred
        for axis, n in enumerate(order):
            if n == 2:
                derivative = ndimage.correlate1d(derivative, [1.0, -2.0, 1.0], axis=axis, mode="nearest")
            elif n == 1:
                derivative = ndimage.correlate1d(derivative, [-0.5, 0.0, 0.5], axis=axis, mode="nearest")
        out.append(derivative[where])
    return out


def eigenvalues(hessian: Sequence[Float32Array]) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Eigenvalues, smallest first, of symmetric 3x3 matrices given as (zz, yy, xx, zy, zx, yx), in closed form.

    Source
    ------
    Smith 1961, Commun ACM 4:168 (trigonometric solution of the characteristic cubic).
    """
    a, b, c, d, e, f = (h.astype(np.float64) for h in hessian)
    mean = (a + b + c) / 3.0
    p = np.sqrt(((a - mean) ** 2 + (b - mean) ** 2 + (c - mean) ** 2 + 2.0 * (d * d + e * e + f * f)) / 6.0)
    safe = np.maximum(p, 1e-12)
    a0, b0, c0, d0, e0, f0 = (a - mean) / safe, (b - mean) / safe, (c - mean) / safe, d / safe, e / safe, f / safe
    half_det = (a0 * (b0 * c0 - f0 * f0) - d0 * (d0 * c0 - f0 * e0) + e0 * (d0 * f0 - b0 * e0)) / 2.0
    phi = np.arccos(np.clip(half_det, -1.0, 1.0)) / 3.0
    high = mean + 2.0 * p * np.cos(phi)
    low = mean + 2.0 * p * np.cos(phi + 2.0 * np.pi / 3.0)
    return low, 3.0 * mean - high - low, high


def vessels_apart(
    answer: Float32Array, smooth: Float32Array, geometry: Geometry, least_answer: float, config: VesselsConfig
) -> BoolArray:
    """Voxels of vessels: tubes that hang together and are no part of lung that is dense in a thicker piece.

    Consolidation is uneven and has ridges at its surface, which answer the tube filter. It is thicker than any vessel
    of the lungs: what lies in such a piece or on its surface is vessel only where contrast medium makes it stand out.

    Parameters
    ----------
    answer : float32 [z, y, x]
        ``tube_filter``.
    smooth : float32 [z, y, x]
        HU on the same isotropic grid, with what lies around the lungs.
    least_answer : float
        Answer from which a voxel is vessel.
    """
    found: BoolArray = answer > least_answer
    dense = smooth > config.dense_hu
    core = eroded(dense, geometry, config.core_mm)
    if core.any() and not dense.all():
        thick = dilated(core, geometry, config.core_mm + config.surface_mm)
        found &= ~thick | (answer > config.sure_answer)
    return keep_large(found, geometry, config.smallest_ml)
