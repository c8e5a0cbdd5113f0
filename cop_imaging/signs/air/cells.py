"""Small air spaces closed by thin dense walls: the cells that honeycombing is made of, found by rays."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cop_imaging.core.arrays import AnyArray, BoolArray, Float64Array, Int64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import resample, share_of, smoothed
from cop_imaging.core.scene import Scene
from cop_imaging.signs.shapes.rings import sphere_directions

__all__ = ["AirCells", "air_cells", "clusters_of", "union_of_balls"]

RAYS = 32
STEP_MM = 0.5
BEYOND_MM = 4.0
"""How far a ray is followed beyond the largest radius, through the wall."""
CORE_STEPS = 3
"""Samples at the centre over which the air is averaged."""
WALL_STEPS = 7
"""Samples from the wall's inner border in which its densest point lies."""
AT_ONCE = 2000
"""Centres whose rays are followed at once: about 60 MB."""
NEAR_MM = 4.0
"""SD of the average in which walls must be near for a place to be looked at."""
NEAR_GRID_MM = 2.0
TISSUE_HU = 40.0
NEIGHBOURS_MM = 3.0
"""Side of the cube in which a cell's centre is the darkest voxel."""


@dataclass(frozen=True, slots=True, eq=False)
class AirCells:
    """Air spaces with their walls, one row each."""

    centre: Int64Array
    """int64 (n, 3) index z, y, x on the scene's crop."""
    radius_mm: Float64Array
    """Median over the rays of where the wall begins."""
    wall_mm: Float64Array
    """Median thickness of the walls that end again, as the tissue in them; NaN where none does."""
    core_hu: Float64Array
    """Density of the air, with what the blur brings in."""
    coverage: Float64Array
    """Share of the rays that meet a wall."""

    def __len__(self) -> int:
        return len(self.centre)

    def where(self, chosen: BoolArray | Int64Array) -> AirCells:
        """The chosen rows."""
        return AirCells(*(getattr(self, f.name)[chosen] for f in fields(self)))


def air_cells(
    scene: Scene,
    *,
    deepest_mm: float,
    air_hu: float,
    wall_hu: float,
    wall_share: float,
    radius_mm: tuple[float, float],
    coverage: float,
) -> AirCells:
    """Places darker than ``air_hu`` that rays leave through a wall in nearly every direction.

    Parameters
    ----------
    deepest_mm : float
        Depth below the costal pleura down to which cells are looked for.
    wall_hu : float
        Density that the median ray must reach in its wall.
    wall_share : float
        Part of a place's surroundings that must be denser than that for it to be looked at.
    radius_mm : (low, high)
        Permitted radius.
    coverage : float
        Share of the rays that must meet a wall.
    """
    centres = _candidates(scene, deepest_mm, air_hu, wall_hu, wall_share)
    parts = [
        _measured(scene, centres[k : k + AT_ONCE], air_hu, wall_hu, radius_mm, coverage)
        for k in range(0, len(centres), AT_ONCE)
    ]
    if not parts:
        return AirCells(np.zeros((0, 3), dtype=np.int64), *(np.zeros(0) for _ in range(4)))
    cells = AirCells(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(AirCells)))
    return cells.where(_darkest(cells, scene.geometry))


def clusters_of(cells: AirCells, geometry: Geometry, gap_mm: float) -> tuple[Int64Array, Int64Array]:
    """Number of the cluster of each cell, and its neighbours, both (n,).

    Cells are neighbours when no more than ``gap_mm`` lies between them.
    """
    n = len(cells)
    if n == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    points = cells.centre * np.array(geometry.spacing_mm)
    pairs = cKDTree(points).query_pairs(2.0 * float(cells.radius_mm.max()) + gap_mm, output_type="ndarray")
    apart = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    pairs = pairs[apart <= cells.radius_mm[pairs].sum(axis=1) + gap_mm]
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    labels: Int64Array = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels, np.bincount(pairs.ravel(), minlength=n).astype(np.int64)


def union_of_balls(
    shape: tuple[int, int, int], geometry: Geometry, centres: Int64Array, radius_mm: Float64Array
) -> BoolArray:
    """Voxels within its radius of any centre, bool [z, y, x]; radii are taken in steps of 0.5 mm."""
    out = np.zeros(shape, dtype=bool)
    spacing = np.array(geometry.spacing_mm)
    rounded = np.round(radius_mm / STEP_MM) * STEP_MM
    for radius in np.unique(rounded):
        reach = np.floor(radius / spacing).astype(int)
        offsets = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 3)
        offsets = offsets[((offsets * spacing) ** 2).sum(axis=1) <= radius**2]
        points = (centres[rounded == radius][:, None, :] + offsets[None]).reshape(-1, 3)
        points = points[((points >= 0) & (points < shape)).all(axis=1)]
        out[points[:, 0], points[:, 1], points[:, 2]] = True
    return out


