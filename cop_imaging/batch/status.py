"""How far a run is, read from its records while it goes on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cop_imaging.batch.ledger import is_worked_on, read_only
from cop_imaging.batch.plan import PLAN, read_plan

__all__ = ["RunStatus", "run_status"]

RECENT = 200
"""Last outcomes from which the rate is taken."""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Progress of a run."""

    planned: int
    states: dict[str, int]
    """Series by the state of their last attempt."""
    codes: dict[str, int]
    """Series without a result by the reason."""
    active: bool
    """A process works on it now."""
    per_hour: float | None
    """Series per hour of late; None before there are two."""

    @property
    def waiting(self) -> int:
        """Series without any outcome."""
        return self.planned - sum(self.states.values())

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest needs at this rate."""
        return self.waiting / self.per_hour * 3600.0 if self.per_hour and self.active else None


def run_status(run: Path) -> RunStatus:
    """Progress of the run in a folder.

    Raises
    ------
    UsageError
        If there is none.
    """
    with read_only(run) as ledger:
        states = _counts(ledger.query("SELECT state, count(*) FROM outcome GROUP BY state ORDER BY 2 DESC"))
        why = "SELECT code, count(*) FROM outcome WHERE code != '' GROUP BY code ORDER BY 2 DESC"
        codes = _counts(ledger.query(why))
        recent = [
            dt.datetime.fromisoformat(str(row[0]))
            for row in ledger.query("SELECT ended FROM attempt ORDER BY id DESC LIMIT ?", RECENT)
        ]
    per_hour = None
    if len(recent) > 1 and recent[0] > recent[-1]:
        per_hour = (len(recent) - 1) / (recent[0] - recent[-1]).total_seconds() * 3600.0
    planned = read_plan(run / PLAN).series
    return RunStatus(planned, states, codes, is_worked_on(run), per_hour)


def _counts(found: list[tuple[object, ...]]) -> dict[str, int]:
    return {str(name): int(str(count)) for name, count in found}
