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
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from cop_imaging.errors import OutputError, SeriesError
from cop_imaging.ingest.config import IngestConfig
from cop_imaging.ingest.listing import LISTED, list_study, lost_series
from cop_imaging.ingest.packing import UNREADABLE, Lost, look
from cop_imaging.ingest.pool import Readers, mapped, readers_of_headers
from cop_imaging.ingest.records import series_key
from cop_imaging.ingest.verdicts import COLUMNS, IndexedSeries, judge_study

__all__ = ["IndexSummary", "write_index", "write_listing"]

CHUNK = 256
"""Files that go to a process at once."""
ROW_GROUP = 500
"""Rows that are in memory at once: those of a listing name all files of their series."""
NAMED = 5
"""Damaged or unreadable files that the summary names."""

T = TypeVar("T")


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

    def rows(found: Found) -> Iterator[dict[str, Any]]:
        tasks = ((study, config, uids) for study in _studies(found.database))
        for of_study in mapped(judge_study, tasks, found.readers):
            yield from of_study

    return _tabulate(root, out, rows, COLUMNS, (), workers, tell)


def write_listing(
    root: Path,
    out: Path,
    config: IngestConfig,
    *,
    case_key: bytes | None = None,
    leave_out: Collection[Path] = (),
    workers: int = 1,
    tell: Callable[[int], None] = lambda _: None,
) -> IndexSummary:
    """Write the index with all that a batch needs of each series besides: its files, its key, whose it is.

    Files that cannot be read belong to the one series of their folder, or are a row of their own where there is none
    or several. The table holds descriptions and dates: it is to be filtered and thrown away.

    Parameters
    ----------
    case_key : bytes, optional
        Secret of the keyed hash that tells which series are of one patient.
    leave_out : paths
        Folders that are not looked into.

    Raises
    ------
    SeriesError, OutputError
        As ``write_index`` does.
    """

    def rows(found: Found) -> Iterator[dict[str, Any]]:
        homeless = _given_home(found)
        tasks = ((study, config, root, case_key) for study in _studies(found.database))
        for of_study in mapped(list_study, tasks, found.readers):
            yield from of_study
        yield from lost_series(homeless, root)

    return _tabulate(root, out, rows, LISTED, leave_out, workers, tell)


@dataclass(frozen=True, slots=True)
class Found:
    """The headers below a root, and what reads them."""

    root: Path
    database: sqlite3.Connection
    readers: Readers
    lost: list[Lost]


def _tabulate(
    root: Path,
    out: Path,
    rows: Callable[[Found], Iterator[dict[str, Any]]],
    columns: pa.Schema,
    leave_out: Collection[Path],
    workers: int,
    tell: Callable[[int], None],
) -> IndexSummary:
    if not root.is_dir():
        code = "source.not_folder" if root.exists() else "source.missing"
        raise SeriesError(f"{root} is no folder; give the folder below which the series lie", code=code)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=".index-", dir=out.parent) as scratch,
            readers_of_headers(workers) as readers,
        ):
            shut = {os.path.realpath(path) for path in (*leave_out, Path(scratch))}
            with closing(sqlite3.connect(Path(scratch, "headers.sqlite"))) as database:
                summary, lost = _collect(root, database, shut, readers, tell)
                found = Found(root, database, readers, lost)
                verdicts, codes = _write(rows(found), Path(scratch, "index.parquet"), columns)
            Path(scratch, "index.parquet").replace(out)
    except (OSError, sqlite3.OperationalError) as error:
        raise OutputError(f"the index cannot be written to {out}: {error}") from error
    return replace(summary, series=verdicts.total(), verdicts=dict(verdicts), codes=dict(codes))


def _walk(root: str, shut: Collection[str], closed: list[str]) -> Iterator[tuple[str, int, int]]:
    """Path, place in its folder and number of files of that folder, for each regular file below ``root``.

    Folders in ``shut`` are not looked into; those that the system does not list are added to ``closed``.
    """
    folders, seen = [root], [os.path.realpath(root)]
    while folders:
        folder = folders.pop()
        if shut and os.path.realpath(folder) in shut:
            continue
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            closed.append(folder)
            continue
        folders += [entry.path for entry in reversed(listed) if _leads_on(entry, seen)]
        files = [entry.path for entry in listed if entry.is_file()]
        for nth, path in enumerate(files, 1):
            yield path, nth, len(files)


