"""Lungs with their disease: aerated lung, the vessels and patches inside it, and what the rib cage gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.anatomy.config import AnatomyConfig
from cop_imaging.anatomy.costal import costal_dents, costal_map
from cop_imaging.core.anatomy import LEFT, RIGHT
from cop_imaging.core.arrays import BoolArray, Float32Array, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import bounding_box, closed, components, dilated, eroded, fill_holes, opened

__all__ = ["WholeLungs", "whole_lungs"]

BONE_HU = 180.0
DENSE_HU = (-250.0, 130.0)
SMALLEST_DENT_ML = 2.0
DENT_OPENING_MM = 2.0
SEAM_MM = 2.0
EXIT_MM2 = 60.0
"""Area with which an island of tissue may lead out of the lung: a vessel of 9 mm."""
SMALLEST_CORE_ML = 0.2
AIRY_HU = -160.0
AIRY_SHARE = 0.05
"""Share of voxels with air in them from which dense tissue is lung whatever its mean: fluid holds no air."""
FLUID_LOW_HU = -20.0
FAT_HU = (-130.0, -40.0)
FAT_SHARE = 0.2
TISSUE_HU = (20.0, 90.0)
TISSUE_CORE_MM = 6.0
ROUGH_TO_TISSUE = 3.0
"""Local SD over that of the scan's soft tissue from which dense tissue is lung: fluid is as smooth as noise lets it."""
TEXTURE_MM = 7.5


@dataclass(frozen=True, slots=True, eq=False)
class WholeLungs:
    """Lungs on the work grid, and which part of them was brought back."""

    lungs: UInt8Array
    recovered: BoolArray
    """Dense lung between aerated lung and ribs."""
    uncertain: BoolArray
    """Dense tissue there that is as likely fluid."""
    effusion: BoolArray | None = None
    """Pleural fluid, when it was looked for."""
    doubted: BoolArray | None = None
    """Airless tissue in the lungs of which the network is not sure."""
    unseen: float = 0.0
    """Share of the aerated lung that the network holds for something else."""


def whole_lungs(
    aerated: UInt8Array,
    smooth: Float32Array,
    excluded: BoolArray,
    spine_x: float,
    geometry: Geometry,
    config: AnatomyConfig,
) -> WholeLungs:
    """Aerated lung (1 right, 2 left) with vessels, inner patches and juxtapleural consolidation, on the work grid.

    Parameters
    ----------
    aerated : uint8 [z, y, x]
        Aerated lung, 1 right, 2 left.
    smooth : float32 [z, y, x]
        HU, lightly blurred.
    excluded : bool [z, y, x]
        Trachea and main bronchi with their walls.
    """
    bone = smooth > BONE_HU
    lungs = np.zeros_like(aerated)
    recovered = np.zeros(aerated.shape, dtype=bool)
    uncertain = np.zeros(aerated.shape, dtype=bool)
    for side in (RIGHT, LEFT):
        mine = aerated == side
        if not mine.any():
            continue
        box = bounding_box(mine, geometry, 2 * config.vessel_closing_mm)
        local = geometry.crop(box)
        other = (aerated[box] > 0) & (aerated[box] != side)
        inner = _with_vessels(mine[box], smooth[box], local, config) & ~other & ~excluded[box]
        view = costal_map(inner, bone[box], spine_x - box[2].start, local)
        space = costal_dents(
            view,
            inner.shape,
            local,
            window_mm=config.costal_window_mm,
            depth_mm=config.costal_depth_mm,
            gap_mm=config.costal_gap_mm,
        )
        free = ~inner & ~other & ~excluded[box] & ~dilated(bone[box], local, geometry.spacing_mm[2])
        lung_like, fluid_like = _lung_or_fluid(space & free, smooth[box], local, config.fluid_hu)
        whole = _fill_islands(closed(inner | lung_like, local, SEAM_MM), local) if lung_like.any() else inner
        whole = whole & ~other & ~excluded[box] & ~fluid_like
        lungs[box][whole & (lungs[box] == 0)] = side
        recovered[box] |= whole & ~inner
        uncertain[box] |= fluid_like
    return WholeLungs(lungs, recovered, uncertain & (lungs == 0))


