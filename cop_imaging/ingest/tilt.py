"""A stack from a tilted gantry: how far it leans, and how it is straightened.

Each slice of such a stack lies beside the one before it. Straightening moves every slice within its own plane until
all stand above each other; nothing moves along the normal, so no slice mixes with another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cop_imaging.core.arrays import AnyArray, BoolArray, Int16Array
from cop_imaging.core.geometry import Geometry, Triple
from cop_imaging.core.volume import AIR_HU
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.planes import Placed
from cop_imaging.ingest.spacing import fitted_line

__all__ = ["Lean", "Shear", "lean_of", "shear_of", "straight_grid", "unsheared"]

WHOLE_PIXEL = 1e-3
"""A shift this close to whole pixels, in pixels, is one: headers are rounded, and whole pixels stay as they are."""

Shear = tuple[float, float]


class Lean(NamedTuple):
    """How a stack leans."""

    shear_mm: Shear
    """In-plane offset for each mm along the normal; along the row axis, then the column axis."""
    tilt_deg: float


def lean_of(placed: Placed, config: GeometryConfig) -> Lean:
    """The direction of the straight line on which the slices lie.

    Raises
    ------
    SeriesError
        ``geometry.inconsistent`` if there is no such line, ``geometry.tilt`` if it leans too far.
    """
    axes = np.array([placed.plane.column, placed.plane.row])
    sideways = placed.positions_mm @ axes.T
    along = placed.along_mm
    slope, off = fitted_line(along, sideways)
    drift = np.hypot(*off.T)
    if drift.max() > config.drift_pixels * max(placed.plane.spacing_mm):
        # One slice aside draws the line towards itself: the distance is told from the line through the others.
        worst = int(drift.argmax())
        rest = np.arange(len(along)) != worst
        slope, _ = fitted_line(along[rest], sideways[rest])
        aside = sideways[worst] - sideways[rest].mean(axis=0) - (along[worst] - along[rest].mean()) * slope
        raise SeriesError(
            f"the slice at z = {placed.positions_mm[worst, 2]:.1f} mm lies {np.hypot(*aside):.1f} mm beside the "
            "others; one stack with one centre is needed",
            code="geometry.inconsistent",
        )
    tilt = float(np.degrees(np.arctan(np.hypot(*slope))))
    if tilt > config.largest_tilt_deg + 1e-6:
        raise SeriesError(
            f"the gantry was tilted: slices are stacked {tilt:.1f} degrees off their normal, at most "
            f"{config.largest_tilt_deg:g} can be straightened; a scan without tilt is needed",
            code="geometry.tilt",
        )
    return Lean((float(slope[0]), float(slope[1])), tilt)


def shear_of(lean: Lean, geometry: Geometry, config: GeometryConfig) -> Shear | None:
    """Offset from slice to slice; along an axis on which the whole stack drifts less than a line may, there is none."""
    if lean.tilt_deg <= config.tilt_deg:
        return None
    step, *pixels = geometry.spacing_mm
    drifts = [slope * step for slope in lean.shear_mm]
    rows, columns = (
        drift if abs(drift) * (geometry.shape[0] - 1) > config.drift_pixels * pixel else 0.0
        for drift, pixel in zip(drifts, pixels, strict=True)
    )
    return (rows, columns) if rows or columns else None


def straight_grid(geometry: Geometry, shear_mm: Shear) -> Geometry:
    """The orthogonal grid that holds every slice of a leaning stack, with the same spacing and axes.

    Parameters
    ----------
    geometry : Geometry
        Of the array [slice, row, column] as if the slices stood above each other; its origin is that of the first.
    shear_mm : (row axis, column axis)
        Offset of each slice from the one before it, along the second and the third axis.
    """
    starts, stops = zip(*(_ends(geometry, shear_mm, axis) for axis in (0, 1)), strict=True)
    origin = geometry.to_patient((0.0, float(starts[0]), float(starts[1])))
    return replace(
        geometry,
        shape=(geometry.shape[0], stops[0] - starts[0], stops[1] - starts[1]),
        origin_mm=_triple(origin),
    )


def unsheared(
    hu: Int16Array, valid: BoolArray, geometry: Geometry, shear_mm: Shear
) -> tuple[Int16Array, BoolArray, Geometry]:
    """Straighten a leaning stack; whole pixels are moved as they are, the rest is interpolated linearly.

    Parameters
    ----------
    hu : int16 [slice, row, column]
    valid : bool [slice, row, column]
        Inside the scanned field.
    geometry, shear_mm
        As for ``straight_grid``.

    Returns
    -------
    hu : int16 [slice, row, column]
        On the larger grid, -1024 where nothing was scanned.
    valid : bool [slice, row, column]
        True where everything that a voxel was made of is valid.
    geometry : Geometry
        The grid of both.
    """
    grid = straight_grid(geometry, shear_mm)
    out = np.full(grid.shape, AIR_HU, np.int16)
    inside = np.zeros(grid.shape, np.bool_)
    starts = [_ends(geometry, shear_mm, axis)[0] for axis in (0, 1)]
    for n in range(geometry.shape[0]):
        moved, seen = hu[n], valid[n]
        corner = []
        for axis in (0, 1):
            whole, part = _whole_and_part(n * shear_mm[axis] / geometry.spacing_mm[1 + axis] - starts[axis])
            if part:
                moved, seen = _between(moved, axis, part), _both(seen, axis)
                whole += 1
            corner.append(slice(whole, whole + seen.shape[axis]))
        place = (corner[0], corner[1])
        inside[n][place] = seen
        np.copyto(out[n][place], np.rint(moved).astype(np.int16), where=seen)
    return out, inside, grid


def _ends(geometry: Geometry, shear_mm: Shear, axis: int) -> tuple[int, int]:
    """First pixel along an in-plane axis that any slice covers, and one behind the last, on the first slice's grid."""
    pixels = (geometry.shape[0] - 1) * shear_mm[axis] / geometry.spacing_mm[1 + axis]
    first = -_whole_and_part(max(0.0, -pixels))[0]
    return first, _whole_and_part(max(0.0, pixels))[0] + geometry.shape[1 + axis]


def _whole_and_part(pixels: float) -> tuple[int, float]:
    """Pixels to move by, and the part of a pixel that is left, 0 when it is none to speak of."""
    whole = int(np.floor(pixels + WHOLE_PIXEL))
    part = pixels - whole
    return whole, part if part > WHOLE_PIXEL else 0.0


def _between(image: AnyArray, axis: int, part: float) -> AnyArray:
    """Values ``part`` of a pixel before each pixel but the first, along ``axis``; one pixel fewer."""
    before, after = _neighbours(image, axis)
    values: AnyArray = np.float32(part) * before + np.float32(1.0 - part) * after
    return values


def _both(seen: BoolArray, axis: int) -> BoolArray:
    before, after = _neighbours(seen, axis)
    return before & after


def _neighbours(image: AnyArray, axis: int) -> tuple[AnyArray, AnyArray]:
    return (image[:-1], image[1:]) if axis == 0 else (image[:, :-1], image[:, 1:])


def _triple(values: AnyArray) -> Triple:
    x, y, z = map(float, values)
    return (x, y, z)
