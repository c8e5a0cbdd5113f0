"""How far a run is, read from its records while it goes on."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from cop_imaging.batch.ledger import is_worked_on, read_only
from cop_imaging.batch.plan import PLAN, read_plan
from cop_imaging.errors import UsageError

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
        If there is none, or it is not planned yet.
    """
    states: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    with read_only(run) as ledger:
        active = is_worked_on(run)
        if not (run / PLAN).exists():
            now = "its source is being listed" if active else "call batch again"
            raise UsageError(f"{run} has no plan yet: {now}")
        plan = read_plan(run / PLAN)
        keys = {row["key"] for row in plan.rows(["key"])}
        for series, state, code in ledger.query("SELECT series, state, code FROM outcome"):
            # A plan made anew may not have a series any more.
            if series in keys:
                states[str(state)] += 1
                codes.update([str(code)] if code else [])
        # What lies between two calls is no pace.
        late = (
            "SELECT ended FROM attempt WHERE call = (SELECT call FROM attempt ORDER BY id DESC LIMIT 1) "
            "ORDER BY id DESC LIMIT ?"
        )
        recent = [dt.datetime.fromisoformat(str(row[0])) for row in ledger.query(late, RECENT)]
    per_hour = None
    if len(recent) > 1 and recent[0] > recent[-1]:
        per_hour = (len(recent) - 1) / (recent[0] - recent[-1]).total_seconds() * 3600.0
    return RunStatus(plan.series, dict(states.most_common()), dict(codes.most_common()), active, per_hour)
