"""Cross-sections of the airways: lumen, wall, and the artery beside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cop_imaging.core.arrays import Float64Array

__all__ = ["AirwaySections"]


@dataclass(frozen=True, slots=True, eq=False)
class AirwaySections:
    """Cross-sections that could be measured, in the order of the tree's points; all (n,) unless said otherwise."""

    point: NDArray[np.int64]
    """Row of the tree's point."""
    centre_mm: Float64Array
    """Middle of the lumen as (x, y, z), LPS, (n, 3)."""
    along: Float64Array
    """Unit vector (x, y, z) along the airway, (n, 3)."""
    lumen_mm: Float64Array
    """Inner diameter."""
    wall_mm: Float64Array
    """Thickness of the wall; not a number where no aerated lung lies around it."""
    wall_bounds_mm: Float64Array
    """The same for the densest and the least dense wall that there may be, (2, n)."""
    around_hu: Float64Array
    """Density behind the wall."""
    artery_mm: Float64Array
    """Diameter of the artery beside it; not a number where none was found."""
    sigma_mm: float
    """SD of the point spread in the plane of the slices."""

    @property
    def outer_mm(self) -> Float64Array:
        """Outer diameter."""
        return self.lumen_mm + 2.0 * self.wall_mm

    @property
    def wall_area_percent(self) -> Float64Array:
        """Area of the wall over that of lumen and wall together."""
        out: Float64Array = 100.0 * (1.0 - (self.lumen_mm / self.outer_mm) ** 2)
        return out

    @property
    def wall_over_outer(self) -> Float64Array:
        """Thickness of the wall over the outer diameter."""
        return self.wall_mm / self.outer_mm

    @property
    def lumen_over_artery(self) -> Float64Array:
        """Inner diameter over the artery's diameter."""
        return self.lumen_mm / self.artery_mm
