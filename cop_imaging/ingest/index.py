"""Every series below a folder in one table, from headers alone and in memory that does not grow with the archive.

Headers are read by a pool of processes, put down in a temporary database on disk, and judged one study after the
other by the same rules as reading: the index is no second opinion.
"""

from __future__ import annotations

import os
import pickle
import sqlite3
import tempfile
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from cop_imaging.core.issue import Severity, Status, status_of
from cop_imaging.errors import OutputError, SeriesError
from cop_imaging.ingest.acquisition import acquisition_of
from cop_imaging.ingest.choice import described, kind_of, no_slices, ranked
from cop_imaging.ingest.config import IngestConfig
from cop_imaging.ingest.files import PREAMBLE, starts_like_dicom
from cop_imaging.ingest.frames import MULTI_FRAME, frame_headers
from cop_imaging.ingest.headers import Header, read_header, sop_class_name
from cop_imaging.ingest.naming import shown_name
from cop_imaging.ingest.parsing import DAMAGE, quiet_parser
from cop_imaging.ingest.records import DIRECTORY, SliceRecord, record_of, series_key
from cop_imaging.ingest.splitting import stacks_of
from cop_imaging.ingest.stacking import Stack

__all__ = ["COLUMNS", "IndexSummary", "write_index"]

CHUNK = 256
"""Files that go to a process at once."""
IN_FLIGHT = 4
"""Chunks for each process that wait or are worked on: the walk never runs ahead of the reading."""
ROW_GROUP = 5000
NAMED = 5
"""Damaged or unreadable files that the summary names."""

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

T = TypeVar("T")
Stored = tuple[dict[int, bytes], str, int | None, int | None, int | None]
"""A header without its path: elements, transfer syntax, place and length of the pixels, frame."""


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """What was found."""

    files: int
    dicom: int
    series: int
    verdicts: dict[str, int]
    codes: dict[str, int]
    """Series by the code of their refusal."""
    damaged: int
    unreadable: int
    examples: tuple[str, ...]
    """What messages call the first damaged or unreadable files."""


@dataclass(slots=True)
class Looked:
    """What a process found in one chunk of files."""

    files: int = 0
    dicom: int = 0
    damaged: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    parts: list[tuple[str, str, str, int, int, bytes]] = field(default_factory=list)
    """Study UID, series UID, common folder, files, bytes, packed headers."""


def write_index(
    root: Path,
    out: Path,
    config: IngestConfig,
    *,
    workers: int = 1,
    uids: bool = False,
    tell: Callable[[int], None] = lambda _: None,
) -> IndexSummary:
    """Write one row for each DICOM series below ``root`` to a Parquet file.

    Parameters
    ----------
    workers : int
        Processes that read headers.
    uids : bool
        Fill the columns with UIDs: they identify a study.
    tell : function
        Is given the number of files that were looked at, from time to time.

    Raises
    ------
    SeriesError
        ``source.missing`` or ``source.not_folder``.
    OutputError
        If the table cannot be written.
    """
    if not root.is_dir():
        code = "source.not_folder" if root.exists() else "source.missing"
        raise SeriesError(f"{root} is no folder; give the folder below which the series lie", code=code)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".index-", dir=out.parent) as scratch, _pool(workers) as pool:
            with closing(sqlite3.connect(Path(scratch, "headers.sqlite"))) as database:
                summary = _collect(root, database, pool, workers, tell)
                rows = _judged_studies(database, config, pool, workers, uids=uids)
                verdicts, codes = _write(rows, Path(scratch, "index.parquet"))
            Path(scratch, "index.parquet").replace(out)
    except (OSError, sqlite3.OperationalError) as error:
        raise OutputError(f"the index cannot be written to {out}: {error}") from error
    return replace(summary, series=verdicts.total(), verdicts=dict(verdicts), codes=dict(codes))


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor | None]:
    if workers < 2:
        yield None
        return
    with ProcessPoolExecutor(max_workers=workers) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _mapped(
    work: Callable[[Any], T], tasks: Iterable[Any], pool: ProcessPoolExecutor | None, workers: int
) -> Iterator[T]:
    """Results in the order of the tasks, of which few are in flight at once."""
    if pool is None:
        yield from map(work, tasks)
        return
    waiting: deque[Future[T]] = deque()
    for task in tasks:
        waiting.append(pool.submit(work, task))
        if len(waiting) >= IN_FLIGHT * workers:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _walk(root: str) -> Iterator[tuple[str, int, int]]:
    """Path, place in its folder and number of files of that folder, for each regular file below ``root``."""
    folders = [root]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        # Links to folders may lead in circles and are not followed; links to files are.
        folders += [entry.path for entry in reversed(listed) if entry.is_dir(follow_symlinks=False)]
        files = [entry.path for entry in listed if entry.is_file()]
        for nth, path in enumerate(files, 1):
            yield path, nth, len(files)


def _chunks(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while chunk := list(islice(items, size)):
        yield chunk


def _collect(
    root: Path,
    database: sqlite3.Connection,
    pool: ProcessPoolExecutor | None,
    workers: int,
    tell: Callable[[int], None],
) -> IndexSummary:
    # A throw-away file: nothing in it has to survive a crash.
    database.execute("PRAGMA journal_mode=OFF")
    database.execute("PRAGMA synchronous=OFF")
    database.execute("CREATE TABLE part (study, series, study_uid, series_uid, folder, files, bytes, headers BLOB)")
    files = dicom = damaged = unreadable = 0
    examples: list[str] = []
    for looked in _mapped(_look, _chunks(_walk(str(root)), CHUNK), pool, workers):
        files += looked.files
        dicom += looked.dicom
        damaged += len(looked.damaged)
        unreadable += len(looked.unreadable)
        examples += (looked.damaged + looked.unreadable)[: NAMED - len(examples)]
        database.executemany(
            "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (series_key(study), series_key(series), study, series, _below(folder, root), *rest)
                for study, series, folder, *rest in looked.parts
            ],
        )
        tell(files)
    database.execute("CREATE INDEX by_study ON part (study, study_uid, series, series_uid)")
    return IndexSummary(files, dicom, 0, {}, {}, damaged, unreadable, tuple(examples))


