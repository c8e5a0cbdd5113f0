"""The bronchial tree as centre lines that hang together in branches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cop_imaging.core.arrays import Float64Array

__all__ = ["AirwayTree"]


@dataclass(frozen=True, slots=True, eq=False)
class AirwayTree:
    """Centre lines of the airways. Takes ownership of its arrays and locks them.

    Parameters
    ----------
    points_mm : float64 (n, 3)
        Points on the centre lines as (x, y, z), LPS, branch after branch, from the trachea outwards.
    before : int64 (n,)
        Row of the point before it on the way from the trachea's top; -1 for the first.
    branch : int64 (n,)
        Branch of each point.
    diameter_mm : float64 (n,)
        Diameter of a circle with the area of the lumen's cross-section.
    parent : int64 (m,)
        Parent of each branch; -1 for the trachea.
    generation : int64 (m,)
        Forks between the trachea's top and the branch: trachea 0, main bronchi 1. A fork that was not seen is not
        counted.
    """

    points_mm: Float64Array
    before: NDArray[np.int64]
    branch: NDArray[np.int64]
    diameter_mm: Float64Array
    parent: NDArray[np.int64]
    generation: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("points_mm", "before", "branch", "diameter_mm", "parent", "generation"):
            getattr(self, name).flags.writeable = False

    @property
    def step_mm(self) -> Float64Array:
        """Distance of each point from the point before it, 0 for the first, (n,)."""
        steps = self.points_mm - self.points_mm[np.maximum(self.before, 0)]
        out: Float64Array = np.where(self.before >= 0, np.linalg.norm(steps, axis=1), 0.0)
        return out

    @property
    def length_mm(self) -> Float64Array:
        """Length of each branch from its fork, (m,)."""
        out: Float64Array = np.bincount(self.branch, self.step_mm, len(self.parent)).astype(np.float64)
        return out

    @property
    def branch_diameter_mm(self) -> Float64Array:
        """Median diameter of each branch, (m,)."""
        first = np.flatnonzero(np.diff(self.branch, prepend=-1))
        return np.array([float(np.median(part)) for part in np.split(self.diameter_mm, first[1:])])
