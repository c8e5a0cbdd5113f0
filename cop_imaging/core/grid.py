"""Pure functions on arrays and their grid: resampling, crops, distance, morphology in mm, connected components.

All radii and distances are millimetres. The results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, Float64Array, Int32Array
from cop_imaging.core.balls import ball_rows, dilated_by_rows
from cop_imaging.core.geometry import Box, Geometry
from cop_imaging.core.parts import parts_of
from cop_imaging.core.separable import blurred, each_slab, nearest, outside_of

__all__ = [
    "bounding_box",
    "closed",
    "components",
    "dilated",
    "distance_to",
    "each_component",
    "eroded",
    "fill_holes",
    "image_of",
    "keep_large",
    "opened",
    "resample",
    "share_above",
    "share_of",
    "smoothed",
    "volume_ml_by_label",
]

FWHM_PER_SIGMA = 2.3548200450309493
LEAST_SIGMA = 0.2
"""Blur in voxels below which nothing changes."""
MOST_ROWS = 600
"""Rows of a ball's quarter up to which it is laid over the mask row by row: a distance map takes longer."""


def image_of(array: AnyArray, geometry: Geometry) -> Any:
    """The SimpleITK image of an array on its grid (bool becomes uint8)."""
    image = sitk.GetImageFromArray(array.view(np.uint8) if array.dtype == np.bool_ else array)
    image.SetSpacing([float(s) for s in geometry.spacing_mm[::-1]])
    image.SetOrigin([float(o) for o in geometry.origin_mm])
    # SimpleITK's axes are (x, y, z): column j of its matrix is the direction of array axis 2 - j.
    image.SetDirection(np.array(geometry.direction[::-1], dtype=np.float64).T.ravel().tolist())
    return image


def resample(
    array: AnyArray,
    source: Geometry,
    target: Geometry,
    *,
    method: Literal["linear", "nearest"] = "linear",
    outside: float | None = None,
    antialias: bool = False,
) -> AnyArray:
    """Values of ``array`` on the grid ``target``; same dtype, whole numbers cut (bool only by nearest).

    Beyond the source lies ``outside``, or when it is None the nearest value: two grids over the same extent end up
    to half a voxel apart, and a slice at the end of the scan must not be lost for that.

    With ``antialias`` the array is first blurred along the axes that become coarser, to a Gaussian whose FWHM is
    the target's spacing.
    """
    sigma = _antialiasing(source, target) if antialias else (0.0, 0.0, 0.0)
    if method == "nearest" and source.direction == target.direction:
        out = nearest(array if max(sigma) == 0.0 else blurred(array, sigma), source, target)
    elif array.dtype == np.float32 and source.direction == target.direction and np.isfinite(array).all():
        out = np.empty(target.shape, dtype=np.float32)
        each_slab(array, source, target, out.__setitem__, sigma=sigma)
    else:
        return _by_points(array if max(sigma) == 0.0 else blurred(array, sigma), source, target, method, outside)
    if outside is not None:
        for axis, beyond in enumerate(outside_of(source, target)):
            out[(slice(None),) * axis + (beyond,)] = outside
    return out


def _antialiasing(source: Geometry, target: Geometry) -> tuple[float, ...]:
    """SD in voxels of the source, along each axis, of the blur before a coarser grid; all 0 where none is worth it."""
    fine, coarse = np.array(source.spacing_mm), np.array(target.spacing_mm)
    sigma = np.sqrt(np.maximum(coarse**2 - fine**2, 0.0)) / FWHM_PER_SIGMA / fine
    return tuple(sigma.tolist()) if sigma.max() > LEAST_SIGMA else (0.0, 0.0, 0.0)


