"""From the noise-free chest to what a scanner stores: point spread, slice profile, noise, field of view, rounding."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import fft, ndimage

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray, Float32Array, Int16Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.volume import AIR_HU

__all__ = ["ScannerSpec", "round_field", "scan"]

FWHM_PER_SIGMA = 2.3548
LARGEST_HU = 3071
POINT_SPREAD_MM = {"soft": 1.35, "medium": 0.95, "sharp": 0.6}
"""FWHM in the plane by kernel class: the middle of the ranges 1.1-1.6, 0.8-1.1 and 0.5-0.7 mm."""


class ScannerSpec(Section):
    """How a chest is scanned."""

    kernel: Literal["soft", "medium", "sharp"] = quantity("soft", means="kernel class", unit="", source="definition")
    noise_hu: float = quantity(
        12.0,
        means="SD of the noise in soft tissue near the axis",
        unit="HU",
        low=0.0,
        high=200.0,
        source="15 to 28 HU at 1.25 mm, soft kernel; 0.4 to 0.75 of it with iterative reconstruction",
    )
    thickness_mm: float | None = quantity(
        None,
        means="slice thickness; None is the distance between slices",
        unit="mm",
        low=0.3,
        high=12.0,
        source="definition",
    )
    round_field: bool = quantity(
        True, means="whether only the round field inside the matrix was scanned", unit="", source="definition"
    )


def round_field(geometry: Geometry) -> BoolArray:
    """True inside the circle that touches the sides of the matrix, bool [z, y, x] (a read-only view of one slice)."""
    ny, nx = geometry.shape[1:]
    y, x = (np.arange(n) - 0.5 * (n - 1) for n in (ny, nx))
    inside = np.hypot(y[:, None] * geometry.spacing_mm[1], x[None] * geometry.spacing_mm[2])
    return np.broadcast_to(
        inside <= 0.5 * min(ny * geometry.spacing_mm[1], nx * geometry.spacing_mm[2]), geometry.shape
    )


def noise_slices(rng: np.random.Generator, geometry: Geometry, kernel: str) -> Float32Array:
    """Noise of SD 1 with the kernel's spectrum: a ramp that the kernel's window takes down, [z, y, x]."""
    shape, spacing = geometry.shape, geometry.spacing_mm
    fy, fx = fft.fftfreq(shape[1], spacing[1]), fft.rfftfreq(shape[2], spacing[2])
    frequency = np.hypot(fy[:, None], fx[None])
    width = POINT_SPREAD_MM[kernel] / FWHM_PER_SIGMA
    spectrum = ((frequency + 0.01) * np.exp(-2.0 * (np.pi * width * frequency) ** 2)).astype(np.float32)
    out = np.empty(shape, dtype=np.float32)
    for z in range(shape[0]):
        white = rng.standard_normal(shape[1:], dtype=np.float32)
        out[z] = fft.irfft2(fft.rfft2(white, workers=1) * spectrum, s=shape[1:], workers=1)
    out /= out.std()
    return out


def noise_sd(hu: Float32Array, geometry: Geometry, noise_hu: float) -> Float32Array:
    """SD of the noise in HU, [z, y, x]: more where rays cross more tissue, so in the axis and at the shoulders."""
    mass = np.clip(hu + 1000.0, 0.0, 1400.0).mean(axis=(1, 2))
    path = np.clip((mass / max(float(np.median(mass)), 1.0)) ** 1.5, 0.6, 1.8).astype(np.float32)
    ny, nx = geometry.shape[1:]
    y, x = (np.linspace(-1.0, 1.0, n, dtype=np.float32) for n in (ny, nx))
    radial = 0.6 + 0.45 * np.exp(-1.6 * (y[:, None] ** 2 + x[None] ** 2))
    out: Float32Array = np.float32(noise_hu) * path[:, None, None] * radial[None]
    return out


def scan(
    hu: Float32Array, geometry: Geometry, rng: np.random.Generator, spec: ScannerSpec
) -> tuple[Int16Array, BoolArray | None]:
    """What is stored of a noise-free chest.

    Parameters
    ----------
    hu : float32 [z, y, x]
        Mean density of each voxel, so that slices are already averaged over the distance between them. Overwritten.

    Returns
    -------
    hu : int16 [z, y, x]
        Clipped to -1024 ... 3071.
    valid : bool [z, y, x] or None
        Inside the round field.
    """
    thickness = spec.thickness_mm or geometry.spacing_mm[0]
    beyond = np.sqrt(max(thickness**2 - geometry.spacing_mm[0] ** 2, 0.0))
    blur = (beyond, POINT_SPREAD_MM[spec.kernel], POINT_SPREAD_MM[spec.kernel])
    sigma = [b / FWHM_PER_SIGMA / s for b, s in zip(blur, geometry.spacing_mm, strict=True)]
    ndimage.gaussian_filter(hu, sigma, output=hu, truncate=3.0, mode="nearest")
    if spec.noise_hu > 0.0:
        noise = noise_slices(rng, geometry, spec.kernel)
        if beyond > 0.0:
            # Overlapping slices share their noise.
            ndimage.gaussian_filter1d(noise, sigma[0], axis=0, output=noise, mode="nearest")
            noise /= noise.std()
        noise *= noise_sd(hu, geometry, spec.noise_hu)
        hu += noise
    stored = np.clip(np.rint(hu), AIR_HU, LARGEST_HU).astype(np.int16)
    valid = np.array(round_field(geometry)) if spec.round_field else None
    if valid is not None:
        stored[~valid] = AIR_HU
    return stored, valid
