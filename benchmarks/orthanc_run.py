"""A hundred chests planned, fetched and analyzed from a real Orthanc: ``python -m benchmarks.orthanc_run``.

The small made chests of ``benchmarks.chaos`` are stored under new identifiers, and the whole command runs over DICOMweb
and over DIMSE while the server is killed and started again twice. Every chest has to come out with the case that the
same files have when they are read from the disk.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pydicom
import urllib3
from pydicom.uid import generate_uid

from benchmarks.chaos import ARCHIVE, BATCH, CHESTS
from benchmarks.orthanc import PASSWORD, PLUGIN, PROGRAM, USER, Orthanc
from cop_imaging.ingest import read_series

OUT = Path(__file__).resolve().parents[1] / "out" / "bench_orthanc"
AWAY_S = 10.0


def store(server: Orthanc, count: int) -> Counter[str]:
    """Store so many chests; how often each case stands in them."""
    pool = urllib3.PoolManager(headers=urllib3.make_headers(basic_auth=f"{USER}:{PASSWORD}"))
    cases: Counter[str] = Counter()
    for n in range(count):
        folder = ARCHIVE / f"chest{n % CHESTS}" / "0"
        cases[read_series(folder).case] += 1
        study, series = generate_uid(), generate_uid()
        for path in sorted(folder.iterdir()):
            slice_ = pydicom.dcmread(path)
            slice_.StudyInstanceUID, slice_.SeriesInstanceUID, slice_.SOPInstanceUID = study, series, generate_uid()
            slice_.file_meta.MediaStorageSOPInstanceUID = slice_.SOPInstanceUID
            slice_.PatientID = f"MADE{n // 2}"
            file = io.BytesIO()
            slice_.save_as(file)
            answer = pool.request("POST", f"http://127.0.0.1:{server.http}/instances", body=file.getvalue())
            assert answer.status == 200, answer.data
    return cases


def main() -> None:
    """Print what became of both runs."""
    options = argparse.ArgumentParser()
    options.add_argument("--series", type=int, default=100)
    given = options.parse_args()
    if not Path(PROGRAM).exists() or not Path(PLUGIN).exists():
        sys.exit("Orthanc is not installed; on Debian: apt-get install orthanc orthanc-dicomweb")
    if not (ARCHIVE / ".whole").exists():
        sys.exit("the archive of small chests is made by python -m benchmarks.chaos")
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="bench-orthanc-") as folder:
        server = Orthanc(Path(folder))
        server.start()
        try:
            cases = store(server, given.series)
            _run("DICOMweb", f"http://127.0.0.1:{server.http}/dicom-web", server, cases)
            _run("DIMSE", f"dimse://127.0.0.1:{server.dicom}/ORTHANC", server, cases)
        finally:
            server.kill()


def _run(name: str, address: str, server: Orthanc, cases: Counter[str]) -> None:
    run = OUT / name
    begun = time.perf_counter()
    call = [sys.executable, "-m", "cop_imaging", "batch", address, "--out", str(run), "--keep", "features", *BATCH]
    shown = {"COP_IMAGING_ARCHIVE_USER": USER, "COP_IMAGING_ARCHIVE_PASSWORD": PASSWORD}
    program = subprocess.Popen(
        call, env=os.environ | shown, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    total = sum(cases.values())
    restarts = 0
    assert program.stderr is not None
    for line in program.stderr:
        if f"[{total // 3}/" in line or f"[{2 * total // 3}/" in line:
            restarts += 1
            threading.Thread(target=_away, args=(server,)).start()
    code = program.wait()
    rows = pq.read_table(run / "features.parquet", columns=["case", "state"]).to_pylist()
    found = Counter(row["case"] for row in rows)
    states = dict(Counter(row["state"] for row in rows))
    secret = [p.name for p in run.rglob("*") if p.is_file() and PASSWORD.encode() in p.read_bytes()]
    spooled = list(run.glob(".spool-*"))
    print(
        f"{name}: {len(rows)} planned, {states}, every case as stored: {found == cases}, server killed {restarts} "
        f"times for {AWAY_S:g} s, exit {code}, {time.perf_counter() - begun:.0f} s; files with the password: {secret}; "
        f"left in the spool: {len(spooled)}",
        flush=True,
    )


def _away(server: Orthanc) -> None:
    server.kill()
    time.sleep(AWAY_S)
    server.start()


if __name__ == "__main__":
    main()
