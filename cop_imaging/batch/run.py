"""Work off a plan: what is done is kept, what is left is given to the workers, every outcome is recorded."""

from __future__ import annotations

import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

from cop_imaging.batch.job import Kept
from cop_imaging.batch.ledger import Ledger
from cop_imaging.batch.memory import needed_mb
from cop_imaging.batch.method import Method, difference
from cop_imaging.batch.outcome import Attempt, Killed, State
from cop_imaging.batch.plan import Plan
from cop_imaging.batch.pool import Engine
from cop_imaging.batch.reviews import Review
from cop_imaging.errors import ConfigError, CopImagingError, ModelError, OutputError, SourceError, UsageError

__all__ = ["SERIES", "Chosen", "Outcome", "RunResult", "work_off"]

SERIES = "series"
"""Folder of the results."""
DEATHS = 2
"""So many workers may die on a series before it is set aside."""
WAIT_S = 0.5
PATIENCE = 20
"""Series in a row that the source may fail to give out before the run stops: it is the source, not the series."""
AHEAD = 2
"""Series beyond the workers' places that wait beside them, so that none waits for the driver."""
LEVELS: tuple[Kept, ...] = ("features", "report", "masks")
STOPS: dict[str, type[CopImagingError]] = {
    error.__name__: error for error in (ConfigError, ModelError, OutputError, UsageError)
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which series of the plan a call works on."""

    shard: tuple[int, int] = (1, 1)
    """This part of so many, from 1."""
    sample: frozenset[str] | None = None
    """Keys, of a random sample."""
    limit: int | None = None
    """Series that are worked on at most, beside those that are done."""
    retry_failed: bool = False
    """Try again what failed, was refused or set aside."""
    overwrite: bool = False
    """Do everything again."""

    def takes(self, key: str) -> bool:
        """Whether a series belongs to the part that is worked on."""
        nth, parts = self.shard
        return int(key, 16) % parts == nth - 1 and (self.sample is None or key in self.sample)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one series in this call."""

    key: str
    state: State
    code: str
    seconds: float

    @property
    def summary(self) -> str:
        """A few words that name nobody."""
        if self.state is State.ANALYZED:
            return f"analyzed, {self.seconds:.1f} s"
        return f"{str(self.state).replace('_', ' ')}: {self.code}"


@dataclass(slots=True)
class RunResult:
    """What became of all series of the plan that this call was for."""

    kept: int = 0
    """Done by an earlier call, by the same method."""
    left: int = 0
    """Failed, refused or set aside by an earlier call, and not tried again."""
    counts: Counter[State] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    """Series with a result that are done again, by the reason."""
    waiting: int = 0
    """Not reached by this call."""
    interrupted: bool = False

    def note(self, attempt: Attempt) -> None:
        """Count what became of one series that waited."""
        self.waiting -= 1
        self.counts[attempt.state] += 1
        if attempt.code:
            self.codes[attempt.code] += 1

    @property
    def failed(self) -> int:
        """Series without a result, whenever it was tried."""
        return self.left + sum(n for state, n in self.counts.items() if state is not State.ANALYZED)

    @property
    def summary(self) -> str:
        """One line."""
        parts = [f"{self.counts[State.ANALYZED]} analyzed", f"{self.kept} kept"]
        parts += [f"{n} {str(s).replace('_', ' ')}" for s, n in sorted(self.counts.items()) if s is not State.ANALYZED]
        if self.left:
            parts.append(f"{self.left} not tried again")
        if self.waiting:
            parts.append(f"{self.waiting} waiting")
        total = self.kept + self.left + self.counts.total() + self.waiting
        return f"{total} series: {', '.join(parts)}"


@dataclass(slots=True)
class Task:
    """One series on its way through the workers."""

    row: dict[str, Any]
    method: str
    """Digest of all that its result depends on."""
    number: int
    """Of the attempt."""
    deaths: int
    """Of workers that worked on it."""
    memory_mb: float
    spool_mb: float


def work_off(
    plan: Plan,
    run: Path,
    ledger: Ledger,
    engine: Engine,
    method: Method,
    *,
    kept: Kept,
    chosen: Chosen,
    reviews: Mapping[str, Review],
    memory_mb: float = float("inf"),
    spool_mb: float = float("inf"),
    tell: Callable[[int, int, Outcome], None] = lambda *_: None,
    again: Callable[[str, int], None] = lambda *_: None,
) -> RunResult:
    """Work off what is left of a plan.

    Parameters
    ----------
    memory_mb, spool_mb : float
        Series run at once as long as what they are expected to need stays below; one always runs.
    tell : function
        Hears ``(done, total, outcome)`` after each series.
    again : function
        Hears, before the work begins, why series that were done are done again, and how many they are.

    Raises
    ------
    OutputError, ConfigError, ModelError, SourceError
        If every further series would meet the same; what was recorded before stays.
    """
    result = RunResult()
    todo = _what_is_left(plan, run, ledger, method, kept, chosen, reviews, result)
    result.waiting = sum(todo)
    for reason, count in result.again.most_common():
        again(reason, count)
    total = result.waiting if chosen.limit is None else min(result.waiting, chosen.limit)
    tasks = islice(_tasks(plan, todo, ledger, method, reviews), total)
    retries: deque[Task] = deque()
    following: Task | None = None
    running: dict[str, Task] = {}
    stopped: Attempt | None = None
    unreached = done = 0
    if not total:
        return result
    with engine, _asked_to_stop(engine) as stop:
        while True:
            # What is free is given work before anything is written: the disk and the workers are busy side by side.
            while not stop.asked and len(running) < engine.places + AHEAD:
                following = following or next(tasks, None) or (retries.popleft() if retries else None)
                if following is None or not _fits(following, running, memory_mb, spool_mb):
                    break
                running[following.row["key"]] = following
                engine.submit(following.row)
                following = None
            if stop.asked:
                for key in engine.withdraw():
                    del running[key]
            if not running:
                break
            recorded: list[tuple[str, int, str, str, Attempt]] = []
            for key, answer in engine.answers(WAIT_S):
                task = running.pop(key)
                attempt = _judged(answer, task)
                if attempt.state is State.STOPPED:
                    stopped = attempt
                    continue
                if isinstance(answer, Killed) and stop.killed:
                    # It was this program that ended the worker: nothing is held against the series.
                    continue
                recorded.append((key, task.number, task.method, kept, attempt))
                if attempt.state is State.DIED:
                    retries.append(replace(task, number=task.number + 1, deaths=task.deaths + 1))
                    continue
                unreached = unreached + 1 if attempt.state is State.UNREACHABLE else 0
                done += 1
                result.note(attempt)
                tell(done, total, Outcome(key, attempt.state, attempt.code, attempt.seconds))
            ledger.add(recorded)
            if stopped is not None:
                raise STOPS[stopped.code](stopped.message)
            if unreached >= PATIENCE:
                message = recorded[-1][-1].message
                raise SourceError(f"{unreached} series in a row could not be had from {plan.source}: {message}")
        result.interrupted = stop.asked
    return result


def _what_is_left(
    plan: Plan,
    run: Path,
    ledger: Ledger,
    method: Method,
    kept: Kept,
    chosen: Chosen,
    reviews: Mapping[str, Review],
    result: RunResult,
) -> bytearray:
    """For each series of the plan, whether it has to be worked on."""
    todo = bytearray(plan.series)
    texts: dict[str, str] | None = None
    for n, row in enumerate(plan.rows(["key"])):
        key = row["key"]
        if not chosen.takes(key):
            continue
        last = ledger.last(key)
        if last is None or not last.attempt.state.final:
            todo[n] = 1
            continue
        analyzed = last.attempt.state is State.ANALYZED
        mask = reviews[key].lungs_sha256 if key in reviews else None
        if chosen.overwrite:
            reason = "asked for"
        elif last.method != method.with_mask(mask):
            texts = texts or {Method.digest_of(text): text for text in ledger.methods()}
            before = texts.get(last.method)
            same = before is None or before == method.text
            reason = "lung mask corrected" if same else f"changed: {difference(method.text, before or '')}"
        elif not analyzed:
            if not chosen.retry_failed:
                result.left += 1
                continue
            reason = "failed before"
        elif LEVELS.index(last.kept) < LEVELS.index(kept):
            reason = f"{kept} wanted"
        elif not _is_there(run / SERIES / key, kept):
            reason = "files are missing"
        else:
            result.kept += 1
            continue
        result.again[reason] += 1
        todo[n] = 1
    return todo


def _is_there(folder: Path, kept: Kept) -> bool:
    wanted = {"features": ("features.csv",), "report": ("report.json",), "masks": ("report.json", "masks")}
    return all((folder / name).exists() for name in wanted[kept])


def _tasks(
    plan: Plan, todo: bytearray, ledger: Ledger, method: Method, reviews: Mapping[str, Review]
) -> Iterator[Task]:
    for row in plan.rows(todo=todo):
        last = ledger.last(row["key"])
        review = reviews.get(row["key"])
        by = method.with_mask(review.lungs_sha256 if review else None)
        died = last is not None and last.attempt.state is State.DIED and last.method == by
        yield Task(
            row=row | {"lungs": review.lungs if review else None},
            method=by,
            number=last.number + 1 if last else 1,
            deaths=DEATHS - 1 if died else 0,
            memory_mb=needed_mb(row),
            spool_mb=row["bytes"] / 2**20,
        )


def _fits(task: Task, running: Mapping[str, Task], memory_mb: float, spool_mb: float) -> bool:
    if not running:
        return True
    memory = task.memory_mb + sum(other.memory_mb for other in running.values())
    spool = task.spool_mb + sum(other.spool_mb for other in running.values())
    return memory <= memory_mb and spool <= spool_mb


def _judged(answer: Attempt | Killed, task: Task) -> Attempt:
    """What a death means for the series: time is its own, one death may be an accident, the second is not."""
    if isinstance(answer, Attempt):
        return answer
    if answer.code == "worker.start":
        return Attempt(State.STOPPED, UsageError.__name__, answer.message)
    if answer.code == "worker.time_limit":
        return Attempt(State.FAILED, answer.code, answer.message, 1, answer.seconds, worker=answer.worker)
    state = State.SET_ASIDE if task.deaths + 1 >= DEATHS else State.DIED
    return Attempt(state, answer.code, answer.message, 1, answer.seconds, worker=answer.worker)


@dataclass(slots=True)
class Stop:
    """Whether the user has asked to stop."""

    asked: bool = False
    killed: bool = False


@contextmanager
def _asked_to_stop(engine: Engine) -> Iterator[Stop]:
    """The first Ctrl-C (or SIGTERM) lets what runs finish, the second ends it at once."""
    stop = Stop()

    def heard(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal wants it
        if stop.asked:
            stop.killed = True
            engine.kill()
        stop.asked = True

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
