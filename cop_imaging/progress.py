"""How stages tell what they are doing: one small object that is passed in, silent unless somebody listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = ["Progress", "Stage"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage began (``seconds`` is None) or ended."""

    name: str
    title: str
    seconds: float | None = None


@dataclass
class Progress:
    """Times the stages and tells ``listener`` when each begins and ends."""

    listener: Callable[[Stage], None] | None = None
    timings_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[None]:
        """Time the block as stage ``name``; ``title`` is what a person reads."""
        if self.listener:
            self.listener(Stage(name, title))
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            self.timings_s[name] = self.timings_s.get(name, 0.0) + seconds
        if self.listener:
            self.listener(Stage(name, title, seconds))
