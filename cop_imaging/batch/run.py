"""One series after the other, so that only one volume is in memory; one bad series never stops the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cop_imaging.batch.ledger import append, finished, prepare
from cop_imaging.batch.plan import Item, plan_series
from cop_imaging.batch.tables import feature_rows, write_table
from cop_imaging.errors import ConfigError, CopImagingError, ModelError, OutputError, SeriesError
from cop_imaging.pipeline import Config, analyze

__all__ = ["BatchResult", "Outcome", "run_batch"]

NOT_THE_SERIES = (ConfigError, ModelError, OutputError)
"""Errors that every further series would meet too: they end the batch."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one series."""

    key: str
    where: str
    """Folder below the root; it may identify a patient."""
    state: Literal["analyzed", "kept", "failed"]
    """``kept`` was finished by an earlier call with the same settings and versions."""
    seconds: float = 0.0
    exit_code: int = 0
    reason: str = ""
    """Code of the reason, to be counted."""
    message: str = ""

    @property
    def summary(self) -> str:
        """A few words without the path."""
        words = {
            "analyzed": f"analyzed, {self.seconds:.1f} s",
            "kept": "kept from an earlier call",
            "failed": f"failed: {self.reason}",
        }
        return words[self.state]


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of all series."""

    outcomes: tuple[Outcome, ...]

    def count(self, state: str) -> int:
        """Number of series in that state."""
        return sum(outcome.state == state for outcome in self.outcomes)

    @property
    def failed(self) -> int:
        """Number of series that failed."""
        return self.count("failed")

    @property
    def summary(self) -> str:
        """One line."""
        counts = ", ".join(f"{self.count(state)} {state}" for state in ("analyzed", "kept", "failed"))
        return f"{len(self.outcomes)} series: {counts}"


def run_batch(
    root: Path,
    out: Path,
    *,
    config: Config,
    masks: bool = False,
    overwrite: bool = False,
    threads: int | None = None,
    tell: Callable[[int, int, Outcome], None] | None = None,
) -> BatchResult:
    """Analyze every series below ``root`` into ``out/series/KEY`` and collect the tables.

    A series that an earlier call finished from the same files, settings and versions is kept unless ``overwrite``.
    ``tell`` hears ``(done, total, outcome)`` after each series. An interruption leaves tables of what is done.

    Raises
    ------
    SeriesError
        If there is no series at all below ``root``.
    UsageError, OutputError
        If ``out`` holds something else, or cannot be written to.
    ConfigError, ModelError
        If settings or model are to blame: every series would fail.
    """
    items = plan_series(root, config)
    if not items:
        raise SeriesError(f"there is no DICOM series below {root}", code="source.empty")
    prepare(out)
    done = finished(out)
    outcomes: list[Outcome] = []
    try:
        for item in items:
            folder = _folder(out, item)
            if _is_whole(folder, masks) and done.get(item.key) == item.basis and not overwrite:
                outcome = Outcome(item.key, item.where, "kept")
            else:
                done.pop(item.key, None)
                outcome = _attempt(item, folder, config, masks, threads)
                _note(out, item, outcome)
                if outcome.state == "analyzed":
                    done[item.key] = item.basis
            outcomes.append(outcome)
            if tell:
                tell(len(outcomes), len(items), outcome)
    finally:
        _write_tables(out, [item for item in items if done.get(item.key) == item.basis], items, outcomes)
    return BatchResult(tuple(outcomes))


def _is_whole(folder: Path, masks: bool) -> bool:
    wanted = [folder / "report.json", folder / "features.csv", *([folder / "masks"] if masks else [])]
    return all(path.exists() for path in wanted)


def _attempt(item: Item, folder: Path, config: Config, masks: bool, threads: int | None) -> Outcome:
    """Analyze one series; its arrays are gone when this returns."""
    start = time.perf_counter()

    def failed(exit_code: int, reason: str, message: str) -> Outcome:
        return Outcome(item.key, item.where, "failed", time.perf_counter() - start, exit_code, reason, message)

    try:
        analyze(item.source, config=config, threads=threads).save(folder, masks=masks, overwrite=True)
    except NOT_THE_SERIES:
        raise
    except CopImagingError as error:
        return failed(error.exit_code, getattr(error, "code", type(error).__name__), str(error))
    except Exception as error:  # noqa: BLE001 - a bug met on one series must not cost the others
        # Only the type: the text of an unforeseen error may hold a header value.
        return failed(1, "bug", f"unexpected {type(error).__name__}; analyze it alone with --traceback to see where")
    return Outcome(item.key, item.where, "analyzed", time.perf_counter() - start)


def _note(out: Path, item: Item, outcome: Outcome) -> None:
    detail = {"reason": outcome.reason} if outcome.state == "failed" else {"basis": item.basis}
    append(out, event=outcome.state, series=item.key, elapsed_s=round(outcome.seconds, 3), **detail)


def _folder(out: Path, item: Item) -> Path:
    return out / "series" / item.key


def _write_tables(out: Path, done: Sequence[Item], items: Sequence[Item], outcomes: Sequence[Outcome]) -> None:
    rows = feature_rows({item.key: _folder(out, item) for item in done})
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["key"]
    write_table(out / "features.csv", rows, columns)
    columns = ["key", "where", "exit_code", "reason", "message"]
    failures = [{name: getattr(o, name) for name in columns} for o in outcomes if o.state == "failed"]
    write_table(out / "failures.csv", failures, columns)
    states = {outcome.key: outcome.state for outcome in outcomes}
    where = [{"key": i.key, "where": i.where, "state": states.get(i.key, "not reached")} for i in items]
    write_table(out / "series.csv", where, ["key", "where", "state"])
