"""Second derivatives of an image at chosen voxels, and their eigenvalues and eigenvectors in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cop_imaging.core.arrays import Float32Array, Float64Array

__all__ = ["eigenvalues", "eigenvectors", "gradient_at", "hessian_at"]

Rows = NDArray[np.int64]
TINY = 1e-12


def hessian_at(image: Float32Array, voxels: Rows, spacing_mm: tuple[float, float, float]) -> list[Float32Array]:
    """The six second derivatives (zz, yy, xx, zy, zx, yx) in HU/mm2 at flat indices, none on the array's border."""
    flat, steps = image.ravel(), _steps(image)
    middle = flat[voxels]
    out: list[Float32Array] = []
    for step, h in zip(steps, spacing_mm, strict=True):
        second: Float32Array = (flat[voxels + step] + flat[voxels - step] - middle - middle) / np.float32(h * h)
        out.append(second)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        a, b = steps[i], steps[j]
        twist = flat[voxels + a + b] + flat[voxels - a - b] - flat[voxels + a - b] - flat[voxels - a + b]
        mixed: Float32Array = twist / np.float32(4.0 * spacing_mm[i] * spacing_mm[j])
        out.append(mixed)
    return out


def gradient_at(image: Float32Array, voxels: Rows, spacing_mm: tuple[float, float, float]) -> Float32Array:
    """Gradient (n, 3) as (z, y, x) in HU/mm at flat indices, none on the array's border."""
    flat = image.ravel()
    parts = [
        (flat[voxels + step] - flat[voxels - step]) / np.float32(2.0 * h)
        for step, h in zip(_steps(image), spacing_mm, strict=True)
    ]
    return np.stack(parts, axis=1)


def eigenvalues(hessian: Sequence[Float32Array]) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Eigenvalues, smallest first, of symmetric 3x3 matrices given as (zz, yy, xx, zy, zx, yx), in closed form.

    Source
    ------
    Smith 1961, Commun ACM 4:168 (trigonometric solution of the characteristic cubic).
    """
    a, b, c, d, e, f = (h.astype(np.float64) for h in hessian)
    mean = (a + b + c) / 3.0
    p = np.sqrt(((a - mean) ** 2 + (b - mean) ** 2 + (c - mean) ** 2 + 2.0 * (d * d + e * e + f * f)) / 6.0)
    safe = np.maximum(p, TINY)
    a0, b0, c0, d0, e0, f0 = (a - mean) / safe, (b - mean) / safe, (c - mean) / safe, d / safe, e / safe, f / safe
    half_det = (a0 * (b0 * c0 - f0 * f0) - d0 * (d0 * c0 - f0 * e0) + e0 * (d0 * f0 - b0 * e0)) / 2.0
    phi = np.arccos(np.clip(half_det, -1.0, 1.0)) / 3.0
    high = mean + 2.0 * p * np.cos(phi)
    low = mean + 2.0 * p * np.cos(phi + 2.0 * np.pi / 3.0)
    return low, 3.0 * mean - high - low, high


def eigenvectors(hessian: Sequence[Float32Array], value: Float64Array) -> Float64Array:
    """Unit eigenvectors (n, 3) as (z, y, x) that belong to one eigenvalue of each matrix.

    Two rows of the matrix less the eigenvalue span the plane across the eigenvector; of the three pairs the one with
    the longest cross product is used.
    """
    a, b, c, d, e, f = (h.astype(np.float64) for h in hessian)
    rows = [np.stack(r, axis=1) for r in ((a - value, d, e), (d, b - value, f), (e, f, c - value))]
    crossed = np.stack([np.cross(rows[i], rows[j]) for i, j in ((0, 1), (0, 2), (1, 2))], axis=1)
    best = (crossed**2).sum(axis=2).argmax(axis=1)
    vector = crossed[np.arange(len(best)), best]
    out: Float64Array = vector / np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), TINY)
    return out


def _steps(image: Float32Array) -> tuple[int, int, int]:
    """How far the next voxel along z, y and x lies in the flat array."""
    return image.shape[1] * image.shape[2], image.shape[2], 1
