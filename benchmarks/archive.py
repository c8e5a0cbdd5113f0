"""What a run costs beside the analysis: ``python -m benchmarks.archive [--series N]``.

100,000 series are planned whose analysis is a stand-in of a few milliseconds in real worker processes, so that what
remains is the run itself: reading the plan, giving out work, recording outcomes. Then the run is called again with
everything done, and the ledger is written as fast as it goes. Beside it, a plain loop that calls the stand-in and
writes one row per outcome into an SQLite table with the same guarantees.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cop_imaging.batch import Settings, run_batch
from cop_imaging.batch.ledger import opened
from cop_imaging.batch.outcome import Attempt, State, pack
from cop_imaging.batch.run import SERIES
from cop_imaging.ingest import IngestConfig, SeriesFiles
from cop_imaging.ingest.index import IndexSummary
from cop_imaging.ingest.listing import LISTED
from cop_imaging.pipeline import Config, table_columns

OUT = Path(__file__).resolve().parents[1] / "out" / "bench_run"
WORK_S = 0.004
FILES = 300


@dataclass(frozen=True)
class MadeSource:
    """An archive that exists only in its list."""

    series: int
    address: str = "made"
    spools: bool = False

    def write_list(
        self,
        out: Path,
        config: IngestConfig,
        *,
        case_key: bytes | None = None,
        leave_out: Collection[Path] = (),
        workers: int = 1,
        tell: Callable[[int], None] = lambda _: None,
    ) -> IndexSummary:
        """One row for each series, as a listing of a folder would give it."""
        paths = [f"patient/study/series/IM{n:04d}.dcm".encode() for n in range(FILES)]
        with pq.ParquetWriter(out, LISTED) as writer:
            for first in range(0, self.series, 500):
                rows = [self._row(n, paths) for n in range(first, min(self.series, first + 500))]
                writer.write_table(pa.Table.from_pylist(rows, schema=LISTED))
        return IndexSummary(self.series * FILES, self.series * FILES, self.series, {}, {}, 0, 0, ())

    @staticmethod
    def _row(n: int, paths: list[bytes]) -> dict[str, Any]:
        key = f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}"
        sizes = {"rows": 512, "columns": 512, "slices": FILES, "files": FILES, "bytes": FILES * 525_000}
        names = {"key": key, "study": key[:12], "series": key[:12], "folder": f"patient/{n}", "modality": "CT"}
        return {**names, **sizes, "verdict": "usable", "rank": 1, "thickness_mm": 1.0, "stamp": key, "paths": paths}

    @contextmanager
    def fetched(self, row: Mapping[str, Any], spool: Path) -> Iterator[SeriesFiles]:
        """Nothing lies there."""
        raise NotImplementedError
        yield


@dataclass(frozen=True)
class StandIn:
    """Takes a few milliseconds and answers with a row as wide as a real one."""

    names: tuple[str, ...]
    out: Path
    seconds: float = WORK_S

    def __call__(self, row: Mapping[str, Any]) -> Attempt:
        """Sleep, then answer."""
        time.sleep(self.seconds)
        (self.out / row["key"]).mkdir(exist_ok=True)
        (self.out / row["key"] / "features.csv").touch()
        number = int(row["key"], 16) / 2**64
        features = {name: number * n for n, name in enumerate(self.names)}
        return Attempt(
            State.ANALYZED, seconds=self.seconds, status="ok", trust=1.0, input_sha256=row["key"], packed=pack(features)
        )


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser()
    options.add_argument("--series", type=int, default=100_000)
    options.add_argument("--workers", type=int, default=2)
    given = options.parse_args()
    shutil.rmtree(OUT, ignore_errors=True)
    job = StandIn(tuple(column.name for column in table_columns(Config())), OUT / SERIES)
    settings = Settings(kept="features", workers=given.workers, memory_mb=1e9)
    memory: dict[int, float] = {}
    begun = time.perf_counter()
    worked = [0.0, 0.0]

    def tell(done: int, total: int, outcome: object) -> None:
        if done == 1:
            worked[0] = time.perf_counter()
        worked[1] = time.perf_counter()
        if done in {total // 10, total}:
            memory[done] = _resident_mb()

    run_batch(MadeSource(given.series), OUT, Config(), settings, job=job, tell=tell)
    whole = time.perf_counter() - begun
    working = worked[1] - worked[0]
    each_ms = 1000.0 * (working * given.workers / given.series - WORK_S)
    print(f"tables and pages: {begun + whole - worked[1]:.0f} s")
    print(f"{given.series} series, {len(job.names)} columns, {given.workers} workers: {whole:.0f} s in all")
    print(
        f"overhead per series: {each_ms:.2f} ms of a worker, {1000.0 * working / given.series:.2f} ms between outcomes"
    )
    plain = _plain(min(given.series, 2000), job)
    print(f"plain loop, one synced row each, one worker: {plain:.2f} ms per series beside the work")
    print("driver memory: " + ", ".join(f"{n} done {mb:.0f} MB" for n, mb in memory.items()))
    begun = time.perf_counter()
    result = run_batch(MadeSource(given.series), OUT, Config(), settings, job=job)
    print(f"called again with {result.kept} done: {time.perf_counter() - begun:.1f} s")
    print(f"peak memory of the driver: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    for group in (1, 8, 64, 512):
        print(f"ledger, {group} outcomes in a commit: {_ledger_rate(group, job):.0f} rows/s")


def _plain(count: int, job: StandIn) -> float:
    path = OUT / "plain.sqlite"
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE outcome (key TEXT, state TEXT)")
        begun = time.perf_counter()
        for n in range(count):
            attempt = job({"key": f"{n:016x}"})
            database.execute("INSERT INTO outcome VALUES (?, ?)", (str(n), str(attempt.state)))
        return 1000.0 * ((time.perf_counter() - begun) / count - WORK_S)


def _ledger_rate(group: int, job: StandIn) -> float:
    folder = OUT / f"ledger-{group}"
    folder.mkdir()
    attempt = StandIn(job.names, OUT / SERIES, 0.0)({"key": "1234567890abcdef"})
    count = max(400, 16 * group)
    with opened(folder) as ledger:
        begun = time.perf_counter()
        for _ in range(0, count, group):
            ledger.add([("1234567890abcdef", 1, "m", "features", attempt)] * group)
        return count / (time.perf_counter() - begun)


def _resident_mb() -> float:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize() / 2**20


if __name__ == "__main__":
    # Workers find the stand-in in the module of this name, not in the program that was started.
    from benchmarks.archive import main as measure

    measure()
