"""The line on one planned series, in a worker: whatever happens becomes an answer."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cop_imaging.archive import Source
from cop_imaging.batch.outcome import Attempt, State, pack
from cop_imaging.errors import ConfigError, CopImagingError, ModelError, OutputError, SeriesError, SourceError
from cop_imaging.pipeline import Config, analyze
from cop_imaging.progress import Progress

__all__ = ["Kept", "SeriesJob"]

Kept = Literal["features", "report", "masks"]
"""What stays of each series: its row and a thumbnail, the report too, the masks too."""
EVERY_SERIES = (ConfigError, ModelError, OutputError)
"""Errors that every further series would meet too."""
HERE = Path(__file__).parents[1]
"""The package: a bug is named by the line of it that was left last, not by one in a library."""
PEAK_RESET = "5"
"""Written to clear_refs it sets back the peak of resident memory (proc(5))."""


@dataclass(frozen=True, slots=True)
class SeriesJob:
    """Fetch a series, analyze it, and write what is kept to ``out/KEY``."""

    source: Source
    out: Path
    config: Config
    kept: Kept = "report"
    case_key: bytes | None = None
    spool: Path = Path()

    def __call__(self, row: Mapping[str, Any]) -> Attempt:
        """Work on the series of one row of the plan; ``row["lungs"]`` names a corrected lung mask."""
        start = time.perf_counter()
        _forget_peak()
        progress = Progress()

        def failed(state: State, code: str, message: str, exit_code: int) -> Attempt:
            seconds = time.perf_counter() - start
            return Attempt(state, code, message, exit_code, seconds, _rounded(progress), _peak_mb())

        try:
            with self.source.fetched(row, _own_spool(self.spool)) as files:
                analysis = analyze(
                    files,
                    config=self.config,
                    lungs=row.get("lungs"),
                    progress=progress,
                    threads=1,
                    case_key=self.case_key,
                )
            with progress.stage("write", "writing"):
                analysis.keep(self.out / str(row["key"]), self.kept)
            report = analysis.report
            return Attempt(
                State.ANALYZED,
                seconds=time.perf_counter() - start,
                stages_s=_rounded(progress),
                peak_mb=_peak_mb(),
                case=report.case,
                input_sha256=report.provenance.input_sha256,
                status=str(report.status),
                issues=tuple(sorted({issue.code for issue in report.issues})),
                trust=report.anatomy.mask_trust,
                packed=pack(analysis.row()),
            )
        except EVERY_SERIES as error:
            return failed(State.STOPPED, type(error).__name__, str(error), error.exit_code)
        except SourceError as error:
            code = getattr(error, "code", "source.failed")
            return failed(State.UNREACHABLE, code, str(error), error.exit_code)
        except SeriesError as error:
            return failed(State.REFUSED, error.code, str(error), error.exit_code)
        except CopImagingError as error:
            return failed(State.FAILED, type(error).__name__, str(error), error.exit_code)
        except MemoryError:
            return failed(State.FAILED, "worker.memory", "not enough memory for the series", 1)
        except Exception as error:  # noqa: BLE001 - a bug met on one series must not cost the others
            # Type and place only: the text of an unforeseen error may hold a header value.
            frames = traceback.extract_tb(error.__traceback__)
            own = [f for f in frames if HERE in Path(f.filename).parents and f.filename != __file__]
            where = (own or frames)[-1]
            message = f"unexpected {type(error).__name__} in {Path(where.filename).name}, line {where.lineno}"
            return failed(State.FAILED, "bug", message, 1)


def _own_spool(spool: Path) -> Path:
    """A folder in the spool for this process; those of processes that died on this machine are emptied."""
    host = platform.node()
    for folder in spool.glob("*"):
        whose, _, pid = folder.name.rpartition("-")
        if whose == host and not _runs(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
    own = spool / f"{host}-{os.getpid()}"
    try:
        own.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"series cannot be copied to {spool}: {error.strerror or error}") from error
    return own


def _runs(pid: int) -> bool:
    if os.name == "nt":
        # A signal would end it there: its folder goes when the run ends.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _rounded(progress: Progress) -> dict[str, float]:
    return {name: round(seconds, 3) for name, seconds in progress.timings_s.items()}


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text(PEAK_RESET)
    except OSError:
        # Only Linux has it: elsewhere the peak is that of the process so far.
        return


def _peak_mb() -> float | None:
    try:
        status = Path("/proc/self/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) / 1024.0, 1)
    except (OSError, StopIteration):
        pass
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
