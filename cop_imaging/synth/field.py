"""The round field that a scanner reconstructs inside its square matrix."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.geometry import Geometry

__all__ = ["round_field"]


def round_field(geometry: Geometry) -> BoolArray:
    """True inside the circle that touches the sides of the matrix, bool [z, y, x] (a read-only view of one slice)."""
    ny, nx = geometry.shape[1:]
    y, x = ((np.arange(n) - 0.5 * (n - 1)) * d for n, d in zip((ny, nx), geometry.spacing_mm[1:], strict=True))
    radius = 0.5 * min(ny * geometry.spacing_mm[1], nx * geometry.spacing_mm[2])
    return np.broadcast_to(np.hypot(y[:, None], x[None]) <= radius, geometry.shape)
