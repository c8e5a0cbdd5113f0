"""Which series a run is to work on: what a source lists, chosen by what the user wants, as one table."""

from __future__ import annotations

import datetime as dt
import fnmatch
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cop_imaging.archive import Source
from cop_imaging.errors import OutputError, SeriesError, UsageError
from cop_imaging.ingest import IngestConfig
from cop_imaging.ingest.listing import LISTED, PRIVATE

__all__ = ["PLAN", "PLANNED", "Plan", "Wanted", "make_plan", "read_plan", "told"]

PLAN = "plan.parquet"
ROW_GROUP = 500
"""Rows that are in memory at once: each names all its files."""
DAY = pa.field("day", pa.int64(), metadata={"means": "days since the patient's first series", "unit": "day"})
PLANNED = pa.schema([*(column for column in LISTED if column.name not in PRIVATE), DAY])
"""The columns of a plan: no text and no date of a header."""
ABOUT = b"cop_imaging_plan"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the listed series are planned; nothing given means every one."""

    modality: str | None = None
    """Modality, such as CT."""
    thickness_mm: tuple[float, float] | None = None
    """Least and greatest slice thickness."""
    description: str | None = None
    """Pattern of the Series Description, upper and lower case alike: ``*lung*``."""
    dates: tuple[str, str] | None = None
    """First and last Study Date, YYYYMMDD."""
    asked: str = ""
    """Digest of what an archive is asked for beside: it may name a patient."""
    one_per_study: bool = False
    """The best usable series of each study alone; of a study without one, the first that is CT at all."""

    def leaves_out(self, row: Mapping[str, Any]) -> str | None:
        """The condition that a series does not meet.

        Nothing is known of files that cannot be read: they are planned, so that somebody hears of them.
        """
        if row["code"] in {"source.damaged", "source.unreadable"}:
            return None
        if self.modality and (row["modality"] or "").upper() != self.modality.upper():
            return "modality"
        thickness = row["thickness_mm"]
        if self.thickness_mm and (thickness is None or not _within(thickness, self.thickness_mm)):
            return "thickness"
        text = (row["description"] or "").lower()
        if self.description and not fnmatch.fnmatchcase(text, self.description.lower()):
            return "description"
        if self.dates and not (row["date"] and _within(row["date"], self.dates)):
            return "date"
        return None

    def as_json(self) -> dict[str, Any]:
        """The conditions that are set, as the plan keeps them."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {n: list(v) if isinstance(v, tuple) else v for n, v in values.items() if v}


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that lies on the disk."""

    path: Path
    source: str
    """Address without credentials."""
    made: str
    """When, ISO 8601."""
    wanted: dict[str, Any]
    series: int
    left_out: dict[str, int] = field(default_factory=dict)
    """Series that were listed and not planned, by the condition that they do not meet."""

    def rows(self, columns: Sequence[str] | None = None, todo: Sequence[int] | None = None) -> Iterator[dict[str, Any]]:
        """One series after the other, in the order of the plan, with few of them in memory.

        Parameters
        ----------
        columns : names, optional
            Columns that are needed; all when left out.
        todo : sequence of int, optional
            For each series of the plan, whether it is wanted; all when left out.

        Raises
        ------
        OutputError
            If the plan cannot be read any more.
        """
        try:
            with pq.ParquetFile(self.path) as file:
                at = 0
                for group in range(file.num_row_groups):
                    count = file.metadata.row_group(group).num_rows
                    asked = None if todo is None else todo[at : at + count]
                    at += count
                    if asked is None:
                        yield from file.read_row_group(group, columns).to_pylist()
                    elif any(asked):
                        rows = file.read_row_group(group, columns).to_pylist()
                        yield from (row for row, wanted in zip(rows, asked, strict=True) if wanted)
        except (OSError, pa.ArrowException) as error:
            raise OutputError(f"the plan {self.path} cannot be read: {error}") from error


def make_plan(
    source: Source,
    run: Path,
    config: IngestConfig,
    wanted: Wanted,
    *,
    case_key: bytes | None = None,
    workers: int = 1,
    tell: Callable[[int], None] = lambda _: None,
) -> Plan:
    """List a source and write the plan of a run.

    Raises
    ------
    SeriesError, SourceError
        If the source is not there, does not answer, or has no series that is wanted; an earlier plan is kept.
    OutputError
        If the plan cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".plan-", dir=run) as scratch:
            listed = Path(scratch, "listed.parquet")
            source.write_list(listed, config, case_key=case_key, leave_out=[run], workers=workers, tell=tell)
            first = _first_days(listed)
            left_out: Counter[str] = Counter()
            about = {
                "source": source.address,
                "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
                "wanted": wanted.as_json(),
            }
            temporary = Path(scratch, PLAN)
            with pq.ParquetWriter(temporary, PLANNED, compression="zstd") as writer:
                rows = (_planned(row, first) for row in _once(_chosen(_rows(listed), wanted, left_out), left_out))
                series = 0
                while group := list(islice(rows, ROW_GROUP)):
                    writer.write_table(pa.Table.from_pylist(group, schema=PLANNED))
                    series += len(group)
                writer.add_key_value_metadata({ABOUT: json.dumps(about | {"left_out": dict(left_out)})})
            if not series:
                # An archive that is not mounted looks like an empty one: the plan that was there stays.
                why = f"; left out: {told(left_out)}" if left_out else ""
                raise SeriesError(f"there is no series to plan in {source.address}{why}", code="source.empty")
            temporary.replace(run / PLAN)
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"the plan cannot be written to {run}: {error}") from error
    return read_plan(run / PLAN)


