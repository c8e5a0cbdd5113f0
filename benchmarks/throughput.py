"""Series per hour with one worker, two, and two on a Dask cluster: ``python -m benchmarks.throughput [--rounds 5]``.

A made chest of ordinary size goes through the whole line several times, one thread in each process: equal series, since
of few unequal ones the longest would set the time. The three ways take turns, so that
what else the machine does meets all of them; the figures are medians of ratios within a round. Time counts from the
start of the work to the last outcome: start, plan and tables, some seconds, are the same for a large archive.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import sqlite3
import statistics
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
from pydicom import dcmread
from pydicom.uid import generate_uid

OUT = Path(__file__).resolve().parents[1] / "out" / "bench_throughput"
WAYS = {
    "one worker": ("--workers", "1"),
    "two workers": ("--workers", "2"),
    "two on Dask": ("--workers", "2", "--engine", "dask"),
}


def _cop_imaging(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "cop_imaging", *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--series", type=int, default=2, help="per worker: as many for each of two workers")
    options.add_argument("--step", default="2")
    options.add_argument("--matrix", default="512")
    given = options.parse_args()
    archive = OUT / "archive"
    count = 2 * given.series
    shutil.rmtree(OUT, ignore_errors=True)
    _cop_imaging("phantom", "--step", given.step, "--matrix", given.matrix, "--out", str(OUT / "made"))
    for n in range(count):
        (archive / str(n)).mkdir(parents=True)
        series = generate_uid()
        for path in (OUT / "made" / "dicom").iterdir():
            slice_ = dcmread(path)
            slice_.SeriesInstanceUID, slice_.SOPInstanceUID = series, generate_uid()
            slice_.save_as(archive / str(n) / path.name)
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    peaks: list[float] = []
    for _ in range(given.rounds):
        for name, options_of in WAYS.items():
            run = OUT / "run"
            shutil.rmtree(run, ignore_errors=True)
            _cop_imaging("batch", str(archive), "--out", str(run), "--quiet", *options_of)
            seconds[name].append(_working_s(run))
            peaks += _peaks(run)
        print({name: round(found[-1], 1) for name, found in seconds.items()}, flush=True)
    rows = pq.read_table(OUT / "run" / "plan.parquet", columns=["slices", "rows", "columns"]).to_pylist()
    print(f"{count} series of {rows[0]['slices']} x {rows[0]['rows']} x {rows[0]['columns']} voxels")
    for name, found in seconds.items():
        print(f"{name}: {count / statistics.median(found) * 3600:.0f} series per hour")
    for one, other in (("one worker", "two workers"), ("two on Dask", "two workers")):
        ratios = [a / b for a, b in zip(seconds[one], seconds[other], strict=True)]
        print(f"time of {one} / {other}: {statistics.median(ratios):.3f} (all: {[round(r, 3) for r in ratios]})")
    print(f"peak memory of a worker: {max(peaks):.0f} MB")


def _working_s(run: Path) -> float:
    with sqlite3.connect(run / "ledger.sqlite") as database:
        ((begun, ended),) = database.execute("SELECT min(call.started), max(attempt.ended) FROM call, attempt")
    return (dt.datetime.fromisoformat(ended) - dt.datetime.fromisoformat(begun)).total_seconds()


def _peaks(run: Path) -> list[float]:
    with sqlite3.connect(run / "ledger.sqlite") as database:
        return [row[0] for row in database.execute("SELECT peak_mb FROM attempt WHERE peak_mb IS NOT NULL")]


if __name__ == "__main__":
    main()
