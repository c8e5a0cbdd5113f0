"""The shared coarse view of a scan: cubes of about 4 mm, and where body, lungs and bone lie in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import BoolArray, Float32Array, Float64Array, Int16Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import components
from cop_imaging.core.volume import AIR_HU, CTVolume
from cop_imaging.ingest.quality.config import QualityConfig

__all__ = ["CoarseView", "coarse_view", "commonest"]

PLANE = np.ones((1, 3, 3), dtype=bool)
TISSUE_HU = -400.0
"""Midway between aerated lung (-850) and soft tissue (40)."""
FEWEST = 30
ROOM_AIR_HU = -940.0
"""Between aerated lung and room air, for means of a block."""


@dataclass(frozen=True, eq=False)
class CoarseView:
    """Block means of a scan and the masks that several checks share, all [z, y, x].

    Parameters
    ----------
    hu : float32
        Mean density of a block in the plane; along z one slice stands for its neighbours.
    valid : bool
        The whole block was scanned.
    geometry : Geometry
    steps : (z, y, x)
        Full-resolution voxels in one block along each axis.
    body : bool
        Inside the skin, lungs included; without table and, mostly, clothes.
    lungs : bool
        Air-filled lung with the airways in it, both sides together.
    """

    hu: Float32Array
    valid: BoolArray
    geometry: Geometry
    steps: tuple[int, int, int]
    body: BoolArray
    lungs: BoolArray

    @cached_property
    def lung_ml(self) -> float:
        """Volume of air-filled lung in mL."""
        return float(np.count_nonzero(self.lungs)) * self.geometry.voxel_ml

    @cached_property
    def lung_slices(self) -> tuple[int, int]:
        """First and last + 1 coarse slice that holds lung worth the name (0, 0 when there is none)."""
        area = self.lungs.sum(axis=(1, 2)) * self.geometry.spacing_mm[1] * self.geometry.spacing_mm[2]
        hit = np.flatnonzero(area > 400.0)
        return (int(hit[0]), int(hit[-1]) + 1) if hit.size else (0, 0)

    @cached_property
    def tissue(self) -> BoolArray:
        """Body that is not lung or air."""
        return self.body & (self.hu > TISSUE_HU)

    @cached_property
    def centre_x(self) -> float:
        """Index along x of the middle of the lungs' outer borders: heart and liver do not move it."""
        profile = np.flatnonzero(self.lungs.any(axis=(0, 1)))
        return 0.5 * float(profile[0] + profile[-1]) if profile.size else 0.5 * (self.hu.shape[2] - 1)

    def interior(self, mask: BoolArray, layers: int = 1) -> BoolArray:
        """The mask without its outermost layers in the plane."""
        return ndimage.binary_erosion(mask, PLANE, iterations=layers)


def coarse_view(volume: CTVolume, config: QualityConfig) -> CoarseView:
    """Block means of the volume and its body and lungs."""
    spacing = volume.geometry.spacing_mm
    nz, ny, nx = (max(1, min(n, round(config.coarse_mm / s))) for s, n in zip(spacing, volume.hu.shape, strict=True))
    steps = (nz, ny, nx)
    hu, valid = _blocks(volume.hu, volume.valid, steps)
    geometry = Geometry((hu.shape[0], hu.shape[1], hu.shape[2]), (spacing[0] * nz, spacing[1] * ny, spacing[2] * nx))
    body = _body(hu, valid)
    return CoarseView(hu, valid, geometry, steps, body, _lungs(hu, valid, body, geometry, config))


def commonest(
    values: Float32Array | Float64Array | Int16Array, low: float, high: float, bin_hu: float, share: float = 1.0
) -> float | None:
    """The density at which a smoothed histogram between two bounds is highest; None for fewer than 30 values.

    With ``share`` below 1 the lowest density that has a peak of at least that share of the highest one.
    """
    inside = values[(values >= low) & (values < high)]
    if inside.size < FEWEST:
        return None
    bins = max(3, round((high - low) / bin_hu))
    counts, edges = np.histogram(inside, bins=bins, range=(low, high))
    smooth = ndimage.gaussian_filter1d(counts.astype(np.float64), 1.5, mode="nearest")
    inner = smooth[1:-1]
    peaks = np.flatnonzero((inner >= smooth[:-2]) & (inner >= smooth[2:]) & (inner >= share * smooth.max())) + 1
    best = int(peaks[0]) if peaks.size else 0
    if best in (0, bins - 1):
        # Highest at a bound: the flank of a neighbour, no peak of its own.
        return None
    return float(0.5 * (edges[best] + edges[best + 1]))


def _blocks(hu: Int16Array, valid: BoolArray | None, steps: tuple[int, int, int]) -> tuple[Float32Array, BoolArray]:
    """Means of blocks of one slice in ``steps[0]``, slice by slice so that little memory is needed."""
    nz, ny, nx = steps
    rows, columns = hu.shape[1] // ny, hu.shape[2] // nx
    planes = range(nz // 2, hu.shape[0], nz)
    out = np.empty((len(planes), rows, columns), dtype=np.float32)
    scanned = np.ones(out.shape, dtype=bool)
    for k, z in enumerate(planes):
        lines = np.zeros((rows, columns * nx), dtype=np.int32)
        for j in range(ny):
            lines += hu[z, j : rows * ny : ny, : columns * nx]
        out[k] = sum(lines[:, i::nx] for i in range(nx)) / np.float32(ny * nx)
        if valid is not None:
            for j in {0, ny - 1}:
                for i in {0, nx - 1}:
                    scanned[k] &= valid[z, j : rows * ny : ny, i : columns * nx : nx]
    out[~scanned] = AIR_HU
    return out, scanned


def _body(hu: Float32Array, valid: BoolArray) -> BoolArray:
    """The largest piece of tissue and what it encloses in the slice."""
    core = ndimage.binary_erosion(valid & (hu > TISSUE_HU), PLANE)
    labels, n = components(core, connectivity=6)
    if n == 0:
        return np.zeros(hu.shape, dtype=bool)
    tissue = ndimage.binary_dilation(labels == 1, PLANE) & (hu > TISSUE_HU)
    # A lung that the field cuts at its side is open there: what has tissue before and behind it belongs to the body.
    between = np.maximum.accumulate(tissue, axis=1) & np.maximum.accumulate(tissue[:, ::-1], axis=1)[:, ::-1]
    filled = np.empty_like(tissue)
    for z in range(hu.shape[0]):
        filled[z] = ndimage.binary_fill_holes(tissue[z])
    return filled | (between & (hu > ROOM_AIR_HU) & valid)


def _lungs(hu: Float32Array, valid: BoolArray, body: BoolArray, geometry: Geometry, config: QualityConfig) -> BoolArray:
    """Large air spaces in the body with the density of lung rather than of gas."""
    air = ndimage.binary_opening(body & valid & (hu < TISSUE_HU), PLANE)
    labels, n = components(air, connectivity=6)
    lungs = np.zeros(hu.shape, dtype=bool)
    for label in range(1, n + 1):
        piece = labels == label
        if np.count_nonzero(piece) * geometry.voxel_ml < config.smallest_lung_ml:
            break
        # Gas in bowel, stomach or skull has -1000 HU inside.
        inside = ndimage.binary_erosion(piece, PLANE)
        density = float(np.median(hu[inside if inside.any() else piece]))
        if density > config.gas_hu:
            lungs |= piece
    return lungs
