"""Noise and its texture from patches of homogeneous soft tissue at full resolution, and the kernel class they tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import Float64Array
from cop_imaging.core.grid import FWHM_PER_SIGMA
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.core.volume import CTVolume
from cop_imaging.ingest.quality.coarse import CoarseView
from cop_imaging.ingest.quality.config import QualityConfig

__all__ = ["Noise", "measure_noise", "noise_issues"]

PATCH_MM = 18.0
"""Wide enough for the low frequencies of a soft kernel, small enough for muscle, liver and blood."""
SMALLEST_PATCH = 12
"""Pixels on a side below which a spectrum means nothing."""
COARSEST_MM = 1.2
"""Pixels above this are resampled and their noise is no longer the scanner's."""
PATCHES = 60
QUIETEST = 0.5
"""Share of the patches, the quietest ones, that is used: the others hold edges."""
SOFT_RANGE_HU = (-20.0, 350.0)


@dataclass(frozen=True, slots=True)
class Noise:
    """What the patches tell; None where there were none."""

    sd_hu: float | None = None
    smoothed_hu: float | None = None
    """SD after smoothing in the plane to the common point spread."""
    correlation: float | None = None
    """Of neighbouring pixels."""
    per_mm: float | None = None
    """Mean frequency of the noise power spectrum in 1/mm."""
    kernel_class: str | None = None


def measure_noise(volume: CTVolume, view: CoarseView, config: QualityConfig) -> Noise:
    """SD, correlation, mean frequency and kernel class of the noise in soft tissue."""
    pixel_mm = volume.geometry.spacing_mm[1:]
    side = round(PATCH_MM / max(pixel_mm))
    if side < SMALLEST_PATCH or max(pixel_mm) > COARSEST_MM:
        return Noise()
    patches = _patches(volume, view, side)
    if len(patches) < 4:
        return Noise()
    flat = _without_trend(patches)
    sd = flat.std(axis=(1, 2))
    flat = flat[np.argsort(sd, kind="stable")[: max(4, round(QUIETEST * len(sd)))]]
    variance = float((flat**2).mean())
    if variance < 0.25:
        return Noise(sd_hu=float(np.sqrt(variance)))
    window = np.hanning(side + 2)[1:-1]
    power = (np.abs(np.fft.fft2(flat * window[:, None] * window[None])) ** 2).mean(axis=0)
    fy, fx = (np.fft.fftfreq(side, p) for p in pixel_mm)
    frequency = np.hypot(fy[:, None], fx[None])
    # The trend that was taken out leaves the lowest frequencies empty.
    power[frequency < 1.5 / PATCH_MM] = 0.0
    per_mm = float((power * frequency).sum() / power.sum())
    sigma = config.common_psf_mm / FWHM_PER_SIGMA
    kept = float((power * np.exp(-((2.0 * np.pi * sigma * frequency) ** 2))).sum() / power.sum())
    along = (flat[:, :, 1:] * flat[:, :, :-1]).mean() + (flat[:, 1:] * flat[:, :-1]).mean()
    return Noise(
        sd_hu=float(np.sqrt(variance)),
        smoothed_hu=float(np.sqrt(variance * kept)),
        correlation=float(0.5 * along / variance),
        per_mm=per_mm,
        kernel_class="soft" if per_mm < config.soft_per_mm else "medium" if per_mm < config.sharp_per_mm else "sharp",
    )


def noise_issues(noise: Noise, config: QualityConfig) -> tuple[Issue, ...]:
    """``quality.noise`` when what is left after the common smoothing still crosses density bounds."""
    if noise.smoothed_hu is None or noise.smoothed_hu <= config.noise_hu:
        return ()
    return (
        Issue(
            code="quality.noise",
            severity=Severity.WARNING,
            message=f"Noise in soft tissue is {noise.sd_hu:.0f} HU, and {noise.smoothed_hu:.0f} HU after smoothing to "
            f"{config.common_psf_mm:g} mm, above {config.noise_hu:.0f} HU: densities blur into one another.",
            affects=("ground_glass", "reversed_halo"),
            measured=noise.smoothed_hu,
            limit=config.noise_hu,
        ),
    )


def _patches(volume: CTVolume, view: CoarseView, side: int) -> Float64Array:
    """Squares (n, side, side) of full resolution where the coarse view is flat soft tissue, spread over the slices."""
    blocks = tuple(max(3, int(np.ceil(PATCH_MM / s)) + 1) for s in view.geometry.spacing_mm[1:])
    box = (1, blocks[0], blocks[1])
    low = ndimage.minimum_filter(np.where(view.body, view.hu, np.float32(-1024.0)), size=box, mode="constant")
    high = ndimage.maximum_filter(view.hu, size=box)
    flatness = np.where((low > SOFT_RANGE_HU[0]) & (high < SOFT_RANGE_HU[1]), high - low, np.float32(np.inf))
    found = []
    picked = np.unique(np.linspace(0, view.hu.shape[0] - 1, PATCHES).astype(int))
    per_slice = max(1, PATCHES // len(picked))
    for k in picked:
        plane = flatness[k].copy()
        z = k * view.steps[0] + view.steps[0] // 2
        for _ in range(per_slice):
            y, x = np.unravel_index(int(plane.argmin()), plane.shape)
            if not np.isfinite(plane[y, x]):
                break
            y0, x0 = (int((c + 0.5) * s - side / 2) for c, s in zip((y, x), view.steps[1:], strict=True))
            patch = volume.hu[z, max(y0, 0) : y0 + side, max(x0, 0) : x0 + side]
            if patch.shape == (side, side):
                found.append(patch.astype(np.float64))
            plane[max(y - box[1], 0) : y + box[1] + 1, max(x - box[2], 0) : x + box[2] + 1] = np.inf
    return np.array(found).reshape(-1, side, side)


def _without_trend(patches: Float64Array) -> Float64Array:
    """Patches less their best quadratic surface."""
    side = patches.shape[1]
    t = np.linspace(-1.0, 1.0, side)
    y, x = (a.ravel() for a in np.meshgrid(t, t, indexing="ij"))
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    q, _ = np.linalg.qr(basis)
    rows = patches.reshape(len(patches), -1)
    flat: Float64Array = (rows - (rows @ q) @ q.T).reshape(patches.shape)
    return flat