def _below(folder: str, root: Path) -> str:
    """The folder seen from the root; bytes that are no text are replaced, since no table takes them."""
    return os.fsencode(os.path.relpath(folder, root)).decode("utf-8", "replace")


def _look(chunk: Sequence[tuple[str, int, int]]) -> Looked:
    """Read the headers of a chunk of files; runs in a process of its own."""
    looked = Looked(files=len(chunk))
    groups: dict[tuple[str, str], list[tuple[str, int, list[Stored]]]] = {}
    # Slices of a series share most values: one object for equal bytes makes the pickle small.
    shared: dict[bytes, bytes] = {}
    with quiet_parser():
        for path, nth, total in chunk:
            shown = shown_name(Path(path), nth, total)
            try:
                with open(path, "rb") as file:
                    if not starts_like_dicom(file.read(PREAMBLE + 8)):
                        continue
                    size = os.fstat(file.fileno()).st_size
                headers = _headers(Path(path), shown)
            except DAMAGE:
                looked.damaged.append(shown)
                continue
            except (OSError, SeriesError):
                looked.unreadable.append(shown)
                continue
            series = headers[0].text("SeriesInstanceUID")
            if headers[0].names_nothing and os.path.basename(path) != DIRECTORY:
                looked.damaged.append(shown)
                continue
            looked.dicom += 1
            if series:
                # Without a study each series is one of its own, so that one study never becomes the whole archive.
                study = headers[0].text("StudyInstanceUID") or series
                packed = [_stored(header, shared) for header in headers]
                groups.setdefault((study, series), []).append((os.path.dirname(path), size, packed))
    for (study, series), found in groups.items():
        folder = os.path.commonpath([one[0] for one in found])
        stored = [one for _, _, packed in found for one in packed]
        blob = zlib.compress(pickle.dumps(stored, protocol=5), 1)
        looked.parts.append((study, series, folder, len(found), sum(one[1] for one in found), blob))
    return looked


def _headers(path: Path, shown: str) -> list[Header]:
    header = read_header(path, shown)
    return list(frame_headers(header)) if header.text("SOPClassUID") in MULTI_FRAME else [header]


def _stored(header: Header, shared: dict[bytes, bytes]) -> Stored:
    elements = {tag: shared.setdefault(value, value) for tag, value in header.elements.items()}
    return elements, header.syntax, header.pixel_at, header.pixel_bytes, header.frame


Series = tuple[str, str, str, str, str, int, int, list[bytes]]
"""Study key, series key, study UID, series UID, folder, files, bytes, packed headers."""


def _judged_studies(
    database: sqlite3.Connection, config: IngestConfig, pool: ProcessPoolExecutor | None, workers: int, *, uids: bool
) -> Iterator[dict[str, Any]]:
    tasks = ((study, config, uids) for study in _studies(database))
    for rows in _mapped(_judge_study, tasks, pool, workers):
        yield from rows


def _studies(database: sqlite3.Connection) -> Iterator[list[Series]]:
    """The series of one study after the other, in the order of keys."""
    columns = "study, series, study_uid, series_uid, folder, files, bytes, headers"
    study: list[Series] = []
    for row in database.execute(f"SELECT {columns} FROM part ORDER BY study, study_uid, series, series_uid, rowid"):
        key, series, study_uid, series_uid, folder, files, size, blob = row
        if study and (study[-1][0], study[-1][2]) != (key, study_uid):
            yield study
            study = []
        if study and study[-1][3] == series_uid:
            *same, before, count, weight, blobs = study[-1]
            whole = os.path.commonpath([f"/{before}", f"/{folder}"])
            study[-1] = (*same, os.path.relpath(whole, "/"), count + files, weight + size, [*blobs, blob])
        else:
            study.append((key, series, study_uid, series_uid, folder, files, size, [blob]))
    if study:
        yield study


def _judge_study(task: tuple[list[Series], IngestConfig, bool]) -> list[dict[str, Any]]:
    """The rows of one study, ranked; runs in a process of its own."""
    study, config, uids = task
    rows: dict[str, dict[str, Any]] = {}
    stacks: list[tuple[str, Stack]] = []
    for key, series, study_uid, series_uid, folder, files, size, blobs in study:
        records = [record_of(Header(Path(), *one)) for blob in blobs for one in pickle.loads(zlib.decompress(blob))]
        row: dict[str, Any] = {"study": key, "series": series, "folder": folder, "files": files, "bytes": size}
        if uids:
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


def _write(rows: Iterator[dict[str, Any]], path: Path) -> tuple[Counter[str], Counter[str]]:
    """Write the rows; how many there are by verdict and by code of refusal."""
    verdicts: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    with pq.ParquetWriter(path, COLUMNS) as writer:
        for group in _chunks(rows, ROW_GROUP):
            writer.write_table(pa.Table.from_pylist(group, schema=COLUMNS))
            verdicts.update(row["verdict"] for row in group)
            codes.update(row["code"] for row in group if row["code"])
    return verdicts, codes
