"""How thick a slice is: which neighbours add to it, and how much of their noise it shares with them."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import Float64Array

__all__ = ["noise_weights", "profile_weights"]

SAMPLES = 512
SMALLEST = 0.01
"""Share of the largest weight below which a weight is left out."""


def profile_weights(thickness_mm: float, step_mm: float) -> Float64Array:
    """Weights (2 r + 1,), sum 1, of contiguous drawn slices that make a profile of the thickness asked for.

    Each drawn slice counts as far as a rectangle of that thickness covers it: a profile whose shoulders are as soft as
    one drawn slice is thick. Its equivalent width (area over height) is the thickness; its width at half height is that
    too for slices drawn as thick as they are. Slices no thicker than their distance stay as they are drawn.
    """
    wide = max(thickness_mm / step_mm, 1.0)
    last = int(np.ceil(0.5 * wide - 0.5))
    weights: Float64Array = np.clip(0.5 * wide + 0.5 - np.abs(np.arange(-last, last + 1)), 0.0, 1.0)
    return weights / float(weights.sum())


def noise_weights(thickness_mm: float, step_mm: float) -> Float64Array:
    """Weights (2 r + 1,), sum of squares 1, that give independent noise the correlation of overlapping slices.

    Two slices share the rays that both hold: their noise correlates like a rectangle with itself. These weights are
    that correlation's symmetric root.
    """
    lags = int(np.ceil(thickness_mm / step_mm))
    shared = np.maximum(1.0 - np.arange(lags + 1) * step_mm / thickness_mm, 0.0)
    around = np.zeros(SAMPLES)
    around[: lags + 1] = shared
    around[-lags:] = shared[:0:-1]
    root = np.fft.irfft(np.sqrt(np.maximum(np.fft.rfft(around).real, 0.0)), SAMPLES)
    weights = trimmed(np.concatenate([root[-2 * lags :], root[: 2 * lags + 1]]))
    return weights / float(np.sqrt((weights**2).sum()))


def trimmed(weights: Float64Array) -> Float64Array:
    """Symmetric weights without their smallest tails."""
    kept = np.flatnonzero(np.abs(weights) > SMALLEST * np.abs(weights).max())
    out: Float64Array = weights[kept[0] : kept[-1] + 1]
    return out
