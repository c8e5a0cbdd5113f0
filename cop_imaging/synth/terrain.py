"""Where in a pair of lungs lesions can sit, made or scanned, and how diseases choose among the places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float64Array, UInt8Array
from cop_imaging.synth.shapes import Tubes

__all__ = ["Terrain", "Where"]

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Where:
    """Which places a lesion prefers; all preferences multiply."""

    height: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Weight of the upper, middle and lower third of the lungs' height."""
    depth_mm: tuple[float, float] = (0.0, 1000.0)
    """Least and largest depth below the pleura."""
    dorsal: float = 1.0
    """Weight of the back half over the front half."""
    side: Literal["right", "left", "both"] = "both"
    lobe: int | None = None
    """Only this lobe, 1-5."""
    near_bundles: float = 1.0
    """Weight of places within 10 mm of a bronchus with its artery."""


@dataclass(frozen=True, slots=True, eq=False)
class Terrain:
    """Places spread evenly through both lungs, and what lies there.

    Parameters
    ----------
    points_mm : float64 (n, 3)
        LPS (x, y, z), about 5 mm apart.
    depth_mm : float64 (n,)
        Below the costal and diaphragmatic pleura.
    edge_mm : float64 (n,)
        To the lung's surface, wherever it is nearest.
    lobe : uint8 (n,)
        1-5: RUL, RML, RLL, LUL, LLL.
    bundles : Tubes
        Bronchi that run with an artery, lumen radii, in patient coordinates; may be empty.
    bundle_mm : float64 (n,)
        Distance to the nearest of them; infinite when there are none.
    lung_ml : float
    """

    points_mm: Float64Array
    depth_mm: Float64Array
    edge_mm: Float64Array
    lobe: UInt8Array
    bundles: Tubes
    bundle_mm: Float64Array
    lung_ml: float

    @property
    def right(self) -> BoolArray:
        """Whether a place lies in the right lung."""
        out: BoolArray = self.lobe <= 3
        return out

    @property
    def height(self) -> Float64Array:
        """0 at the lowest, 1 at the highest place of its own lung."""
        out = np.empty(len(self.lobe))
        for own in (self.right, ~self.right):
            z = self.points_mm[own, 2]
            out[own] = (z - z.min(initial=np.inf)) / max(float(np.ptp(z)) if z.size else 0.0, 1.0)
        return out

    def weights(self, where: Where) -> Float64Array:
        """How much every place is preferred, (n,)."""
        weight = np.array(where.height[::-1])[np.minimum((3.0 * self.height).astype(int), 2)]
        low, high = where.depth_mm
        weight = weight * ((self.depth_mm >= low) & (self.depth_mm <= high))
        y = self.points_mm[:, 1]
        middle = np.where(self.right, *(np.median(y[k]) if k.any() else 0.0 for k in (self.right, ~self.right)))
        weight = weight * np.where(y > middle, where.dorsal, 1.0)
        weight = weight * np.where(self.bundle_mm <= 10.0, where.near_bundles, 1.0)
        if where.side != "both":
            weight = weight * (self.right == (where.side == "right"))
        if where.lobe is not None:
            weight = weight * (self.lobe == where.lobe)
        out: Float64Array = weight
        return out

    def draw(
        self, where: Where, rng: np.random.Generator, *, clear_of: Sequence[tuple[Point, float]] = ()
    ) -> Point | None:
        """A place by its weight, (x, y, z) in mm, or None if nowhere is left.

        Parameters
        ----------
        clear_of : sequence of (point, distance in mm)
            Lesions to keep away from.
        """
        weight = self.weights(where)
        for centre, distance_mm in clear_of:
            weight = weight * (np.linalg.norm(self.points_mm - np.array(centre), axis=1) >= distance_mm)
        total = weight.sum()
        if not total > 0.0:
            return None
        x, y, z = self.points_mm[rng.choice(len(weight), p=weight / total)]
        return float(x), float(y), float(z)
