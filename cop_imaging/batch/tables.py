"""The tables of a batch as CSV files, whole or not at all."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cop_imaging.errors import OutputError

__all__ = ["feature_rows", "write_table"]

FEATURES = "features.csv"


def feature_rows(folders: Mapping[str, Path]) -> list[dict[str, str]]:
    """The row of each finished series, read back from its own ``features.csv``, its key first."""
    rows = []
    for key, folder in folders.items():
        # Somebody may have removed a result that an interrupted call did not reach.
        if not (folder / FEATURES).exists():
            continue
        with (folder / FEATURES).open(encoding="utf-8", newline="") as file:
            rows += [{"key": key, **row} for row in csv.DictReader(file)]
    return rows


def write_table(path: Path, rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Write ``rows`` under ``columns``; a table that was there is replaced in one step.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
