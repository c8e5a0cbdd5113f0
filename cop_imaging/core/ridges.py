"""Bright lines and sheets of the lungs, as several signs share them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, Float64Array
from cop_imaging.core.geometry import Geometry

__all__ = ["Ridges", "Sheets"]


@dataclass(frozen=True, slots=True, eq=False)
class Sheets:
    """Points on the middle of bright sheets (septa, bands, arcades, walls), about one for each voxel of their area."""

    voxel: NDArray[np.int64]
    """(n,) Flat index in the grid."""
    position_mm: Float64Array
    """(n, 3) As (z, y, x) from the grid's first voxel, between the voxels."""
    normal: Float64Array
    """(n, 3) Unit vector across the sheet; its sign means nothing."""
    peak_hu: Float32Array
    """(n,) Density of the middle."""
    contrast_hu: Float32Array
    """(n,) Middle above the denser of the two flanks."""
    dark_hu: Float32Array
    """(n,) Typical density of the darker flank."""
    thickness_mm: Float32Array
    """(n,) Full width at half of that contrast."""
    breadth: Float32Array
    """(n,) Share of the directions in its plane in which it goes on for 4 mm: a line has two, a sheet all."""

    def __len__(self) -> int:
        return len(self.voxel)

    def where(self, chosen: NDArray[np.bool_]) -> Sheets:
        """The chosen points."""
        return Sheets(
            self.voxel[chosen],
            self.position_mm[chosen],
            self.normal[chosen],
            self.peak_hu[chosen],
            self.contrast_hu[chosen],
            self.dark_hu[chosen],
            self.thickness_mm[chosen],
            self.breadth[chosen],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Ridges:
    """Lines and sheets on a grid of about 1.2 mm over the scene's crop."""

    geometry: Geometry
    fine_hu: Float32Array
    """float32 [z, y, x] density with a blur of 1 mm; what lies outside the lungs is replaced by nearby lung."""
    line_hu: Float32Array
    """float32 [z, y, x] strength of lines and sheets of 1-3 mm: scale-normalised curvature across them; 0 outside."""
    inner: BoolArray
    """bool [z, y, x] lung beyond the partial-volume shell of the pleura, 2.5 mm."""
    smooth_hu: AnyArray
    """int16 [z, y, x] the scene's smoothed density on this grid."""
    sheets: Sheets
    """Those of 2-7 mm."""
