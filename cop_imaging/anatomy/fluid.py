"""Fluid or airless lung: what density and shape say of tissue that the network has to name."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import bounding_box, components, dilated, distance_to, eroded, smoothed

__all__ = ["fluid_odds", "no_fluid"]

FLUID_HU, LUNG_HU = (8.0, 9.0), (48.0, 22.0)
"""Mean and SD of the density of effusions (-10 to 25 HU) and of airless, perfused lung (30 to 110 HU; less where some
air is left)."""
AVERAGE_MM = 4.0
TISSUE_HU = (-60.0, 200.0)
"""Fat lies below, bone above."""
MOST = 3.5
"""Largest logarithm of the odds that density alone may add: vessels, calcium and artefacts are in every mean."""
AIR_HU, AIR_MM = -160.0, 5.0
"""Next to air a low mean is partial volume or lung with air left in it, and says nothing for fluid."""
SMOOTH_TO_TISSUE = 1.5
"""Local SD over that of the scan's own soft tissue up to which tissue is homogeneous: fluid has no structure."""
THICK, SMALLEST_JUDGED_ML = 0.31, 80.0
"""Radius of the largest ball inside a piece, over the cube root of its volume (0.62 for a ball), from which a piece of
at least that volume is no crescent. 47 drawn effusions have 0.19 to 0.29, a third of drawn lobes more than 0.32."""

DENSE_HU, DEEP_MM, SMALLEST_WEIGHED_ML = 30.0, 3.0, 8.0
"""Median density of a piece's core from which it is no fluid: in a large piece noise averages out that drowns single
places. Drawn effusions have -2 to 11 HU, real ones -10 to 25."""
RINGED, TOUCH_MM = 0.5, 4.0
"""Share of the shell around a piece that is aerated lung from which it is no fluid: drawn effusions, which lie between
lung and chest wall, have 0.2 at most."""


def fluid_odds(smooth: Float32Array, pleural: BoolArray, body: BoolArray, geometry: Geometry) -> Float32Array:
    """Log odds of fluid against airless lung that density adds, float32 [z, y, x]; 0 where it says nothing.

    For lung it speaks wherever the mean is too dense for fluid; for fluid only in homogeneous tissue away from air,
    because consolidation with some air left has the density of fluid.

    Parameters
    ----------
    smooth : float32 [z, y, x]
        Density in HU, lightly blurred.
    pleural : bool [z, y, x]
        Dense tissue that is one or the other.
    body : bool [z, y, x]
        The body, whose other soft tissue shows the scan's noise.
    """
    voxel_mm = min(geometry.spacing_mm)
    tissue = eroded(pleural & (smooth > TISSUE_HU[0]), geometry, voxel_mm)
    out = np.zeros(smooth.shape, dtype=np.float32)
    if not tissue.any():
        return out
    clipped = np.clip(smooth, *TISSUE_HU)
    weight = smoothed(tissue.astype(np.float32), geometry, AVERAGE_MM)[tissue]
    mean = smoothed(np.where(tissue, clipped, 0.0), geometry, AVERAGE_MM)[tissue] / weight
    square = smoothed(np.where(tissue, clipped * clipped, 0.0), geometry, AVERAGE_MM)[tissue] / weight
    (fluid, fluid_sd), (lung, lung_sd) = FLUID_HU, LUNG_HU
    odds = np.log(lung_sd / fluid_sd) - ((mean - fluid) / fluid_sd) ** 2 / 2 + ((mean - lung) / lung_sd) ** 2 / 2
    sd = np.sqrt(np.maximum(square - mean * mean, 0.0))
    rough = sd > SMOOTH_TO_TISSUE * _tissue_sd(clipped, body, tissue, geometry)
    airy = dilated(body & (smooth < AIR_HU), geometry, AIR_MM)[tissue]
    out[tissue] = np.clip(np.where((odds > 0) & (rough | airy), 0.0, odds), -MOST, MOST)
    return out


def _tissue_sd(clipped: Float32Array, body: BoolArray, pleural: BoolArray, geometry: Geometry) -> float:
    """Median local SD in the body's other soft tissue, in HU; 0 where there is none."""
    soft = eroded(body & (clipped > 0.0) & (clipped < 100.0), geometry, AVERAGE_MM) & ~pleural
    if not soft.any():
        return 0.0
    mean = smoothed(clipped, geometry, AVERAGE_MM)
    square = smoothed(clipped * clipped, geometry, AVERAGE_MM)
    return float(np.median(np.sqrt(np.maximum(square - mean * mean, 0.0)[soft])))


def no_fluid(fluid: BoolArray, airy: BoolArray, smooth: Float32Array, geometry: Geometry) -> BoolArray:
    """Pieces of supposed fluid that are airless lung.

    Three things tell, each by itself: a core too dense for fluid, aerated lung nearly all around, and a piece too thick
    for its volume, for fluid spreads along the lung and a lobe does not.

    Parameters
    ----------
    fluid : bool [z, y, x]
        What the network and the density of small places hold for fluid.
    airy : bool [z, y, x]
        Aerated lung.
    smooth : float32 [z, y, x]
        Density in HU, lightly blurred.
    """
    labels, n = components(fluid, connectivity=6)
    volume_ml = np.bincount(labels.ravel(), minlength=n + 1) * geometry.voxel_ml
    lung = np.zeros(n + 1, dtype=bool)
    for k in range(1, n + 1):
        if volume_ml[k] < SMALLEST_WEIGHED_ML:
            break
        box = bounding_box(labels == k, geometry, TOUCH_MM + max(geometry.spacing_mm))
        local, piece = geometry.crop(box), labels[box] == k
        depth_mm = distance_to(~piece, local)
        thick = volume_ml[k] >= SMALLEST_JUDGED_ML and depth_mm.max() > THICK * np.cbrt(1000.0 * volume_ml[k])
        core = depth_mm > min(DEEP_MM, float(depth_mm.max()) / 2.0)
        dense = float(np.median(smooth[box][core])) > DENSE_HU
        around = dilated(piece, local, TOUCH_MM) & ~piece
        ringed = float((airy[box] & around).sum()) > RINGED * float(around.sum())
        lung[k] = thick or dense or ringed
    return lung[labels]
