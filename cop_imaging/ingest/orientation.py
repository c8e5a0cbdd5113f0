"""From the order on disk to the canonical axes, by a signed permutation: no voxel is interpolated."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np

from cop_imaging.core.geometry import Geometry, StoredOrder, Triple

__all__ = ["canonical_geometry", "stored_order"]

CANONICAL = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
"""LPS directions of the canonical axes: z to the head, y to the back, x to the patient's left."""


def stored_order(stored: Geometry) -> StoredOrder:
    """Which canonical axis each stored axis (slice, row, column) runs along, and whether against it.

    The assignment that fits best as a whole is taken, so that a body rotated in the plane still gets three
    different axes.
    """
    cosines = np.array(stored.direction) @ CANONICAL.T
    axes = max(permutations(range(3)), key=lambda p: float(sum(abs(cosines[i, a]) for i, a in enumerate(p))))
    along = [float(cosines[i, a]) for i, a in enumerate(axes)]
    return StoredOrder((axes[0], axes[1], axes[2]), (along[0] < 0, along[1] < 0, along[2] < 0))


def canonical_geometry(stored: Geometry, order: StoredOrder) -> Geometry:
    """Geometry of the canonical array of a series whose array in stored order lies on the grid ``stored``."""
    inverse = [order.axes.index(axis) for axis in range(3)]
    a, b, c = inverse
    back = StoredOrder((a, b, c), (order.flipped[a], order.flipped[b], order.flipped[c]))
    geometry = back.stored_geometry(stored)
    # Turning an axis round makes -0.0 of 0.0, and a digest would tell the two apart.
    z, y, x = (_without_signed_zero(axis) for axis in geometry.direction)
    return replace(geometry, direction=(z, y, x), origin_mm=_without_signed_zero(geometry.origin_mm))


def _without_signed_zero(values: Triple) -> Triple:
    x, y, z = (round(value, 12) + 0.0 for value in values)
    return (x, y, z)
