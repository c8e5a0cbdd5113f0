"""Where a voxel lies in the patient: the one place that multiplies indices by spacings.

Arrays are [z, y, x] = (towards the head, towards the back, towards the patient's left). Patient points are
DICOM LPS millimetres in the order (x, y, z): x to the left, y to the back, z to the head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cop_imaging.core.arrays import AnyArray, Float64Array

__all__ = ["Box", "Geometry", "StoredOrder"]

Triple = tuple[float, float, float]
Box = tuple[slice, slice, slice]

IDENTITY_DIRECTION: tuple[Triple, Triple, Triple] = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


@dataclass(frozen=True)
class Geometry:
    """A regular grid in patient space.

    Parameters
    ----------
    shape : (z, y, x)
        Number of voxels along each array axis.
    spacing_mm : (z, y, x)
        Distance between voxel centres along each array axis, in mm.
    origin_mm : (x, y, z)
        LPS position of the centre of voxel [0, 0, 0], in mm.
    direction : three unit vectors (x, y, z)
        ``direction[i]`` is the LPS direction in which array axis i runs.
    """

    shape: tuple[int, int, int]
    spacing_mm: Triple
    origin_mm: Triple = (0.0, 0.0, 0.0)
    direction: tuple[Triple, Triple, Triple] = IDENTITY_DIRECTION

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"a grid needs three axes with at least one voxel each, not {self.shape}")
        if not all(np.isfinite(s) and s > 0 for s in self.spacing_mm):
            raise ValueError(f"spacings must be finite and above zero, not {self.spacing_mm} mm")

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        z, y, x = self.spacing_mm
        return z * y * x / 1000.0

    @cached_property
    def matrix(self) -> Float64Array:
        """3x3 matrix whose column i is the LPS step of array axis i, in mm."""
        matrix: Float64Array = np.array(self.direction, dtype=np.float64).T * np.array(self.spacing_mm)
        return matrix

    @property
    def affine_ras(self) -> Float64Array:
        """4x4 matrix from array index (z, y, x) to RAS millimetres (the NIfTI world)."""
        affine = np.eye(4)
        affine[:3, :3] = self.matrix
        affine[:3, 3] = self.origin_mm
        ras: Float64Array = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
        return ras

    def to_patient(self, index: AnyArray | Triple) -> Float64Array:
        """LPS points (…, 3) as (x, y, z) in mm of indices (…, 3) as (z, y, x)."""
        points: Float64Array = np.asarray(index, dtype=np.float64) @ self.matrix.T + np.array(self.origin_mm)
        return points

    def to_index(self, point: AnyArray | Triple) -> Float64Array:
        """Fractional indices (…, 3) as (z, y, x) of LPS points (…, 3) as (x, y, z) in mm."""
        offset = np.asarray(point, dtype=np.float64) - np.array(self.origin_mm)
        index: Float64Array = offset @ np.linalg.inv(self.matrix).T
        return index

    def crop(self, box: Box) -> Geometry:
        """The grid of ``array[box]`` (slices with step 1 and non-negative ends)."""
        spans = [b.indices(n) for b, n in zip(box, self.shape, strict=True)]
        origin = self.to_patient((float(spans[0][0]), float(spans[1][0]), float(spans[2][0])))
        return replace(
            self,
            shape=(spans[0][1] - spans[0][0], spans[1][1] - spans[1][0], spans[2][1] - spans[2][0]),
            origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        )

    def resampled(self, spacing_mm: Triple) -> Geometry:
        """A grid of another spacing that covers the same extent, outer voxel faces aligned at the start."""
        shape = tuple(max(1, round(n * s / t)) for n, s, t in zip(self.shape, self.spacing_mm, spacing_mm, strict=True))
        start = tuple((t / s - 1.0) / 2.0 for s, t in zip(self.spacing_mm, spacing_mm, strict=True))
        origin = self.to_patient((start[0], start[1], start[2]))
        return replace(
            self,
            shape=(shape[0], shape[1], shape[2]),
            spacing_mm=spacing_mm,
            origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        )


@dataclass(frozen=True)
class StoredOrder:
    """How a series lies on disk, as a signed permutation of the canonical axes.

    Parameters
    ----------
    axes : (slice, row, column)
        Canonical axis (0 z, 1 y, 2 x) along which each stored axis runs.
    flipped : (slice, row, column)
        Whether the stored axis runs against the canonical one.
    """

    axes: tuple[int, int, int] = (0, 1, 2)
    flipped: tuple[bool, bool, bool] = (False, False, False)

    def to_stored(self, array: AnyArray) -> AnyArray:
        """View of a canonical [z, y, x] array in the order in which the series lies on disk."""
        view = array.transpose(self.axes)
        return view[tuple(slice(None, None, -1) if f else slice(None) for f in self.flipped)]

    def to_canonical(self, array: AnyArray) -> AnyArray:
        """View of an array in stored order as a canonical [z, y, x] array; the inverse of ``to_stored``."""
        view = array[tuple(slice(None, None, -1) if f else slice(None) for f in self.flipped)]
        return view.transpose(np.argsort(self.axes))

    def stored_geometry(self, canonical: Geometry) -> Geometry:
        """Geometry of ``to_stored(array)`` for an array on the grid ``canonical``."""
        corner = [0.0, 0.0, 0.0]
        for axis, flip in zip(self.axes, self.flipped, strict=True):
            if flip:
                corner[axis] = canonical.shape[axis] - 1.0
        origin = canonical.to_patient((corner[0], corner[1], corner[2]))
        signs = [-1.0 if f else 1.0 for f in self.flipped]
        direction = [tuple(s * c for c in canonical.direction[a]) for a, s in zip(self.axes, signs, strict=True)]
        pick = self.axes
        return Geometry(
            shape=(canonical.shape[pick[0]], canonical.shape[pick[1]], canonical.shape[pick[2]]),
            spacing_mm=(canonical.spacing_mm[pick[0]], canonical.spacing_mm[pick[1]], canonical.spacing_mm[pick[2]]),
            origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
            direction=(_triple(direction[0]), _triple(direction[1]), _triple(direction[2])),
        )


def _triple(values: tuple[float, ...]) -> Triple:
    return (values[0], values[1], values[2])
