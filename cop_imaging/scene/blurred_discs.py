"""A disc seen through a Gaussian point spread, in closed form."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.stats import ncx2

from cop_imaging.core.arrays import AnyArray, Float32Array, Float64Array

__all__ = ["blurred_disc", "solved"]

STEP = 0.125
"""Step of the table in widths of the point spread."""
FARTHEST, WIDEST = 32.0, 24.0
"""Distance from the centre and radius up to which the table goes, in widths of the point spread."""


@cache
def _table() -> Float32Array:
    """Value at a distance (rows) of a disc with a radius (columns), both in widths."""
    at = np.arange(0.0, FARTHEST + STEP, STEP)[:, None]
    radius = np.arange(0.0, WIDEST + STEP, STEP)[None]
    out = np.where(radius > at, 1.0, 0.0)
    # Farther than six widths from its edge a disc is full or empty.
    near = np.abs(at - radius) < 6.0
    rows, columns = np.nonzero(near & (radius > 0.0))
    out[rows, columns] = ncx2.cdf(radius[0, columns] ** 2, 2, np.maximum(at[rows, 0], 1e-6) ** 2)
    return np.nan_to_num(out).astype(np.float32)


def blurred_disc(distance_mm: AnyArray, radius_mm: AnyArray, sigma_mm: AnyArray) -> Float32Array:
    """Value (0-1) at a distance from the centre of a disc of value 1 that is blurred by a Gaussian of SD ``sigma_mm``.

    The arguments broadcast. It is the distribution of a non-central chi-square variable of two degrees of freedom
    (the complement of Marcum's Q function), taken from a table.
    """
    table = _table()
    scale = 1.0 / (STEP * np.asarray(sigma_mm, dtype=np.float32))
    row = np.clip(distance_mm * scale, 0.0, table.shape[0] - 1.001)
    column = np.clip(radius_mm * scale, 0.0, table.shape[1] - 1.001)
    i, j = row.astype(np.int32), column.astype(np.int32)
    u, v = (row - i).astype(np.float32), (column - j).astype(np.float32)
    flat = table.ravel()
    at = i * table.shape[1] + j
    low = flat[at] * (1 - v) + flat[at + 1] * v
    high = flat[at + table.shape[1]] * (1 - v) + flat[at + table.shape[1] + 1] * v
    out: Float32Array = low * (1 - u) + high * u
    return out


def solved(slopes: AnyArray, left: AnyArray, weight: AnyArray, damping: Float64Array) -> Float64Array:
    """Steps (n, k) of damped Gauss-Newton that lessen what a fit leaves.

    Parameters
    ----------
    slopes : (n, m, k)
        Change of the model with each parameter.
    left, weight : (n, m)
        What the model leaves of the values, and the weight of each.
    damping : float64 (k,)
        Relative damping of each parameter.
    """
    weighted = slopes * weight[..., None]
    square = np.matmul(weighted.transpose(0, 2, 1), slopes).astype(np.float64)
    scale = np.trace(square, axis1=1, axis2=2)[:, None, None]
    square += np.eye(slopes.shape[-1]) * (DAMPING * scale * damping + 1e-6)
    right = np.matmul(weighted.transpose(0, 2, 1), left[..., None]).astype(np.float64)
    out: Float64Array = np.linalg.solve(square, right)[..., 0]
    return out


DAMPING = 1e-3
