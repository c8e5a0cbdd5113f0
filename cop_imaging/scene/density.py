"""How deep the breath was: the density of aerated lung."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import Int16Array, UInt8Array

__all__ = ["density_modes_hu"]

AERATED_HU = (-1000, -500)
BIN_HU = 5
MODE_SMOOTHING_BINS = 3.0
USUAL_HU = -850.0
"""Density of aerated lung at inspiration, where the scan does not show it."""

DENSE_MODE_HU, SECOND_BELOW_HU, SECOND_SHARE = -780.0, 100.0, 0.3
"""A most frequent density above which it may be that of haze, and how far below it and how large the second mode has to
be that is taken instead: at inspiration aerated lung is seldom denser. Estimates."""
NO_BREATH_HU = -620.0
"""No breath out makes healthy lung denser than that in the mode: -750 to -650 HU at residual volume. Estimate."""


def density_modes_hu(smooth_hu: Int16Array, lungs: UInt8Array) -> tuple[float, float | None]:
    """Most frequent density of aerated lung, and that of haze where haze fills most of the lungs.

    Where ground glass fills most of the lungs the most frequent density is its own: a second mode well below it, which
    is not small, is the aerated lung's. Where there is none, or no lung below -500 HU, aerated lung is taken for -850.
    """
    values = smooth_hu[(lungs > 0) & (smooth_hu < AERATED_HU[1]) & (smooth_hu >= AERATED_HU[0])]
    if values.size == 0:
        return USUAL_HU, None
    bins = (AERATED_HU[1] - AERATED_HU[0]) // BIN_HU
    counts, edges = np.histogram(values, bins=bins, range=AERATED_HU)
    blurred = ndimage.gaussian_filter1d(counts.astype(np.float64), MODE_SMOOTHING_BINS)
    middle = (edges[:-1] + edges[1:]) / 2
    k = int(np.argmax(blurred))
    modes = (blurred == ndimage.maximum_filter1d(blurred, 3)) & (blurred >= SECOND_SHARE * blurred[k])
    second = np.flatnonzero(modes & (middle < middle[k] - SECOND_BELOW_HU))
    if middle[k] <= DENSE_MODE_HU or (not second.size and middle[k] <= NO_BREATH_HU):
        return float(middle[k]), None
    if not second.size:
        return USUAL_HU, float(middle[k])
    return float(middle[second[np.argmax(blurred[second])]]), float(middle[k])
