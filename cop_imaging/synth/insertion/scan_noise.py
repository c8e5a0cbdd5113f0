"""The noise and texture of soft tissue in a scan, measured in its own muscle, heart and liver, and drawn again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from cop_imaging.core.arrays import Float32Array, Float64Array, Int16Array
from cop_imaging.synth.insertion.radial_table import NODE_MM, RadialTable
from cop_imaging.synth.insertion.soft_tiles import SoftTiles
from cop_imaging.synth.shapes import Slab

__all__ = ["PERIOD", "ScanNoise"]

REACH_Z_MM = 15.0
"""Over which distance spectra are averaged."""
PERIOD = 192
"""Pixels after which drawn noise repeats."""
PRIOR = 0.5
"""Tiles' worth of the whole scan's noise that is mixed into that of every place."""
FEWEST_TILES = 12
FALLBACK_SD_HU = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class ScanNoise:
    """Texture of soft tissue in one scan.

    Parameters
    ----------
    power : float64 (nz, n, n)
        Mean power spectrum of tiles of variance 1 near each height, over cycles per pixel in the order of the FFT:
        between the shoulders noise lies in streaks.
    along_z : float64 (2 r + 1,)
        Weights, sum of squares 1, that correlate slices as the scan's are.
    sd_hu : RadialTable
    """

    power: Float64Array
    along_z: Float64Array
    sd_hu: RadialTable

    @classmethod
    def measure(cls, hu: Int16Array, tiles: SoftTiles, slab: Slab, centre_mm: tuple[float, float]) -> ScanNoise:
        """Measure spectrum and correlation of slices in the evenest tiles, and SD by radius and height in all."""
        if len(tiles) < FEWEST_TILES:
            sd = RadialTable.even(slab, centre_mm, FALLBACK_SD_HU)
            return cls(np.ones((len(sd.z_mm), 8, 8)), np.ones(1), sd)
        level = np.log(np.maximum(tiles.noise_hu, 0.5))
        sd = RadialTable.of(slab, centre_mm, tiles, level, prior=PRIOR, usual=float(np.median(level)))
        sd = RadialTable(centre_mm, sd.z_mm, np.exp(sd.values))
        z = sd.z_mm
        even = np.flatnonzero(tiles.even)
        cut = tiles.cut(hu, even)
        own = cut.var(axis=(2, 3))
        near = np.exp(-0.5 * ((z[:, None] - tiles.z_mm[even]) / REACH_Z_MM) ** 2) + PRIOR / len(even)
        power = spectra(cut[:, 0] / np.sqrt(np.maximum(own[:, 0], 1e-6))[:, None, None], near)
        across = []
        for lag in (1, 2):
            both = np.sqrt(np.maximum(own[:, 0] * own[:, lag], 1e-6))
            across.append(float(((cut[:, 0] * cut[:, lag]).mean(axis=(1, 2)) / both).mean()))
        return cls(power, z_weights(np.array(across)), sd)

    def draw(self, slices: range, z_mm: Float32Array, seed: int) -> Float32Array:
        """Noise of SD 1 for some slices [z, PERIOD, PERIOD] at heights (z,); it goes on periodically along y and x.

        A slice's noise depends on its number, its height and the seed, whatever the run of slices.
        """
        reach = len(self.along_z) // 2
        step = float(np.diff(z_mm).mean()) if len(z_mm) > 1 else 0.0
        gains: dict[int, Float32Array] = {}
        out = np.zeros((len(slices), PERIOD, PERIOD), dtype=np.float32)
        for k in range(slices.start - reach, slices.stop + reach):
            rng = np.random.default_rng([seed, k + 100_000])
            spectrum = fft.rfft2(rng.standard_normal((PERIOD, PERIOD), dtype=np.float32), workers=1)
            node = self.node(float(z_mm[0]) + step * (k - slices.start))
            if node not in gains:
                gains[node] = self.gain(node, (PERIOD, PERIOD))
            spectrum *= gains[node]
            drawn = fft.irfft2(spectrum, s=(PERIOD, PERIOD), overwrite_x=True, workers=1)
            for lag, weight in enumerate(self.along_z):
                at = k - (lag - reach) - slices.start
                if 0 <= at < len(slices):
                    out[at] += np.float32(weight) * drawn
        return out

    def node(self, z_mm: float) -> int:
        """The nearest height of the table."""
        return int(np.clip(round((z_mm - self.sd_hu.z_mm[0]) / NODE_MM), 0, len(self.sd_hu.z_mm) - 1))

    def gain(self, node: int, size: tuple[int, int]) -> Float32Array:
        """Amplitude that gives white noise on a plane the spectrum near a height and SD 1, for the real FFT."""
        n = self.power.shape[-1]
        fy = np.fft.fftfreq(size[0])[:, None] * n * np.ones((1, size[1] // 2 + 1))
        fx = np.fft.rfftfreq(size[1])[None] * n * np.ones((size[0], 1))
        power = ndimage.map_coordinates(self.power[node], [fy, fx], order=1, mode="grid-wrap")
        twice = np.full(power.shape[1], 2.0)
        twice[0] = 1.0
        if size[1] % 2 == 0:
            twice[-1] = 1.0
        mean = float((power * twice).sum() / (size[0] * size[1]))
        out: Float32Array = np.sqrt(np.maximum(power, 0.0) / mean).astype(np.float32)
        return out


def z_weights(correlation: Float64Array) -> Float64Array:
    """Weights, sum of squares 1, that give slices these correlations at lags 1 and 2 where that is possible."""
    c1, c2 = np.clip(correlation, 0.0, (0.9, 0.8))
    lags = np.zeros(32)
    lags[0], lags[1], lags[-1] = 1.0, c1, c1
    lags[2] = lags[-2] = c2
    root = np.fft.irfft(np.sqrt(np.maximum(np.fft.rfft(lags).real, 0.0)), 32)
    weights = np.concatenate([root[-3:], root[:4]])
    out: Float64Array = weights / np.sqrt((weights**2).sum())
    return out


def spectra(tiles: Float64Array, weight: Float64Array) -> Float64Array:
    """Weighted mean power spectra (nz, n, n), mean 1, of tiles (n tiles, n, n) of variance 1.

    Small tiles seen through a window blur a spectrum: the autocovariance is divided by the window's own.
    """
    n = tiles.shape[-1]
    window = np.hanning(n + 2)[1:-1]
    window = window[:, None] * window
    own = np.fft.ifft2(np.abs(np.fft.fft2(window, s=(2 * n, 2 * n))) ** 2).real
    seen = np.tensordot(weight, np.abs(np.fft.fft2(tiles * window, s=(2 * n, 2 * n))) ** 2, axes=1)
    lag = np.fft.fftfreq(n, 1.0 / n).astype(int)
    pick = (slice(None), lag[:, None], lag[None])
    shared = np.fft.ifft2(seen).real[pick] / own[lag[:, None], lag]
    shared /= shared[:, :1, :1]
    # Tiles without their means seem to shun themselves far apart: that is made good.
    far = np.maximum(np.abs(lag)[:, None], np.abs(lag)) >= n // 3
    shared -= np.minimum(shared[:, far].mean(axis=1), 0.0)[:, None, None]
    fade = np.clip(2.0 - 4.0 * np.abs(lag) / n, 0.0, 1.0)
    shared = shared * (fade[:, None] * fade)
    power = np.maximum(np.fft.fft2(shared).real, 0.0)
    power /= power.mean(axis=(1, 2), keepdims=True)
    out: Float64Array = power
    return out
