"""Measures a scanner as a physicist would: an edge for sharpness, even water for noise, a plate for slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import AnyArray, Float32Array, Float64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.synth.noise import folded_power
from cop_imaging.synth.scanner import ScannerSpec, scan

__all__ = ["MeasuredNoise", "measured_modulation", "measured_mtf50_per_cm", "measured_noise", "measured_profile_mm"]

EDGE_DEG = 5.0
PLATE_DEG = 6.0
"""Of the plate against the plane of the slices: so little that the blur in the plane hardly counts."""
FINER = 8
"""Parts into which a voxel is cut to draw its mean."""
OUTSIDE_HU, INSIDE_HU = 0.0, 400.0
BANDS_PER_MM = 0.1


def centred(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Geometry:
    """A grid around the origin."""
    z, y, x = (-0.5 * (n - 1) * s for n, s in zip(shape, spacing_mm, strict=True))
    return Geometry(shape, spacing_mm, (x, y, z))


def fine(n: int, spacing_mm: float) -> Float64Array:
    """Centres of the parts of ``n`` voxels around the origin, (n, FINER)."""
    parts = (np.arange(n * FINER) - 0.5 * (n * FINER - 1)) * (spacing_mm / FINER)
    return np.asarray(parts.reshape(n, FINER), dtype=np.float64)


def measured_modulation(spec: ScannerSpec, pixel_mm: float, size: int = 128) -> tuple[Float64Array, Float64Array]:
    """Frequencies in 1/mm and the modulation transfer there, from the response to a slanted edge (ISO 12233)."""
    geometry = centred((3, size, size), (1.0, pixel_mm, pixel_mm))
    parts, turn = fine(size, pixel_mm), np.deg2rad(EDGE_DEG)
    inside = parts[None, None] * np.cos(turn) + parts[:, :, None, None] * np.sin(turn) > 0.0
    plane = OUTSIDE_HU + (INSIDE_HU - OUTSIDE_HU) * inside.mean(axis=(1, 3))
    quiet = spec.model_copy(update={"noise_hu": 0.0, "round_field": False, "cardiac_mm": 0.0, "breathing_mm": 0.0})
    hu, _ = scan(np.repeat(plane[None].astype(np.float32), 3, axis=0), geometry, np.random.default_rng(0), quiet)
    at = (np.arange(size) - 0.5 * (size - 1)) * pixel_mm
    away = at[None] * np.cos(turn) + at[:, None] * np.sin(turn)
    rows = slice(size // 8, size - size // 8)
    return spread_of_edge(away[rows].ravel(), hu[1, rows].ravel(), pixel_mm / FINER, 0.4 * size * pixel_mm)


def spread_of_edge(
    away_mm: Float64Array, hu: AnyArray, bin_mm: float, reach_mm: float
) -> tuple[Float64Array, Float64Array]:
    """Modulation transfer from values at distances from an edge: binned, differentiated, transformed."""
    bins = int(2 * reach_mm / bin_mm)
    index = np.floor((away_mm + reach_mm) / bin_mm).astype(np.int64)
    seen = (index >= 0) & (index < bins)
    count = np.bincount(index[seen], minlength=bins)
    total = np.bincount(index[seen], weights=hu[seen], minlength=bins)
    centres = np.arange(bins)
    edge = np.interp(centres, centres[count > 0], total[count > 0] / count[count > 0])
    line = np.diff(edge) * np.hanning(bins - 1)
    f: Float64Array = np.fft.rfftfreq(16 * bins, bin_mm).astype(np.float64)
    transfer = np.abs(np.fft.rfft(line, 16 * bins))
    # Bins and differences are means over one bin each.
    return f, transfer / transfer[0] / np.maximum(np.sinc(f * bin_mm), 0.1) ** 2


def measured_mtf50_per_cm(spec: ScannerSpec, pixel_mm: float) -> float:
    """The frequency in lp/cm at which the measured modulation transfer first falls to one half."""
    f, transfer = measured_modulation(spec, pixel_mm)
    below = int(np.flatnonzero(transfer < 0.5)[0])
    part = (transfer[below - 1] - 0.5) / (transfer[below - 1] - transfer[below])
    return float(10.0 * (f[below - 1] + part * (f[below] - f[below - 1])))


@dataclass(frozen=True, slots=True)
class MeasuredNoise:
    """Noise of even tissue around the axis.

    Parameters
    ----------
    sd_hu : float
    peak_per_mm, expected_peak_per_mm : float
        Where the noise power over all directions is largest.
    bands : tuple of float
        Measured over expected noise power in bands of 0.1 / mm up to the pixels' limit.
    """

    sd_hu: float
    peak_per_mm: float
    expected_peak_per_mm: float
    bands: tuple[float, ...]


def measured_noise(
    spec: ScannerSpec, pixel_mm: float, slice_mm: float, *, slices: int = 60, size: int = 384, seed: int = 0
) -> MeasuredNoise:
    """Noise in the middle of a cylinder of water that fills most of the field."""
    geometry = centred((slices, size, size), (slice_mm, pixel_mm, pixel_mm))
    at = (np.arange(size) - 0.5 * (size - 1)) * pixel_mm
    water = np.where(np.hypot(at[None], at[:, None]) < 0.4 * size * pixel_mm, 0.0, -1000.0).astype(np.float32)
    still = spec.model_copy(update={"cardiac_mm": 0.0, "breathing_mm": 0.0})
    hu, _ = scan(np.repeat(water[None], slices, axis=0), geometry, np.random.default_rng(seed), still)
    side = size // 6
    low = (size - side) // 2
    patches = hu[:, low : low + side, low : low + side].astype(np.float64)
    window = np.hanning(side + 2)[1:-1]
    weight = window[:, None] * window[None]
    power = (np.abs(np.fft.fft2((patches - patches.mean()) * weight)) ** 2).mean(axis=0) / (weight**2).sum()
    along: Float64Array = np.fft.fftfreq(side, pixel_mm).astype(np.float64)
    fy, fx = along[:, None], along[None]
    expected = folded_power(fy, fx, (pixel_mm, pixel_mm), spec.noise_transfer)
    expected *= spec.noise_hu**2 / expected.mean()
    # The window of the patches smears the expected power as it does the measured one.
    smear = np.abs(np.fft.fft2(weight)) ** 2
    expected = np.fft.ifft2(np.fft.fft2(expected) * np.fft.fft2(smear / smear.sum())).real
    frequency = np.hypot(fy, fx)
    edges = BANDS_PER_MM * np.arange(int(0.5 / pixel_mm / BANDS_PER_MM))
    rings = [(frequency >= max(a, 1.5 / (side * pixel_mm))) & (frequency < a + BANDS_PER_MM) for a in edges]
    return MeasuredNoise(
        sd_hu=float(patches.std()),
        peak_per_mm=peak(frequency, power),
        expected_peak_per_mm=peak(frequency, expected),
        bands=tuple(float(power[ring].sum() / expected[ring].sum()) for ring in rings),
    )


def peak(frequency: Float64Array, power: Float64Array) -> float:
    """Frequency in 1/mm with most power over all directions: the top of a parabola through the values around it."""
    width = 0.02
    ring = np.round(frequency / width).astype(np.int64).ravel()
    count = np.maximum(np.bincount(ring), 1)
    radial = np.bincount(ring, weights=power.ravel()) / count
    f = np.bincount(ring, weights=frequency.ravel()) / count
    near = (radial > 0.7 * radial.max()) & (np.bincount(ring) > 0)
    a, b, c = np.polyfit(f[near], radial[near], 2)
    return float(-0.5 * b / a) if a < 0.0 else float(c)


def measured_profile_mm(spec: ScannerSpec, pixel_mm: float, step_mm: float, size: int = 160) -> tuple[float, float]:
    """Width at half height and equivalent width (area over height) of the slice profile.

    From a thin plate that runs obliquely through the slices (IEC 61223-3-5).
    """
    slope = np.tan(np.deg2rad(PLATE_DEG))
    thickness = spec.thickness_mm or step_mm
    slices = 2 * int(np.ceil(2.5 * thickness / step_mm)) + 1
    geometry = centred((slices, 16, size), (step_mm, pixel_mm, pixel_mm))
    drawn = min(step_mm, thickness)
    z = fine(slices, step_mm) * (drawn / step_mm) + (1.0 - drawn / step_mm) * fine(slices, step_mm).mean(
        axis=1, keepdims=True
    )
    x = fine(size, pixel_mm)
    # A plate thinner than a part of a voxel: its edges as functions of height, averaged over each voxel.
    half = 0.04 * thickness
    height = z[:, :, None, None] - slope * x[None, None]
    filled = np.clip(0.5 + (half - np.abs(height)) / (drawn / FINER), 0.0, 1.0).mean(axis=(1, 3))
    plate = OUTSIDE_HU + 3000.0 * filled
    hu_drawn: Float32Array = np.repeat(plate[:, None].astype(np.float32), 16, axis=1)
    quiet = spec.model_copy(update={"noise_hu": 0.0, "round_field": False, "cardiac_mm": 0.0, "breathing_mm": 0.0})
    hu, _ = scan(hu_drawn, geometry, np.random.default_rng(0), quiet, drawn_mm=(drawn, pixel_mm, pixel_mm))
    middle = slices // 2
    at = (np.arange(size) - 0.5 * (size - 1)) * pixel_mm * slope
    response = hu[middle, 8].astype(np.float64)
    return width_at_half(at, response), float(response.sum() * (at[1] - at[0]) / response.max())


def width_at_half(at_mm: Float64Array, response: Float64Array) -> float:
    """Full width at half of the largest value, by linear interpolation."""
    level = 0.5 * response.max()
    above = np.flatnonzero(response >= level)
    first, last = int(above[0]), int(above[-1])

    def crossing(inner: int, outer: int) -> float:
        part = (response[inner] - level) / (response[inner] - response[outer])
        return float(at_mm[inner] + part * (at_mm[outer] - at_mm[inner]))

    return abs(crossing(last, last + 1) - crossing(first, first - 1))
