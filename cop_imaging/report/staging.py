"""Result files take their place all together or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cop_imaging.errors import OutputError

__all__ = ["MARKER", "staged"]

MARKER = "report.json"
"""Leaves first and arrives last: a folder that shows it holds a whole result."""


@contextmanager
def staged(folder: Path, owned: Sequence[str]) -> Iterator[Path]:
    """A temporary folder whose files move into ``folder`` when the block ends without an error.

    A new folder appears by one rename. In a folder that exists already, the files named in ``owned`` (relative
    paths) leave as the new ones arrive, and come back if that is interrupted; other files stay untouched.
    The temporary folder is always removed.

    Raises
    ------
    OutputError
        If anything cannot be written or renamed.
    """
    exists = folder.is_dir()
    # Inside an existing folder, since that may be a mounted volume: a rename must not cross file systems.
    home = folder if exists else folder.parent
    temporary = home / f".{folder.name}.{uuid.uuid4().hex[:12]}.partial"
    try:
        home.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        yield temporary
        if exists:
            _swap(temporary, folder, owned)
        else:
            temporary.rename(folder)
    except OSError as error:
        raise OutputError(f"the results cannot be written to {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, folder: Path, owned: Sequence[str]) -> None:
    arriving = sorted(p.relative_to(new).as_posix() for p in new.rglob("*") if p.is_file())
    leaving = [name for name in owned if (folder / name).exists()]
    aside = new / ".replaced"
    moves = [(folder / n, aside / n) for n in sorted(leaving, key=lambda n: n != MARKER)]
    moves += [(new / n, folder / n) for n in sorted(arriving, key=lambda n: n == MARKER)]
    try:
        for source, target in moves:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, target)
    except BaseException:
        for source, target in reversed(moves):
            if target.exists() and not source.exists():
                os.replace(target, source)
        raise
    finally:
        for parent in {(folder / n).parent for n in (*leaving, *arriving)} - {folder}:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
