"""Soft shapes on a slab of voxels: distances to primitives, partial volume and tubes.

A distance is negative inside a shape and in mm. A cover is the part of a voxel that a shape fills, 0-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cop_imaging.core.arrays import BoolArray, Float32Array, Float64Array
from cop_imaging.core.geometry import Box, Geometry

__all__ = [
    "Distance",
    "Slab",
    "Tubes",
    "capsule",
    "cover",
    "doubled",
    "draw_tubes",
    "ellipsoid",
    "smooth_union",
]


Distance = NDArray[np.floating[Any]]
"""Distances in mm, negative inside."""


@dataclass(frozen=True, slots=True, eq=False)
class Slab:
    """Patient coordinates of a run of slices, in arrays that broadcast to [z, y, x].

    Parameters
    ----------
    z, y, x : float32 (nz, 1, 1), (1, ny, 1), (1, 1, nx)
        LPS coordinates of the voxel centres in mm.
    voxel_mm : float
        Edge of the cube with a voxel's volume: the width over which an edge is soft.
    height_mm : float, optional
        Thickness of the slices, over which an edge that faces along z is soft where ``facing`` is used.
    """

    z: Float32Array
    y: Float32Array
    x: Float32Array
    voxel_mm: float
    height_mm: float | None = None

    def facing(self, upwards: Any) -> Any:
        """Width over which an edge is soft: between ``voxel_mm`` upright and ``height_mm`` lying, in mm.

        It is the spread of what a voxel holds across the edge: variances of a box's sides add along any direction.

        Parameters
        ----------
        upwards : float or array
            Share of z in the normal of the edge, -1 to 1.
        """
        h, high = self.voxel_mm, self.height_mm or self.voxel_mm
        up = upwards * upwards
        if high < h:  # rounding makes directions a little longer than 1, which must not make a width of nothing
            up = np.minimum(up, np.float32(1.0))
        return np.sqrt(np.float32(h * h) + np.float32(high * high - h * h) * up)

    def edge_mm(self, centre: Sequence[float], least_mm: float) -> Float32Array:
        """Width of a smooth step that is the edge of a round shape around a centre (x, y, z) in mm, [z, y, x]."""
        dx, dy, dz = (c - np.float32(o) for c, o in zip((self.x, self.y, self.z), centre, strict=True))
        upwards = dz / np.sqrt(dx * dx + dy * dy + dz * dz + np.float32(1e-6))
        # A smooth step has the variance w^2 / 20 about its middle, an even slope w^2 / 12.
        out: Float32Array = np.maximum(np.float32(np.sqrt(20.0 / 12.0)) * self.facing(upwards), np.float32(least_mm))
        return out

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along z, y, x."""
        return self.z.shape[0], self.y.shape[1], self.x.shape[2]

    @classmethod
    def of(cls, geometry: Geometry) -> Slab:
        """The slab of a whole grid.

        Raises
        ------
        ValueError
            If the grid's axes do not run along the patient's.
        """
        steps = np.abs(geometry.matrix[::-1])
        if not np.allclose(steps, np.diag(np.diag(steps)), atol=1e-6):
            raise ValueError("a phantom is drawn on a grid whose axes run along the patient's")
        ends = geometry.to_patient(np.array([[0.0, 0.0, 0.0], [n - 1.0 for n in geometry.shape]]))[:, ::-1]
        z, y, x = (
            np.linspace(a, b, n, dtype=np.float32) for a, b, n in zip(ends[0], ends[1], geometry.shape, strict=True)
        )
        edge, height = float(np.cbrt(geometry.voxel_ml * 1000.0)), geometry.spacing_mm[0]
        return cls(z[:, None, None], y[None, :, None], x[None, None, :], edge, height)

    def part(self, first: int, last: int) -> Slab:
        """The slices from ``first`` up to, not including, ``last``."""
        return replace(self, z=self.z[first:last])

    def scaled(self, size: float) -> Slab:
        """The same voxels seen in a chest of another size."""
        k = np.float32(1.0 / size)
        height = None if self.height_mm is None else self.height_mm / size
        return Slab(self.z * k, self.y * k, self.x * k, self.voxel_mm / size, height)

    def box(self, low: Float64Array, high: Float64Array) -> Box | None:
        """Index box of the voxels between two corners (x, y, z), or None when there are none."""
        spans = []
        for axis, a, b in ((self.z, low[2], high[2]), (self.y, low[1], high[1]), (self.x, low[0], high[0])):
            first, last = np.searchsorted(axis.ravel(), [a, b])
            if last <= first:
                return None
            spans.append(slice(int(first), int(last)))
        return spans[0], spans[1], spans[2]

    def halved(self) -> Slab:
        """Every second voxel along y and x, and one beyond the end: smooth shapes are computed here."""
        y, x = ((a[0] + (a[1] - a[0]) * np.arange(0, len(a) + 2, 2)).astype(np.float32) for a in self.plane)
        return replace(self, y=y[None, :, None], x=x[None, None, :])

    @property
    def plane(self) -> tuple[Float32Array, Float32Array]:
        """Coordinates along y and x."""
        return self.y.ravel(), self.x.ravel()

    def crop(self, box: Box) -> Slab:
        """The voxels of an index box."""
        return replace(self, z=self.z[box[0]], y=self.y[:, box[1]], x=self.x[:, :, box[2]])


