"""Reading a thin series: speed against plain loops of other readers, and memory: ``python -m benchmarks.reading``.

The series is made: 400 slices of 512 x 512, tiled from the sample phantom, with noise, in each transfer syntax. It is
page-cached when it is read. Every ratio is one of best times of runs that take turns.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import imagecodecs
import numpy as np
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1, JPEGLSLossless

from cop_imaging.core import CTVolume, Geometry
from cop_imaging.ingest import read_series
from cop_imaging.ingest.read import read_volume
from cop_imaging.synth import write_dicom_series

CHECKOUT = Path(__file__).resolve().parents[1]
PHANTOM = CHECKOUT / "data_samples" / "phantom_op"
FOLDER = CHECKOUT / "out" / "bench_reading"
SHAPE = (400, 512, 512)
RUNS, THREADS = 5, 2
ENCODERS = {
    "jpegls": (JPEGLSLossless, imagecodecs.jpegls_encode),
    "jpegll": (JPEGLosslessSV1, imagecodecs.ljpeg_encode),
}
PEAK = (
    "import sys\n"
    "from pathlib import Path\n"
    "from cop_imaging.ingest.read import read_volume\n"
    "peak = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) / 1024\n"
    "before = peak()\n"
    "volume = read_volume(Path(sys.argv[1]), threads=2)\n"
    "print(peak() - before, (volume.hu.nbytes + volume.hu.size) / 2**20)\n"
)
"""Peak memory of a process of its own (Linux): the peak that resource gives is inherited from this process."""


def make() -> None:
    """Write the series once in each transfer syntax."""
    if (FOLDER / "done").exists():
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    phantom = read_volume(PHANTOM).hu
    grown = [
        np.linspace(0, small - 1, large).round().astype(int) for small, large in zip(phantom.shape, SHAPE, strict=True)
    ]
    hu = phantom[np.ix_(*grown)]
    generator = np.random.default_rng(0)
    for n in range(len(hu)):
        hu[n] += generator.integers(-15, 16, SHAPE[1:], np.int16)
    geometry = Geometry(SHAPE, (0.75, 0.7, 0.7), (0.0, -180.0, -180.0))
    volume = CTVolume(hu=np.maximum(hu, -1024), geometry=geometry)
    for path in write_dicom_series(volume, FOLDER / "explicit", transfer_syntax="explicit"):
        image = dcmread(path)
        pixels = image.pixel_array
        for name, (syntax, encode) in ENCODERS.items():
            image.PixelData = encapsulate([encode(pixels)])
            image["PixelData"].VR = "OB"
            image.file_meta.TransferSyntaxUID = syntax
            (FOLDER / name).mkdir(exist_ok=True)
            image.save_as(FOLDER / name / path.name)
    (FOLDER / "done").touch()


def headers_and_copy(folder: Path) -> None:
    """One plain pydicom pass over the headers, and the raw pixels behind each copied into one block."""
    block = np.empty(SHAPE, np.int16)
    for plane, path in zip(block, sorted(folder.iterdir()), strict=True):
        with path.open("rb") as file:
            dcmread(file, stop_before_pixels=True)
            file.seek(12, 1)
            file.readinto(memoryview(plane).cast("B"))


def by_itk(folder: Path) -> None:
    """SimpleITK's series reader, its search for the file names included."""
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    sitk.GetArrayViewFromImage(sitk.ReadImage(names))


def best(*functions: Callable[[Path], object], folder: Path) -> list[float]:
    """Best seconds of each function; they take turns, so that a busy machine is busy for all."""
    seconds = [float("inf")] * len(functions)
    for _ in range(RUNS):
        for n, function in enumerate(functions):
            start = time.perf_counter()
            function(folder)
            seconds[n] = min(seconds[n], time.perf_counter() - start)
    return seconds


def ours(folder: Path) -> CTVolume:
    """Find, order, decode and check."""
    return read_volume(folder, threads=THREADS)


def without_digest(folder: Path) -> CTVolume:
    """The same, but for the SHA-256 over all voxels, which is no part of reading."""
    with mock.patch("cop_imaging.ingest.read.array_digest", return_value="0" * 64):
        return read_volume(folder, threads=THREADS)


def main() -> None:
    """Measure and print."""
    make()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(THREADS)
    folder = FOLDER / "explicit"
    read, plain, bare = best(ours, headers_and_copy, without_digest, folder=folder)
    print(f"explicit: {read:.2f} s, {read / plain:.2f} x the {plain:.2f} s of headers and a raw copy (at most 1.5)")
    print(f"explicit, decode, order, HU and field without the digest of the voxels: {bare:.2f} s, {bare / plain:.2f} x")
    for name in ENCODERS:
        read, itk = best(ours, by_itk, folder=FOLDER / name)
        print(f"{name}: {read:.2f} s, {itk / read:.2f} x as fast as SimpleITK with {itk:.2f} s (at least 1.7)")
    start = time.perf_counter()
    read_series(folder, threads=THREADS)
    print(f"explicit with the quality measured: {time.perf_counter() - start:.2f} s")
    for name in ("explicit", *ENCODERS):
        call = [sys.executable, "-c", PEAK, str(FOLDER / name)]
        peak, held = map(float, subprocess.run(call, check=True, capture_output=True, text=True).stdout.split())
        print(f"{name}: peak {peak:.0f} MiB above the imports, {peak - held:.0f} MiB above HU and field (at most 60)")


if __name__ == "__main__":
    main()
