"""How long the program takes and how much memory it needs: ``make bench``.

Prints one table and writes the same numbers to ``out/bench.json``, so that two versions can be laid side by side.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
SAMPLE = CHECKOUT / "data_samples" / "phantom_op"
RESULT = CHECKOUT / "out" / "bench"
STARTS = 5


def run(*arguments: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of one call of the program in a process of its own."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "cop_imaging", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"cop-imaging {' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
    return seconds, peak_mb(usage)


def peak_mb(usage: resource.struct_rusage) -> float:
    """Peak resident memory: Linux counts in kB, macOS in bytes."""
    return usage.ru_maxrss / (1024.0**2 if sys.platform == "darwin" else 1024.0)


def main() -> None:
    """Measure, print, write."""
    numbers: dict[str, float] = {"help_s": min(run("--help")[0] for _ in range(STARTS))}
    analyze = ("analyze", str(SAMPLE), "--out", str(RESULT), "--masks", "--overwrite", "--quiet")
    for threads in (1, os.cpu_count() or 1):
        seconds, memory_mb = run(*analyze, "--threads", str(threads))
        numbers[f"analyze_{threads}_threads_s"] = seconds
        numbers[f"analyze_{threads}_threads_peak_mb"] = memory_mb
    timings_s = json.loads((RESULT / "report.json").read_text(encoding="utf-8"))["provenance"]["timings_s"]
    numbers |= {f"stage_{name}_s": seconds for name, seconds in timings_s.items()}
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, {SAMPLE.name}")
    for name, value in numbers.items():
        print(f"{name:40} {value:10.2f}")
    (CHECKOUT / "out" / "bench.json").write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
