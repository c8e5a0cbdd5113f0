"""The artery beside each airway: a blurred disc fitted to what the airway leaves of the image."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import AnyArray, Float32Array, Float64Array
from cop_imaging.scene.airway_planes import RAYS, STEP_MM, angles
from cop_imaging.scene.blurred_discs import blurred_disc, solved

__all__ = ["artery_diameters_mm"]

ARC_RAYS = 7
"""Rays on each side of the artery's direction that are looked at."""
BESIDE = 2.6
"""How far the artery may reach from the airway's middle, in outer radii, and 1 mm more."""
RADIUS_MM = (0.45, 5.5)
GAP_MM = 2.5
"""Widest gap between airway and artery."""
MOST_OFF = 0.2
"""Root mean square that a good fit leaves, over the artery's contrast."""
FIT_STEPS = 6
MARGIN_MM = 1.5


def artery_diameters_mm(
    left: Float32Array, outer_mm: Float64Array, sigma_mm: Float64Array, contrast_hu: Float64Array
) -> Float64Array:
    """Diameters, not a number where there is no artery, (n,).

    Parameters
    ----------
    left : float32 (n, RAYS, m)
        The image along rays without the airway and the lung around it.
    outer_mm : float64 (n,)
        Outer radius of the airway: only what lies beyond is fitted, so that an airway that has grown into its artery
        does not make it look small.
    contrast_hu : float64 (n,)
        Blood above the lung around.
    """
    n, _, m = left.shape
    distance = np.arange(m) * STEP_MM
    beside = (distance > (outer_mm - 0.2)[:, None]) & (distance < (BESIDE * outer_mm + 1.0)[:, None])
    bright = np.clip(left, 0.0, None)
    excess = np.einsum("nrm,nm->nr", bright, (beside * distance).astype(np.float32))
    towards = np.argmax(ndimage.uniform_filter1d(excess, 5, axis=1, mode="wrap"), axis=1)
    arc = (towards[:, None] + np.arange(-ARC_RAYS, ARC_RAYS + 1)) % RAYS
    turn = angles()[arc[0] - towards[0]]
    x, y = distance * np.cos(turn)[:, None], distance * np.sin(turn)[:, None]
    values = np.take_along_axis(left, arc[:, :, None], axis=1)
    mass = np.clip(values, 0.0, None) * (beside * distance)[:, None]
    total = np.maximum(mass.sum(axis=(1, 2)), 1e-6)
    middle = [(mass * a).sum(axis=(1, 2)) / total for a in (x, y)]
    area = total * STEP_MM * 2.0 * np.pi / RAYS / np.maximum(contrast_hu, 100.0)
    disc = np.stack([*middle, np.clip(np.sqrt(area / np.pi), *RADIUS_MM)], axis=1)
    return _fitted(values.reshape(n, -1), x.ravel(), y.ravel(), disc, outer_mm, sigma_mm, contrast_hu)


def _fitted(
    values: Float32Array,
    x: AnyArray,
    y: AnyArray,
    disc: Float64Array,
    outer: Float64Array,
    sigma: Float64Array,
    contrast: Float64Array,
) -> Float64Array:
    """Discs (x, y, radius) fitted from a first guess to values (n, k) at points (k,)."""
    x, y, values = x.astype(np.float32)[None], y.astype(np.float32)[None], values.astype(np.float32)
    away = np.hypot(x, y)
    beyond = away > (outer - 0.1)[:, None]
    height, width = contrast.astype(np.float32)[:, None], sigma.astype(np.float32)[:, None]
    off = np.full(len(values), np.inf)
    for _ in range(FIT_STEPS):
        dx, dy = x - disc[:, :1].astype(np.float32), y - disc[:, 1:2].astype(np.float32)
        r, radius = np.hypot(dx, dy), disc[:, 2:].astype(np.float32)
        weight = (beyond & (r < radius + MARGIN_MM)) * away
        now = height * blurred_disc(r, radius, width)
        wider = (height * blurred_disc(r, radius + DIFFERENCE_MM, width) - now) / DIFFERENCE_MM
        outwards = (height * blurred_disc(r + DIFFERENCE_MM, radius, width) - now) / DIFFERENCE_MM
        outwards /= np.maximum(r, np.float32(1e-3))
        residual = values - now
        off = np.sqrt((weight * residual**2).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-6))
        step = solved(np.stack([-outwards * dx, -outwards * dy, wider], axis=-1), residual, weight, np.ones(3))
        disc = disc + np.clip(step, -0.6, 0.6)
        disc[:, 2] = np.clip(disc[:, 2], 0.3, 6.0)
    gap = np.hypot(disc[:, 0], disc[:, 1]) - disc[:, 2] - outer
    # An artery whose middle lies in the airway is none.
    good = (off < MOST_OFF * contrast) & (gap < GAP_MM) & (gap > -1.2 * disc[:, 2])
    good &= (disc[:, 2] > RADIUS_MM[0]) & (disc[:, 2] < RADIUS_MM[1])
    return np.where(good, 2.0 * disc[:, 2], np.nan)


DIFFERENCE_MM = np.float32(0.1)
