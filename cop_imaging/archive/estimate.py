"""What can be said of a series before it is fetched: from the headers of its first and last image.

By the rules of the index it orders the series of a study, and filters them by thickness. Reading judges again, from
every slice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.uid import ExplicitVRLittleEndian

from cop_imaging.core.geometry import Geometry
from cop_imaging.ingest import IngestConfig
from cop_imaging.ingest.acquisition import acquisition_of
from cop_imaging.ingest.choice import described, kind_of, ranked
from cop_imaging.ingest.frames import MULTI_FRAME
from cop_imaging.ingest.headers import WANTED, Header, sop_class_name
from cop_imaging.ingest.records import SliceRecord, record_of
from cop_imaging.ingest.stacking import Stack

__all__ = ["Told", "header_of", "judged"]

TYPICAL_PIXELS = 512 * 512
"""Of a CT slice whose matrix the archive does not tell."""
BYTES_PER_PIXEL, HEADER_BYTES = 2, 4096
"""Uncompressed; what is compressed takes less. Most CT headers have 2 to 5 kB."""
UNTOLD = "the archive tells no geometry before it is fetched"


@dataclass(frozen=True, slots=True)
class Told:
    """A series with the headers that the archive told of."""

    row: dict[str, Any]
    headers: tuple[Header, ...]
    """Of the first and the last image, fewer when they are not told."""


def judged(study: Sequence[Told], config: IngestConfig) -> list[dict[str, Any]]:
    """The rows of one study: usable or refused as far as two headers tell, sized and ranked.

    Series whose geometry is not told come after those that are ranked, the one with the most images first.
    """
    rows, stacks = {}, []
    for told in study:
        row = told.row | {"bytes": _bytes(told), "stacks": 0, "issues": []}
        rows[row["series"]] = row
        row |= {"verdict": "usable", "code": None, "kind": "unknown", "reason": UNTOLD}
        records = [record_of(header) for header in told.headers]
        if not records:
            continue
        row["kind"] = sop_class_name(records[0].sop_class)
        slices = [record for record in records if kind_of(record) is None]
        kind = kind_of(records[0])
        if not slices and kind is not None:
            reason = f"its first and last image are no CT slice but {kind.words}; {kind.needed}"
            row |= {"verdict": "refused", "code": kind.code, "reason": reason}
            continue
        fewest = min(config.geometry.fewest_slices, config.geometry.fewest_slices_with_gaps)
        if row["files"] < fewest and records[0].sop_class not in MULTI_FRAME:
            reason = f"{row['files']} images are too few to measure lungs in; at least {fewest} are needed"
            row |= {"verdict": "refused", "code": "slices.too_few", "reason": reason}
            continue
        row |= _acquired(slices)
        stack = _stack(slices, row["files"])
        if stack is not None:
            row |= _measured(stack)
            stacks.append((row["series"], stack))
    ranking = ranked(stacks, config.choice)
    place = 0
    for place, one in enumerate(ranking, 1):
        rows[one.series] |= {"rank": place, "better": one.better}
    untold = [row for row in rows.values() if row["verdict"] == "usable" and "rank" not in row]
    for row in sorted(untold, key=lambda row: (-row["files"], row["series"])):
        place += 1
        row |= {"rank": place, "better": UNTOLD}
    return list(rows.values())


def header_of(elements: Mapping[int, tuple[str, Sequence[Any]]]) -> Header | None:
    """A header as it would lie in a file.

    Parameters
    ----------
    elements : mapping
        Tag to value representation and values, as an archive tells them; those that ingestion does not look at are
        left out.

    Returns
    -------
    Header or None
        None when there is no such element.
    """
    raw = {}
    for tag in WANTED & elements.keys():
        representation, values = elements[tag]
        try:
            raw[tag] = _raw(representation, values)
        except (TypeError, ValueError, OverflowError):
            # Archives pass on what modalities wrote: one value that makes no sense spoils no other.
            continue
    return Header(Path(), raw, ExplicitVRLittleEndian, None, None) if raw else None


def _raw(representation: str, values: Sequence[Any]) -> bytes:
    if representation in {"US", "SS", "US or SS"}:
        return b"".join(int(one).to_bytes(2, "little", signed=int(one) < 0) for one in values)
    return "\\".join("" if one is None else str(one) for one in values).encode()


def _bytes(told: Told) -> int:
    header = told.headers[0] if told.headers else None
    pixels = (header.binary("Rows") or 0) * (header.binary("Columns") or 0) if header else 0
    frames = (header.number("NumberOfFrames", 1, 1e6) or 1) if header else 1
    each = int((pixels or TYPICAL_PIXELS) * BYTES_PER_PIXEL * frames) + HEADER_BYTES
    return int(told.row["files"]) * each


def _acquired(slices: Sequence[SliceRecord]) -> dict[str, Any]:
    about = acquisition_of(slices, 0.0)
    spacing = about.pixel_spacing_mm or (None, None)
    return {
        "rows": about.rows,
        "columns": about.columns,
        "row_spacing_mm": spacing[0],
        "column_spacing_mm": spacing[1],
        "thickness_mm": about.slice_thickness_mm,
        "kernel": about.kernel,
        "kernel_class": about.kernel_class,
        "kvp": about.kvp,
        "manufacturer": about.manufacturer,
        "scanner": about.scanner,
        "body_part": about.body_part,
        "patient_position": about.patient_position,
    }


def _stack(slices: Sequence[SliceRecord], count: int) -> Stack | None:
    """A regular stack of ``count`` slices between the first and the last; None when they do not tell where they lie."""
    first, last = slices[0].plane, slices[-1].plane
    if first is None or last is None or count < 2:
        return None
    way = sum((b - a) * n for a, b, n in zip(first.position_mm, last.position_mm, first.normal, strict=True))
    step = abs(way) / (count - 1)
    if step <= 0.0:
        return None
    geometry = Geometry((count, *first.shape), (step, *first.spacing_mm))
    return Stack((slices[0],) * count, geometry, step)


def _measured(stack: Stack) -> dict[str, Any]:
    return {
        "reason": f"{described(stack)}, told by the archive",
        "stacks": 1,
        "slices": len(stack.slices),
        "step_mm": round(stack.step_mm, 4),
        "extent_mm": round(len(stack.slices) * stack.step_mm, 2),
    }