@dataclass(frozen=True, slots=True, eq=False)
class Tubes:
    """Tapering tubes with round ends: start and end (n, 3) as (x, y, z), radius at both ends (n,), all in mm."""

    start: Float64Array
    end: Float64Array
    start_radius_mm: Float64Array
    end_radius_mm: Float64Array

    @classmethod
    def joined(cls, parts: list[Tubes]) -> Tubes:
        """All tubes of several sets."""
        return cls(
            np.concatenate([p.start for p in parts]),
            np.concatenate([p.end for p in parts]),
            np.concatenate([p.start_radius_mm for p in parts]),
            np.concatenate([p.end_radius_mm for p in parts]),
        )

    @classmethod
    def path(cls, *points: tuple[float, float, float, float]) -> Tubes:
        """A tube through points (x, y, z, radius)."""
        nodes = np.array(points, dtype=np.float64)
        return cls(nodes[:-1, :3], nodes[1:, :3], nodes[:-1, 3], nodes[1:, 3])

    def widened(self, start_mm: Float64Array | float, end_mm: Float64Array | float) -> Tubes:
        """The tubes with their radii changed by so much."""
        return Tubes(self.start, self.end, self.start_radius_mm + start_mm, self.end_radius_mm + end_mm)

    def where(self, keep: object) -> Tubes:
        """The chosen tubes."""
        k: Any = keep if isinstance(keep, slice) else np.asarray(keep)
        return Tubes(self.start[k], self.end[k], self.start_radius_mm[k], self.end_radius_mm[k])

    def __len__(self) -> int:
        return len(self.start)


def cover(distance: Distance, width_mm: float | Float32Array) -> Float32Array:
    """Part of a voxel of edge ``width_mm`` inside a surface at that distance, 0-1 (plane approximation)."""
    out = np.asarray(distance * (np.float32(-1.0) / np.asarray(width_mm, dtype=np.float32)), dtype=np.float32)
    out += np.float32(0.5)
    return np.clip(out, 0.0, 1.0, out=out)


