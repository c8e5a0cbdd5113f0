"""What the index says of each series of a study, by the same rules as reading, from headers alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from cop_imaging.core.issue import Severity, Status, status_of
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.acquisition import acquisition_of
from cop_imaging.ingest.choice import described, kind_of, no_slices, ranked
from cop_imaging.ingest.config import IngestConfig
from cop_imaging.ingest.headers import sop_class_name
from cop_imaging.ingest.packing import NO_UID, unpacked
from cop_imaging.ingest.records import SliceRecord, record_of
from cop_imaging.ingest.splitting import stacks_of
from cop_imaging.ingest.stacking import Stack

__all__ = ["COLUMNS", "IndexedSeries", "judge_study"]

COLUMNS = pa.schema(
    [
        pa.field("study", pa.string(), metadata={"means": "key of the study; says nothing of the patient"}),
        pa.field("series", pa.string(), metadata={"means": "key of the series, for --series"}),
        pa.field("folder", pa.string(), metadata={"means": "deepest folder of all its files, below the root"}),
        pa.field("files", pa.int64(), metadata={"means": "number of files"}),
        pa.field("bytes", pa.int64(), metadata={"means": "size of all files", "unit": "byte"}),
        pa.field("modality", pa.string()),
        pa.field("kind", pa.string(), metadata={"means": "SOP class"}),
        pa.field("verdict", pa.string(), metadata={"means": "usable, limited or refused, from headers alone"}),
        pa.field("code", pa.string(), metadata={"means": "why it is refused"}),
        pa.field("reason", pa.string(), metadata={"means": "the same in words"}),
        pa.field("issues", pa.list_(pa.string()), metadata={"means": "codes of remarks"}),
        pa.field("rank", pa.int64(), metadata={"means": "place among the usable series of its study, from 1"}),
        pa.field("better", pa.string(), metadata={"means": "why it comes before the next one"}),
        pa.field("stacks", pa.int64(), metadata={"means": "regular stacks (phases, blocks) in the series"}),
        pa.field("slices", pa.int64(), metadata={"means": "slices of the stack that is read"}),
        pa.field("rows", pa.int64()),
        pa.field("columns", pa.int64()),
        pa.field("row_spacing_mm", pa.float64()),
        pa.field("column_spacing_mm", pa.float64()),
        pa.field("step_mm", pa.float64(), metadata={"means": "distance between slices"}),
        pa.field("thickness_mm", pa.float64()),
        pa.field("extent_mm", pa.float64(), metadata={"means": "from the first to the last slice, faces included"}),
        pa.field("kernel", pa.string()),
        pa.field("kernel_class", pa.string()),
        pa.field("kvp", pa.float64()),
        pa.field("manufacturer", pa.string()),
        pa.field("scanner", pa.string()),
        pa.field("body_part", pa.string()),
        pa.field("patient_position", pa.string()),
        pa.field("transfer_syntax", pa.string()),
        pa.field("series_uid", pa.string(), metadata={"means": "only on request: identifies a study"}),
        pa.field("study_uid", pa.string(), metadata={"means": "only on request: identifies a study"}),
    ]
)

IndexedSeries = tuple[str, str, str, str, str, int, int, list[bytes]]
"""Study key, series key, study UID, series UID, folder, files, bytes, packed headers."""


def judge_study(task: tuple[list[IndexedSeries], IngestConfig, bool]) -> list[dict[str, Any]]:
    """The rows of one study, ranked; runs in a process of its own."""
    study, config, uids = task
    rows: dict[str, dict[str, Any]] = {}
    stacks: list[tuple[str, Stack]] = []
    for key, series, study_uid, series_uid, folder, files, size, blobs in study:
        records = [record_of(header) for blob in blobs for header in unpacked(blob)]
        row: dict[str, Any] = {"study": key, "series": series, "folder": folder, "files": files, "bytes": size}
        if uids and not series_uid.startswith(NO_UID):
            row |= {"series_uid": series_uid, "study_uid": study_uid}
        found, about = _verdict(records, config)
        rows[series] = row | about
        stacks += [(series, stack) for stack in found]
    ranking = ranked(stacks, config.choice)
    place = 0
    for one in ranking:
        row = rows[one.series]
        if "rank" not in row:
            place += 1
            row |= {"rank": place, "better": one.better, **_of_stack(one.stack)}
    return list(rows.values())


def _verdict(records: Sequence[SliceRecord], config: IngestConfig) -> tuple[tuple[Stack, ...], dict[str, Any]]:
    """The stacks of one series, and what its row says of it."""
    first = records[0]
    about: dict[str, Any] = {"modality": first.modality, "kind": sop_class_name(first.sop_class), "stacks": 0}
    kinds = Counter(kind for kind in map(kind_of, records) if kind)
    slices = [record for record in records if kind_of(record) is None]
    if not slices:
        return (), about | _refusal(no_slices(kinds, (), "the series"))
    # Without pixels only the identity of the image tells copies from two images of one position.
    stacks, errors = stacks_of(slices, config.geometry, lambda one, other: one.sop_uid == other.sop_uid)
    if not stacks:
        return (), about | _refusal(errors[0])
    return stacks, about | {"stacks": len(stacks)}


def _refusal(error: SeriesError) -> dict[str, Any]:
    return {"verdict": "refused", "code": error.code, "reason": str(error), "issues": []}


def _of_stack(stack: Stack) -> dict[str, Any]:
    acquisition = acquisition_of(stack.slices, stack.step_mm)
    limited = status_of(stack.issues) is not Status.OK
    spacing = acquisition.pixel_spacing_mm or (None, None)
    return {
        "verdict": "limited" if limited else "usable",
        "code": None,
        "reason": " ".join(i.message for i in stack.issues if i.severity is not Severity.INFO) or described(stack),
        "issues": sorted({issue.code for issue in stack.issues}),
        "slices": len(stack.slices),
        "rows": acquisition.rows,
        "columns": acquisition.columns,
        "row_spacing_mm": spacing[0],
        "column_spacing_mm": spacing[1],
        "step_mm": acquisition.slice_step_mm,
        "thickness_mm": acquisition.slice_thickness_mm,
        "extent_mm": round(stack.geometry.shape[0] * stack.step_mm, 2),
        **{
            name: getattr(acquisition, name)
            for name in (
                "kernel",
                "kernel_class",
                "kvp",
                "manufacturer",
                "scanner",
                "body_part",
                "patient_position",
                "transfer_syntax",
            )
        },
    }
