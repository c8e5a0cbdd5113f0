"""Write a model as a whole folder or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from cop_imaging.errors import OutputError
from cop_imaging.provenance import file_digest

__all__ = ["write_model_folder", "write_text"]


def write_model_folder(out: Path, write: Callable[[Path], None], *, digests: str, what: str) -> Path:
    """Let ``write`` fill a new folder, add the file of digests, and put it in the place of ``out``.

    Parameters
    ----------
    digests : str
        Name of the file of digests: a folder without it is no model and is not replaced.
    what : str
        What the folder holds, for messages.

    Raises
    ------
    OutputError
        If the folder cannot be written, or holds something else.
    """
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / digests).is_file())):
        raise OutputError(f"{out} holds something that is not a {what}; name a new folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            write(new)
            names = sorted(path.name for path in new.iterdir())
            write_text(new / digests, "".join(f"{file_digest(new / name)}  {name}\n" for name in names))
            # mkdtemp makes a folder that only its owner may read.
            new.chmod(0o755)
            if out.exists():
                shutil.rmtree(out)
            os.replace(new, out)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
    except OSError as error:
        raise OutputError(f"the {what} cannot be written to {out}: {error.strerror or error}") from error
    return out


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with the same line ends everywhere."""
    path.write_text(text, encoding="utf-8", newline="\n")
