"""How far a scan blurs, measured at its own pleura."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import Float32Array, Int16Array, UInt8Array
from cop_imaging.core.geometry import Geometry

__all__ = ["ScanSpread", "blurred"]

SHARPEST = 0.85
"""Quantile of the steepness at which an edge is held to be as sharp as the scan can show it: most are blunter."""
BEYOND_MM = 4.0
"""Distance from the lung's border at which lung and wall are themselves."""
LEAST_STEP_HU = 500.0
FEWEST_EDGES = 200
EVERY_SLICES = 4


@dataclass(frozen=True, slots=True)
class ScanSpread:
    """Gaussian point spread of a scan: SD in the plane and along z, in mm."""

    plane_mm: float
    z_mm: float

    @classmethod
    def measure(cls, hu: Int16Array, lungs: UInt8Array, geometry: Geometry) -> ScanSpread:
        """Measure the steepness of the pleura along x and y, and of the diaphragm along z.

        A step of height h blurred by a Gaussian of SD s has the slope ``h / (s sqrt(2 pi))`` at its middle. Motion
        blunts the diaphragm, so that the spread along z is kept within what slices of that distance can have.
        """
        dz, dy, dx = geometry.spacing_mm
        slices = np.flatnonzero(lungs.any(axis=(1, 2)))[::EVERY_SLICES]
        found = [edges(hu[slices], lungs[slices], axis, step) for axis, step in ((1, dy), (2, dx))]
        pixel = 0.5 * (dy + dx)
        plane = spread(np.concatenate(found), 0.4 * pixel, 2.5 * pixel, pixel)
        rows = np.flatnonzero(lungs.any(axis=(0, 2)))[::EVERY_SLICES]
        along = edges(hu[:, rows], lungs[:, rows], 0, dz)
        return cls(plane, spread(along, 0.3 * dz, 0.45 * dz, dz))


def edges(hu: Int16Array, lungs: UInt8Array, axis: int, step_mm: float) -> Float32Array:
    """SD in mm of the blur at places where the lung's border crosses an axis, (n,)."""
    reach = max(2, round(BEYOND_MM / step_mm))
    inside = np.moveaxis(lungs > 0, axis, 0)
    values = np.moveaxis(hu, axis, 0)
    border = inside[1:] != inside[:-1]
    border[:reach] = border[max(len(border) - reach, 0) :] = False
    at = np.nonzero(border)
    here = at[0]
    profile = np.stack([values[(here + k, *at[1:])] for k in range(1 - reach, reach + 1)]).astype(np.float32)
    height = np.abs(profile[-1] - profile[0])
    slope = np.abs(np.diff(profile, axis=0)).max(axis=0) / step_mm
    clear = (height > LEAST_STEP_HU) & (slope > 0.0)
    # Differences between neighbours see the edge through a window as wide as a pixel.
    sd = np.sqrt(np.maximum((height[clear] / (slope[clear] * np.sqrt(2.0 * np.pi))) ** 2 - step_mm**2 / 12.0, 0.0))
    return np.asarray(sd, dtype=np.float32)


def spread(sd_mm: Float32Array, low_mm: float, high_mm: float, otherwise_mm: float) -> float:
    """The sharp end of measured spreads, within limits."""
    if len(sd_mm) < FEWEST_EDGES:
        return float(np.clip(0.45 * otherwise_mm, low_mm, high_mm))
    return float(np.clip(np.quantile(sd_mm, 1.0 - SHARPEST), low_mm, high_mm))


def blurred(array: Float32Array, spread_mm: ScanSpread, spacing_mm: tuple[float, float, float]) -> Float32Array:
    """An array [z, y, x] seen through the point spread."""
    sigma = [s / d for s, d in zip((spread_mm.z_mm, spread_mm.plane_mm, spread_mm.plane_mm), spacing_mm, strict=True)]
    out: Float32Array = ndimage.gaussian_filter(array, sigma, output=np.float32, truncate=3.0, mode="nearest")
    return out
