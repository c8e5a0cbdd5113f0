"""Planes across the airways' centre lines, and the scan along rays in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.core.airway_tree import AirwayTree
from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, Float64Array
from cop_imaging.core.geometry import Geometry

__all__ = ["RAYS", "STEP_MM", "Planes", "angles", "centred", "courses", "crossing_mm", "inside"]

RAYS = 32
STEP_MM = 0.4
"""Between samples on a ray."""
WALL_WITHIN_MM = 2.5
"""How much farther than expected the wall is looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Planes by a point and two unit vectors in them, each (n, 3) as (x, y, z)."""

    centre_mm: Float64Array
    first: Float64Array
    second: Float64Array

    @classmethod
    def across(cls, centre_mm: Float64Array, along: Float64Array) -> Planes:
        """Planes through points whose normals are ``along``."""
        least = np.eye(3)[np.argmin(np.abs(along), axis=1)]
        first = np.cross(along, least)
        first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
        return cls(centre_mm, first, np.cross(along, first))

    @property
    def rays(self) -> Float64Array:
        """Directions of the rays, (n, RAYS, 3)."""
        angle = angles()[None, :, None]
        out: Float64Array = np.cos(angle) * self.first[:, None] + np.sin(angle) * self.second[:, None]
        return out

    def moved(self, off_mm: Float64Array) -> Planes:
        """The planes with their points moved by (n, 2) along the two vectors."""
        centre = self.centre_mm + off_mm[:, :1] * self.first + off_mm[:, 1:] * self.second
        return Planes(centre, self.first, self.second)

    def sampled(self, image: AnyArray, geometry: Geometry, reach_mm: float) -> Float32Array:
        """Values along the rays every ``STEP_MM`` from the point on, linear, float32 (n, RAYS, m)."""
        distance = np.arange(0.0, reach_mm, STEP_MM, dtype=np.float32)
        centre = geometry.to_index(self.centre_mm).astype(np.float32)
        rays = (self.rays @ np.linalg.inv(geometry.matrix).T).astype(np.float32)
        at = centre.T[:, :, None, None] + rays.transpose(2, 0, 1)[..., None] * distance
        out: Float32Array = ndimage.map_coordinates(image, at, order=1, mode="nearest", output=np.float32)
        return out

    def upwards(self) -> Float64Array:
        """Mean over the rays of the square of their part along z, (n,)."""
        out: Float64Array = (self.rays[..., 2] ** 2).mean(axis=1)
        return out


def angles() -> Float64Array:
    """Angles of the rays in their plane, (RAYS,)."""
    out: Float64Array = 2.0 * np.pi * np.arange(RAYS) / RAYS
    return out


def courses(tree: AirwayTree) -> Float64Array:
    """Direction of the centre line at each of the tree's points, unit vectors (x, y, z), (n, 3)."""
    row = np.arange(len(tree.before))
    before = np.where(tree.before >= 0, tree.before, row)
    after = np.minimum(row + 1, row[-1])
    after = np.where(tree.branch[after] == tree.branch, after, row)
    even = 0.25 * tree.points_mm[before] + 0.5 * tree.points_mm + 0.25 * tree.points_mm[after]
    way = even[after] - even[before]
    out: Float64Array = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
    return out


def inside(geometry: Geometry, points_mm: Float64Array, margin_mm: float) -> BoolArray:
    """Which points (n, 3) lie in the grid, that far from its border."""
    index = geometry.to_index(points_mm)
    margin = margin_mm / np.array(geometry.spacing_mm)
    index -= margin
    within = (index >= 0.0) & (index <= np.array(geometry.shape) - 1 - 2.0 * margin)
    out: BoolArray = np.logical_and.reduce(within, axis=1)
    return out


def crossing_mm(profiles: AnyArray, level: AnyArray) -> Float64Array:
    """Distance at which each profile (n, m) first rises above its level (n,); infinite where it does not."""
    above = profiles > level[:, None]
    k = above.argmax(axis=1)
    row = np.arange(len(profiles))
    before = np.maximum(k - 1, 0)
    low, high = profiles[row, before], profiles[row, k]
    part = np.where(k > 0, (level - low) / np.maximum(high - low, 1e-6), 0.0)
    out: Float64Array = np.where(above.any(axis=1), (before + part) * STEP_MM, np.inf)
    return out


def centred(planes: Planes, image: AnyArray, geometry: Geometry, radius_mm: Float64Array) -> Planes:
    """The planes with their points in the middle of the lumen, by the first harmonic of the distance of its wall."""
    for _ in range(2):
        values = planes.sampled(image, geometry, float(radius_mm.max()) + WALL_WITHIN_MM)
        planes = planes.moved(_off_centre_mm(values, radius_mm))
    return planes


def _off_centre_mm(values: Float32Array, radius_mm: Float64Array) -> Float64Array:
    n, rays, m = values.shape
    reach = np.arange(m)[None] * STEP_MM <= (radius_mm + WALL_WITHIN_MM)[:, None]
    seen = np.where(reach[:, None], values, np.float32(-3000.0))
    air = values[:, :, :2].mean(axis=(1, 2))
    wall = np.maximum(np.median(seen.max(axis=2), axis=1), air + 50.0)
    met = crossing_mm(seen.reshape(-1, m), np.repeat(0.5 * (air + wall), rays)).reshape(n, rays)
    # A ray that runs into a second airway meets nothing: it counts as the usual one.
    met = np.where(np.isfinite(met), met, radius_mm[:, None])
    usual = np.median(met, axis=1, keepdims=True)
    met = np.clip(met, 0.4 * usual, 1.8 * usual)
    angle = angles()
    off = 2.0 / rays * np.stack([met @ np.cos(angle), met @ np.sin(angle)], axis=1)
    length = np.linalg.norm(off, axis=1, keepdims=True)
    out: Float64Array = off * np.minimum(1.0, 0.8 * radius_mm[:, None] / np.maximum(length, 1e-6))
    return out