def _with_vessels(aerated: BoolArray, smooth: Float32Array, geometry: Geometry, config: AnatomyConfig) -> BoolArray:
    """One lung with its vessels and inner patches, without hilar vessels that are too wide and without the dome."""
    added = closed(aerated, geometry, config.vessel_closing_mm) & ~aerated
    wide = opened(smooth > config.lung_hu, geometry, config.vessel_closing_mm)
    return _fill_islands(aerated | (added & ~wide), geometry)


def _fill_islands(lung: BoolArray, geometry: Geometry) -> BoolArray:
    """Lung with the tissue that it surrounds in axial slices, unless that tissue goes on above or below.

    A nodule or a vessel is an island from top to bottom; the dome of the diaphragm widens into the abdomen, and a
    hilar vessel leads out of the lung.
    """
    islands = fill_holes(lung, axial=True) & ~lung
    labels, n = components(islands, connectivity=6)
    if n == 0:
        return lung
    leads_out = np.zeros(n + 1, dtype=np.int64)
    whole = lung | islands
    for here, there in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
        exits = labels[here][~whole[there]]
        leads_out += np.bincount(exits, minlength=n + 1)
    keep = leads_out * geometry.spacing_mm[1] * geometry.spacing_mm[2] <= EXIT_MM2
    keep[0] = False
    out: BoolArray = lung | keep[labels]
    return out


def _lung_or_fluid(
    space: BoolArray, smooth: Float32Array, geometry: Geometry, fluid_hu: float
) -> tuple[BoolArray, BoolArray]:
    """Parts of ``space`` that are dense lung, and parts that are fluid by their mean density.

    Thin seams are endothoracic fat and muscle, not lung.
    """
    dense = space & (smooth > DENSE_HU[0]) & (smooth < DENSE_HU[1])
    dense = opened(dense, geometry, DENT_OPENING_MM)
    labels, n = components(dense, connectivity=6)
    lung, fluid = np.zeros_like(space), np.zeros_like(space)
    texture = _local_sd(smooth, geometry)
    tissue = eroded((smooth > TISSUE_HU[0]) & (smooth < TISSUE_HU[1]), geometry, TISSUE_CORE_MM)
    noise = float(np.median(texture[tissue])) if tissue.any() else np.inf
    core = eroded(dense, geometry, DENT_OPENING_MM)
    for k in range(1, n + 1):
        part = labels == k
        if part.sum() * geometry.voxel_ml < SMALLEST_DENT_ML:
            break
        deep = part & core
        if deep.sum() * geometry.voxel_ml < SMALLEST_CORE_ML:
            continue
        if float(((smooth[deep] > FAT_HU[0]) & (smooth[deep] < FAT_HU[1])).mean()) > FAT_SHARE:
            continue
        median = float(np.median(smooth[deep]))
        rough = float(np.median(texture[deep])) > ROUGH_TO_TISSUE * noise
        if median >= fluid_hu or rough or _holds_air(smooth[deep]):
            lung |= part
        elif median > FLUID_LOW_HU:
            fluid |= part
    return lung, fluid


def _holds_air(hu: Float32Array) -> bool:
    return float((hu < AIRY_HU).mean()) > AIRY_SHARE


def _local_sd(smooth: Float32Array, geometry: Geometry) -> Float32Array:
    """SD of HU in a cube of about 7.5 mm (at least 3 voxels) around each voxel, float32."""
    voxels = max(3, 2 * int(TEXTURE_MM / geometry.spacing_mm[0] / 2) + 1)
    shifted = np.clip(smooth, -200.0, 200.0)
    mean = ndimage.uniform_filter(shifted, voxels)
    square = ndimage.uniform_filter(shifted * shifted, voxels)
    out: Float32Array = np.sqrt(np.maximum(square - mean * mean, 0.0))
    return out
