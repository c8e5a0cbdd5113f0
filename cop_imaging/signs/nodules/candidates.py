"""Bright blobs in the lungs, and how round they are: what nodules are chosen from.

A nodule ends at about the same distance in every direction. A vessel does not end along its course: from a point on
it, or on a branching, some rays run on inside. That, and not brightness, tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import product
from typing import Self

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, Float64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import distance_to, resample
from cop_imaging.core.scene import Scene
from cop_imaging.core.separable import blurred
from cop_imaging.signs.shapes.rings import sphere_directions

__all__ = ["Blobs", "blobs", "peaks", "profiles", "without_doubles"]

GRID_MM = 1.0
COARSE_FROM_MM = 2.0
"""Scale from which a grid of twice the spacing is fine enough."""
AIR_HU, TISSUE_HU = -1000.0, 100.0
LEAST_ROUNDNESS = 0.35
"""Weakest over strongest curvature: 1 a ball, 0 a tube or plate. Less is not looked at further."""
RAYS, STEP_MM, REACH_MM = 96, 0.5, 9.0
FAR = 1.5
"""A ray runs on when it ends beyond this many median radii."""
TOGETHER = 256
"""Blobs whose rays are followed at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Blobs:
    """Bright blobs, one row each."""

    point_mm: Float64Array
    """LPS (x, y, z), (n, 3)."""
    strength_hu: Float64Array
    """Scale-normalised Laplacian at the best scale."""
    roundness: Float64Array
    """Weakest over strongest curvature at that scale."""
    radius_mm: Float64Array
    """Median distance at which density has fallen to half."""
    spread: Float64Array
    """Upper over lower quartile of that distance: 1 for a ball, 1.5 for a straight tube."""
    open_share: Float64Array
    """Share of directions in which it runs on beyond 1.5 median radii: 0.25 for a straight tube."""
    peak_hu: Float64Array
    base_hu: Float64Array
    """Density around it."""
    surface_mm: Float64Array
    """Distance from the nearest surface of the lung."""

    def __len__(self) -> int:
        return len(self.strength_hu)

    @property
    def contrast_hu(self) -> Float64Array:
        """How much denser than its surroundings."""
        return self.peak_hu - self.base_hu

    def chosen(self, rows: AnyArray) -> Self:
        """The blobs of these rows, by index or by mask."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def blobs(
    scene: Scene, scales_mm: tuple[float, ...], least_hu: float, *, least_roundness: float, least_surface_mm: float
) -> Blobs:
    """Blobs of the lungs with a strength of at least ``least_hu``, strongest first, each once per scale.

    Parameters
    ----------
    scales_mm : tuple of float
        SD of the Gaussians of the Laplacian; a ball of radius r answers most strongly at r / sqrt(3).
    least_roundness, least_surface_mm : float
        What is less round, or nearer to the surface of the lung, is not followed by rays and left out.

    Source
    ------
    Lindeberg T. Feature detection with automatic scale selection. Int J Comput Vis 1998;30:79.
    """
    fine = scene.geometry.resampled((GRID_MM,) * 3)
    coarse = fine.resampled((2.0 * GRID_MM,) * 3)
    density = scene.smooth_hu.astype(np.float32)
    np.clip(density, AIR_HU, TISSUE_HU, out=density)
    # What lies outside looks like aerated lung: a nodule on the pleura keeps its inner half, the pleura is no ridge.
    np.copyto(density, np.float32(scene.aerated_mode_hu), where=scene.lungs == 0)
    density = resample(density, scene.geometry, fine)
    inside = resample(scene.lungs, scene.geometry, fine, method="nearest") > 0
    inside_coarse = resample(inside, fine, coarse, method="nearest")
    grids = {False: (density, inside, fine)}
    if max(scales_mm) >= COARSE_FROM_MM:
        grids[True] = (resample(density, fine, coarse, antialias=True), inside_coarse, coarse)
    found = [peaks(*grids[scale >= COARSE_FROM_MM], scale, least_hu) for scale in scales_mm]
    point = np.concatenate([p for p, _, _ in found])
    strength, roundness = (np.concatenate([f[k] for f in found]) for k in (1, 2))
    # The distance runs to the middle of the first voxel outside; the surface lies half a voxel before it.
    surface = distance_to(~inside_coarse, coarse) - np.float32(GRID_MM)
    at = coarse.to_index(point).T
    surface_mm = np.maximum(ndimage.map_coordinates(surface, at, order=1, mode="nearest", output=np.float64), 0.0)
    order = np.argsort(-strength, kind="stable")
    order = order[((roundness >= least_roundness) & (surface_mm >= least_surface_mm))[order]]
    point, strength, roundness, surface_mm = point[order], strength[order], roundness[order], surface_mm[order]
    radius, spread, open_share, peak, base = profiles(density, fine, point)
    return Blobs(point, strength, roundness, radius, spread, open_share, peak, base, surface_mm)


def peaks(
    density: Float32Array, inside: BoolArray, grid: Geometry, scale_mm: float, least_hu: float
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Peaks of the negative Laplacian at one scale: points (n, 3) in mm, strength in HU, and roundness."""
    step = grid.spacing_mm[0]
    smooth = blurred(density, [scale_mm / step] * 3)
    unit = np.float32((scale_mm / step) ** 2)
    middle = (slice(1, -1),) * 3
    ridge = np.zeros_like(smooth)
    inner = ridge[middle]
    np.multiply(smooth[middle], np.float32(6.0), out=inner)
    for axis in range(3):
        for side in (slice(2, None), slice(None, -2)):
            inner -= smooth[tuple(side if k == axis else slice(1, -1) for k in range(3))]
    inner *= unit
    at = _highest(ridge, (ridge > least_hu) & inside)
    curvature = np.linalg.eigvalsh(_hessian(smooth, at)) * unit
    # Ascending: the strongest comes first, the weakest last.
    roundness = curvature[:, 2] / np.minimum(curvature[:, 0], -1e-6)
    keep = roundness > LEAST_ROUNDNESS
    at = at[keep]
    return grid.to_patient(at), ridge[tuple(at.T)].astype(np.float64), roundness[keep]