def _candidates(scene: Scene, deepest_mm: float, air_hu: float, wall_hu: float, wall_share: float) -> Int64Array:
    """Darkest voxels of their surroundings, below ``air_hu`` and with walls near, (n, 3)."""
    geometry, smooth = scene.geometry, scene.smooth_hu
    work = geometry.resampled((NEAR_GRID_MM,) * 3)
    dense = share_of(smooth > wall_hu, geometry, work)
    near = smoothed(dense, work, NEAR_MM) > wall_share
    air = share_of(smooth < air_hu, geometry, work)
    shallow = resample(scene.depth_mm, geometry, work, method="nearest") <= deepest_mm
    inside = resample(scene.lungs > 0, geometry, work, method="nearest")
    places = np.argwhere(near & (air > 0.0) & shallow & inside)
    if places.size == 0:
        return np.zeros((0, 3), dtype=np.int64)
    # Only the box around such places is searched at the scan's own resolution.
    ends = geometry.to_index(work.to_patient(np.stack([places.min(axis=0), places.max(axis=0)]).astype(np.float64)))
    low = np.maximum(np.floor(ends[0]).astype(int) - 2, 0)
    box = tuple(slice(int(a), int(b) + 3) for a, b in zip(low, np.ceil(ends[1]), strict=True))
    here = resample(near, work, geometry.crop(box), method="nearest")  # type: ignore[arg-type]
    here &= (smooth[box] < air_hu) & (scene.lungs[box] > 0) & (scene.depth_mm[box] <= deepest_mm)
    here &= ~scene.airways[box]
    size = [max(3, round(NEIGHBOURS_MM / s) | 1) for s in geometry.spacing_mm]
    at = np.stack(np.unravel_index(np.flatnonzero(here), here.shape), axis=1)
    out: Int64Array = _darkest_around(smooth[box], at, size) + low
    return out


def _darkest_around(values: AnyArray, at: Int64Array, size: list[int]) -> Int64Array:
    """Those of the voxels (n, 3) that are as dark as any in a window of that size around them."""
    offsets = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in size), indexing="ij"), axis=-1).reshape(-1, 3)
    last = np.array(values.shape) - 1
    # The nearest first: each leaves fewer to be compared with the next.
    for offset in offsets[np.argsort(np.abs(offsets).sum(axis=1), kind="stable")]:
        beside = np.clip(at + offset, 0, last)
        at = at[values[tuple(at.T)] <= values[tuple(beside.T)]]
    return at


def _measured(
    scene: Scene,
    centres: Int64Array,
    air_hu: float,
    wall_hu: float,
    radius_mm: tuple[float, float],
    coverage: float,
) -> AirCells:
    """The centres that are cells, measured by rays."""
    steps = np.arange(0.0, radius_mm[1] + BEYOND_MM, STEP_MM)
    values = _rays(scene, centres, steps)
    n = np.arange(steps.size)
    core = values[:, :, :CORE_STEPS].mean(axis=(1, 2))
    # The wall begins halfway between the air and the densest point of the ray's way into it.
    rise = values > (core + 0.5 * (wall_hu - core))[:, None, None]
    start = rise.argmax(axis=2)
    in_wall = (n >= start[..., None]) & (n < start[..., None] + WALL_STEPS)
    peak = np.where(in_wall, values, -2000.0).max(axis=2)
    met = rise.any(axis=2) & (steps[start] <= radius_mm[1]) & (peak > wall_hu)
    begin = (values > 0.5 * (core[:, None] + peak)[..., None]).argmax(axis=2)
    radius = _median(steps[begin], met)
    wall = _wall_mm(values, core, begin, met, rise)
    covered = met.mean(axis=1)
    good = (covered >= coverage) & (core < air_hu)
    with np.errstate(invalid="ignore"):
        good &= (radius >= radius_mm[0]) & (radius <= radius_mm[1])
    return AirCells(centres[good], radius[good], wall[good], core[good].astype(np.float64), covered[good])


def _rays(scene: Scene, centres: Int64Array, steps: Float64Array) -> AnyArray:
    """Smoothed HU along rays from each centre, float32 (n, rays, steps)."""
    spacing = np.array(scene.geometry.spacing_mm)
    way = np.rint(sphere_directions(RAYS)[:, None, :] / spacing * steps[None, :, None]).astype(np.int32)
    z, y, x = (
        np.clip(centres[:, None, None, axis].astype(np.int32) + way[None, ..., axis], 0, scene.lungs.shape[axis] - 1)
        for axis in range(3)
    )
    values: AnyArray = scene.smooth_hu[z, y, x].astype(np.float32)
    return values


def _wall_mm(values: AnyArray, core: AnyArray, begin: Int64Array, met: BoolArray, rise: BoolArray) -> Float64Array:
    """Median thickness of the walls behind which it is dark again: the tissue in them, which no blur takes away."""
    n = np.arange(values.shape[2])
    behind = (n > begin[..., None]) & ~rise
    ends = np.where(behind.any(axis=2), behind.argmax(axis=2), values.shape[2])
    thin = met & (ends < values.shape[2])
    lower = begin[..., None] - int(1.5 / STEP_MM)
    across = (n >= lower) & (n <= ends[..., None])
    share = np.clip((values - core[:, None, None]) / (TISSUE_HU - core)[:, None, None], 0.0, 1.0)
    return _median(STEP_MM * np.where(across, share, 0.0).sum(axis=2), thin)


def _median(values: AnyArray, where: BoolArray) -> Float64Array:
    """Median over the chosen values of each row; NaN where there are none."""
    out = np.full(len(values), np.nan)
    some = where.any(axis=1)
    if some.any():
        out[some] = np.nanmedian(np.where(where[some], values[some], np.nan), axis=1)
    return out


def _darkest(cells: AirCells, geometry: Geometry) -> BoolArray:
    """Which cells hold no darker centre of another within their own radius: each air space is counted once."""
    keep = np.ones(len(cells), dtype=bool)
    if len(cells) < 2:
        return keep
    points = cells.centre * np.array(geometry.spacing_mm)
    pairs = cKDTree(points).query_pairs(float(cells.radius_mm.max()), output_type="ndarray")
    apart = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    pairs = pairs[apart <= cells.radius_mm[pairs].max(axis=1)]
    rank = np.argsort(np.argsort(cells.core_hu, kind="stable"), kind="stable")
    first_darker = rank[pairs[:, 0]] < rank[pairs[:, 1]]
    keep[np.where(first_darker, pairs[:, 1], pairs[:, 0])] = False
    return keep
