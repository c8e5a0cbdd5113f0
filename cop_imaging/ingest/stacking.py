"""One regular stack out of ordered slices, with remarks on gaps and thickness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.acquisition import thickness_mm
from cop_imaging.ingest.config import IngestConfig
from cop_imaging.ingest.headers import SliceRecord
from cop_imaging.ingest.planes import Placed
from cop_imaging.ingest.spacing import check_spacing

__all__ = ["Stack", "regular_stack"]


@dataclass(frozen=True, slots=True)
class Stack:
    """A regular stack in stored order: ascending along the normal."""

    slices: tuple[SliceRecord, ...]
    geometry: Geometry
    """Of the array [slice, row, column]."""
    step_mm: float
    issues: tuple[Issue, ...] = ()


def regular_stack(placed: Sequence[Placed], config: IngestConfig) -> Stack:
    """The stack that slices at distinct ascending positions form, with remarks on gaps and thickness.

    Raises
    ------
    SeriesError
        ``slices.single``, ``geometry.tilt``, ``geometry.inconsistent`` (slices lie side by side),
        ``slices.missing``, ``slices.uneven_spacing`` or ``slices.too_few``.
    """
    if len(placed) < 2:
        raise SeriesError(
            "the series has a single slice; a volume needs the whole stack of slices", code="slices.single"
        )
    _check_line(placed, config)
    along = np.array([p.along_mm for p in placed])
    thickness = thickness_mm([p.record for p in placed])
    _check_count(along, thickness, config)
    check_spacing(placed, along, config)
    step = float(along[-1] - along[0]) / (len(placed) - 1)
    plane = placed[0].plane
    geometry = Geometry(
        shape=(len(placed), *plane.shape),
        spacing_mm=(step, *plane.spacing_mm),
        origin_mm=plane.position_mm,
        direction=(plane.normal, plane.column, plane.row),
    )
    issues = (*_gaps(step, thickness, config), *_thick(step, thickness, config))
    return Stack(tuple(p.record for p in placed), geometry, step, issues)


def _check_line(placed: Sequence[Placed], config: IngestConfig) -> None:
    """Positions must advance along the normal, on one straight line."""
    positions = np.array([p.plane.position_mm for p in placed])
    normal = np.array(placed[0].plane.normal)
    run = positions[-1] - positions[0]
    sideways = float(np.linalg.norm(run - (run @ normal) * normal))
    tilt = float(np.degrees(np.arctan2(sideways, run @ normal)))
    if tilt > config.tilt_deg:
        raise SeriesError(
            f"the gantry was tilted: slices are stacked {tilt:.1f} degrees off their normal, at most "
            f"{config.tilt_deg:g} are allowed; a scan without tilt is needed",
            code="geometry.tilt",
        )
    share = (positions - positions[0]) @ run / float(run @ run)
    drift = np.linalg.norm(positions - positions[0] - share[:, None] * run, axis=1)
    # Along the line uneven distances are judged elsewhere: here only the sideways part is left.
    worst = int(drift.argmax())
    limit = config.drift_pixels * max(placed[0].plane.spacing_mm)
    if drift[worst] > limit:
        raise SeriesError(
            f"the slice at z = {placed[worst].z_mm:.1f} mm lies {drift[worst]:.1f} mm beside the others; "
            "one stack with one centre is needed",
            code="geometry.inconsistent",
        )


def _check_count(along: Float64Array, thickness: float | None, config: IngestConfig) -> None:
    step = float(np.median(np.diff(along)))
    extent = float(along[-1] - along[0]) + (thickness or step)
    fewest, shortest = config.fewest_slices, config.shortest_mm
    if thickness is not None and step > config.gap_ratio * thickness:
        fewest, shortest = config.fewest_slices_with_gaps, config.shortest_with_gaps_mm
    if len(along) < fewest or extent < shortest:
        raise SeriesError(
            f"the series has {len(along)} slices over {extent:.0f} mm; a chest needs at least {fewest} over "
            f"{shortest:g} mm",
            code="slices.too_few",
        )


def _gaps(step: float, thickness: float | None, config: IngestConfig) -> tuple[Issue, ...]:
    if thickness is None or step <= config.gap_ratio * thickness:
        return ()
    wide = step > config.wide_gap_ratio * thickness and step > config.wide_gap_mm
    message = f"Slices {thickness:g} mm thick lie {step:.2f} mm apart: lung between them was not seen."
    return (
        Issue(
            code="slices.not_contiguous",
            severity=Severity.ERROR if wide else Severity.WARNING,
            message=message,
            affects=("signs", "likelihood"),
            measured=round(step / thickness, 3),
            limit=config.wide_gap_ratio if wide else config.gap_ratio,
        ),
    )


def _thick(step: float, thickness: float | None, config: IngestConfig) -> tuple[Issue, ...]:
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
