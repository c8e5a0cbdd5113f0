"""How a run is shown while it goes on: a live line with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cop_imaging.batch import Outcome

__all__ = ["Shown", "shown_run"]


@dataclass(frozen=True, slots=True)
class Shown:
    """Who hears of what."""

    tell: Callable[[int, int, Outcome], None]
    """Of each series that is done."""
    say: Callable[[str], None]
    """Of what a person should know."""
    listed: Callable[[int], None]
    """Of files that were looked at."""


@contextmanager
def shown_run(*, quiet: bool) -> Iterator[Shown]:
    """Show a run while the block lasts."""
    if quiet:
        yield Shown(lambda *_: None, lambda _: None, lambda _: None)
    elif sys.stderr.isatty():
        yield from _live()
    else:
        yield Shown(_line, _said, lambda _: None)


def _line(done: int, total: int, outcome: Outcome) -> None:
    print(f"[{done}/{total}] {outcome.key} {outcome.summary}", file=sys.stderr, flush=True)


def _said(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _live() -> Iterator[Shown]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as lines:
        task = lines.add_task("listing", total=None)
        troubled = 0

        def tell(done: int, total: int, outcome: Outcome) -> None:
            nonlocal troubled
            if outcome.code:
                troubled += 1
                lines.console.print(f"{outcome.key} {outcome.summary}", highlight=False, markup=False)
            words = f"analyzing, {troubled} without a result" if troubled else "analyzing"
            lines.update(task, completed=done, total=total, description=words)

        def say(line: str) -> None:
            lines.console.print(line, highlight=False, markup=False)

        yield Shown(tell, say, lambda count: lines.update(task, completed=count, description="listing"))
