"""Asking again: exponential back-off with jitter while a failure may pass, and a limit on how fast is asked."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from cop_imaging.archive.config import ArchiveAccess
from cop_imaging.errors import CopImagingError

__all__ = ["Pace", "Passing", "patiently"]

T = TypeVar("T")


class Passing(Exception):  # noqa: N818 - no error of the user's: it never leaves this package
    """A failure that may pass. ``error`` is what is raised once patience has run out."""

    def __init__(
        self, error: CopImagingError, *, wait_s: float = 0.0, tries: int | None = None, reached: bool = True
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_s = wait_s
        """How long the server asks to be left alone."""
        self.tries = tries
        """Most attempts that end like this; None for any number within the patience."""
        self.reached = reached
        """Whether somebody answered at all."""


def patiently(work: Callable[[], T], access: ArchiveAccess, *, first_contact: bool = False) -> T:
    """Do ``work`` until it does not end with ``Passing``, or patience has run out since it first did.

    Parameters
    ----------
    first_contact : bool
        Nothing has been heard of the archive yet: a wrong name or port is told at once and not waited out.

    Raises
    ------
    SourceError, SeriesError
        What the last attempt ended with.
    """
    # Whatever the seed: the waits of workers must differ, and no result depends on them.
    jitter = random.SystemRandom()
    wait_s = access.first_wait_s
    first: float | None = None
    tries: dict[str, int] = {}
    while True:
        try:
            return work()
        except Passing as failure:
            now = time.monotonic()
            first = now if first is None else first
            code = getattr(failure.error, "code", "")
            tries[code] = tries.get(code, 0) + 1
            left_s = first + access.patience_s - now
            hopeless = first_contact and not failure.reached
            if hopeless or left_s <= 0 or (failure.tries is not None and tries[code] >= failure.tries):
                raise failure.error from failure.__cause__
            pause_s = max(jitter.uniform(wait_s / 2, wait_s), min(failure.wait_s, access.longest_wait_s))
        # One last attempt is made when patience ends, never a wait beyond it.
        time.sleep(min(pause_s, left_s))
        wait_s = min(2 * wait_s, access.longest_wait_s)


class Pace:
    """Lets a process ask at most so often: each request waits for its turn. A copy in another process counts anew."""

    def __init__(self, requests_per_s: float) -> None:
        self.requests_per_s = requests_per_s
        self._next = 0.0
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[Pace], tuple[float]]:
        return Pace, (self.requests_per_s,)

    def wait(self) -> None:
        """Return when the next request may be made."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + 1.0 / self.requests_per_s
        time.sleep(turn - now)
