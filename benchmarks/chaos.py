"""A run whose workers, driver and disk fail all the time: ``python -m benchmarks.chaos [--kills 30]``.

An archive of small made chests with faulty series among them is analyzed three times by the whole line: undisturbed;
with workers killed at random moments and the driver too, each time called again; and on a disk that fills up. The
table has to be the same bytes each time. The disk is a small tmpfs: that part needs root and is left out without.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pydicom
from pydicom.uid import generate_uid

OUT = Path(__file__).resolve().parents[1] / "out" / "bench_chaos"
ARCHIVE, TMPFS = OUT / "archive", OUT / "tmpfs"
CHESTS, COPIES = 12, 3
DRIVER_KILLS = 5
# Small chests are analyzed quickly by the method without the network.
BATCH = ("--workers", "2", "--set", "anatomy.method=classical", "--set", "anatomy.work_spacing_mm=3.0")

Fault = Callable[[list[pydicom.Dataset]], list[pydicom.Dataset]]


def _without(name: str) -> Fault:
    def fault(slices: list[pydicom.Dataset]) -> list[pydicom.Dataset]:
        for slice_ in slices:
            delattr(slice_, name)
        return slices

    return fault


def _with(**elements: object) -> Fault:
    def fault(slices: list[pydicom.Dataset]) -> list[pydicom.Dataset]:
        for slice_ in slices:
            for name, value in elements.items():
                setattr(slice_, name, value)
        return slices

    return fault


def _short_pixels(slices: list[pydicom.Dataset]) -> list[pydicom.Dataset]:
    for slice_ in slices:
        slice_.PixelData = slice_.PixelData[: len(slice_.PixelData) // 4 * 2]
    return slices


FAULTS: dict[str, Fault] = {
    "no_position": _without("ImagePositionPatient"),
    "no_orientation": _without("ImageOrientationPatient"),
    "no_spacing": _without("PixelSpacing"),
    "no_rescale": _without("RescaleIntercept"),
    "no_pixels": _without("PixelData"),
    "no_rows": _without("Rows"),
    "short_pixels": _short_pixels,
    "mr": _with(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"),
    "localizer": _with(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    "projection": _with(ImageType=["DERIVED", "SECONDARY", "MIP"]),
    "few": lambda slices: slices[:4],
    "one": lambda slices: slices[:1],
    "holes": lambda slices: slices[:12] + slices[20:],
    "sagittal": _with(ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
}


def make_archive() -> int:
    """Write the archive once; the number of faulty series in it."""
    if not (ARCHIVE / ".whole").exists():
        shutil.rmtree(ARCHIVE, ignore_errors=True)
        for seed in range(CHESTS):
            place = OUT / "made"
            call = ["phantom", "--disease", "COP", "--seed", str(seed), "--step", "6", "--matrix", "64"]
            _cop_imaging([*call, "--out", str(place)])
            for copy in range(COPIES):
                _write(place / "dicom", ARCHIVE / f"chest{seed}" / f"{copy}", lambda slices: slices)
            for name, fault in list(FAULTS.items())[seed % 2 :: 2] if seed < 4 else ():
                _write(place / "dicom", ARCHIVE / f"fault{seed}" / name, fault)
            shutil.rmtree(place)
        # Files that are no whole files at all.
        for name, size in (("cut", 300), ("empty", 0)):
            whole = sorted((ARCHIVE / "chest0" / "0").iterdir())
            (ARCHIVE / name).mkdir()
            for path in whole:
                (ARCHIVE / name / path.name).write_bytes(path.read_bytes()[:size])
        (ARCHIVE / ".whole").touch()
    return sum(1 for path in ARCHIVE.glob("fault*/*")) + 2


def _write(source: Path, folder: Path, fault: Fault) -> None:
    slices = [pydicom.dcmread(path) for path in sorted(source.iterdir())]
    study, series = generate_uid(), generate_uid()
    for slice_ in slices:
        slice_.StudyInstanceUID, slice_.SeriesInstanceUID, slice_.SOPInstanceUID = study, series, generate_uid()
        slice_.file_meta.MediaStorageSOPInstanceUID = slice_.SOPInstanceUID
    slices = fault(slices)
    folder.mkdir(parents=True)
    for n, slice_ in enumerate(slices):
        slice_.save_as(folder / f"IM{n:04d}.dcm")


def _cop_imaging(arguments: list[str]) -> int:
    call = [sys.executable, "-m", "cop_imaging", *arguments]
    return subprocess.run(call, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def _batch(run: Path, *more: str) -> list[str]:
    return ["batch", str(ARCHIVE), "--out", str(run), "--quiet", *BATCH, *more]


def _children(pid: int) -> list[int]:
    try:
        text = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:
        return []
    return [int(child) for child in text.split()]


def disturbed(run: Path, kills: int, seed: int) -> tuple[int, int, int]:
    """A run with kills at random moments; workers killed, drivers killed, calls in all."""
    rng = random.Random(seed)
    workers = drivers = calls = 0
    while True:
        calls += 1
        # Deaths of workers by these kills set series aside: the last calls try them again.
        over = workers >= kills and drivers >= DRIVER_KILLS
        driver = subprocess.Popen(
            [sys.executable, "-m", "cop_imaging", *_batch(run, *(["--retry-failed"] if over else []))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        due = time.monotonic() + rng.uniform(15.0, 40.0)
        while driver.poll() is None:
            time.sleep(rng.uniform(2.0, 8.0))
            alive = _children(driver.pid)
            if workers < kills and alive:
                os.kill(rng.choice(alive), signal.SIGKILL)
                workers += 1
            if drivers < DRIVER_KILLS and time.monotonic() > due:
                driver.kill()
                drivers += 1
        driver.wait()
        if over:
            return workers, drivers, calls


def full_disk(run: Path) -> tuple[int, int]:
    """Fill a small disk until the run stops, give it room, go on; exit codes of the first call and the last."""
    TMPFS.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(TMPFS)], check=True)
    try:
        first = _cop_imaging(_batch(TMPFS / "run"))
        halves = [path.name for path in (TMPFS / "run" / "series").glob(".*")]
        if halves:
            print(f"half-written: {halves}")
        subprocess.run(["mount", "-o", "remount,size=600m", str(TMPFS)], check=True)
        last = _cop_imaging(_batch(TMPFS / "run"))
        shutil.copytree(TMPFS / "run", run)
    finally:
        subprocess.run(["umount", str(TMPFS)], check=False)
    return first, last


def _said(name: str, run: Path, faulty: int, whole: Path) -> None:
    same = all((run / f).read_bytes() == (whole / f).read_bytes() for f in ("features.parquet",))
    with sqlite3.connect(run / "ledger.sqlite") as database:
        states = dict(database.execute("SELECT state, count(*) FROM outcome GROUP BY state"))
        twice = database.execute(
            "SELECT count(*) - count(DISTINCT series) FROM attempt WHERE state = 'analyzed'"
        ).fetchone()[0]
        died = database.execute("SELECT count(*) FROM attempt WHERE code LIKE 'worker.%'").fetchone()[0]
        codes = database.execute("SELECT count(*) FROM outcome WHERE state = 'refused' AND code != ''").fetchone()[0]
    print(f"{name}: {states}; table the same bytes: {same}; faulty with a code: {codes} of {faulty}")
    print(f"    analyzed twice: {twice}; deaths recorded: {died}")


def main() -> None:
    """Print what became of the runs."""
    options = argparse.ArgumentParser()
    options.add_argument("--kills", type=int, default=30)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    faulty = make_archive()
    runs = {name: OUT / name for name in ("undisturbed", "killed", "full")}
    for run in runs.values():
        shutil.rmtree(run, ignore_errors=True)
    begun = time.perf_counter()
    code = _cop_imaging(_batch(runs["undisturbed"]))
    print(f"{CHESTS * COPIES} good series and {faulty} faulty ones: {time.perf_counter() - begun:.0f} s, exit {code}")
    _said("undisturbed", runs["undisturbed"], faulty, runs["undisturbed"])
    begun = time.perf_counter()
    workers, drivers, calls = disturbed(runs["killed"], given.kills, given.seed)
    print(f"{workers} workers and {drivers} drivers killed, {calls} calls: {time.perf_counter() - begun:.0f} s")
    _said("killed", runs["killed"], faulty, runs["undisturbed"])
    if os.geteuid() == 0:
        first, last = full_disk(runs["full"])
        print(f"full disk: exit {first}, with room again exit {last}")
        _said("full disk", runs["full"], faulty, runs["undisturbed"])


if __name__ == "__main__":
    main()
