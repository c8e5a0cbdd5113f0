"""Lengths of bronchi as plain numbers, for lesions that follow them."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import Float64Array
from cop_imaging.synth.lesions.lesion import Point

__all__ = ["Segment", "half_span_mm", "middle_mm"]

Segment = tuple[float, float, float, float, float, float, float, float]
"""Start (x, y, z), end (x, y, z) and the lumen's radius at both, in mm."""


def middle_mm(segments: tuple[Segment, ...]) -> Point:
    """Middle of the box around the axes."""
    x, y, z = _corners(segments).mean(axis=0)
    return float(x), float(y), float(z)


def half_span_mm(segments: tuple[Segment, ...]) -> float:
    """Half of the longest side of that box."""
    return float(0.5 * np.ptp(_corners(segments), axis=0).max())


def _corners(segments: tuple[Segment, ...]) -> Float64Array:
    points = np.array(segments)[:, :6].reshape(-1, 3)
    return np.stack([points.min(axis=0), points.max(axis=0)])
