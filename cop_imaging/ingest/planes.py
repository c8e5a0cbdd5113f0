"""Slices of one orientation, matrix, pixel spacing and kernel, ordered along their normal; never by name or number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from cop_imaging.core.arrays import AnyArray, Float64Array
from cop_imaging.core.geometry import Triple
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.records import Plane, SliceRecord

__all__ = ["Placed", "Sorted", "same_plane"]

FARTHEST_MM = 1e5
"""No table reaches so far: a position beyond is damage, and arithmetic with it would overflow."""
MOST_PLANES = 64
"""Groups that are told apart; the slices of any further one count as scattered."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Slices of one plane, ascending along their common normal."""

    records: tuple[SliceRecord, ...]
    plane: Plane
    """The commonest one; of its position nothing is meant."""
    positions_mm: Float64Array
    """LPS position (n, 3) of the first pixel of each slice."""
    kind: tuple[str, str] = ("", "")
    """Frame of reference and kernel."""

    @property
    def along_mm(self) -> Float64Array:
        """Position (n,) of each slice along the normal."""
        along: Float64Array = self.positions_mm @ np.array(self.plane.normal)
        return along

    def pick(self, index: AnyArray | Sequence[int]) -> Placed:
        """Some of the slices, by ascending index."""
        records = tuple(self.records[n] for n in index)
        return replace(self, records=records, positions_mm=self.positions_mm[np.asarray(index, dtype=np.intp)])


class Sorted(NamedTuple):
    """A series by planes."""

    groups: tuple[Placed, ...]
    """Largest first; slices of different groups are never one stack."""
    strays: int
    """Slices that are left out: they are few, and lie in another plane or in none."""


class PlaneKey(NamedTuple):
    """What slices of one stack share, as the headers write it."""

    row: Triple
    column: Triple
    spacing_mm: tuple[float, float]
    shape: tuple[int, int]
    frame_of_reference: str
    kernel: str


def same_plane(records: Sequence[SliceRecord], config: GeometryConfig) -> Sorted:
    """Groups of slices that may be stacks: one orientation, matrix, pixel spacing, frame of reference and kernel.

    Rounded cosines and spacings are alike. A few slices outside the groups are left out and counted.

    Raises
    ------
    SeriesError
        ``geometry.missing`` if too many slices do not say where they lie; ``geometry.inconsistent`` if too many are
        scattered over other planes.
    """
    keyed = _by_key(records, config)
    homeless = len(records) - sum(map(len, keyed.values()))
    limit = config.stray_percent / 100.0 * len(records)
    if not keyed or homeless > limit:
        raise SeriesError(
            f"{homeless} of {len(records)} slices lack a usable position, orientation, matrix or pixel spacing; "
            "the original axial slices are needed",
            code="geometry.missing",
        )
    groups = sorted(_alike(keyed, config), key=lambda g: -len(g.records))
    whole = [g for n, g in enumerate(groups) if n == 0 or _may_be_stack(g, limit, config)]
    strays = len(records) - sum(len(g.records) for g in whole)
    if strays > limit:
        sizes = ", ".join(str(len(g.records)) for g in groups[:8]) + (", ..." if len(groups) > 8 else "")
        raise SeriesError(
            f"the series mixes slices of {len(groups)} orientations, matrices, pixel spacings, kernels or frames of "
            f"reference ({sizes} slices); split it into one folder for each stack",
            code="geometry.inconsistent",
        )
    return Sorted(tuple(whole), strays)


def _may_be_stack(group: Placed, limit: float, config: GeometryConfig) -> bool:
    return len(group.records) > limit and len(group.records) >= config.fewest_slices_with_gaps


def _by_key(records: Sequence[SliceRecord], config: GeometryConfig) -> dict[PlaneKey, list[SliceRecord]]:
    """Slices with a usable plane. An empty frame of reference or kernel joins the only one that is given."""
    frames = {r.frame_of_reference for r in records}
    # Some anonymizers give each slice a frame of its own: then it tells nothing apart.
    told_apart = len(records) >= config.fewest_slices_with_gaps * len(frames)
    frame = _only(frames)
    kernel = _only({r.kernel or "" for r in records})
    keyed: dict[PlaneKey, list[SliceRecord]] = {}
    for record in records:
        plane = record.plane
        if plane is None or max(map(abs, plane.position_mm)) > FARTHEST_MM:
            continue
        key = PlaneKey(
            plane.row,
            plane.column,
            plane.spacing_mm,
            plane.shape,
            (record.frame_of_reference or frame) if told_apart else "",
            record.kernel or kernel,
        )
        keyed.setdefault(key, []).append(record)
    return keyed


def _only(values: set[str]) -> str:
    named = values - {""}
    return named.pop() if len(named) == 1 else ""


def _alike(keyed: dict[PlaneKey, list[SliceRecord]], config: GeometryConfig) -> list[Placed]:
    """Keys that differ by rounding together, each group around its commonest key."""
    keys = sorted(keyed, key=lambda k: (-len(keyed[k]), k))
    rows, columns = np.array([k.row for k in keys]), np.array([k.column for k in keys])
    spacings = np.array([k.spacing_mm for k in keys])
    kinds: dict[tuple[object, ...], int] = {}
    kind = np.array([kinds.setdefault(k[3:], len(kinds)) for k in keys])
    cosine, rounding = np.cos(np.radians(config.same_angle_deg)) - 1e-12, config.same_spacing_percent / 100.0
    free = np.ones(len(keys), np.bool_)
    groups: list[Placed] = []
    while free.any() and len(groups) < MOST_PLANES:
        first = int(free.argmax())
        like = free & (kind == kind[first])
        like &= (rows @ rows[first] >= cosine) & (columns @ columns[first] >= cosine)
        like &= (np.abs(spacings / spacings[first] - 1.0) <= rounding).all(axis=1)
        free &= ~like
        groups.append(_placed([r for n in np.flatnonzero(like) for r in keyed[keys[n]]], keys[first]))
    return groups


def _placed(records: Sequence[SliceRecord], key: PlaneKey) -> Placed:
    plane = Plane((0.0, 0.0, 0.0), key.row, key.column, key.shape, key.spacing_mm)
    positions = np.array([r.plane.position_mm for r in records if r.plane is not None])
    # Slices at one position get their final order from whoever compares them; all others are told apart here.
    order = np.argsort(positions @ np.array(plane.normal), kind="stable")
    return Placed(tuple(records[n] for n in order), plane, positions[order], (key.frame_of_reference, key.kernel))