def doubled(values: Float32Array, shape: tuple[int, int, int]) -> Float32Array:
    """Values on ``slab.halved()`` carried linearly to the slab of that shape, [z, y, x]."""
    for axis, n in ((1, shape[1]), (2, shape[2])):
        whole = np.empty((*values.shape[:axis], n, *values.shape[axis + 1 :]), dtype=np.float32)
        even, odd = ((slice(None),) * axis + (slice(k, None, 2),) for k in (0, 1))
        here, there = (values.take(range(k, k + (n + 1 - k) // 2), axis) for k in (0, 1))
        whole[even] = here
        near = here[(slice(None),) * axis + (slice(there.shape[axis]),)]
        np.add(near, there, out=whole[odd])
        whole[odd] *= np.float32(0.5)
        values = whole
    return values


def capsule(
    slab: Slab, start: Float64Array, end: Float64Array, r0: float, r1: float
) -> tuple[Float32Array, Float32Array]:
    """Distance to the axis of a tube, and the tube's radius at the nearest point of the axis, in mm."""
    step = (end - start).astype(np.float32)
    length2 = max(float(step @ step), 1e-6)
    dx, dy, dz = slab.x - np.float32(start[0]), slab.y - np.float32(start[1]), slab.z - np.float32(start[2])
    along = (dx * (step[0] / length2) + dy * (step[1] / length2)) + dz * (step[2] / length2)
    t = np.clip(along, 0.0, 1.0)
    square = (dx * dx + dy * dy) + dz * dz
    square += np.float32(length2) * t * (t - 2.0 * along)
    distance: Float32Array = np.sqrt(np.maximum(square, 0.0))
    return distance, np.float32(r0) + np.float32(r1 - r0) * t


def ellipsoid(
    slab: Slab,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    axis: tuple[float, float, float] = (1.0, 0.0, 0.0),
) -> Float32Array:
    """Approximate distance to an ellipsoid whose first radius lies along ``axis`` and second in the axial plane."""
    a = np.array(axis) / np.linalg.norm(axis)
    b = np.array((-a[1], a[0], 0.0)) / np.hypot(a[0], a[1])
    dx, dy, dz = (c - np.float32(o) for c, o in zip((slab.x, slab.y, slab.z), centre, strict=True))
    rho: Any = np.float32(0.0)
    for direction, radius in zip((a, b, np.cross(a, b)), radii, strict=True):
        u, v, w = (np.float32(d / radius) for d in direction)
        rho = rho + ((dx * u + dy * v) + dz * w) ** 2
    out: Float32Array = (np.sqrt(rho) - 1.0) * np.float32(np.cbrt(np.prod(radii)))
    return out


def smooth_union(a: Distance, b: Distance, blend_mm: float) -> Float32Array:
    """Distance to both shapes together, their meeting edge filled over ``blend_mm`` (Quilez's polynomial minimum)."""
    gap = np.maximum(np.float32(blend_mm) - np.abs(a - b), 0.0)
    out: Float32Array = np.minimum(a, b) - gap * gap * np.float32(0.25 / blend_mm)
    return out


def draw_tubes(slab: Slab, tubes: Tubes, into: Float32Array | None = None) -> Float32Array:
    """Cover by the tubes, [z, y, x] float32; the part that a tube thinner than a voxel fills is kept in the mean."""
    out: Float32Array = np.zeros(slab.shape, dtype=np.float32) if into is None else into
    if not len(tubes):
        return out
    h, height = slab.voxel_mm, slab.height_mm or slab.voxel_mm
    wide = np.maximum(tubes.start_radius_mm, tubes.end_radius_mm)
    # The plane sees part of an edge that thick slices make soft.
    spread = np.array([max(h, np.sqrt(h * height))] * 2 + [max(h, height)])
    margin = np.maximum(wide[:, None], 0.5 * spread) + 0.5 * spread
    low, high = np.minimum(tubes.start, tubes.end) - margin, np.maximum(tubes.start, tubes.end) + margin
    axes = (slab.z.ravel(), slab.y.ravel(), slab.x.ravel())
    first = np.stack([np.searchsorted(axis, low[:, 2 - k]) for k, axis in enumerate(axes)], axis=1)
    last = np.stack([np.searchsorted(axis, high[:, 2 - k]) for k, axis in enumerate(axes)], axis=1)
    size = last - first
    seen: BoolArray = np.min(size, axis=1) > 0
    small: BoolArray = seen & (np.max(size, axis=1) <= SMALL_BOX[-1])
    for i in np.flatnonzero(seen & ~small):
        box = tuple(slice(a, b) for a, b in zip(first[i], last[i], strict=True))
        fill = tube_fill(slab.crop(box), tubes.where(slice(i, i + 1)))[0]  # type: ignore[arg-type]
        np.maximum(out[box], fill, out=out[box])
    # Thousands of twigs: those with boxes of one size are drawn together.
    kept = np.flatnonzero(small)
    shape = np.array(SMALL_BOX)[np.searchsorted(SMALL_BOX, size[kept])]
    kind = (shape * np.array([10_000, 100, 1])).sum(axis=1)
    for k in np.unique(kind):
        rows = kept[kind == k]
        counts = np.array([k // 10_000, k // 100 % 100, k % 100])
        at_once = max(1, 400_000 // int(np.prod(counts)))
        for part in (rows[n : n + at_once] for n in range(0, len(rows), at_once)):
            draw_alike(out, slab, tubes.where(part), first[part], last[part], counts)
    return out


SMALL_BOX = (2, 3, 4, 5, 6, 8, 10, 12, 15)
"""Sides in voxels of the boxes in which small tubes are drawn together."""


def draw_alike(
    out: Float32Array,
    slab: Slab,
    tubes: Tubes,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Draw tubes whose boxes have at most ``counts`` voxels along z, y, x, in place."""
    places, coordinates, valid = [], [], np.ones((1, 1, 1, 1), dtype=bool)
    axes = (slab.z.ravel(), slab.y.ravel(), slab.x.ravel())
    for k, (axis, n) in enumerate(zip(axes, counts, strict=True)):
        shape = [len(first), 1, 1, 1]
        shape[k + 1] = int(n)
        place = first[:, k, None] + np.arange(n)
        valid = valid & (place < last[:, k, None]).reshape(shape)
        place = np.minimum(place, len(axis) - 1).reshape(shape)
        places.append(place)
        coordinates.append(axis[place])
    z, y, x = coordinates
    fill = tube_fill(replace(slab, z=z, y=y, x=x), tubes) * valid
    flat = (places[0] * out.shape[1] + places[1]) * out.shape[2] + places[2]
    some = fill > 0.0
    np.maximum.at(out.reshape(-1), flat[some], fill[some])


def tube_fill(slab: Slab, tubes: Tubes) -> Float32Array:
    """Cover by each of several tubes, [n, z, y, x]."""
    h, thick = slab.voxel_mm, slab.height_mm is not None and abs(slab.height_mm / slab.voxel_mm - 1.0) > 0.02

    def column(values: Any) -> Any:
        return np.asarray(values, dtype=np.float32)[:, None, None, None]

    step = tubes.end - tubes.start
    length2 = np.maximum((step * step).sum(axis=1), 1e-6)
    dx, dy, dz = (c - column(tubes.start[:, k]) for k, c in enumerate((slab.x, slab.y, slab.z)))
    along = (dx * column(step[:, 0] / length2) + dy * column(step[:, 1] / length2)) + dz * column(step[:, 2] / length2)
    t = np.clip(along, 0.0, 1.0)
    square = (dx * dx + dy * dy) + dz * dz
    square += column(length2) * t * (t - 2.0 * along)
    distance = np.sqrt(np.maximum(square, 0.0))
    # A disc of radius R with an edge soft over h has the area pi (R^2 + h^2 / 12); h differs between its directions.
    high = slab.facing(np.sqrt(np.maximum(1.0 - step[:, 2] ** 2 / length2, 0.0))).astype(np.float64)
    soft = (h * h + high * high) / 24.0
    ends = np.stack([tubes.start_radius_mm, tubes.end_radius_mm])
    drawn = np.sqrt(np.maximum(ends**2 - soft, 0.25 * h * high))
    weight = np.minimum(ends**2 / (drawn**2 + soft), 1.0)
    radius = column(drawn[0]) + column(drawn[1] - drawn[0]) * t
    edge: Any = h
    if thick:
        edge = slab.facing((dz - t * column(step[:, 2])) / np.maximum(distance, np.float32(1e-3)))
    fill: Float32Array = cover(distance - radius, edge) * (column(weight[0]) + column(weight[1] - weight[0]) * t)
    return fill
