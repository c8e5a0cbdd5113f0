"""One regular stack out of slices of one plane, or why they are none; with remarks on tilt, gaps and thickness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import AnyArray
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.acquisition import thickness_mm
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.planes import Placed
from cop_imaging.ingest.records import SliceRecord
from cop_imaging.ingest.spacing import grid_places
from cop_imaging.ingest.tilt import Lean, Shear, lean_of, shear_of, straight_grid

__all__ = ["Stack", "regular_stack", "thick_slices"]

NAMED_PLACES = 6
"""Positions that a message names before it goes on with dots."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A regular stack in stored order: ascending along the normal."""

    slices: tuple[SliceRecord, ...]
    """The slices that exist, fewer than the array has where one is bridged."""
    geometry: Geometry
    """Of the array [slice, row, column] as it is decoded, bridged slices included, and before it is straightened."""
    step_mm: float
    """Along the normal."""
    shear_mm: Shear | None = None
    """Offset (along the row axis, along the column axis) of each slice of a tilted gantry from the one before it, in
    mm along ``geometry.direction[1:]``; None when the slices stand above each other."""
    bridged: tuple[int, ...] = ()
    """Indices along the array that have no slice of their own."""
    issues: tuple[Issue, ...] = ()


def regular_stack(placed: Placed, config: GeometryConfig) -> Stack:
    """The stack that slices of one plane form.

    Raises
    ------
    SeriesError
        ``geometry.not_axial``, ``slices.single``, ``slices.too_few``, ``slices.conflicting`` (several images at one
        position), ``geometry.inconsistent`` (slices lie side by side), ``geometry.tilt``, ``slices.uneven_spacing``,
        ``slices.missing`` or ``source.too_large``.
    """
    _check_axial(placed, config)
    along, thickness = placed.along_mm, thickness_mm(placed.records)
    if len(along) < min(config.fewest_slices, config.fewest_slices_with_gaps):
        raise _too_few(along, thickness, config)
    _check_distinct(placed, config)
    lean = lean_of(placed, config)
    places = grid_places(placed, config)
    count = int(places[-1]) + 1
    step = float(along[-1] - along[0]) / (count - 1)
    _check_extent(along, step, thickness, config)
    empty = tuple(int(n) for n in np.setdiff1d(np.arange(count), places))
    remarks = _missing(placed, places, empty, step, config)
    geometry = Geometry(
        shape=(count, *placed.plane.shape),
        spacing_mm=(step, *placed.plane.spacing_mm),
        origin_mm=_position(placed.records[0]),
        direction=(placed.plane.normal, placed.plane.column, placed.plane.row),
    )
    shear = shear_of(lean, geometry, config)
    _check_size(straight_grid(geometry, shear) if shear else geometry, config)
    return Stack(
        slices=placed.records,
        geometry=geometry,
        step_mm=step,
        shear_mm=shear,
        bridged=empty,
        issues=(
            *remarks,
            *_tilted(lean, shear, config),
            *_gaps(step, thickness, config),
            *thick_slices(step, thickness, config),
        ),
    )


def _check_axial(placed: Placed, config: GeometryConfig) -> None:
    angle = float(np.degrees(np.arccos(min(1.0, abs(placed.plane.normal[2])))))
    if angle > config.axial_deg + 1e-6:
        raise SeriesError(
            f"the slices are not axial: their normal lies {angle:.0f} degrees from the body's long axis, at most "
            f"{config.axial_deg:g} are allowed; the original axial slices are needed",
            code="geometry.not_axial",
        )


def _check_distinct(placed: Placed, config: GeometryConfig) -> None:
    doubled = np.flatnonzero(np.diff(placed.along_mm) < config.same_position_mm)
    if doubled.size:
        raise SeriesError(
            f"{_several(len(doubled), 'slice lies', 'slices lie')} where there is one already, and differ, first at "
            f"z = {placed.positions_mm[doubled[0], 2]:.1f} mm, and no header element tells whole scans apart; "
            "one phase of the scan is needed",
            code="slices.conflicting",
        )


def _check_extent(along: AnyArray, step: float, thickness: float | None, config: GeometryConfig) -> None:
    if step > config.widest_step_mm * (1.0 + config.uneven_percent / 100.0):
        raise SeriesError(
            f"the slices lie {step:.1f} mm apart, at most {config.widest_step_mm:g} are allowed: the lungs between "
            "them were hardly seen",
            code="slices.too_few",
        )
    gaps = thickness is not None and step > config.gap_ratio * thickness
    fewest = config.fewest_slices_with_gaps if gaps else config.fewest_slices
    shortest = config.shortest_with_gaps_mm if gaps else config.shortest_mm
    if len(along) < fewest or _extent_mm(along, thickness) < shortest:
        raise _too_few(along, thickness, config, fewest, shortest)


