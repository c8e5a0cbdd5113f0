"""Every regular stack that the slices of one series form: copies dropped, phases and blocks told apart by geometry
and acquisition, never by exposure, instance number or file name."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from cop_imaging.core.issue import Issue, Severity
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.acquisition import thickness_mm
from cop_imaging.ingest.duplicates import SameImage, without_copies
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.planes import Placed, same_plane
from cop_imaging.ingest.records import SliceRecord
from cop_imaging.ingest.spacing import grid_places
from cop_imaging.ingest.stacking import Stack, regular_stack

__all__ = ["stacks_of"]

KEYS: tuple[tuple[str, Callable[[SliceRecord], Hashable]], ...] = (
    ("temporal position", lambda r: r.phase),
    ("cardiac phase", lambda r: r.heart_phase),
    ("acquisition number", lambda r: r.acquisition),
    ("tube voltage", lambda r: r.kvp),
    ("image type", lambda r: r.image_type),
    ("slice thickness", lambda r: r.thickness_mm),
)
"""What tells two scans in one series apart, in the order in which it is tried."""
TAKE_TURNS = frozenset({"temporal position", "cardiac phase", "tube voltage", "image type"})
"""Keys that one scan does not change to and fro; acquisition numbers may count its rotations."""
SPLITTABLE = frozenset({"slices.conflicting", "slices.uneven_spacing", "slices.missing", "geometry.inconsistent"})
"""Reasons for which slices are no stack that go away when two scans are told apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Slices that one value of a key has, and what they are."""

    placed: Placed
    outcome: Stack | SeriesError


def stacks_of(
    records: Sequence[SliceRecord], config: GeometryConfig, same_image: SameImage
) -> tuple[tuple[Stack, ...], tuple[SeriesError, ...]]:
    """Every regular stack that the CT slices of one series form, and why the others are none.

    Parameters
    ----------
    records : sequence of SliceRecord
        All of one SeriesInstanceUID, in any order: the result does not depend on it.
    same_image : function of two records
        Whether two slices at one position are copies. Only asked where positions repeat.

    Returns
    -------
    stacks : tuple of Stack
        The one with the most slices first.
    errors : tuple of SeriesError
        Of the sets of slices that are no stack, the largest first. One of the two is not empty.
    """
    found = [_lost_parts(slices) or _stacks_of_one(slices, config, same_image) for slices in _by_patient(records)]
    if not found:
        found = [_stacks_of_one((), config, same_image)]
    stacks = [stack for some, _ in found for stack in some]
    errors = [error for _, some in found for error in some]
    return tuple(sorted(stacks, key=lambda s: -len(s.slices))), tuple(errors)


def _by_patient(records: Sequence[SliceRecord]) -> list[list[SliceRecord]]:
    """Slices of one patient and study, the most first: careless tools give the series of several one UID."""
    people = {r.person for r in records if r.person}
    studies = {r.study_uid for r in records if r.study_uid}
    # What some slices do not say they share with the others, and a study for each slice tells nothing apart.
    person = next(iter(people)) if len(people) == 1 else ""
    study = next(iter(studies)) if len(studies) == 1 else ""
    told_apart = len(studies) < max(3, len(records))
    groups: dict[tuple[str, str], list[SliceRecord]] = {}
    for record in records:
        key = (record.person or person, (record.study_uid or study) if told_apart else "")
        groups.setdefault(key, []).append(record)
    return sorted(groups.values(), key=lambda group: (-len(group), min(r.rank for r in group)))


def _lost_parts(records: Sequence[SliceRecord]) -> tuple[tuple[Stack, ...], tuple[SeriesError, ...]] | None:
    """The refusal of a multi-frame image that was written in several files, some of them lost (PS3.3 C.7.6.16.1)."""
    parts = {r.sop_uid: r.header.binary("InConcatenationTotalNumber") or 0 for r in records}
    wanted = max(parts.values(), default=0)
    if wanted <= sum(1 for count in parts.values() if count):
        return None
    error = SeriesError(
        f"{wanted - len(parts)} of the {wanted} files that one multi-frame image was written in are missing; send the "
        "whole series again",
        code="slices.missing",
    )
    return (), (error,)


def _stacks_of_one(
    records: Sequence[SliceRecord], config: GeometryConfig, same_image: SameImage
) -> tuple[tuple[Stack, ...], tuple[SeriesError, ...]]:
    try:
        sorted_ = same_plane(records, config)
    except SeriesError as error:
        return (), (error,)
    groups, parts = _without_halves(sorted_.groups, config)
    parts += [part for group in groups for part in _solved(group, config, same_image)]
    parts.sort(key=lambda p: -len(p.placed.records))
    stray = _stray(sorted_.strays, len(records))
    stacks = (p.outcome for p in parts if isinstance(p.outcome, Stack))
    errors = (p.outcome for p in parts if isinstance(p.outcome, SeriesError))
    return tuple(_remarked(stack, stray) for stack in stacks), tuple(errors)


def _without_halves(groups: Sequence[Placed], config: GeometryConfig) -> tuple[list[Placed], list[Part]]:
    """Groups that are no part of a stack that was written in several matrices, and what is said of those that are."""
    halves: list[Part] = []
    left = list(groups)
    for some in _together(groups, config):
        if all(any(g is one for one in left) for g in some) and _complete_each_other(some, config):
            left = [one for one in left if not any(g is one for g in some)]
            sizes = ", ".join(str(len(g.records)) for g in some)
            error = SeriesError(
                f"slices of {len(some)} orientations, matrices or pixel spacings ({sizes} slices) complete each "
                "other to one stack; a series with one matrix is needed",
                code="geometry.inconsistent",
            )
            halves.append(Part(some[0], error))
    return left, halves


def _together(groups: Sequence[Placed], config: GeometryConfig) -> Iterator[tuple[Placed, ...]]:
    """Sets of groups that may be one physical stack: all of one kernel and frame of reference, then each two."""
    families: dict[tuple[str, str], list[Placed]] = {}
    for group in groups:
        families.setdefault(group.kind, []).append(group)
    for family in families.values():
        near = [g for g in family if _alike(g, family[0], config)]
        if len(near) > 2:
            yield tuple(near)
        yield from (pair for pair in combinations(family, 2) if _alike(*pair, config))


def _alike(one: Placed, other: Placed, config: GeometryConfig) -> bool:
    """Whether two groups look at the body from one side, as parts of one stack do and prone and supine scans do not."""
    cosine = np.cos(np.radians(config.axial_deg))
    row, column = np.dot(one.plane.row, other.plane.row), np.dot(one.plane.column, other.plane.column)
    return bool(row >= cosine and column >= cosine)


def _complete_each_other(groups: Sequence[Placed], config: GeometryConfig) -> bool:
    """Whether positions of several groups are one regular grid, of which no group covers its region by itself."""
    normal = np.array(groups[0].plane.normal)
    positions = np.concatenate([g.positions_mm for g in groups])
    order = np.argsort(positions @ normal, kind="stable")
    union = Placed(tuple(r for g in groups for r in g.records), groups[0].plane, positions[order])
    if np.diff(union.along_mm).min() < config.same_position_mm:
        return False
    try:
        if int(grid_places(union, config)[-1]) + 1 > len(union.records):
            return False
    except SeriesError:
        return False
    spans = sorted((float(a.min()), float(a.max())) for a in (g.positions_mm @ normal for g in groups))
    apart = all(one[1] < other[0] for one, other in pairwise(spans))
    return apart or any(_has_gaps(g, config) for g in groups)


def _has_gaps(group: Placed, config: GeometryConfig) -> bool:
    thickness = thickness_mm(group.records)
    return thickness is None or float(np.median(np.diff(group.along_mm))) > config.gap_ratio * thickness


def _solved(group: Placed, config: GeometryConfig, same_image: SameImage) -> list[Part]:
    """The stacks of one plane: the whole of it if it is regular, else the parts that a key tells apart."""
    distinct = without_copies(group, config, same_image, _keys)
    parts = _parts(distinct, KEYS, config)
    if isinstance(parts[0].outcome, SeriesError) and parts[0].outcome.code == "slices.conflicting":
        # Copies may carry other acquisition keys than what they are copies of.
        distinct = without_copies(distinct, config, same_image, lambda _: None)
        parts = [Part(distinct, _stack(distinct, config))]
    dropped = _duplicate(len(group.records) - len(distinct.records), len(group.records))
    return [_with(part, dropped) for part in parts]


def _keys(record: SliceRecord) -> Hashable:
    return tuple(value(record) for _, value in KEYS)


def _stack(placed: Placed, config: GeometryConfig) -> Stack | SeriesError:
    try:
        return regular_stack(placed, config)
    except SeriesError as error:
        return error


def _split(
    placed: Placed,
    whole: SeriesError,
    keys: Sequence[tuple[str, Callable[[SliceRecord], Hashable]]],
    config: GeometryConfig,
) -> list[Part]:
    """Parts by the first key whose parts are regular and free of conflict; none if there is no such key.

    A few slices may be left over, and at least one part must be a stack, so that ``whole`` speaks when none is. Parts
    that lie beyond each other do not excuse a missing slice between them.
    """
    for nth, (name, value) in enumerate(keys):
        indices: dict[Hashable, list[int]] = {}
        for n, record in enumerate(placed.records):
            indices.setdefault(value(record), []).append(n)
        if not 1 < len(indices) <= len(placed.records) // 2:
            continue
        parts = [
            part
            for index in sorted(indices.values(), key=lambda i: (-len(i), i))
            for part in _parts(placed.pick(index), keys[nth + 1 :], config)
        ]
        good = [part for part in parts if not _fails(part, config)]
        lost = len(placed.records) - sum(len(part.placed.records) for part in good)
        if (
            lost <= config.stray_percent / 100.0 * len(placed.records)
            and any(isinstance(part.outcome, Stack) for part in good)
            and (whole.code != "slices.missing" or _overlap(good))
        ):
            remarks = (*_phases(len(indices), name), *_stray(lost, len(placed.records)))
            return [_with(part, remarks) for part in good]
    return []


def _fails(part: Part, config: GeometryConfig) -> bool:
    """Whether a part is no scan of its own: irregular, or a handful of slices."""
    few = len(part.placed.records) < min(config.fewest_slices, config.fewest_slices_with_gaps)
    return isinstance(part.outcome, SeriesError) and (few or part.outcome.code in SPLITTABLE)


def _parts(
    placed: Placed, keys: Sequence[tuple[str, Callable[[SliceRecord], Hashable]]], config: GeometryConfig
) -> list[Part]:
    """Slices that one value of a key has: as they are, or split again by the keys that are left."""
    outcome = _stack(placed, config)
    if isinstance(outcome, Stack) and (changing := _alternating(placed, keys)):
        mixed = SeriesError("scans of several kinds take turns from slice to slice", code="slices.conflicting")
        return _split(placed, mixed, changing, config) or [Part(placed, mixed)]
    if isinstance(outcome, SeriesError) and outcome.code in SPLITTABLE:
        return _split(placed, outcome, keys, config) or [Part(placed, outcome)]
    return [Part(placed, outcome)]


def _alternating(
    placed: Placed, keys: Sequence[tuple[str, Callable[[SliceRecord], Hashable]]]
) -> list[tuple[str, Callable[[SliceRecord], Hashable]]]:
    """Keys that change to and fro along a regular stack: two scans, half a step apart, and not one."""
    found = []
    for name, value in keys:
        values = [value(record) for record in placed.records]
        turns = sum(one != other for one, other in pairwise(values))
        if name in TAKE_TURNS and turns > len(values) // 4:
            found.append((name, value))
    return found


def _with(part: Part, issues: tuple[Issue, ...]) -> Part:
    if isinstance(part.outcome, SeriesError):
        return part
    return Part(part.placed, _remarked(part.outcome, issues))


def _remarked(stack: Stack, issues: tuple[Issue, ...]) -> Stack:
    return replace(stack, issues=(*issues, *stack.issues))


def _overlap(parts: Sequence[Part]) -> bool:
    spans = sorted((float(p.placed.along_mm[0]), float(p.placed.along_mm[-1])) for p in parts)
    return any(one[1] > other[0] for one, other in pairwise(spans))


def _phases(count: int, name: str) -> tuple[Issue, ...]:
    message = f"The series holds {count} scans, told apart by their {name}: this is one of them."
    return (
        Issue(
            code="series.multiple_phases",
            severity=Severity.WARNING,
            message=message,
            measured=float(count),
        ),
    )


def _stray(strays: int, total: int) -> tuple[Issue, ...]:
    if not strays:
        return ()
    message = (
        f"{strays} of {total} slices were left out: their orientation, matrix, pixel spacing or scan is not that of "
        "the rest."
    )
    return (Issue(code="slices.stray_dropped", severity=Severity.WARNING, message=message, measured=float(strays)),)


def _duplicate(copies: int, total: int) -> tuple[Issue, ...]:
    if not copies:
        return ()
    message = f"{copies} of {total} slices were left out: each is a copy of another one at its position."
    return (Issue(code="slices.duplicate", severity=Severity.INFO, message=message, measured=float(copies)),)