def read_plan(path: Path) -> Plan:
    """The plan that lies at ``path``.

    Raises
    ------
    UsageError
        If there is none.
    """
    try:
        with pq.ParquetFile(path) as file:
            about = json.loads((file.schema_arrow.metadata or {}).get(ABOUT) or file.metadata.metadata[ABOUT])
            series = file.metadata.num_rows
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is no plan of a run: {error}") from error
    return Plan(path, about["source"], about["made"], about["wanted"], series, about["left_out"])


def told(left_out: Mapping[str, int]) -> str:
    """How many series were left out by which condition, in words."""
    return ", ".join(f"{count} by {reason}" for reason, count in left_out.items())


def _rows(listed: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(listed) as file:
        for batch in file.iter_batches(batch_size=ROW_GROUP):
            yield from batch.to_pylist()


def _chosen(rows: Iterator[dict[str, Any]], wanted: Wanted, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    for _, group in groupby(rows, key=lambda row: row["study"]):
        study = []
        for row in group:
            reason = wanted.leaves_out(row)
            if reason:
                left_out[reason] += 1
            else:
                study.append(row)
        if wanted.one_per_study and study:
            best = min(study, key=_place)
            left_out["not the best of its study"] += len(study) - 1
            study = [best]
        yield from study


def _once(rows: Iterator[dict[str, Any]], left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """Archives may name a series in two studies: it has one key, and is worked on once."""
    seen: set[int] = set()
    for row in rows:
        key = int(row["key"], 16)
        if key in seen:
            left_out["the same in another study"] += 1
            continue
        seen.add(key)
        yield row


def _place(row: Mapping[str, Any]) -> tuple[bool, int, bool, int, str]:
    """Usable series in the order of their rank, then what is CT, then the largest."""
    return row["rank"] is None, row["rank"] or 0, row["modality"] != "CT", -row["files"], row["key"]


def _first_days(listed: Path) -> dict[str, dt.date]:
    """The day of each patient's first series."""
    first: dict[str, dt.date] = {}
    with pq.ParquetFile(listed) as file:
        for batch in file.iter_batches(columns=["patient", "date"]):
            for row in batch.to_pylist():
                day = _day(row["date"])
                if row["patient"] and day:
                    first[row["patient"]] = min(day, first.get(row["patient"], day))
    return first


def _planned(row: dict[str, Any], first: Mapping[str, dt.date]) -> dict[str, Any]:
    day = _day(row["date"])
    since = first.get(row["patient"] or "")
    return {name: row[name] for name in PLANNED.names if name in row} | {
        "day": (day - since).days if day and since else None
    }


def _day(text: str | None) -> dt.date | None:
    try:
        return dt.datetime.strptime(text or "", "%Y%m%d").date()
    except ValueError:
        return None


def _within(value: Any, limits: tuple[Any, Any]) -> bool:
    low, high = limits
    return bool(low <= value <= high)
