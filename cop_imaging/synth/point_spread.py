"""How a kernel blurs or sharpens the plane of a slice: its modulation transfer, put on in the Fourier domain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft
from scipy.optimize import brentq

from cop_imaging.core.arrays import AnyArray, Float32Array, Float64Array

__all__ = ["PointSpread", "modulation_transfer"]

LARGEST_GAIN = 2.5
"""Most that a frequency is raised to make up for the width over which a voxel was averaged."""
MARGIN_PIXELS = 8
"""Repeated border, so that one side of a slice does not blur into the opposite one."""


def modulation_transfer(per_mm: AnyArray, mtf50_per_mm: float, enhancement: float) -> Float64Array:
    """Modulation transfer of a kernel at frequencies in 1/mm.

    Without enhancement it is a Gaussian (a usable description of soft kernels: Nickoloff, Med Phys 1985;12:437).
    Edge-enhancing kernels follow ``(1 + k u) exp(-u)`` with ``u`` the square of the frequency: middle frequencies rise
    by the share ``enhancement`` above 1, so that edges overshoot.
    """
    raised = shape_factor(enhancement)
    half = brentq(lambda u: (1.0 + raised * u) * np.exp(-u) - 0.5, 0.5, 50.0)
    u = np.asarray(per_mm, dtype=np.float64) ** 2 * (half / mtf50_per_mm**2)
    out: Float64Array = (1.0 + raised * u) * np.exp(-u)
    return out


def shape_factor(enhancement: float) -> float:
    """The ``k`` with which the largest value of ``(1 + k u) exp(-u)`` is ``1 + enhancement``."""
    if enhancement <= 0.0:
        return 0.0
    return float(brentq(lambda k: k * np.exp(1.0 / k - 1.0) - 1.0 - enhancement, 1.0, 20.0))


class PointSpread:
    """Filter of one slice [y, x] that gives it a kernel's modulation transfer.

    Parameters
    ----------
    shape : (y, x)
    pixel_mm : (y, x)
    drawn_mm : (y, x)
        Width over which the drawn pixels are means already: it is made up for, so that drawing and filter together
        have the kernel's transfer. What pixels are too coarse for stays as drawn.
    transfer : frequencies in 1/mm to modulation transfer
    """

    def __init__(
        self,
        shape: tuple[int, int],
        pixel_mm: tuple[float, float],
        drawn_mm: tuple[float, float],
        transfer: Callable[[Float64Array], Float64Array],
    ) -> None:
        self.shape = shape
        self.padded = tuple(fft.next_fast_len(n + 2 * MARGIN_PIXELS, real=True) for n in shape)
        fy = fft.fftfreq(self.padded[0], pixel_mm[0])[:, None]
        fx = fft.rfftfreq(self.padded[1], pixel_mm[1])[None]
        drawn = np.maximum(np.sinc(fy * drawn_mm[0]) * np.sinc(fx * drawn_mm[1]), 1e-3)
        self.gain: Float32Array = np.minimum(transfer(np.hypot(fy, fx)) / drawn, LARGEST_GAIN).astype(np.float32)

    def __call__(self, plane: Float32Array) -> Float32Array:
        """The slice, float32 [y, x], as the kernel shows it; the given one is not changed."""
        pads = [(MARGIN_PIXELS, p - n - MARGIN_PIXELS) for p, n in zip(self.padded, self.shape, strict=True)]
        spectrum = fft.rfft2(np.pad(plane, pads, mode="edge"), overwrite_x=True, workers=1)
        spectrum *= self.gain
        ny, nx = self.shape
        full = fft.irfft2(spectrum, s=self.padded, overwrite_x=True, workers=1)
        return np.asarray(full[MARGIN_PIXELS : MARGIN_PIXELS + ny, MARGIN_PIXELS : MARGIN_PIXELS + nx])
