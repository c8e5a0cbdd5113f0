"""Slices of one orientation, matrix and pixel spacing, ordered along their normal; never by name or number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.issue import Issue, Severity
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.config import IngestConfig
from cop_imaging.ingest.headers import Plane, SliceRecord

__all__ = ["SAME_POSITION_MM", "Placed", "at_one_position", "same_plane"]

SAME_ANGLE_DEG = 0.3
"""Slices whose row and column differ by less have one orientation: headers round the cosines."""
SAME_SPACING = 1e-3
"""Relative difference of pixel spacing that is rounding."""
SAME_POSITION_MM = 0.01
"""Slices closer than this along the normal lie at one position: below every slice distance and above rounding."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One slice with its plane and its position along the common normal."""

    record: SliceRecord
    plane: Plane
    along_mm: float

    @property
    def z_mm(self) -> float:
        """LPS z of the first pixel."""
        return self.plane.position_mm[2]


def same_plane(records: Sequence[SliceRecord], config: IngestConfig) -> tuple[tuple[Placed, ...], tuple[Issue, ...]]:
    """Slices of the most common orientation, matrix and pixel spacing, ascending along their normal.

    A few others are left out and remarked on.

    Raises
    ------
    SeriesError
        ``geometry.missing`` if no slice, or too many, say where they lie; ``geometry.inconsistent`` if the series
        mixes stacks; ``geometry.not_axial`` if its slices are not axial.
    """
    groups: list[list[tuple[SliceRecord, Plane]]] = []
    for record in sorted(records, key=lambda r: r.rank):
        plane = record.plane
        if plane is None:
            continue
        for group in groups:
            if _alike(group[0][1], plane):
                group.append((record, plane))
                break
        else:
            groups.append([(record, plane)])
    stray = len(records) - max(map(len, groups), default=0)
    limit = config.stray_percent / 100.0 * len(records)
    placed_nowhere = len(records) - sum(map(len, groups))
    if not groups or placed_nowhere > limit:
        raise SeriesError(
            f"{placed_nowhere} of {len(records)} slices lack a usable position, orientation, matrix or pixel spacing; "
            "the original axial slices are needed",
            code="geometry.missing",
        )
    if stray > limit:
        sizes = ", ".join(str(len(g)) for g in sorted(groups, key=len, reverse=True))
        raise SeriesError(
            f"the series mixes slices of {len(groups)} orientations, matrices or pixel spacings ({sizes} slices); "
            "split it into one folder for each stack",
            code="geometry.inconsistent",
        )
    kept = max(groups, key=len)
    normal = np.array(kept[0][1].normal)
    angle = float(np.degrees(np.arccos(min(1.0, abs(normal[2])))))
    if angle > config.axial_deg:
        raise SeriesError(
            f"the slices are not axial: their normal lies {angle:.0f} degrees from the body's long axis, at most "
            f"{config.axial_deg:g} are allowed; the original axial slices are needed",
            code="geometry.not_axial",
        )
    placed = [Placed(record, plane, float(np.dot(plane.position_mm, normal))) for record, plane in kept]
    placed.sort(key=lambda p: (p.along_mm, p.record.rank))
    return tuple(placed), _stray_issues(stray, len(records))


def at_one_position(placed: Sequence[Placed]) -> tuple[tuple[Placed, ...], ...]:
    """Groups of slices that lie at one position, in stored order; a lone slice is a group of one."""
    groups: list[list[Placed]] = []
    for one in placed:
        if groups and one.along_mm - groups[-1][0].along_mm < SAME_POSITION_MM:
            groups[-1].append(one)
        else:
            groups.append([one])
    return tuple(tuple(sorted(group, key=lambda p: p.record.rank)) for group in groups)


def _alike(one: Plane, other: Plane) -> bool:
    cosine = np.cos(np.radians(SAME_ANGLE_DEG))
    return (
        one.shape == other.shape
        and bool(np.allclose(one.spacing_mm, other.spacing_mm, rtol=SAME_SPACING))
        and float(np.dot(one.row, other.row)) >= cosine
        and float(np.dot(one.column, other.column)) >= cosine
    )


def _stray_issues(stray: int, total: int) -> tuple[Issue, ...]:
    if not stray:
        return ()
    message = (
        f"{stray} of {total} slices were left out: their orientation, matrix or pixel spacing is not that of the rest."
    )
    return (Issue(code="slices.stray_dropped", severity=Severity.WARNING, message=message, measured=float(stray)),)