def _too_few(
    along: AnyArray,
    thickness: float | None,
    config: GeometryConfig,
    fewest: int | None = None,
    shortest: float | None = None,
) -> SeriesError:
    if len(along) < 2:
        return SeriesError(
            "the series has a single slice; a volume needs the whole stack of slices", code="slices.single"
        )
    return SeriesError(
        f"the series has {len(along)} slices over {_extent_mm(along, thickness):.0f} mm; a chest needs at least "
        f"{fewest or config.fewest_slices} over {shortest or config.shortest_mm:g} mm",
        code="slices.too_few",
    )


def _extent_mm(along: AnyArray, thickness: float | None) -> float:
    return float(along[-1] - along[0]) + (thickness or float(np.median(np.diff(along))))


def _missing(
    placed: Placed, places: AnyArray, empty: Sequence[int], step: float, config: GeometryConfig
) -> tuple[Issue, ...]:
    """The remark on a slice that will be bridged.

    Raises
    ------
    SeriesError
        ``slices.missing`` if slices are missing and may not be bridged.
    """
    if not empty:
        return ()
    z = sorted(np.interp(empty, places, placed.positions_mm[:, 2]))
    shown = ", ".join(f"{at:.1f}" for at in z[:NAMED_PLACES]) + (", ..." if len(z) > NAMED_PLACES else "")
    what = f"{_several(len(empty), 'slice is', 'slices are')} missing, at z = {shown} mm"
    if len(empty) > config.bridge_slices or step > config.bridge_step_mm:
        raise SeriesError(f"{what}; send the whole series again", code="slices.missing")
    return (
        Issue(
            code="slices.missing",
            severity=Severity.WARNING,
            message=f"{what[0].upper()}{what[1:]}: it was filled with the mean of its neighbours.",
            affects=("signs", "likelihood"),
            measured=float(len(empty)),
            limit=0.0,
        ),
    )


def _check_size(grid: Geometry, config: GeometryConfig) -> None:
    slices, rows, columns = grid.shape
    if slices * rows * columns > config.largest_megavoxels * 1e6:
        raise SeriesError(
            f"{slices} slices of {rows} x {columns} pixels are {slices * rows * columns / 1e6:.0f} million voxels, at "
            f"most {config.largest_megavoxels:g} million are read; a smaller matrix or fewer slices are needed",
            code="source.too_large",
        )


def _tilted(lean: Lean, shear: Shear | None, config: GeometryConfig) -> tuple[Issue, ...]:
    if shear is None:
        return ()
    message = (
        f"The gantry was tilted: slices are stacked {lean.tilt_deg:.1f} degrees off their normal; they were moved "
        "within their planes until they stand above each other."
    )
    return (
        Issue(
            code="geometry.tilt",
            severity=Severity.WARNING,
            message=message,
            measured=round(lean.tilt_deg, 2),
            limit=config.tilt_deg,
        ),
    )


def _gaps(step: float, thickness: float | None, config: GeometryConfig) -> tuple[Issue, ...]:
    # Slices that do not say how thick they are may be 5 mm, but hardly more.
    limit = config.gap_ratio * thickness if thickness is not None else config.unknown_thickness_mm
    if step <= limit:
        return ()
    thick = f"{thickness:g} mm thick" if thickness is not None else "of unknown thickness"
    message = (
        f"Slices {thick} lie {step:.2f} mm apart: lung between them was not seen, so that only shares of the slices' "
        "area are measured and no volumes."
    )
    return (
        Issue(
            code="slices.not_contiguous",
            severity=Severity.WARNING,
            message=message,
            affects=("signs", "likelihood"),
            spoils=("likelihood",),
            measured=round(step / thickness, 3) if thickness is not None else round(step, 2),
            limit=config.gap_ratio if thickness is not None else config.unknown_thickness_mm,
        ),
    )


def thick_slices(step: float, thickness: float | None, config: GeometryConfig) -> tuple[Issue, ...]:
    """``slices.thick`` when slices are thicker than fine signs need, or lie farther apart."""
    # Headers and positions are rounded: 3.0004 mm is 3 mm.
    effective = round(max(step, thickness or 0.0), 2)
    if effective <= config.thick_mm:
        return ()
    message = f"Slices are {effective:g} mm thick or apart: fine signs cannot be seen."
    return (
        Issue(
            code="slices.thick",
            severity=Severity.WARNING,
            message=message,
            affects=("signs", "likelihood"),
            measured=effective,
            limit=config.thick_mm,
        ),
    )


def _position(record: SliceRecord) -> tuple[float, float, float]:
    return record.plane.position_mm if record.plane else (0.0, 0.0, 0.0)


def _several(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
