"""How deep the breath was: the density of aerated lung."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import Int16Array, UInt8Array

__all__ = ["aerated_mode_hu"]

AERATED_HU = (-1000, -500)
BIN_HU = 5
MODE_SMOOTHING_BINS = 3.0


def aerated_mode_hu(smooth_hu: Int16Array, lungs: UInt8Array) -> float:
    """Most frequent density of lung below -500 HU; -850 when there is none."""
    values = smooth_hu[(lungs > 0) & (smooth_hu < AERATED_HU[1]) & (smooth_hu >= AERATED_HU[0])]
    if values.size == 0:
        return -850.0
    counts, edges = np.histogram(values, bins=np.arange(AERATED_HU[0], AERATED_HU[1] + BIN_HU, BIN_HU))
    blurred = ndimage.gaussian_filter1d(counts.astype(np.float64), MODE_SMOOTHING_BINS)
    k = int(np.argmax(blurred))
    return float(edges[k] + edges[k + 1]) / 2
