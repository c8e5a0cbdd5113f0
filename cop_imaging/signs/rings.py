"""Rays from a centre through a core and a rim: the geometry behind the reversed halo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import AnyArray, BoolArray, Float64Array
from cop_imaging.core.geometry import Geometry

__all__ = ["Ring", "cast_rays", "circle_directions", "sphere_directions", "star_mask"]

STEP_MM = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """What rays from one centre meet: per ray, float64 (n,) or bool (n,)."""

    core_mm: Float64Array
    """Radius at which the rim begins; infinite where none is met."""
    outer_mm: Float64Array
    """Radius at which it ends."""
    covered: BoolArray
    """The ray meets a rim of acceptable thickness."""
    at_pleura: BoolArray
    """The rim ends at the border of the lung."""
    core_hu: Float64Array
    """Median density before the rim."""
    rim_hu: Float64Array
    """Median density of the rim."""
    core_air: Float64Array
    """Share of the ray before the rim that is air."""


def sphere_directions(n: int) -> Float64Array:
    """``n`` nearly even unit vectors (z, y, x) over the sphere (Fibonacci lattice), float64 (n, 3)."""
    k = np.arange(n) + 0.5
    z = 1.0 - 2.0 * k / n
    angle = np.pi * (1.0 + np.sqrt(5.0)) * k
    radius = np.sqrt(1.0 - z * z)
    return np.stack([z, radius * np.sin(angle), radius * np.cos(angle)], axis=1)


def circle_directions(n: int) -> tuple[Float64Array, ...]:
    """``n`` even unit vectors (z, y, x) around each of the axial, coronal and sagittal circles."""
    angle = 2.0 * np.pi * np.arange(n) / n
    s, c, o = np.sin(angle), np.cos(angle), np.zeros(n)
    return np.stack([o, s, c], axis=1), np.stack([s, o, c], axis=1), np.stack([s, c, o], axis=1)


def cast_rays(
    hu: AnyArray,
    lungs: AnyArray,
    geometry: Geometry,
    centre: Float64Array,
    directions: Float64Array,
    *,
    rim_hu: float,
    longest_mm: float,
    thickness_mm: tuple[float, float],
    air_hu: float,
) -> Ring:
    """Follow rays from ``centre`` (index z, y, x) until the rim begins and ends.

    Parameters
    ----------
    hu, lungs : [z, y, x]
        Smoothed HU; above 0 in the lungs.
    directions : float64 (n, 3)
        Unit vectors (z, y, x) in mm.
    rim_hu : float
        Density above which a sample is rim.
    thickness_mm : (low, high)
        Acceptable thickness of the rim along the ray.
    """
    radius = np.arange(0.0, longest_mm + STEP_MM, STEP_MM)
    spacing = np.array(geometry.spacing_mm)
    points = centre[:, None, None] + (directions.T / spacing[:, None])[:, :, None] * radius
    values = ndimage.map_coordinates(hu, points, output=np.float32, order=1, mode="nearest")
    nearest = np.rint(points).astype(np.int64)
    bounded = np.all([(nearest[a] >= 0) & (nearest[a] < hu.shape[a]) for a in range(3)], axis=0)
    clipped = [np.clip(nearest[a], 0, hu.shape[a] - 1) for a in range(3)]
    lung = (lungs[clipped[0], clipped[1], clipped[2]] > 0) & bounded
    dense = (values > rim_hu) & lung
    hit = dense.any(axis=1)
    first = np.where(hit, dense.argmax(axis=1), radius.size)
    after = np.arange(radius.size) >= first[:, None]
    # The rim ends where it is dark again or where the lung ends.
    ends = after & ~dense
    last = np.where(ends.any(axis=1), ends.argmax(axis=1), radius.size)
    in_rim = after & (np.arange(radius.size) < last[:, None])
    in_core = np.arange(radius.size) < first[:, None]
    left_early = (~lung & in_core).any(axis=1)
    thickness = (last - first) * STEP_MM
    end_index = np.minimum(last, radius.size - 1)
    covered = hit & ~left_early & (thickness >= thickness_mm[0]) & (thickness <= thickness_mm[1])
    return Ring(
        core_mm=np.where(hit, first * STEP_MM, np.inf),
        outer_mm=np.where(hit, last * STEP_MM, np.inf),
        covered=covered & (first > 1),
        at_pleura=hit & ~lung[np.arange(last.size), end_index],
        core_hu=_median(values, in_core & lung & hit[:, None]),
        rim_hu=_median(values, in_rim),
        core_air=np.where(hit, ((values < air_hu) & in_core).sum(axis=1) / np.maximum(in_core.sum(axis=1), 1), 0.0),
    )


def star_mask(
    shape: tuple[int, int, int],
    geometry: Geometry,
    centre: Float64Array,
    directions: Float64Array,
    radius_mm: Float64Array,
) -> BoolArray:
    """Voxels nearer to ``centre`` than the radius of the ray that points at them, bool [z, y, x]."""
    reach = float(radius_mm.max())
    spacing = np.array(geometry.spacing_mm)
    low = np.maximum(np.floor(centre - reach / spacing), 0).astype(int)
    high = np.minimum(np.ceil(centre + reach / spacing) + 1, shape).astype(int)
    axes = [(np.arange(low[a], high[a]) - centre[a]) * spacing[a] for a in range(3)]
    offset = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)
    distance = np.linalg.norm(offset, axis=-1)
    ray = (offset @ directions.T.astype(np.float32)).argmax(axis=-1)
    mask = np.zeros(shape, dtype=bool)
    mask[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = distance <= radius_mm[ray]
    return mask


def _median(values: AnyArray, where: BoolArray) -> Float64Array:
    """Median over the chosen samples of each row; NaN where there are none."""
    some = where.any(axis=1)
    out = np.full(values.shape[0], np.nan)
    if some.any():
        out[some] = np.nanmedian(np.where(where[some], values[some], np.nan), axis=1)
    return out
