"""What a run looks like as a whole: counts, distributions, what is slow, what failed."""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cop_imaging.batch.ledger import Recorded
from cop_imaging.batch.outcome import State

__all__ = ["SHOWN", "Failure", "MaskSeen", "Overview"]

SHOWN = (
    "p_op",
    "lungs.volume_ml",
    "consolidation.extent_percent",
    "ground_glass.extent_percent",
    "reversed_halo.count",
    "reticulation.extent_percent",
    "honeycombing.extent_percent",
    "emphysema.extent_percent",
)
"""Measures whose distribution the summary draws, where the version has them."""
SLOWEST = 10
EXAMPLES = 50
"""Failed series of one reason that the summary lists; the table holds all."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A series without a result."""

    key: str
    where: str
    message: str


@dataclass(frozen=True, slots=True, order=True)
class MaskSeen:
    """A lung mask that can be looked at, the most doubtful first."""

    trust: float
    key: str
    run: Path
    issues: tuple[str, ...]
    reported: bool
    """Whether there is a report to open."""


@dataclass(slots=True)
class Overview:
    """Grows series by series; what it holds of each is small."""

    research_use: str
    sources: tuple[str, ...]
    planned: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    issues: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Failure]] = field(default_factory=dict)
    values: dict[str, array[float]] = field(default_factory=dict)
    stages_s: Counter[str] = field(default_factory=Counter)
    slowest: list[tuple[float, str, Path, bool]] = field(default_factory=list)
    peak_mb: float = 0.0
    masks: list[MaskSeen] = field(default_factory=list)

    def add(self, row: Mapping[str, Any], run: Path, last: Recorded | None) -> None:
        """Count one planned series."""
        self.planned += 1
        if last is None:
            self.states["waiting"] += 1
            return
        attempt, key = last.attempt, row["key"]
        self.states[str(attempt.state)] += 1
        self.peak_mb = max(self.peak_mb, attempt.peak_mb or 0.0)
        if attempt.state is not State.ANALYZED:
            self.codes[attempt.code] += 1
            examples = self.examples.setdefault(attempt.code, [])
            if len(examples) < EXAMPLES:
                examples.append(Failure(key, row["folder"], attempt.message))
            return
        self.statuses[attempt.status] += 1
        self.issues.update(attempt.issues)
        self.stages_s.update(attempt.stages_s)
        features = attempt.features
        for name in SHOWN:
            value = features.get(name)
            if value is not None:
                self.values.setdefault(name, array("d")).append(value)
        reported = last.kept != "features"
        heapq.heappush(self.slowest, (attempt.seconds, key, run, reported))
        if len(self.slowest) > SLOWEST:
            heapq.heappop(self.slowest)
        trust = 1.0 if attempt.trust is None else attempt.trust
        doubts = tuple(code for code in attempt.issues if code.startswith(("lungs.", "coverage.")))
        self.masks.append(MaskSeen(trust, key, run, doubts, reported))