def _by_points(array: AnyArray, source: Geometry, target: Geometry, method: str, outside: float | None) -> AnyArray:
    """``resample`` point by point: for grids of another direction, and for kinds of values other than float32."""
    image = sitk.Resample(
        image_of(np.ascontiguousarray(array), source),
        list(target.shape[::-1]),
        sitk.Transform(),
        sitk.sitkLinear if method == "linear" else sitk.sitkNearestNeighbor,
        list(target.origin_mm),
        list(target.spacing_mm[::-1]),
        np.array(target.direction[::-1], dtype=np.float64).T.ravel().tolist(),
        0.0 if outside is None else outside,
        useNearestNeighborExtrapolator=outside is None,
    )
    out: AnyArray = sitk.GetArrayFromImage(image)
    return out.view(np.bool_) if array.dtype == np.bool_ else out


def share_of(mask: BoolArray, source: Geometry, target: Geometry) -> Float32Array:
    """Share of a mask around each voxel of a coarser grid, float32: ``resample`` with ``antialias``.

    The axes of the two grids run the same way.
    """
    out = np.empty(target.shape, dtype=np.float32)
    each_slab(mask, source, target, out.__setitem__, sigma=_antialiasing(source, target))
    return out


def share_above(mask: BoolArray, source: Geometry, target: Geometry, *least: float) -> tuple[BoolArray, ...]:
    """Where a mask, interpolated linearly on the grid ``target``, takes more than each of these shares of a voxel.

    The axes of the two grids run the same way.
    """
    out = tuple(np.zeros(target.shape, dtype=bool) for _ in least)
    if not mask.any():
        return out
    # What lies a voxel and more away from the mask has no share of it.
    reach = np.array([[b.start - 1, b.stop] for b in bounding_box(mask, source)]).T
    low, high = target.to_index(source.to_patient(reach.astype(np.float64)))
    there = _box(np.ceil(low), np.floor(high) + 1, target.shape)
    here = _box(reach[0], reach[1] + 1, source.shape)
    parts = [whole[there] for whole in out]

    def compare(levels: slice, share: Float32Array) -> None:
        for part, limit in zip(parts, least, strict=True):
            part[levels] = share > limit

    if parts[0].size:
        each_slab(mask[here], source.crop(here), target.crop(there), compare)
    return out


def _box(low: AnyArray, high: AnyArray, shape: tuple[int, int, int]) -> Box:
    """The part of [low, high) that lies in the array."""
    z, y, x = (slice(int(max(a, 0)), int(max(min(b, n), 0))) for a, b, n in zip(low, high, shape, strict=True))
    return z, y, x


def smoothed(array: AnyArray, geometry: Geometry, sigma_mm: float | tuple[float, float, float]) -> Float32Array:
    """Gaussian blur of SD ``sigma_mm`` along each axis, float32; the values are finite."""
    widths = (sigma_mm,) * 3 if isinstance(sigma_mm, float | int) else sigma_mm
    sigma = [w / s for w, s in zip(widths, geometry.spacing_mm, strict=True)]
    out: Float32Array = blurred(array.astype(np.float32, copy=False), sigma)
    return out


def distance_to(mask: BoolArray, geometry: Geometry) -> Float32Array:
    """Distance in mm to the nearest True voxel (0 inside); infinite when the mask is empty."""
    if not mask.any():
        return np.full(mask.shape, np.inf, dtype=np.float32)
    image = image_of(np.ascontiguousarray(mask), geometry)
    image.SetDirection(np.eye(3).ravel().tolist())
    distance = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    out: Float32Array = np.maximum(sitk.GetArrayViewFromImage(distance), 0.0)
    return out


def dilated(mask: BoolArray, geometry: Geometry, radius_mm: float) -> BoolArray:
    """Voxels within ``radius_mm`` of the mask."""
    rows = ball_rows(geometry.spacing_mm, radius_mm)
    return dilated_by_rows(mask, rows) if rows.size <= MOST_ROWS else distance_to(mask, geometry) <= radius_mm


def eroded(mask: BoolArray, geometry: Geometry, radius_mm: float) -> BoolArray:
    """Voxels of the mask farther than ``radius_mm`` from its outside; the border of the array is no outside."""
    return mask & ~dilated(~mask, geometry, radius_mm)


