"""Many cases in a folder, made by several processes; a second call goes on where the first one stopped."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cop_imaging.errors import CopImagingError, OutputError, UsageError
from cop_imaging.synth.case import CaseSpec, draw_case, draw_disease
from cop_imaging.synth.case_files import RECORD, basis_of, holds, write_case
from cop_imaging.synth.diseases.knowledge import load_knowledge

__all__ = ["MANIFEST", "CaseOutcome", "plan_cases", "write_cases"]

MANIFEST = "cases.csv"
COLUMNS = ("case", "seed", "label", "disease", "op", "subtype", "findings", "sex", "age_years", "kernel", "step_mm")
EXTENTS = ("lungs", "consolidation", "ground_glass", "reversed_halo", "effusion")


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """What became of one case."""

    key: str
    """Name of its folder: the seed, and not the diagnosis."""
    state: Literal["written", "kept", "failed"]
    """``kept`` was finished by an earlier call with the same draws, grid and versions."""
    seconds: float = 0.0
    message: str = ""

    @property
    def summary(self) -> str:
        """A few words."""
        words = {"written": f"written, {self.seconds:.1f} s", "kept": "kept from an earlier call"}
        return words.get(self.state, f"failed: {self.message}")


def plan_cases(
    cases: int, seed: int = 0, *, diseases: Sequence[str] = (), step_mm: float | None = None
) -> tuple[CaseSpec, ...]:
    """Cases of the seeds ``seed`` to ``seed + cases - 1``.

    Parameters
    ----------
    diseases : sequence of str
        Drawn from with equal chances; without it, all by their share in ``prevalence.csv``.
    step_mm : float, optional
        Contiguous slices of that thickness instead of each case's own protocol.

    Raises
    ------
    UsageError
        If there is no such disease.
    """
    knowledge = load_knowledge()
    drawn = (
        draw_case(draw_disease(k, knowledge, tuple(diseases)), k, knowledge=knowledge)
        for k in range(seed, seed + cases)
    )
    return tuple(case.with_slices(step_mm) if step_mm else case for case in drawn)


def write_cases(
    folder: Path,
    cases: Sequence[CaseSpec],
    *,
    matrix: int = 512,
    jobs: int = 1,
    tell: Callable[[int, int, CaseOutcome], None] | None = None,
) -> tuple[CaseOutcome, ...]:
    """Write every case into ``folder/case-SEED`` and a row of each into ``folder/cases.csv``.

    The bytes do not depend on ``jobs``. A case that an earlier call finished is kept; a case that fails does not stop
    the others. An interruption leaves whole cases and their rows.

    Parameters
    ----------
    jobs : int
        Number of processes; each takes as much memory as one case, up to 3 GB.
    tell : callable, optional
        Hears ``(done, total, outcome)`` after each case.

    Raises
    ------
    UsageError
        If two cases have one seed, or the folder holds other things.
    OutputError
        If the folder cannot be written to.
    """
    keys = {key_of(case): case for case in cases}
    if len(keys) < len(cases):
        raise UsageError("two cases have the same seed; give every case its own")
    prepare(folder)
    outcomes: list[CaseOutcome] = []

    def done(outcome: CaseOutcome) -> None:
        outcomes.append(outcome)
        if tell:
            tell(len(outcomes), len(keys), outcome)

    try:
        waiting = {}
        for key, case in keys.items():
            if holds(folder / key, basis_of(case, matrix)):
                done(CaseOutcome(key, "kept"))
            else:
                waiting[key] = case
        for outcome in written(folder, waiting, matrix, jobs):
            done(outcome)
    finally:
        write_manifest(folder)
    return tuple(sorted(outcomes, key=lambda o: o.key))


def written(folder: Path, cases: dict[str, CaseSpec], matrix: int, jobs: int) -> Iterator[CaseOutcome]:
    """Outcomes as they come."""
    if jobs == 1 or len(cases) < 2:
        for key, case in cases.items():
            yield attempt(case, folder / key, matrix)
        return
    with pool_of(min(jobs, len(cases))) as pool:
        running: set[Future[CaseOutcome]] = {
            pool.submit(attempt, case, folder / key, matrix) for key, case in cases.items()
        }
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                yield future.result()


@contextmanager
def pool_of(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that start afresh: none inherits the threads of this one."""
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def attempt(case: CaseSpec, folder: Path, matrix: int) -> CaseOutcome:
    """Write one case; what goes wrong with it is told, not raised."""
    start = time.perf_counter()
    try:
        shutil.rmtree(folder, ignore_errors=True)
        write_case(case, folder, matrix=matrix)
    except CopImagingError as error:
        return CaseOutcome(folder.name, "failed", message=str(error))
    except Exception as error:  # noqa: BLE001 - a bug met on one case must not cost the others
        return CaseOutcome(folder.name, "failed", message=f"unexpected {type(error).__name__}: {error}")
    return CaseOutcome(folder.name, "written", time.perf_counter() - start)


def key_of(case: CaseSpec) -> str:
    """The name of a case's folder; it must not tell the diagnosis."""
    return f"case-{case.seed:07d}"


def prepare(folder: Path) -> None:
    """Make the folder; one that holds other things than cases is refused."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = [p.name for p in folder.iterdir() if not p.name.startswith(("case-", ".writing-case-", MANIFEST))]
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be used: {error.strerror or error}") from error
    if strangers:
        raise UsageError(f"{folder} holds {min(strangers)!r} and no made cases; choose a new or empty folder")


def write_manifest(folder: Path) -> None:
    """One row for each whole case in the folder, whatever call made it."""
    records = {path.parent.name: path for path in sorted(folder.glob(f"case-*/{RECORD}"))}
    rows = [row_of(key, json.loads(path.read_text(encoding="utf-8"))) for key, path in records.items()]
    text = io.StringIO(newline="")
    columns = (*COLUMNS, *(f"{name}_ml" for name in EXTENTS), "volume_sha256")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    temporary = folder / f".writing-case-{os.getpid()}-{MANIFEST}"
    try:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
        os.replace(temporary, folder / MANIFEST)
    except OSError as error:
        raise OutputError(f"{folder / MANIFEST} cannot be written: {error.strerror or error}") from error


def row_of(key: str, record: dict[str, Any]) -> dict[str, object]:
    """A case's row."""
    case = record["case"]
    body, scanner = case["body"], case["scanner"]
    return {
        "case": key,
        "seed": case["seed"],
        "label": record["label"],
        "disease": case["disease"],
        "op": int(case["op"]),
        "subtype": case["subtype"] or "",
        "findings": " ".join(case["findings"]),
        "sex": "F" if body.get("female") else "M",
        "age_years": body.get("age_years", ""),
        "kernel": scanner["kernel"],
        "step_mm": record["grid"]["spacing_mm"][0],
        **{f"{name}_ml": record["truth_ml"].get(name, 0.0) for name in EXTENTS},
        "volume_sha256": record["volume_sha256"],
    }
