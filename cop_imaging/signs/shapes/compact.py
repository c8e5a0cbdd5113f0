"""Size and compactness of the parts of a mask, all parts at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import AnyArray, BoolArray, Float64Array, Int32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import distance_to

__all__ = ["Shapes", "shapes_of"]

BALL = 4.0 / 3.0 * np.pi * 5.0**1.5
"""Volume of an ellipsoid over the root of the determinant of its covariance."""


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """One row for each label 1..n."""

    volume_ml: Float64Array
    diameter_mm: Float64Array
    """Of a ball of that volume."""
    inscribed_mm: Float64Array
    """Radius of the largest ball inside."""
    compactness: Float64Array
    """Diameter of that ball over the diameter of a ball of the part's volume: 1 for a ball, 0.63 for half of one."""
    elongation: Float64Array
    """Longest over shortest axis."""
    fullness: Float64Array
    """Volume over that of the ellipsoid with the same spread: 1 for an ellipsoid, less for what is branched."""
    deepest: AnyArray
    """int64 (n, 3): the voxel in the middle of that ball, the first of several."""


def shapes_of(labels: Int32Array, n: int, grid: Geometry, mask: BoolArray | None = None) -> Shapes:
    """Shapes of the labels 1..n, each of which has voxels; inscribed balls lie in ``mask`` (default: all labels)."""
    inside = labels > 0 if mask is None else mask
    at = np.nonzero(labels)
    label = labels[at]
    count = np.bincount(label, minlength=n + 1)[1:].astype(np.float64)
    safe = np.maximum(count, 1.0)
    place = [axis * s for axis, s in zip(at, grid.spacing_mm, strict=True)]
    mean = [np.bincount(label, weights=p, minlength=n + 1)[1:] / safe for p in place]
    off = [p - m[label - 1] for p, m in zip(place, mean, strict=True)]
    covariance = np.empty((n, 3, 3))
    for i in range(3):
        for j in range(i + 1):
            second = np.bincount(label, weights=off[i] * off[j], minlength=n + 1)[1:] / safe
            # A voxel is a box, not a point.
            covariance[:, i, j] = covariance[:, j, i] = second + (grid.spacing_mm[i] ** 2 / 12.0 if i == j else 0.0)
    axes = np.linalg.eigvalsh(covariance)
    volume_mm3 = count * 1000.0 * grid.voxel_ml
    # The distance runs to the middle of the first voxel outside; the border lies half a voxel before it.
    radius = distance_to(~inside, grid) - np.float32(0.5 * min(grid.spacing_mm))
    # Of the labelled voxels alone: sorting the whole grid takes seconds.
    mine = radius[at]
    widest = np.full(n + 1, -np.inf, dtype=np.float32)
    np.maximum.at(widest, label, mine)
    inscribed = widest[1:].astype(np.float64)
    middle = np.flatnonzero(mine == widest[label])
    _, first = np.unique(label[middle], return_index=True)
    deepest = np.stack(at, axis=1)[middle[first]]
    diameter = np.cbrt(6.0 * volume_mm3 / np.pi)
    return Shapes(
        volume_ml=volume_mm3 / 1000.0,
        diameter_mm=diameter,
        inscribed_mm=inscribed,
        compactness=2.0 * inscribed / np.maximum(diameter, 1e-6),
        elongation=np.sqrt(axes[:, 2] / np.maximum(axes[:, 0], 1e-9)),
        fullness=volume_mm3 / np.maximum(BALL * np.sqrt(np.maximum(np.prod(axes, axis=1), 1e-9)), 1e-9),
        deepest=deepest,
    )
