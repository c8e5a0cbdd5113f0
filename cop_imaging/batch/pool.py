"""Workers on this machine: one process each, and a thread that waits for it."""

from __future__ import annotations

import pickle
import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from cop_imaging.batch.outcome import Attempt, Killed
from cop_imaging.batch.worker import Job, Worker

__all__ = ["Answer", "Engine", "LocalPool"]

Answer = tuple[str, Attempt | Killed]
"""Key of the series, and what became of it."""


class Engine(Protocol):
    """Workers, wherever they are."""

    @property
    def places(self) -> int:
        """Series that can be given to it at once and are begun without delay."""

    def submit(self, row: Mapping[str, Any]) -> None:
        """Give it one planned series."""

    def answers(self, wait_s: float) -> list[Answer]:
        """All answers that have come; waits for the first one, at most so long.

        Raises
        ------
        SourceError
            If the workers cannot be reached any more.
        """

    def withdraw(self) -> list[str]:
        """Take back what it was given and has not begun, as far as that can be told; the keys."""

    def kill(self) -> None:
        """End what runs at once, and begin nothing more of what was given to it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let the workers end."""


class LocalPool:
    """So many worker processes on this machine.

    Parameters
    ----------
    job : Job
        What is done with each series.
    workers : int
        Processes.
    time_limit_s : float, optional
        After so long a worker is killed and its series recorded.
    log : Path, optional
        File for what the libraries in the workers print.
    """

    def __init__(self, job: Job, workers: int, time_limit_s: float | None = None, log: Path | None = None) -> None:
        self.places = workers
        self._workers = [Worker(pickle.dumps(job), f"local-{n}", log) for n in range(1, workers + 1)]
        self._time_limit_s = time_limit_s
        self._waiting: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._tend, args=(w,), daemon=True) for w in self._workers]

    def submit(self, row: Mapping[str, Any]) -> None:
        """See ``Engine.submit``."""
        self._waiting.put(row)

    def answers(self, wait_s: float) -> list[Answer]:
        """See ``Engine.answers``."""
        found: list[Answer] = []
        try:
            found.append(self._answers.get(timeout=wait_s))
            while True:
                found.append(self._answers.get_nowait())
        except queue.Empty:
            return found

    def withdraw(self) -> list[str]:
        """See ``Engine.withdraw``."""
        keys = []
        try:
            while (row := self._waiting.get_nowait()) is not None:
                keys.append(str(row["key"]))
        except queue.Empty:
            pass
        return keys

    def kill(self) -> None:
        """See ``Engine.kill``."""
        for key in self.withdraw():
            self._answers.put((key, Killed("worker.killed", "the run was ended before its turn came")))
        for worker in self._workers:
            worker.kill()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self.kill()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _tend(self, worker: Worker) -> None:
        while (row := self._waiting.get()) is not None:
            try:
                answer = worker.work(row, self._time_limit_s)
            except Exception as error:  # noqa: BLE001 - without an answer the run would wait for ever
                answer = Killed("worker.start", f"a worker cannot be tended: unexpected {type(error).__name__}")
            self._answers.put((row["key"], answer))
        worker.close()
