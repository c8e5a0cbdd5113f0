"""Progress of the stages on stderr: a live line with the time on a terminal, one plain line per stage elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from cop_imaging.progress import Progress, Stage

if TYPE_CHECKING:
    from rich.progress import TaskID

__all__ = ["shown_stages"]


@contextmanager
def shown_stages(*, quiet: bool) -> Iterator[Progress]:
    """A progress that is shown while the block runs, or a silent one."""
    if quiet:
        yield Progress()
    elif sys.stderr.isatty():
        yield from _live()
    else:
        yield from _plain(sys.stderr)


def _plain(stream: TextIO) -> Iterator[Progress]:
    """``[ingest] reading slices ... 1.2 s``: the name when a stage begins, the time when it ends."""
    unfinished: list[str] = []

    def tell(stage: Stage) -> None:
        begun = f"[{stage.name}] {stage.title} ..."
        if stage.seconds is None:
            if unfinished:
                stream.write("\n")
            unfinished[:] = [stage.name]
            stream.write(begun)
        else:
            # A stage that others ran inside has lost its line: it is named again.
            stream.write(
                f" {stage.seconds:.1f} s\n" if unfinished == [stage.name] else f"{begun} {stage.seconds:.1f} s\n"
            )
            unfinished.clear()
        stream.flush()

    try:
        yield Progress(tell)
    finally:
        if unfinished:
            stream.write("\n")
            stream.flush()


def _live() -> Iterator[Progress]:
    """A spinner and the running time per stage."""
    from rich.console import Console
    from rich.progress import Progress as Lines
    from rich.progress import SpinnerColumn, TextColumn

    spinner = SpinnerColumn(finished_text=" ")
    times = TextColumn("{task.elapsed:5.1f} s")
    tasks: dict[str, TaskID] = {}
    with Lines(spinner, TextColumn("{task.description}", markup=False), times, console=Console(stderr=True)) as lines:

        def tell(stage: Stage) -> None:
            if stage.seconds is None:
                tasks[stage.name] = lines.add_task(stage.title, total=1)
            else:
                lines.update(tasks[stage.name], completed=1)
                lines.stop_task(tasks[stage.name])

        yield Progress(tell)
