"""Samples turned, scaled, cut, blurred and made noisy before the network sees them."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

from cop_imaging.core.arrays import Float32Array, UInt8Array
from cop_imaging.training.lungs.samples import GRID_MM, IGNORED, Sample

__all__ = ["CROP", "augmented"]

CROP = (96, 80, 112)
"""Voxels of a training view: 34 x 28 x 39 cm."""
TURN_DEG, TILT_DEG, SCALE = 18.0, 8.0, (0.82, 1.22)
BLUR_VOXELS, NOISE_HU, SHIFT_HU = 0.9, 45.0, 12.0
AIR_HU = -1024.0


def augmented(sample: Sample, rng: np.random.Generator) -> tuple[Float32Array, UInt8Array, Float32Array]:
    """Density in HU, label and how airless (0-1) of one random view, each ``CROP``."""
    hu, label, dense = viewed(sample, rng)
    hu = changed_lung(hu, label, dense, rng)
    if rng.random() < 0.7:
        hu = ndimage.gaussian_filter(hu, rng.uniform(0.0, BLUR_VOXELS, 3))
    noise = rng.standard_normal(hu.shape, dtype=np.float32)
    if rng.random() < 0.5:
        noise = ndimage.gaussian_filter(noise, rng.uniform(0.3, 0.8, 3))
        noise /= noise.std()
    hu += np.float32(NOISE_HU * rng.random() ** 2) * noise + np.float32(rng.uniform(-SHIFT_HU, SHIFT_HU))
    if rng.random() < 0.15:
        hu = behind_circle(hu, label, rng)
    return hu, label, dense


def viewed(sample: Sample, rng: np.random.Generator) -> tuple[Float32Array, UInt8Array, Float32Array]:
    """A view of the sample: mirrored, turned, tilted, scaled, and cut where its edge falls."""
    mirror = bool(rng.random() < 0.5)
    a, b, c = np.deg2rad(rng.uniform(-1.0, 1.0, 3) * (TILT_DEG, TILT_DEG, TURN_DEG)) * (rng.random() < 0.7)
    turn = matrix_of(a, b, c) / (rng.uniform(*SCALE) * rng.uniform(0.93, 1.07, 3))
    if mirror:
        turn[:, 0] *= -1.0
    inside = np.argwhere((sample.label == 1) | (sample.label == 2) | (sample.label == 3))
    middle = inside.mean(axis=0) if len(inside) else np.array(sample.hu.shape) / 2.0
    middle = middle + rng.uniform(-1.0, 1.0, 3) * (22.0, 10.0, 14.0)
    shape = np.array(sample.hu.shape)
    # Sampling coordinates run along x, y, z from -1 to 1 over the sample.
    theta = np.zeros((3, 4))
    theta[:, :3] = turn * (np.array(CROP)[::-1][None] / shape[::-1][:, None])
    theta[:, 3] = (2.0 * middle / (shape - 1) - 1.0)[::-1]
    grid = functional.affine_grid(torch.tensor(theta[None], dtype=torch.float32), [1, 1, *CROP], align_corners=False)
    hu = torch.from_numpy(sample.hu.astype(np.float32) - np.float32(AIR_HU))[None, None]
    # Beyond the sample nothing is known; air lies there, as in a scan with a small field.
    dense = torch.from_numpy(sample.dense.astype(np.float32))[None, None]
    label = torch.from_numpy(sample.label.astype(np.float32))[None, None]
    both = functional.grid_sample(torch.cat([hu, dense], 1), grid, padding_mode="zeros", align_corners=False)
    near = functional.grid_sample(label, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    out = near[0, 0].numpy().round().astype(np.uint8)
    if mirror:
        out = np.array([0, 2, 1, *range(3, 256)], dtype=np.uint8)[out]
    return both[0, 0].numpy() + np.float32(AIR_HU), out, both[0, 1].numpy()


def matrix_of(a: float, b: float, c: float) -> np.ndarray:
    """Turns about x, y and z, applied to (x, y, z)."""
    (ca, sa), (cb, sb), (cc, sc) = ((np.cos(t), np.sin(t)) for t in (a, b, c))
    x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    out: np.ndarray = z @ y @ x
    return out


def changed_lung(
    hu: Float32Array, label: UInt8Array, dense: Float32Array, rng: np.random.Generator
) -> Float32Array:
    """Airless lung and fluid of other densities, slowly varying; aerated lung more or less full of air."""
    lung = (label == 1) | (label == 2)
    airless = np.maximum(dense * lung, (label == 3).astype(np.float32))
    slow = ndimage.zoom(rng.standard_normal((6, 5, 7)).astype(np.float32), np.array(CROP) / (6, 5, 7), order=1)
    out = hu + airless * (np.float32(rng.uniform(-18.0, 30.0)) + np.float32(14.0 * rng.random()) * slow)
    aerated = lung & (hu < -500.0)
    return np.where(aerated, out + np.float32(rng.uniform(-70.0, 130.0)), out).astype(np.float32)


def behind_circle(hu: Float32Array, label: UInt8Array, rng: np.random.Generator) -> Float32Array:
    """A view through a round field: what lies beyond it is padding, and unknown."""
    y, x = (np.arange(n) - n * rng.uniform(0.45, 0.55) for n in CROP[1:])
    radius = rng.uniform(110.0, 190.0) / GRID_MM
    beyond = np.hypot(y[:, None], x) > radius
    label[:, beyond] = np.where(label[:, beyond] > 0, IGNORED, 0)
    out = hu.copy()
    out[:, beyond] = AIR_HU
    return out
