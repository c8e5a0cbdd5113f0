"""From the records of one run, or of the parts of one, to the tables and pages that a person works with."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cop_imaging.batch.ledger import Ledger, Recorded, read_only
from cop_imaging.batch.outcome import State
from cop_imaging.batch.overview import Overview
from cop_imaging.batch.pages import mask_pages, summary_page
from cop_imaging.batch.plan import PLAN, Plan, read_plan
from cop_imaging.batch.reviews import Review, read_reviews
from cop_imaging.errors import OutputError
from cop_imaging.pipeline import Config, table_columns
from cop_imaging.provenance import versions

__all__ = ["FAILURES", "FEATURES", "collect"]

FEATURES = "features.parquet"
FAILURES = "failures.csv"
ROW_GROUP = 500
FAILURE_COLUMNS = ("key", "where", "state", "code", "exit_code", "attempts", "message")
RESEARCH_USE = "For research use only, not for diagnosis."
OF_PLAN = ("key", "series", "study", "patient", "day", "folder", "slices", "thickness_mm", "step_mm", "kernel")
OF_PLAN_TOO = ("kernel_class", "kvp", "manufacturer", "scanner")


@dataclass(frozen=True, slots=True)
class One:
    """A planned series, and how it stands."""

    row: Mapping[str, Any]
    run: Path
    last: Recorded | None
    review: Review | None


def collect(runs: Sequence[Path], out: Path) -> Overview:
    """Write ``features.parquet``, ``failures.csv``, ``summary.html`` and ``masks.html`` of a run into ``out``.

    Of several runs (parts of one, or of several archives) each series counts once: analyzed before not analyzed, the
    first run before the next. Reviews in ``out`` go before those in the runs. The same records give the same bytes of
    the tables.

    Raises
    ------
    UsageError
        If one of ``runs`` is no run.
    OutputError
        If the tables cannot be written.
    """
    plans = [read_plan(run / PLAN) for run in runs]
    reviews = [read_reviews(home) for home in dict.fromkeys([out, *runs])]
    columns = table_columns(Config())
    schema = _schema([(c.name, c.unit, c.means) for c in columns])
    overview = Overview(RESEARCH_USE, sources=tuple(dict.fromkeys(plan.source for plan in plans)))
    for plan in plans:
        overview.left_out.update(plan.left_out)
    try:
        with ExitStack() as stack:
            ledgers = [stack.enter_context(read_only(run)) for run in runs]
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".collect-", dir=out)))
            failures = stack.enter_context((scratch / FAILURES).open("w", encoding="utf-8", newline=""))
            table = csv.DictWriter(failures, FAILURE_COLUMNS, lineterminator="\n")
            table.writeheader()
            first_of: dict[str, str] = {}
            ones = _each(runs, plans, ledgers, reviews)
            with pq.ParquetWriter(scratch / FEATURES, schema, compression="zstd") as writer:
                while group := list(islice(ones, ROW_GROUP)):
                    rows = []
                    for one in group:
                        overview.add(one.row, one.run, one.last)
                        if one.last is None:
                            continue
                        rows.append(_feature_row(one, one.last, first_of))
                        if one.last.attempt.state is not State.ANALYZED:
                            table.writerow(_failure(one, one.last))
                    if rows:
                        writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            failures.close()
            summary_page(overview, scratch / "summary.html", out)
            names = [FEATURES, FAILURES, "summary.html", *mask_pages(overview, reviews[0], scratch, out)]
            (out / "masks").mkdir(exist_ok=True)
            for old in (out / "masks").glob("page-*.html"):
                if f"masks/{old.name}" not in names:
                    old.unlink()
            for name in names:
                os.replace(scratch / name, out / name)
            if not any((out / "masks").iterdir()):
                shutil.rmtree(out / "masks")
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"the tables cannot be written to {out}: {error}") from error
    return overview


def _each(
    runs: Sequence[Path],
    plans: Sequence[Plan],
    ledgers: Sequence[Ledger],
    reviews: Sequence[Mapping[str, Review]],
) -> Iterator[One]:
    seen: set[str] = set()
    for plan in plans:
        for row in plan.rows([*OF_PLAN, *OF_PLAN_TOO]):
            key = row["key"]
            if key in seen:
                continue
            if len(plans) > 1:
                seen.add(key)
            found = [(run, ledger.last(key, standing=True)) for run, ledger in zip(runs, ledgers, strict=True)]
            run, last = min(found, key=lambda f: _standing(f[1]))
            yield One(row, run, last, next((r[key] for r in reviews if key in r), None))


def _standing(last: Recorded | None) -> int:
    """Results come first, then what has ended, then what has not."""
    if last is None:
        return 3
    if last.attempt.state is State.ANALYZED:
        return 0
    return 1 if last.attempt.state.final else 2


def _schema(columns: Sequence[tuple[str, str, str]]) -> pa.Schema:
    """The columns of the table, with what each means; they depend on the version alone, never on the data."""

    def column(name: str, kind: pa.DataType, means: str, unit: str = "") -> pa.Field:
        return pa.field(name, kind, metadata={"means": means} | ({"unit": unit} if unit else {}))

    text, number = pa.string(), pa.float64()
    head = [
        column("key", text, "names the series in plan.parquet, and the folder of its result"),
        column("study", text, "key of the study"),
        column("patient", text, "keyed hash of the patient identifier; with a case key only"),
        column("day", pa.int64(), "days since the patient's first series", "day"),
        column("state", text, "analyzed, refused, failed, died, set_aside or unreachable"),
        column("code", text, "why there is no result"),
        column("method", text, "digest of settings, models and versions: rows of one method can be compared"),
        column("case", text, "stands for the decoded scan, or with a case key for the patient"),
        column("copy_of", text, "key of an earlier series with the same voxels"),
        column("status", text, "ok, limited or not_assessable"),
        column("issues", pa.list_(text), "codes of the issues of the report"),
        column("mask_trust", number, "trust in the lung mask", "1"),
        column("mask_review", text, "accepted or rejected by a person"),
        column("slices", pa.int64(), "slices of the stack that was read"),
        column("thickness_mm", number, "slice thickness", "mm"),
        column("step_mm", number, "distance between slices", "mm"),
        column("kernel", text, "reconstruction kernel as the header names it"),
        column("kernel_class", text, "soft, medium or sharp"),
        column("kvp", number, "tube voltage", "kV"),
        column("manufacturer", text, "of the scanner"),
        column("scanner", text, "model"),
    ]
    features = [column(name, number, means, unit) for name, unit, means in columns]
    return pa.schema([*head, *features], metadata={"research_use": RESEARCH_USE, "versions": json.dumps(versions())})


def _feature_row(one: One, last: Recorded, first_of: dict[str, str]) -> dict[str, Any]:
    row, attempt = one.row, last.attempt
    copy_of = None
    if attempt.input_sha256:
        first = first_of.setdefault(attempt.input_sha256, row["key"])
        copy_of = first if first != row["key"] else None
    return {
        **{name: row[name] for name in (*OF_PLAN, *OF_PLAN_TOO) if name not in {"series", "folder"}},
        **{name: float("nan") if value is None else value for name, value in attempt.features.items()},
        "state": str(attempt.state),
        "code": attempt.code or None,
        "method": last.method,
        "case": attempt.case or None,
        "copy_of": copy_of,
        "status": attempt.status or None,
        "issues": list(attempt.issues),
        "mask_trust": attempt.trust,
        "mask_review": one.review.verdict or None if one.review else None,
    }


def _failure(one: One, last: Recorded) -> dict[str, Any]:
    attempt = last.attempt
    return {
        "key": one.row["key"],
        "where": one.row["folder"],
        "state": str(attempt.state),
        "code": attempt.code,
        "exit_code": attempt.exit_code,
        "attempts": last.number,
        "message": attempt.message,
    }
