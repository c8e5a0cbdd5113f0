"""Lung that fluid beside it may have collapsed: dense there, it need not be consolidated."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.grid import distance_to, keep_large, resample, share_of
from cop_imaging.core.scene import Scene

__all__ = ["beside_fluid"]

GRID_MM = 3.0
SMALLEST_ML = 25.0
"""Volume from which a reader calls fluid an effusion: less collapses no lung, and may be dense lung itself."""
HALF_THICKNESS_MM = (4.0, 8.0, 12.0, 16.0)
"""Steps of half the fluid's thickness."""


def beside_fluid(scene: Scene, *, least_mm: float, per_thickness: float) -> BoolArray | None:
    """Lung so near to pleural fluid that it may be collapsed by it, bool on the crop; None without fluid.

    The more fluid, the more lung collapses before it: the distance grows with the fluid's local thickness. Fluid
    thinner than 8 mm, or in pockets of less than 25 mL, collapses none.

    Parameters
    ----------
    least_mm : float
        Thickness of collapsed lung beside little fluid.
    per_thickness : float
        Its growth per mm of fluid.
    """
    if scene.effusion is None or not scene.effusion.any():
        return None
    grid = scene.geometry.resampled((GRID_MM,) * 3)
    fluid = share_of(scene.effusion, scene.geometry, grid) > 0.5
    fluid = keep_large(fluid, grid, SMALLEST_ML)
    depth = distance_to(~fluid, grid)
    beside = np.zeros(grid.shape, dtype=bool)
    for half in HALF_THICKNESS_MM:
        core = fluid & (depth >= half)
        if not core.any():
            break
        beside |= distance_to(core, grid) <= half + least_mm + per_thickness * 2.0 * half
    out: BoolArray = resample(beside, grid, scene.geometry, method="nearest") & (scene.lungs > 0)
    return out
