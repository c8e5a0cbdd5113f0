"""The texture of noise in filtered back-projection: a ramp that the kernel takes down, striped along many rays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft

from cop_imaging.core.arrays import Float32Array, Float64Array

__all__ = ["NoiseTexture", "relative_noise"]


def folded_power(
    fy: Float64Array,
    fx: Float64Array,
    pixel_mm: tuple[float, float],
    transfer: Callable[[Float64Array], Float64Array],
) -> Float64Array:
    """Noise power on a grid of pixels: frequency times squared transfer, with what lies beyond the grid folded back.

    Pixels are points of a continuous image, so noise finer than two pixels comes back as coarser noise.
    """
    power = np.zeros(np.broadcast_shapes(fy.shape, fx.shape))
    for m in (-1, 0, 1):
        for n in (-1, 0, 1):
            f = np.hypot(fy + m / pixel_mm[0], fx + n / pixel_mm[1])
            power += f * transfer(f) ** 2
    return power


def relative_noise(transfer: Callable[[Float64Array], Float64Array]) -> float:
    """SD of a kernel's noise at equal dose, in arbitrary units: the root of its power over the whole plane."""
    f = np.linspace(0.0, 4.0, 4001)
    return float(np.sqrt((f**2 * transfer(f) ** 2).sum() * (f[1] - f[0])))


class NoiseTexture:
    """Draws slices of noise of SD 1 with the spectrum of a kernel.

    Parameters
    ----------
    shape : (y, x)
    pixel_mm : (y, x)
    transfer : frequencies in 1/mm to modulation transfer
        Of the noise: the ramp filter times the kernel's window (Riederer, Phys Med Biol 1978;23:446).
    """

    def __init__(
        self,
        shape: tuple[int, int],
        pixel_mm: tuple[float, float],
        transfer: Callable[[Float64Array], Float64Array],
    ) -> None:
        self.shape = shape
        fy = fft.fftfreq(shape[0], pixel_mm[0])[:, None]
        fx = fft.rfftfreq(shape[1], pixel_mm[1])[None]
        amplitude = np.sqrt(folded_power(fy, fx, pixel_mm, transfer))
        # A column that is its own mirror image is real in the end: half of its complex noise is lost.
        own = np.zeros(fx.shape[1], dtype=bool)
        own[0] = True
        own[-1] |= shape[1] % 2 == 0
        mean_square = (amplitude**2 * np.where(own, 1.0, 2.0)).sum() / (shape[0] * shape[1])
        amplitude *= np.sqrt(0.5 * shape[0] * shape[1] / mean_square) * np.where(own, np.sqrt(2.0), 1.0)
        self.amplitude: Float32Array = amplitude.astype(np.float32)
        square = np.maximum(fy**2 + fx**2, 1e-12)
        self.across: Float32Array = (fx**2 / square).astype(np.float32)
        """Share of a frequency that runs along x: its stripes run along y, as rays from front to back do."""

    def draw(self, rng: np.random.Generator) -> tuple[Float32Array, Float32Array]:
        """Isotropic noise of SD 1, and the part of the same noise whose stripes run along y, float32 [y, x] each.

        ``a * whole + (b - a) * part`` is noise whose amplitude is ``a`` for stripes along x and ``b`` along y.
        """
        ny, nx = self.amplitude.shape
        white = rng.standard_normal((ny, nx, 2), dtype=np.float32).view(np.complex64)[..., 0]
        white *= self.amplitude
        along = white * self.across
        whole = fft.irfft2(white, s=self.shape, overwrite_x=True, workers=1)
        return whole, fft.irfft2(along, s=self.shape, overwrite_x=True, workers=1)
