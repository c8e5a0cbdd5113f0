"""A hundred series planned and fetched from a real Orthanc that is killed midway: ``python -m benchmarks.orthanc``.

Orthanc is started on the loopback address with a folder and ports of its own (Debian packages orthanc and
orthanc-dicomweb). The series are made: small ones to count, two of ordinary size for speed and memory.
"""

from __future__ import annotations

import hashlib
import io
import json
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import urllib3
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from cop_imaging.archive import ArchiveAccess, Credentials, DicomWebSource, DimseSource, Source
from cop_imaging.ingest import IngestConfig

PROGRAM = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
USER, PASSWORD = "bench", "bench-only"
SMALL = (104, 24, 128)
"""Series, slices, pixels along a side."""
ORDINARY = (2, 300, 512)
AWAY_S = 3.0
"""How long the server is away after it was killed."""


class Orthanc:
    """The server, and what was stored in it: digests of the data sets by series."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http, self.dicom, self.receive = (free_port() for _ in range(3))
        self.stored: dict[str, list[str]] = {}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until both ports answer."""
        data = str(self.folder / "data")
        settings = {
            "StorageDirectory": data,
            "IndexDirectory": data,
            "Plugins": [PLUGIN],
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": "ORTHANC",
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "DicomModalities": {"cop": ["COP_IMAGING", "127.0.0.1", self.receive]},
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
        }
        (self.folder / "orthanc.json").write_text(json.dumps(settings))
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen([PROGRAM, str(self.folder / "orthanc.json")], stdout=log, stderr=log)
        while True:
            try:
                for port in (self.http, self.dicom):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)

    def kill(self) -> None:
        """End at once, whatever is being sent."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def fill(self) -> None:
        """Make and store all series."""
        headers = urllib3.make_headers(basic_auth=f"{USER}:{PASSWORD}")
        pool = urllib3.PoolManager(headers=headers)
        for kind, (count, slices, side) in {"small": SMALL, "ordinary": ORDINARY}.items():
            for n in range(count):
                digests = []
                for m in range(slices):
                    data = image(f"{kind}{n}", m, side)
                    answer = pool.request("POST", f"http://127.0.0.1:{self.http}/instances", body=data)
                    assert answer.status == 200, answer.data
                    digests.append(digest(data))
                self.stored[str(generate_uid(entropy_srcs=["series", f"{kind}{n}"]))] = sorted(digests)


def image(series: str, n: int, side: int) -> bytes:
    """One slice as a file: four series are one study, two studies one patient."""
    header = Dataset()
    number = int("".join(filter(str.isdigit, series)))
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, generate_uid(entropy_srcs=["image", series, str(n)])
    header.SeriesInstanceUID = generate_uid(entropy_srcs=["series", series])
    header.StudyInstanceUID = generate_uid(entropy_srcs=["study", str(number // 4)])
    header.PatientID, header.PatientName, header.StudyDate = f"MADE{number // 8}", "MADE", "20200101"
    header.Modality, header.ImageType, header.SeriesNumber = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"], number
    header.InstanceNumber, header.SliceThickness, header.ConvolutionKernel = n + 1, "1", "B40f"
    header.ImagePositionPatient, header.ImageOrientationPatient = (
        ["-150", "-150", str(n)],
        ["1", "0", "0", "0", "1", "0"],
    )
    header.PixelSpacing, header.Rows, header.Columns = [str(300 / side)] * 2, side, side
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
    header.RescaleSlope, header.RescaleIntercept = "1", "-1024"
    header.PixelData = np.random.default_rng([number, n]).integers(0, 2000, (side, side), np.uint16).tobytes()
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    out = io.BytesIO()
    FileDataset(out, header, preamble=bytes(128), file_meta=meta).save_as(out, enforce_file_format=True)
    return out.getvalue()


def digest(data: bytes) -> str:
    """Of a data set alone: whoever stores a file writes its meta information anew."""
    return hashlib.sha256(data[144 + int.from_bytes(data[140:144], "little") :]).hexdigest()


def free_port() -> int:
    """A port of the loopback address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def peak_mb() -> float:
    """Most memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(name: str, source: Source, server: Orthanc, folder: Path) -> bool:
    """Plan and fetch everything while the server is killed and restarted; whether all came as it was stored.

    It is killed halfway, between two series, and in the middle of the first ordinary one.
    """
    spool = folder / "spool"
    start = time.perf_counter()
    source.write_list(folder / "listed.parquet", IngestConfig())
    rows = pq.read_table(folder / "listed.parquet").to_pylist()
    planned = time.perf_counter() - start
    right = wrong = size = 0
    speeds = []
    restarts: list[threading.Thread] = []

    def away(images: int) -> None:
        deadline = time.monotonic() + 60
        while len(list(spool.glob("*/*"))) < images and time.monotonic() < deadline:
            time.sleep(0.002)
        server.kill()
        time.sleep(AWAY_S)
        server.start()

    first = next(n for n, row in enumerate(rows) if row["files"] == ORDINARY[1])
    halfway = len(rows) // 2 + (first == len(rows) // 2)
    start = time.perf_counter()
    for n, row in enumerate(rows):
        if n in {first, halfway}:
            restarts.append(threading.Thread(target=away, args=(30 if n == first else 0,)))
            restarts[-1].start()
        begun = time.perf_counter()
        with source.fetched(row, spool) as files:
            took = time.perf_counter() - begun
            digests = sorted(digest(path.read_bytes()) for path in files.files)
            weight = sum(path.stat().st_size for path in files.files)
        same = digests == server.stored[row["series_uid"]]
        right, wrong, size = right + same, wrong + (not same), size + weight
        if row["files"] == ORDINARY[1] and n != first:
            speeds.append(weight / took / 1e6)
        for thread in restarts:
            thread.join()
    took = time.perf_counter() - start
    left = len(list(spool.iterdir()))
    print(
        f"{name:9} planned {len(rows)} series in {planned:.1f} s ({planned / len(rows) * 1e3:.0f} ms each), fetched "
        f"{size / 1e6:.0f} MB in {took:.1f} s, server killed {len(restarts)} times and away for {AWAY_S:g} s each; "
        f"as stored {right}, else {wrong}, left behind {left}; ordinary series {np.median(speeds):.0f} MB/s; "
        f"peak memory {peak_mb():.0f} MB"
    )
    return right == len(server.stored) and not wrong and not left


def main() -> None:
    """Start the server, fill it, fetch all over each protocol."""
    if not Path(PROGRAM).exists() or not Path(PLUGIN).exists():
        sys.exit("Orthanc is not installed; on Debian: apt-get install orthanc orthanc-dicomweb")
    with tempfile.TemporaryDirectory(prefix="bench-orthanc-") as folder:
        server = Orthanc(Path(folder))
        server.start()
        try:
            server.fill()
            print(f"stored {len(server.stored)} series; memory before {peak_mb():.0f} MB")
            access = ArchiveAccess(requests_per_s=10000.0)
            web = f"http://127.0.0.1:{server.http}/dicom-web"
            pacs = f"dimse://127.0.0.1:{server.dicom}/ORTHANC"
            sources: dict[str, Source] = {
                "DICOMweb": DicomWebSource(web, access=access, credentials=Credentials(USER, PASSWORD)),
                "C-GET": DimseSource.at(pacs, access=access),
                "C-MOVE": DimseSource.at(f"{pacs}?receive={server.receive}", access=access),
            }
            done = [run(name, source, server, Path(folder)) for name, source in sources.items()]
        finally:
            server.kill()
    print("nothing lost" if all(done) else "SERIES WERE LOST")
    sys.exit(not all(done))


if __name__ == "__main__":
    main()