def _highest(values: Float32Array, where: BoolArray) -> AnyArray:
    """Index (n, 3) of the voxels of ``where``, none of which lies on the border, that no neighbour exceeds."""
    flat, row = values.ravel(), values.shape[2]
    kept = np.flatnonzero(where)
    for offset in product((-1, 0, 1), repeat=3):
        # Each neighbour leaves fewer to be compared with the next.
        away = (offset[0] * values.shape[1] + offset[1]) * row + offset[2]
        kept = kept[flat[kept] >= flat[kept + away]]
    return np.stack(np.unravel_index(kept, values.shape), axis=1)


def _hessian(smooth: Float32Array, at: AnyArray) -> Float64Array:
    """Second differences at the voxels ``at`` (n, 3), none of which lies on the border; (n, 3, 3)."""
    unit = np.eye(3, dtype=np.int64)

    def value(offset: AnyArray) -> Float64Array:
        out: Float64Array = smooth[tuple((at + offset).T)].astype(np.float64)
        return out

    out = np.empty((len(at), 3, 3))
    centre = value(0 * unit[0])
    for i in range(3):
        out[:, i, i] = value(unit[i]) + value(-unit[i]) - 2.0 * centre
        for j in range(i):
            plus, minus = unit[i] + unit[j], unit[i] - unit[j]
            out[:, i, j] = out[:, j, i] = 0.25 * (value(plus) + value(-plus) - value(minus) - value(-minus))
    return out


def profiles(density: Float32Array, grid: Geometry, point_mm: Float64Array) -> tuple[Float64Array, ...]:
    """Radius, spread, open share, density at the middle and around, from rays through ``density``; each (n,)."""
    directions = sphere_directions(RAYS)
    step = np.arange(0.0, REACH_MM + 1e-6, STEP_MM)
    offset = directions[:, None, :] * step[:, None] / np.array(grid.spacing_mm)
    start = grid.to_index(point_mm)
    rows = []
    for k in range(0, len(start), TOGETHER):
        at = start[k : k + TOGETHER, None, None, :] + offset
        values = ndimage.map_coordinates(density, at.reshape(-1, 3).T, order=1, mode="nearest", output=np.float32)
        rows.append(_profile(values.reshape(at.shape[:-1])))
    columns = np.concatenate(rows) if rows else np.empty((0, 5))
    return tuple(columns.T)


def _profile(values: Float32Array) -> Float64Array:
    """The five numbers of ``profiles`` from densities (n, rays, steps); (n, 5)."""
    peak = values[:, :, :2].mean(axis=(1, 2))
    base = np.median(values.min(axis=2), axis=1)
    half = (0.5 * (peak + base))[:, None]
    below = values < half[:, :, None]
    last = np.maximum(below.argmax(axis=2), 1)
    outer = np.take_along_axis(values, last[..., None], axis=2)[..., 0]
    inner = np.take_along_axis(values, last[..., None] - 1, axis=2)[..., 0]
    part = np.clip((inner - half) / np.maximum(inner - outer, 1e-3), 0.0, 1.0)
    length = np.where(below.any(axis=2), (last - 1 + part) * STEP_MM, REACH_MM)
    lower, median, upper = np.percentile(length, [25, 50, 75], axis=1)
    median = np.maximum(median, 1e-3)
    far = (length > FAR * median[:, None]).mean(axis=1)
    return np.stack([median, upper / np.maximum(lower, 1e-3), far, peak, base], axis=1).astype(np.float64)


def without_doubles(found: Blobs, least_apart_mm: float) -> Blobs:
    """One blob per place: those inside an earlier (stronger) one, or nearer to it than that, are left out."""
    if len(found) == 0:
        return found
    tree = cKDTree(found.point_mm)
    reach = np.maximum(1.2 * found.radius_mm, least_apart_mm)
    free = np.ones(len(found), dtype=bool)
    kept = []
    for row, near in enumerate(tree.query_ball_point(found.point_mm, reach)):
        if free[row]:
            kept.append(row)
            free[near] = False
    return found.chosen(np.array(kept))
