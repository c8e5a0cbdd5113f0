"""What a person said of the lung masks: a table that anyone can edit."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from cop_imaging.errors import UsageError
from cop_imaging.provenance import file_digest

__all__ = ["REVIEWS", "VERDICTS", "Review", "read_reviews"]

REVIEWS = "reviews.csv"
COLUMNS = ("key", "verdict", "lungs", "note")
VERDICTS = ("accepted", "rejected")


@dataclass(frozen=True, slots=True)
class Review:
    """What was said of one lung mask."""

    verdict: str
    """``accepted``, ``rejected``, or nothing yet."""
    lungs: str | None = None
    """A corrected mask (NIfTI on the grid of the series, 1 right, 2 left) to measure on instead."""
    lungs_sha256: str | None = None
    written: tuple[str, str] = ("", "")
    """Mask and note as they stand in the table."""


def read_reviews(run: Path) -> dict[str, Review]:
    """The table ``reviews.csv`` of a run (key, verdict, lungs, note), by key; empty when there is none.

    Paths in ``lungs`` are seen from the folder of the run.

    Raises
    ------
    UsageError
        If it is no such table, or names a mask that is not there.
    """
    path = run / REVIEWS
    if not path.exists():
        return {}
    reviews = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                key, verdict = (row.get("key") or "").strip(), (row.get("verdict") or "").strip().lower()
                if not key or verdict not in {"", *VERDICTS}:
                    raise UsageError(
                        f"{path}, line {number}: a key and a verdict ({' or '.join(VERDICTS)}) are needed, "
                        f"not {key!r} and {verdict!r}"
                    )
                lungs = (row.get("lungs") or "").strip()
                mask = Path(os.path.join(run, lungs)) if lungs else None
                if mask is not None and not mask.is_file():
                    raise UsageError(f"{path}, line {number}: there is no mask {mask}")
                reviews[key] = Review(
                    verdict,
                    str(mask.resolve()) if mask else None,
                    file_digest(mask) if mask else None,
                    (lungs, (row.get("note") or "").strip()),
                )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as a table with the columns {', '.join(COLUMNS)}: {error}") from error
    return reviews
