"""Indexing an archive: speed, memory, and a plain loop over pydicom beside it: ``python -m benchmarks.index``.

The archive is made: small files with headers of about 80 elements, 30 % of them implicit VR, 30 % with sequences of
undefined length before the needed tags. It is page-cached when it is read.
"""

from __future__ import annotations

import io
import resource
import subprocess
import sys
import time
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

CHECKOUT = Path(__file__).resolve().parents[1]
ARCHIVE = CHECKOUT / "out" / "bench_archive"
SLICES = 100
SAMPLE = 3000


def template(syntax: str, *, sequences: bool) -> bytes:
    """One file whose UIDs and position are of fixed width, so that they can be replaced in place."""
    d = Dataset()
    d.SOPClassUID, d.SOPInstanceUID = CTImageStorage, "2.25.1000000000"
    d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = "2.25.2000000000", "2.25.3000000000", "2.25.4"
    d.ImageType, d.Modality, d.Manufacturer = ["ORIGINAL", "PRIMARY", "AXIAL"], "CT", "MAKER"
    d.ManufacturerModelName, d.ConvolutionKernel, d.KVP = "MODEL", "B40f", "120"
    for n in range(40):
        d.add_new(0x00190000 + 0x1000 + n, "LO" if syntax == ExplicitVRLittleEndian else "UN", b"private value %d " % n)
    d.add_new(0x00190010, "LO", "MAKER PRIVATE")
    if sequences:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "CTCHEST", "99X", "Chest"
        d.ProcedureCodeSequence = Sequence([item, item])
        d.ReferencedImageSequence = Sequence([item])
        for name in ("ProcedureCodeSequence", "ReferencedImageSequence"):
            d[name].is_undefined_length = True
    d.PatientName, d.PatientID, d.PatientSex, d.PatientAge, d.PatientPosition = "MADE", "MADE", "F", "060Y", "HFS"
    d.StudyDate, d.StudyTime, d.SeriesNumber, d.AcquisitionNumber, d.InstanceNumber = "20200101", "12", "2", "1", "1"
    d.SliceThickness, d.PixelSpacing = "2.5", ["4", "4"]
    d.ImagePositionPatient, d.ImageOrientationPatient = ["-200", "-200", "0000000.0"], ["1", "0", "0", "0", "1", "0"]
    d.Rows = d.Columns = 8
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    d.RescaleSlope, d.RescaleIntercept, d.WindowCenter, d.WindowWidth = "1", "-1024", "-600", "1500"
    d.add_new(0x7FE00010, "OW", bytes(128))
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = syntax, CTImageStorage, "1"
    out = io.BytesIO()
    FileDataset(out, d, preamble=b"\0" * 128, file_meta=meta).save_as(out, enforce_file_format=True)
    return out.getvalue()


def make(root: Path, count: int) -> None:
    """``count`` files in series of 100, of which 30 % are implicit and 30 % have sequences."""
    if (root / "done").exists():
        return
    kinds = {
        (implicit, sequences): template(
            ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian, sequences=sequences
        )
        for implicit in (False, True)
        for sequences in (False, True)
    }
    for series in range(-(-count // SLICES)):
        folder = root / f"{series // 100:04d}" / f"{series:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        base = kinds[series % 10 < 3, 2 <= series % 10 < 5]
        base = base.replace(b"2.25.2000000000", b"2.25.2%09d" % (series // 3))
        base = base.replace(b"2.25.3000000000", b"2.25.3%09d" % series)
        for n in range(min(SLICES, count - series * SLICES)):
            data = base.replace(b"2.25.1000000000", b"2.25.1%09d" % (series * SLICES + n))
            (folder / f"IM{n:04d}.dcm").write_bytes(data.replace(b"0000000.0", b"%09.1f" % (2.5 * n)))
    (root / "done").touch()


def indexed(root: Path) -> tuple[float, float]:
    """Seconds and peak memory in MB (of the parent process, and of its largest child) of one call."""
    code = (
        "import sys, resource; from cop_imaging.cli.main import main\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "
        "resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, file=sys.stderr)"
    )
    out = str(CHECKOUT / "out" / "bench_index.parquet")
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, "index", str(root), "--out", out, "--overwrite", "--quiet"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return time.perf_counter() - start, max(map(float, done.stderr.split()[-2:]))


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for number in (count // 10, count):
        make(ARCHIVE / str(number), number)
    paths = list((ARCHIVE / str(count)).rglob("*.dcm"))
    for path in paths:
        path.read_bytes()
    for number in (count // 10, count):
        seconds, peak_mb = indexed(ARCHIVE / str(number))
        print(f"index of {number} files: {seconds:.2f} s, {number / seconds:.0f} files/s, peak {peak_mb:.0f} MB")
    sample = paths[:: max(1, len(paths) // SAMPLE)]
    start = time.perf_counter()
    for path in sample:
        dcmread(path, stop_before_pixels=True)
    plain = len(sample) / (time.perf_counter() - start)
    print(f"plain pydicom loop: {plain:.0f} files/s; index is {count / seconds / plain:.1f} times as fast")
    print(f"peak of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
