"""What a whole made case costs on one core: ``python -m benchmarks.phantom``.

Chests of 512 x 512 with their disease, drawn and scanned, each in a process of its own: its peak memory is known.
"""

from __future__ import annotations

import os
import subprocess
import sys

CASES = (("COP", 7), ("UIP", 3))
LIMITS = ((1.25, 30.0), (2.5, 12.0))
"""Slices in mm, and seconds that a case of them may take."""
MOST_MB = 3000.0
ONE_CASE = """
import sys, time
from pathlib import Path
from cop_imaging.synth import make_case
from cop_imaging.synth.case import draw_case
case = draw_case(sys.argv[1], int(sys.argv[2])).with_slices(float(sys.argv[3]))
start = time.perf_counter()
made = make_case(case)
seconds = time.perf_counter() - start
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
print(seconds, peak, made.volume.hu.shape[0], len(made.lesions))
"""


def cost(disease: str, seed: int, step_mm: float) -> tuple[float, float, int, int]:
    """Seconds, peak memory in MB, slices and lesions of a case."""
    core = str(min(os.sched_getaffinity(0)))
    done = subprocess.run(
        ["taskset", "-c", core, sys.executable, "-c", ONE_CASE, disease, str(seed), str(step_mm)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    seconds, peak, slices, lesions = done.stdout.split()
    return float(seconds), float(peak), int(slices), int(lesions)


def main() -> None:
    """Measure, print; fail when a limit is passed."""
    good = True
    for step, most_s in LIMITS:
        for disease, seed in CASES:
            seconds, peak, slices, lesions = cost(disease, seed, step)
            within = seconds <= most_s and peak <= MOST_MB
            good &= within
            print(
                f"{disease} {seed}, {slices} slices of {step:g} mm, {lesions} lesions: {seconds:.1f} s, {peak:.0f} MB "
                f"(at most {most_s:.0f} s, {MOST_MB:.0f} MB){'' if within else ' OVER'}"
            )
    if not good:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