def closed(mask: BoolArray, geometry: Geometry, radius_mm: float) -> BoolArray:
    """Closing by a ball: gaps narrower than twice the radius are filled."""
    return eroded(dilated(mask, geometry, radius_mm), geometry, radius_mm) | mask


def opened(mask: BoolArray, geometry: Geometry, radius_mm: float) -> BoolArray:
    """Opening by a ball: parts thinner than twice the radius are removed."""
    core = eroded(mask, geometry, radius_mm)
    return mask & dilated(core, geometry, radius_mm)


def components(mask: BoolArray, *, connectivity: Literal[6, 26] = 26) -> tuple[Int32Array, int]:
    """Labels 1..n of the connected components, largest first (ties by the first voxel), and n."""
    parts = parts_of(mask, connectivity=connectivity)
    return parts.labels(), len(parts)


def each_component(mask: BoolArray) -> Iterator[tuple[Box, BoolArray]]:
    """The box of each connected component, and the component in it, largest first."""
    labels, _ = components(mask)
    for label, (z, y, x) in enumerate(ndimage.find_objects(labels), start=1):
        yield (z, y, x), labels[z, y, x] == label


def volume_ml_by_label(labels: Int32Array, n: int, geometry: Geometry) -> Float64Array:
    """Volume in mL of labels 1..n, float64 (n,)."""
    counts = np.bincount(labels[labels > 0], minlength=n + 1)[1 : n + 1]
    return counts.astype(np.float64) * geometry.voxel_ml


def keep_large(
    mask: BoolArray, geometry: Geometry, minimum_ml: float, *, connectivity: Literal[6, 26] = 26
) -> BoolArray:
    """The components of at least ``minimum_ml``."""
    parts = parts_of(mask, connectivity=connectivity)
    return parts.first(int((parts.size * geometry.voxel_ml >= minimum_ml).sum())).mask()


def fill_holes(mask: BoolArray, *, axial: bool = False) -> BoolArray:
    """Mask with its holes filled: in 3-D, or slice by slice when ``axial``.

    A hole is background that is not connected (by faces) to the border of the array or slice.
    """
    if axial:
        out = np.empty_like(mask)
        structure = ndimage.generate_binary_structure(2, 1)
        for z in range(mask.shape[0]):
            labels, _ = ndimage.label(~mask[z], structure)
            hole = np.ones(int(labels.max()) + 1, dtype=bool)
            hole[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = False
            hole[0] = True
            out[z] = hole[labels]
        return out
    image = sitk.GetImageFromArray(np.ascontiguousarray(~mask).view(np.uint8))
    labels3 = sitk.GetArrayFromImage(sitk.ConnectedComponent(image, False))
    faces = [labels3[0], labels3[-1], labels3[:, 0], labels3[:, -1], labels3[:, :, 0], labels3[:, :, -1]]
    hole = np.ones(int(labels3.max()) + 1, dtype=bool)
    hole[np.concatenate([f.ravel() for f in faces])] = False
    hole[0] = True
    filled: BoolArray = hole[labels3]
    return filled


def bounding_box(mask: BoolArray, geometry: Geometry, margin_mm: float = 0.0) -> Box:
    """Smallest box that holds the mask, with a margin, inside the array.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    spans = []
    plane: BoolArray = np.any(mask, axis=0)
    for axis, line in enumerate((mask.any(axis=(1, 2)), plane.any(axis=1), plane.any(axis=0))):
        hit = np.flatnonzero(line)
        if hit.size == 0:
            raise ValueError("an empty mask has no bounding box")
        margin = int(np.ceil(margin_mm / geometry.spacing_mm[axis]))
        spans.append(slice(max(int(hit[0]) - margin, 0), min(int(hit[-1]) + 1 + margin, mask.shape[axis])))
    return (spans[0], spans[1], spans[2])
