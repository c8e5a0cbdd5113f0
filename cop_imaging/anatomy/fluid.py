"""Fluid or airless lung: what density and shape say of tissue that the network has to name."""

from __future__ import annotations

import numpy as np

from cop_imaging.anatomy.fluid_config import FluidConfig
from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import bounding_box, components, dilated, distance_to, eroded, smoothed

__all__ = ["fluid_odds", "no_fluid"]


def fluid_odds(
    smooth: Float32Array, pleural: BoolArray, body: BoolArray, geometry: Geometry, config: FluidConfig
) -> Float32Array:
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
    tissue = eroded(pleural & (smooth > config.tissue_hu[0]), geometry, voxel_mm)
    out = np.zeros(smooth.shape, dtype=np.float32)
    if not tissue.any():
        return out
    clipped = np.clip(smooth, *config.tissue_hu)
    weight = smoothed(tissue.astype(np.float32), geometry, config.average_mm)[tissue]
    mean = smoothed(np.where(tissue, clipped, 0.0), geometry, config.average_mm)[tissue] / weight
    square = smoothed(np.where(tissue, clipped * clipped, 0.0), geometry, config.average_mm)[tissue] / weight
    wet = ((mean - config.fluid_mean_hu) / config.fluid_sd_hu) ** 2
    airless = ((mean - config.lung_mean_hu) / config.lung_sd_hu) ** 2
    odds = np.log(config.lung_sd_hu / config.fluid_sd_hu) - wet / 2 + airless / 2
    sd = np.sqrt(np.maximum(square - mean * mean, 0.0))
    rough = sd > config.most_rough * _tissue_sd(clipped, body, tissue, geometry, config.average_mm)
    airy = dilated(body & (smooth < config.air_hu), geometry, config.air_mm)[tissue]
    out[tissue] = np.clip(np.where((odds > 0) & (rough | airy), 0.0, odds), -config.most_log_odds, config.most_log_odds)
    return out


def _tissue_sd(
    clipped: Float32Array, body: BoolArray, pleural: BoolArray, geometry: Geometry, average_mm: float
) -> float:
    """Median local SD in the body's other soft tissue, in HU; 0 where there is none."""
    soft = eroded(body & (clipped > 0.0) & (clipped < 100.0), geometry, average_mm) & ~pleural
    if not soft.any():
        return 0.0
    mean = smoothed(clipped, geometry, average_mm)
    square = smoothed(clipped * clipped, geometry, average_mm)
    return float(np.median(np.sqrt(np.maximum(square - mean * mean, 0.0)[soft])))


def no_fluid(
    fluid: BoolArray, airy: BoolArray, smooth: Float32Array, geometry: Geometry, config: FluidConfig
) -> BoolArray:
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
        if volume_ml[k] < config.smallest_weighed_ml:
            break
        box = bounding_box(labels == k, geometry, config.touch_mm + max(geometry.spacing_mm))
        local, piece = geometry.crop(box), labels[box] == k
        depth_mm = distance_to(~piece, local)
        width_mm = config.most_thick * np.cbrt(1000.0 * volume_ml[k])
        thick = volume_ml[k] >= config.smallest_judged_ml and depth_mm.max() > width_mm
        core = depth_mm > min(config.deep_mm, float(depth_mm.max()) / 2.0)
        dense = float(np.median(smooth[box][core])) > config.dense_hu
        around = dilated(piece, local, config.touch_mm) & ~piece
        ringed = float((airy[box] & around).sum()) > config.most_ringed * float(around.sum())
        lung[k] = thick or dense or ringed
    return lung[labels]
