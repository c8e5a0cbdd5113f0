"""Sheets as dense as consolidation with aerated or hazy lung on both sides: bands, and arcades along lobules."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.core.grid import dilated, resample, smoothed
from cop_imaging.core.ridges import Sheets
from cop_imaging.core.scene import Scene

__all__ = ["DenseSheetConfig", "across_pleura", "dense_sheets", "filled_around"]

DEPTH_SIGMA_MM = 2.4
BODY_MM = 3.2
"""How far the body of a sheet may lie from its middle."""


class DenseSheetConfig(Section):
    """Which sheets are dense ones; the limits that bands and arcades share."""

    peak_hu: float = quantity(
        -450.0,
        low=-700.0,
        high=-100.0,
        unit="HU",
        means="density of the middle of a sheet",
        source="half of soft tissue in aerated lung: septa and fissures lie below; set on made chests",
    )
    contrast_hu: float = quantity(
        200.0,
        low=50.0,
        high=600.0,
        unit="HU",
        means="least density of the middle above both sides",
        source="ridges on the surface of consolidation have a dense side; set on made chests",
    )
    thickest_mm: float = quantity(
        7.5,
        low=3.0,
        high=12.0,
        unit="mm",
        means="largest full width at half contrast",
        source="up to 6 mm with the blur of scan and grid",
    )
    point_breadth: float = quantity(
        0.75,
        low=0.3,
        high=1.0,
        unit="1",
        means="share of directions in which a sheet goes on for 4 mm around one of its points",
        source="a vessel has two opposite directions; set on made chests",
    )
    below_aerated_hu: float = quantity(
        50.0,
        low=0.0,
        high=150.0,
        unit="HU",
        means="how much darker than aerated lung the darker side may be",
        source="walls of cysts and bullae have air beside them; set on made chests",
    )
    link_mm: float = quantity(
        2.2,
        low=1.3,
        high=4.0,
        unit="mm",
        means="distance up to which points of a sheet are neighbours",
        source="the diagonal of a voxel of 1.2 mm",
    )


def dense_sheets(scene: Scene, config: DenseSheetConfig) -> Sheets:
    """The points of dense sheets of a scene."""
    s = scene.ridges.sheets
    kept = (s.peak_hu > config.peak_hu) & (s.contrast_hu > config.contrast_hu)
    kept &= (s.thickness_mm < config.thickest_mm) & (s.breadth >= config.point_breadth)
    kept &= s.dark_hu > scene.aerated_mode_hu - config.below_aerated_hu
    return s.where(kept)


def across_pleura(sheets: Sheets, scene: Scene) -> tuple[Float64Array, Float64Array]:
    """Depth in mm of each point, and the cosine of the angle between its normal and the way to the pleura."""
    grid = scene.ridges.geometry
    depth = smoothed(resample(scene.depth_mm, scene.geometry, grid), grid, DEPTH_SIGMA_MM)
    z, y, x = np.unravel_index(sheets.voxel, grid.shape)
    slope = np.empty((len(sheets), 3))
    for axis, h in enumerate(grid.spacing_mm):
        ahead, behind = [z, y, x], [z, y, x]
        ahead[axis], behind[axis] = ahead[axis] + 1, behind[axis] - 1
        slope[:, axis] = (depth[tuple(ahead)] - depth[tuple(behind)]) / (2.0 * h)
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
    cosine: Float64Array = np.abs((slope * sheets.normal).sum(axis=1))
    return depth[z, y, x].astype(np.float64), cosine


def filled_around(sheets: Sheets, chosen: NDArray[np.bool_], scene: Scene, least_hu: float) -> BoolArray:
    """The body of the sheets with these points on the scene's crop: dense voxels within 3.2 mm of a middle."""
    grid = scene.ridges.geometry
    middle = np.zeros(grid.shape, dtype=bool)
    middle.ravel()[sheets.voxel[chosen]] = True
    near = resample(dilated(middle, grid, BODY_MM), grid, scene.geometry, method="nearest")
    out: BoolArray = near & (scene.smooth_hu > least_hu) & (scene.lungs > 0)
    return out
