"""Vessels of the lung: bright tubes, found by the curvature of the image at several scales, apart from dense lung."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from cop_imaging.anatomy.vessels_config import VesselsConfig
from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array
from cop_imaging.core.curvature import eigenvalues
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import dilated, eroded, keep_large
from cop_imaging.core.threads import on_threads

__all__ = ["tube_filter", "vessels_apart"]

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