def _leads_on(entry: os.DirEntry[str], seen: list[str]) -> bool:
    """Whether an entry is a folder to look into: not by a link into what is looked into anyway, or around it."""
    if entry.is_dir(follow_symlinks=False):
        return True
    if not (entry.is_symlink() and entry.is_dir()):
        return False
    real = os.path.realpath(entry.path)
    if any(os.path.commonpath([real, other]) in {real, other} for other in seen):
        return False
    seen.append(real)
    return True


def _chunks(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while chunk := list(islice(items, size)):
        yield chunk


def _collect(
    root: Path,
    database: sqlite3.Connection,
    shut: Collection[str],
    readers: Readers,
    tell: Callable[[int], None],
) -> tuple[IndexSummary, list[Lost]]:
    # A throw-away file: nothing in it has to survive a crash.
    database.execute("PRAGMA journal_mode=OFF")
    database.execute("PRAGMA synchronous=OFF")
    database.execute("CREATE TABLE part (study, series, study_uid, series_uid, folder, files, bytes, headers BLOB)")
    files = dicom = damaged = unreadable = 0
    examples: list[str] = []
    lost: list[Lost] = []
    closed: list[str] = []
    for looked in mapped(look, _chunks(_walk(str(root), shut, closed), CHUNK), readers):
        files += looked.files
        dicom += looked.dicom
        damaged += len(looked.damaged)
        unreadable += len(looked.unreadable)
        lost += looked.lost
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
    unreadable += len(closed)
    examples += ["a folder"] * min(len(closed), NAMED - len(examples))
    # A folder that cannot be listed stands for whatever lies in it.
    lost += [(os.path.join(folder, ""), 0, 0, UNREADABLE) for folder in closed]
    return IndexSummary(files, dicom, 0, {}, {}, damaged, unreadable, tuple(examples)), lost


def _given_home(found: Found) -> list[Lost]:
    """Make lost files part of the one series that lies in their folder; those that are left."""
    folders: dict[str, list[Lost]] = {}
    for one in found.lost:
        folders.setdefault(os.path.dirname(one[0]), []).append(one)
    homeless: list[Lost] = []
    for folder, files in folders.items():
        below = _below(folder, found.root)
        series = found.database.execute(
            "SELECT DISTINCT study, series, study_uid, series_uid FROM part WHERE folder = ? LIMIT 2", (below,)
        ).fetchall()
        if len(series) != 1:
            homeless += files
            continue
        entries = [(path, size, time_ns, "") for path, size, time_ns, _ in files]
        blob = zlib.compress(pickle.dumps(([], entries), protocol=5), 1)
        total = sum(size for _, size, *_ in files)
        found.database.execute(
            "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*series[0], below, len(files), total, blob)
        )
    return homeless


def _below(folder: str, root: Path) -> str:
    """The folder seen from the root; bytes that are no text are replaced, since no table takes them."""
    return os.fsencode(os.path.relpath(folder, root)).decode("utf-8", "replace")


def _studies(database: sqlite3.Connection) -> Iterator[list[IndexedSeries]]:
    """The series of one study after the other, in the order of keys."""
    columns = "study, series, study_uid, series_uid, folder, files, bytes, headers"
    study: list[IndexedSeries] = []
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


def _write(rows: Iterator[dict[str, Any]], path: Path, columns: pa.Schema) -> tuple[Counter[str], Counter[str]]:
    """Write the rows; how many there are by verdict and by code of refusal."""
    verdicts: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    with pq.ParquetWriter(path, columns) as writer:
        for group in _chunks(rows, ROW_GROUP):
            writer.write_table(pa.Table.from_pylist(group, schema=columns))
            verdicts.update(row["verdict"] for row in group)
            codes.update(row["code"] for row in group if row["code"])
    return verdicts, codes
