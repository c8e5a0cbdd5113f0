"""What a batch has done, as one JSON event per line: ``log.jsonl``. No path and no patient field stands in it."""

from __future__ import annotations

import json
from pathlib import Path

from cop_imaging.errors import OutputError, UsageError

__all__ = ["LEDGER", "append", "finished", "prepare"]

LEDGER = "log.jsonl"


def prepare(out: Path) -> None:
    """Make ``out`` the folder of a batch.

    Raises
    ------
    UsageError
        If it holds other things than a batch: they are never mixed.
    OutputError
        If it cannot be made or written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        strangers = [] if (out / LEDGER).exists() else sorted(p.name for p in out.iterdir())
        if strangers:
            raise UsageError(f"{out} holds {strangers[0]!r} and no batch; choose a new or empty folder for --out")
        with (out / LEDGER).open("ab+") as file:
            # A crash can tear the last line: the next event must not be glued to what is left of it.
            file.seek(max(0, file.tell() - 1))
            if file.read(1) not in (b"", b"\n"):
                file.write(b"\n")
    except OSError as error:
        raise OutputError(f"the output folder {out} cannot be used: {error.strerror or error}") from error


def append(out: Path, **event: str | float) -> None:
    """Add one event.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    try:
        with (out / LEDGER).open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(event) + "\n")
    except OSError as error:
        raise OutputError(f"{out / LEDGER} cannot be written: {error.strerror or error}") from error


def finished(out: Path) -> dict[str, str]:
    """``{key: basis}`` of every series whose last event is a finished analysis; a torn last line counts as nothing."""
    done: dict[str, str] = {}
    for line in (out / LEDGER).read_text(encoding="utf-8").splitlines():
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue
        done.pop(event["series"], None)
        if event["event"] == "analyzed":
            done[event["series"]] = event["basis"]
    return done
