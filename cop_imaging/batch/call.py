"""One call of a run: plan or take up the plan, work off what is left, collect."""

from __future__ import annotations

import filecmp
import hashlib
import heapq
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from cop_imaging.archive import Source
from cop_imaging.batch.job import Kept, SeriesJob
from cop_imaging.batch.ledger import LEDGER, LOCK, opened
from cop_imaging.batch.memory import available_mb
from cop_imaging.batch.method import method_of
from cop_imaging.batch.plan import PLAN, Plan, Wanted, make_plan, read_plan, told
from cop_imaging.batch.pool import Engine, LocalPool
from cop_imaging.batch.reviews import REVIEWS, read_reviews
from cop_imaging.batch.run import SERIES, Chosen, Outcome, RunResult, work_off
from cop_imaging.batch.tables import FEATURES, collect
from cop_imaging.batch.worker import Job
from cop_imaging.errors import OutputError, SeriesError, UsageError
from cop_imaging.pipeline import Config

__all__ = ["Settings", "run_batch"]

LOG = "workers.log"
OURS = frozenset({PLAN, LEDGER, LOCK, LOG, REVIEWS, SERIES})
"""What makes a folder that of a run; reviews may lie there before it begins."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run is worked off; nothing of it changes a number."""

    wanted: Wanted = field(default_factory=Wanted)
    """Which of the listed series are planned."""
    plan: Path | None = None
    """A plan that was made before, instead of listing the source."""
    replan: bool = False
    """List the source anew although there is a plan."""
    plan_only: bool = False
    chosen: Chosen = field(default_factory=Chosen)
    sample: int | None = None
    """So many series of the plan, at random."""
    seed: int = 0
    kept: Kept = "report"
    workers: int = 1
    memory_mb: float | None = None
    """Of all workers together; most of what the machine has when left out."""
    time_limit_s: float | None = 1800.0
    """For one series."""
    spool: Path | None = None
    """Folder for copies of series that come over a network; in the folder of the run when left out."""
    spool_mb: float = 20_000.0
    case_key: bytes | None = None


def run_batch(
    source: Source,
    out: Path,
    config: Config,
    settings: Settings,
    *,
    engine: Callable[[Job, Settings, Path], Engine] | None = None,
    job: Job | None = None,
    tell: Callable[[int, int, Outcome], None] = lambda *_: None,
    say: Callable[[str], None] = lambda _: None,
    listed: Callable[[int], None] = lambda _: None,
) -> RunResult:
    """Plan the series of a source, analyze those that are left, and collect the tables in ``out``.

    Called again it goes on: what was done by the same method is kept, and ``say`` tells why something is done again.

    Parameters
    ----------
    engine : function, optional
        Makes the workers from job, settings and the file for what they print; processes on this machine when left out.
    job : Job, optional
        What is done with each series; the whole line when left out.
    tell : function
        Hears ``(done, total, outcome)`` after each series.
    say : function
        Hears lines for a person: what is planned, what is done again and why.
    listed : function
        Hears how many files or series have been looked at while the source is listed.

    Raises
    ------
    SeriesError
        ``source.missing``, ``source.not_folder``, or ``source.empty`` if there is no series to plan.
    UsageError
        If ``out`` holds something else than a run, or another call works on it.
    OutputError, ConfigError, ModelError, SourceError
        If every further series would meet the same; what was recorded before stays, and the next call goes on.
    """
    # Workers may be at home elsewhere than whoever calls.
    out = Path(os.path.abspath(out))
    spool_home = out if settings.spool is None else Path(os.path.abspath(settings.spool))
    _prepare(out)
    reviews = read_reviews(out)
    with opened(out) as ledger:
        _tidy(out)
        plan = _plan(source, out, config, settings, say, listed)
        if settings.plan_only:
            return RunResult(waiting=plan.series)
        method = method_of(config, settings.case_key)
        ledger.begin(source.address, method.text)
        with _spool(spool_home, out) as spool:
            job = job or SeriesJob(source, out / SERIES, config, settings.kept, settings.case_key, spool)
            result = work_off(
                plan,
                out,
                ledger,
                (engine or _local)(job, settings, out / LOG),
                method,
                kept=settings.kept,
                chosen=_sampled(plan, settings),
                reviews=reviews,
                memory_mb=_memory_mb(settings, local=engine is None),
                spool_mb=settings.spool_mb if source.spools else float("inf"),
                tell=tell,
                again=lambda reason, count: say(f"{count} series are done again: {reason}"),
            )
        _tidy(out)
        if result.counts or not ledger.is_collected() or _outdated(out):
            collect([out], out)
        ledger.end()
    if result.interrupted:
        raise KeyboardInterrupt
    return result


