"""Has a made scan the physics that was asked for, and what does it cost: ``python -m benchmarks.scanner_physics``.

Each row holds what was asked, what a physicist's measurement of the output gives, and their ratio. Then time and memory
of scanning and writing a whole chest of 246 slices of 512 x 512 on one core.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

from cop_imaging.synth.physics import measured_mtf50_per_cm, measured_noise, measured_profile_mm
from cop_imaging.synth.scanner import ScannerSpec

PIXEL_MM = 0.7
EDGES: dict[Literal["soft", "medium", "sharp"], tuple[tuple[float, float], ...]] = {
    "soft": ((3.0, 0.7), (3.5, 0.7), (4.0, 0.85)),
    "medium": ((5.0, 0.7), (5.0, 0.85)),
    "sharp": ((6.0, 0.7), (7.0, 0.7), (9.0, 0.5)),
}
"""MTF50 in lp/cm and pixels in mm: a kernel's resolution needs pixels that can show it."""
NOISE_HU = 20.0
THICKNESSES_MM = (0.6, 1.25, 2.5, 5.0)
TOLERANCE = 0.1
FOLDER = Path(__file__).resolve().parents[1] / "out" / "bench_scanner"
WHOLE_CHEST = """
import sys, time
from pathlib import Path
import numpy as np
from cop_imaging.core import CTVolume, Geometry
from cop_imaging.synth import ScannerSpec, write_dicom_series
from cop_imaging.synth.scanner import acquisition_of, scan
peak = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
grid = Geometry((246, 512, 512), (1.25, 0.7, 0.7), (-178.85, -178.85, -195.0))
x, y = np.meshgrid(*(np.linspace(-1.0, 1.0, 512),) * 2)
body, lungs = x**2 / 0.7 + y**2 / 0.4 < 1.0, (np.abs(x) - 0.4) ** 2 / 0.08 + y**2 / 0.2 < 1.0
hu = np.empty(grid.shape, dtype=np.float32)
hu[:] = np.where(body, np.where(lungs, -850.0, 40.0), -1000.0)
spec = ScannerSpec(noise_hu=15.0, thickness_mm=float(sys.argv[1]), cardiac_mm=float(sys.argv[2]))
before, start = peak(), time.perf_counter()
stored, valid = scan(hu, grid, np.random.default_rng(0), spec)
seconds, grown = time.perf_counter() - start, peak() - before
del hu
start = time.perf_counter()
write_dicom_series(CTVolume(stored, grid, valid, acquisition_of(spec, grid)), Path(sys.argv[3]), scanner=spec)
print(seconds, grown, before, time.perf_counter() - start)
"""
"""In a process of its own: its peak memory is known, and the chest is let go before the files are written."""


def row(name: str, asked: float, measured: float, unit: str) -> bool:
    """Print one comparison; whether it is within the tolerance."""
    ratio = measured / asked
    good = abs(ratio - 1.0) <= TOLERANCE
    print(f"{name:52} {asked:9.3f} {measured:9.3f} {unit:6} {ratio:6.3f} {'' if good else 'OFF'}")
    return good


def physics() -> bool:
    """All comparisons; whether every one is within the tolerance."""
    print(f"{'':52} {'asked':>9} {'measured':>9} {'':6} {'ratio':>6}")
    good = True
    for kernel, asked in EDGES.items():
        for per_cm, pixel_mm in asked:
            spec = ScannerSpec(kernel=kernel, mtf50_per_cm=per_cm)
            name = f"{kernel}, pixels of {pixel_mm:g} mm: MTF50 of an edge"
            good &= row(name, per_cm, measured_mtf50_per_cm(spec, pixel_mm), "lp/cm")
    for kernel in EDGES:
        for overlap in (1.0, 2.0):
            spec = ScannerSpec(kernel=kernel, noise_hu=NOISE_HU, thickness_mm=1.25 * overlap)
            noise = measured_noise(spec, PIXEL_MM, 1.25)
            name = f"{kernel}, {1.25 * overlap:g} mm every 1.25 mm: noise"
            good &= row(f"{name} SD", NOISE_HU, noise.sd_hu, "HU")
            good &= row(f"{name} power peak", noise.expected_peak_per_mm, noise.peak_per_mm, "1/mm")
            worst = max(noise.bands, key=lambda band: abs(band - 1.0))
            good &= row(f"{name} power, worst of {len(noise.bands)} bands", 1.0, worst, "")
    for kernel in EDGES:
        for thickness_mm in THICKNESSES_MM:
            spec = ScannerSpec(kernel=kernel, thickness_mm=thickness_mm)
            wide, _ = measured_profile_mm(spec, PIXEL_MM, thickness_mm)
            good &= row(f"{kernel}, contiguous: FWHM of a plate", thickness_mm, wide, "mm")
            _, area = measured_profile_mm(spec, PIXEL_MM, 0.5 * thickness_mm)
            good &= row(f"{kernel}, overlapping by half: area over height of a plate", thickness_mm, area, "mm")
    return good


def cost() -> None:
    """Time and memory of a whole chest, contiguous and still, then overlapping with a beating heart."""
    for thickness, cardiac in ((1.25, 0.0), (2.5, 3.0)):
        shutil.rmtree(FOLDER, ignore_errors=True)
        done = subprocess.run(
            [sys.executable, "-c", WHOLE_CHEST, str(thickness), str(cardiac), str(FOLDER)],
            capture_output=True,
            text=True,
            check=True,
            env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        seconds, grown, before, writing = (float(v) for v in done.stdout.split())
        print(
            f"246 x 512 x 512, {thickness:g} mm every 1.25 mm: scan {seconds:.1f} s, {grown:.0f} MB on top of "
            f"{before:.0f} MB; JPEG-LS series {writing:.1f} s"
        )
    shutil.rmtree(FOLDER, ignore_errors=True)


def main() -> None:
    """Measure, print; fail when anything is off."""
    good = physics()
    cost()
    if not good:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
