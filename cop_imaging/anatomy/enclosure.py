"""How closed in a voxel is: rays in 26 directions that end where the image rises, as it does at a bronchus's wall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cop_imaging.core.arrays import BoolArray, Float32Array, Float64Array, Int16Array

__all__ = ["AXES", "FOUND", "Cast", "Rays", "cast"]

AXES = 13
"""Directions to the 26 neighbours of a voxel, opposite ones taken together."""
FOUND = np.int16(30000)
"""Written into the image where an airway is known: a ray that enters it has met its border."""
FOUND_AS_HU = -200
"""Density of a wall for which a known airway stands when walls are judged."""


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """Offsets of the voxels on each ray.

    Parameters
    ----------
    offset : int64 (26, n)
        Steps in the raveled image; ray k + 13 runs against ray k. Short rays end in the voxel itself.
    distance_mm : float32 (26, n)
        Length of each step from the start, infinite past a ray's end.
    """

    offset: NDArray[np.int64]
    distance_mm: Float32Array

    @classmethod
    def of(cls, shape: tuple[int, ...], spacing_mm: tuple[float, float, float], reach_mm: float) -> Rays:
        """Rays of a length in an array of that shape: every voxel that a ray passes, once."""
        spacing = np.array(spacing_mm)
        half = np.array(
            [(z, y, x) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0)]
        )
        course = half / np.linalg.norm(half, axis=1, keepdims=True)
        step_mm = 0.5 * spacing.min()
        along_mm = step_mm * np.arange(1, int(np.ceil(reach_mm / step_mm)) + 1)
        rows = []
        for direction in np.concatenate([course, -course]):
            steps = np.rint(direction * along_mm[:, None] / spacing).astype(np.int64)
            new = np.any(np.diff(steps, axis=0, prepend=0), axis=1)
            rows.append(steps[new])
        longest = max(len(row) for row in rows)
        steps = np.stack([np.pad(row, ((0, longest - len(row)), (0, 0))) for row in rows])
        distance_mm: Float64Array = np.linalg.norm(steps * spacing, axis=-1)
        distance_mm[distance_mm == 0.0] = np.inf
        _, ny, nx = shape
        return cls((steps[..., 0] * ny + steps[..., 1]) * nx + steps[..., 2], distance_mm.astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """What the rays of n voxels met.

    Parameters
    ----------
    closed : int64 (n,)
        Axes of 13 along which both rays met a wall.
    wall_hu : float64 (n,)
        Median over the rays of the densest that each met.
    radius_mm : float64 (n,)
        Half of a short chord between opposite walls; not a number where no chord was met.
    """

    closed: NDArray[np.int64]
    wall_hu: Float64Array
    radius_mm: Float64Array


CHORD = 3
"""Which chord tells a tube's radius, from the shortest: across the tube a few lie askew, and noise shortens some."""


def cast(
    image: Int16Array,
    voxels: NDArray[np.int64],
    rays: Rays,
    limit_mm: Float64Array,
    *,
    rise_hu: float,
    thin_limit_mm: float,
    thick_rise_hu: float,
) -> Cast:
    """Send rays from voxels of a raveled image.

    A wall is where the image is denser than the voxel by ``rise_hu`` within ``thin_limit_mm``, or by ``thick_rise_hu``
    farther away: the walls of wide bronchi are thick, while far from a voxel of the lung there is always some vessel.

    Parameters
    ----------
    image : int16 (m,)
        HU, ``FOUND`` where an airway is known.
    voxels : int64 (n,)
        Not nearer to the border of the image than the rays are long.
    limit_mm : float64 (n,)
        How far a wall may be.
    """
    own = image[voxels].astype(np.int32)[:, None, None]
    values = image[voxels[:, None, None] + rays.offset]
    known = values == FOUND
    within = rays.distance_mm <= limit_mm[:, None, None]
    near: BoolArray = rays.distance_mm <= np.minimum(limit_mm, thin_limit_mm)[:, None, None]
    risen = (values >= own + int(rise_hu)) & within
    first = risen.argmax(axis=2)
    met = (risen & near).any(axis=2) | ((values >= own + int(thick_rise_hu)) & within).any(axis=2)
    both = met[:, :AXES] & met[:, AXES:]
    at_mm = rays.distance_mm[np.arange(2 * AXES), first]
    border = np.take_along_axis(known, first[..., None], axis=2)[..., 0]
    own_walls = both & ~border[:, :AXES] & ~border[:, AXES:]
    chord = np.sort(np.where(own_walls, at_mm[:, :AXES] + at_mm[:, AXES:], np.inf), axis=1)[:, CHORD]
    values[known] = FOUND_AS_HU
    densest = np.where(within, values, np.int16(-2000)).max(axis=2)
    return Cast(
        closed=both.sum(axis=1),
        wall_hu=np.median(densest, axis=1).astype(np.float64),
        radius_mm=np.where(np.isfinite(chord), 0.5 * chord, np.nan).astype(np.float64),
    )