@contextmanager
def _spool(home: Path, out: Path) -> Iterator[Path]:
    """A folder for copies of series, for the length of a call; that of a killed call of the same run is removed."""
    ours = f".spool-{hashlib.sha256(os.fsencode(out)).hexdigest()[:12]}-"
    try:
        for left in home.glob(f"{ours}*"):
            shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=ours, dir=home))
    except OSError as error:
        raise OutputError(f"series cannot be copied to {home}: {error.strerror or error}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _memory_mb(settings: Settings, *, local: bool) -> float:
    """What the workers may need together; those on other machines have memory of their own."""
    if settings.memory_mb is not None:
        return settings.memory_mb
    return available_mb() if local else float("inf")


def _outdated(out: Path) -> bool:
    """Whether plan or reviews are newer than the tables, or there are none."""
    try:
        made = (out / FEATURES).stat().st_mtime_ns
    except OSError:
        return True
    return any((out / name).exists() and (out / name).stat().st_mtime_ns > made for name in (PLAN, REVIEWS))


def _local(job: Job, settings: Settings, log: Path) -> Engine:
    return LocalPool(job, settings.workers, settings.time_limit_s, log)


def _prepare(out: Path) -> None:
    """Make ``out`` the folder of a run: it is never mixed with other things."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        strangers = [] if (out / LEDGER).exists() else sorted(p.name for p in out.iterdir() if p.name not in OURS)
        if strangers:
            raise UsageError(f"{out} holds {strangers[0]!r} and no run; choose a new or empty folder for --out")
        (out / SERIES).mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"the output folder {out} cannot be used: {error.strerror or error}") from error


def _tidy(out: Path) -> None:
    """Remove what a killed worker or driver had half written; finished results are never touched."""
    for home in (out, out / SERIES):
        for path in home.glob(".*"):
            if path.name.endswith(".partial") or path.name.startswith((".plan-", ".collect-", ".spool-")):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _plan(
    source: Source,
    out: Path,
    config: Config,
    settings: Settings,
    say: Callable[[str], None],
    listed: Callable[[int], None],
) -> Plan:
    path = out / PLAN
    if settings.plan is not None:
        plan = read_plan(settings.plan)
        if plan.source != source.address:
            raise UsageError(f"{settings.plan} is a plan of {plan.source}, not of {source.address}")
        if settings.wanted.as_json() not in ({}, plan.wanted):
            raise UsageError(f"{settings.plan} was planned with other filters ({plan.wanted}); give none beside --plan")
        if not (path.exists() and filecmp.cmp(settings.plan, path, shallow=False)):
            try:
                shutil.copyfile(settings.plan, out / ".plan-copy.partial")
                (out / ".plan-copy.partial").replace(path)
            except OSError as error:
                raise OutputError(f"the plan cannot be written to {out}: {error.strerror or error}") from error
    elif path.exists() and not settings.replan:
        plan = read_plan(path)
        if plan.source != source.address:
            raise UsageError(f"{out} is a run over {plan.source}, not over {source.address}; choose another folder")
        if plan.wanted != settings.wanted.as_json():
            raise UsageError(f"{out} was planned with other filters ({plan.wanted}); give --replan to plan it anew")
        say(f"going on with the plan of {plan.made}, {plan.series} series (--replan looks for new and changed ones)")
    else:
        say(f"listing {source.address}")
        plan = make_plan(
            source,
            out,
            config.ingest,
            settings.wanted,
            case_key=settings.case_key,
            workers=settings.workers,
            tell=listed,
        )
        left = {reason: n for reason, n in plan.left_out.items() if n}
        say(f"{plan.series} series planned" + (f", left out: {told(left)}" if left else ""))
    plan = read_plan(path)
    if not plan.series:
        raise SeriesError(f"there is no series to plan in {source.address}", code="source.empty")
    return plan


def _sampled(plan: Plan, settings: Settings) -> Chosen:
    """The choice with the keys of the sample: the smallest by a seeded digest, so that a larger one holds a smaller."""
    if settings.sample is None:
        return settings.chosen
    keys = (row["key"] for row in plan.rows(["key"]))

    def place(key: str) -> str:
        return hashlib.sha256(f"{settings.seed} {key}".encode()).hexdigest()

    return replace(settings.chosen, sample=frozenset(heapq.nsmallest(settings.sample, keys, key=place)))
