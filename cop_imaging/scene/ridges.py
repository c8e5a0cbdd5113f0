"""Lines and sheets of the lungs by the curvature of the image at two scales.

What lies outside the lungs is first replaced by nearby lung, so that the pleura is no edge.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, Float64Array, UInt8Array
from cop_imaging.core.curvature import eigenvalues, eigenvectors, gradient_at, hessian_at
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import resample, smoothed
from cop_imaging.core.ridges import Ridges, Sheets
from cop_imaging.core.scene import Scene
from cop_imaging.core.threads import on_threads

__all__ = ["ridges_of"]

Voxels = NDArray[np.int64]

GRID_MM = 1.2
LUNG_HU = (-1024.0, 150.0)
FILL_MM, LEAST_FILL, FAR_HU = 2.5, 0.02, -800.0
PLEURA_MM = 2.5
"""Partial-volume shell of the pleura."""
FINE_MM, SHEET_MM = 1.0, 1.5
"""SD of the blur at which lines, and sheets of 2-6 mm, answer."""
LEAST_HU, MOST_TUBE, OFF_MIDDLE = 90.0, 0.5, 0.625
"""Scale-normalised curvature of a sheet; second curvature over the first; distance of a voxel from the middle in
voxels: a little over a half, so that every place of a sheet has a point."""
REACH_MM, STEP_MM = 6.0, 0.6
BREADTH_MM, DIRECTIONS, BEND_MM = 4.0, 8, 1.0
FLANK_MM = 1.5
"""How far beyond its half width a sheet must still have the same lung on both sides."""
AT_ONCE = 1 << 16
"""Voxels whose derivatives are looked at at once."""
ROUNDING = 1e-5
"""What single precision may take off a norm, as a share."""


def ridges_of(scene: Scene) -> Ridges:
    """Lines and sheets of a scene."""
    spacing = scene.geometry.spacing_mm
    grid = scene.geometry.resampled((max(spacing[0], GRID_MM), max(spacing[1], GRID_MM), max(spacing[2], GRID_MM)))
    lungs = resample(scene.lungs, scene.geometry, grid, method="nearest")
    inner = lungs > 0
    inner[[0, -1]] = False
    inner[:, [0, -1]] = False
    inner[:, :, [0, -1]] = False
    voxels = np.flatnonzero(inner)
    raw = resample(scene.hu, scene.geometry, grid, antialias=True)
    fine = smoothed(inward(raw, lungs > 0, grid), grid, FINE_MM)

    def strength(some: Voxels) -> Float64Array:
        return np.maximum(-eigenvalues(hessian_at(fine, some, grid.spacing_mm))[0], 0.0) * FINE_MM**2

    line = np.zeros(grid.shape, dtype=np.float32)
    line.ravel()[voxels] = np.concatenate(on_threads(strength, pieces(voxels)))
    smooth = resample(scene.smooth_hu, scene.geometry, grid)
    deep = resample(scene.depth_mm, scene.geometry, grid) > PLEURA_MM
    return Ridges(grid, fine, line, (lungs > 0) & deep, smooth, sheets_in(smooth, lungs, voxels, grid))


def inward(hu: AnyArray, inside: BoolArray, grid: Geometry) -> Float32Array:
    """Density, float32, with nearby lung in place of what lies outside the lungs."""
    held = np.clip(hu, *LUNG_HU).astype(np.float32)
    weight = smoothed(inside.astype(np.float32), grid, FILL_MM)
    total = smoothed(np.where(inside, held, np.float32(0.0)), grid, FILL_MM)
    near = np.where(weight > LEAST_FILL, total / np.maximum(weight, LEAST_FILL), np.float32(FAR_HU))
    out: Float32Array = np.where(inside, held, near).astype(np.float32)
    return out


def sheets_in(smooth_hu: AnyArray, lungs: UInt8Array, voxels: Voxels, grid: Geometry) -> Sheets:
    """Points on the middle of bright sheets that have the same lung on both sides."""
    filled = inward(smooth_hu, lungs > 0, grid)
    image = smoothed(filled, grid, SHEET_MM)

    def middles(some: Voxels) -> tuple[Voxels, Float64Array, Float64Array]:
        hessian = hessian_at(image, some, grid.spacing_mm)
        # No curvature exceeds the norm of them all, and most of the lung is flat.
        square = sum(h**2 for h in hessian[:3]) + 2.0 * sum(h**2 for h in hessian[3:])
        steep = square > (LEAST_HU / SHEET_MM**2) ** 2 * (1.0 - ROUNDING)
        some, hessian = some[steep], [h[steep] for h in hessian]
        low, middle, _ = eigenvalues(hessian)
        kept = (-low * SHEET_MM**2 > LEAST_HU) & (middle > MOST_TUBE * low)
        some, low = some[kept], low[kept]
        normal = eigenvectors([h[kept] for h in hessian], low)
        off = -(gradient_at(image, some, grid.spacing_mm) * normal).sum(axis=1) / low
        kept = np.abs(off) < OFF_MIDDLE * np.linalg.norm(normal * np.array(grid.spacing_mm), axis=1)
        return some[kept], normal[kept], off[kept]

    found = zip(*on_threads(middles, pieces(voxels)), strict=True)
    voxels, normal, off = (np.concatenate(part) for part in found)
    at = np.stack(np.unravel_index(voxels, grid.shape), axis=1) * np.array(grid.spacing_mm) + off[:, None] * normal
    peak, dense, dark, thickness = across(filled, at, normal, grid)
    beyond = (thickness / 2.0 + FLANK_MM)[:, None] * normal
    own = lungs.ravel()[voxels]
    bedded = np.ones(len(voxels), dtype=bool)
    for side in (at - beyond, at + beyond):
        bedded &= _sampled(lungs, side, grid, order=0) == own
    nothing = np.zeros_like(peak)
    sheets = Sheets(voxels, at, normal, peak, (peak - dense).astype(np.float32), dark, thickness, nothing).where(bedded)
    half = ((peak + dense) / 2.0)[bedded]
    return replace(sheets, breadth=along(filled, sheets.position_mm, sheets.normal, half, grid))


def pieces(voxels: Voxels) -> list[Voxels]:
    """The voxels in pieces whose derivatives fit into the cache; one at least."""
    return np.array_split(voxels, max(1, len(voxels) // AT_ONCE))


def across(
    image: Float32Array, at: Float64Array, normal: Float64Array, grid: Geometry
) -> tuple[Float32Array, Float32Array, Float32Array, Float32Array]:
    """Density of the middle, of the denser flank, typical density of the darker flank, and full width at half contrast.

    A flank is the darkest place within 6 mm; typical is its outer half's median.
    """
    steps = np.arange(-REACH_MM, REACH_MM + 1e-6, STEP_MM)
    profile = _sampled(image, at[:, None, :] + steps[None, :, None] * normal[:, None, :], grid)
    k = len(steps) // 2
    peak = profile[:, k - 1 : k + 2].max(axis=1)
    sides = (profile[:, k::-1], profile[:, k:])
    dense = np.maximum(sides[0].min(axis=1), sides[1].min(axis=1))
    dark = np.minimum(*(np.median(side[:, k // 2 :], axis=1) for side in sides))
    half = (peak + dense) / 2.0
    width = np.zeros(len(at), dtype=np.float32)
    for side in sides:
        above = side > half[:, None]
        width += np.where(above.all(axis=1), k + 1, np.argmin(above, axis=1)).astype(np.float32)
    return peak, dense, dark.astype(np.float32), ((width - 1.0) * np.float32(STEP_MM)).astype(np.float32)


def along(
    image: Float32Array, at: Float64Array, normal: Float64Array, half: Float32Array, grid: Geometry
) -> Float32Array:
    """Share of the directions in the sheet's plane in which it goes on for 4 mm above half its contrast."""
    other = np.where(np.abs(normal[:, :1]) < 0.8, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    u = np.cross(normal, other)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    v = np.cross(normal, u)
    turn = 2.0 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    ways = np.cos(turn)[None, :, None] * u[:, None, :] + np.sin(turn)[None, :, None] * v[:, None, :]
    best = np.full((len(at), DIRECTIONS), -np.inf)
    for bend in (-BEND_MM, 0.0, BEND_MM):
        there = (at + bend * normal)[:, None, :] + BREADTH_MM * ways
        np.maximum(best, _sampled(image, there, grid), out=best)
    out: Float32Array = (best > half[:, None]).mean(axis=1).astype(np.float32)
    return out


def _sampled(image: AnyArray, at_mm: Float64Array, grid: Geometry, order: Literal[0, 1] = 1) -> Float32Array:
    """Values at places (..., 3) in mm from the first voxel."""
    places = np.moveaxis(at_mm / np.array(grid.spacing_mm), -1, 0)
    out: Float32Array = np.empty(places.shape[1:], dtype=np.float32)
    ndimage.map_coordinates(image, places, output=out, order=order, mode="nearest")
    return out
