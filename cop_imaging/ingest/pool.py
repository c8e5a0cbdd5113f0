"""Processes that read headers side by side, and outlast the death of one of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, repeat
from typing import Any, TypeVar

from cop_imaging.errors import SeriesError

__all__ = ["Readers", "mapped", "readers_of_headers"]

IN_FLIGHT = 4
"""Tasks for each process that wait or are worked on: the walk never runs ahead of the reading."""
DEATHS = 5
"""So often processes may die while one task is waited for."""
DONE = object()

T = TypeVar("T")


class Readers:
    """Processes that read and judge headers; none at all for one worker. They are replaced when one of them dies."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.pool = ProcessPoolExecutor(workers, initializer=_follow_parent) if workers > 1 else None

    def renew(self) -> None:
        """Start anew: a pool that has lost a process takes no work any more."""
        self.close()
        self.pool = ProcessPoolExecutor(self.workers, initializer=_follow_parent)

    def close(self) -> None:
        """Let them end without waiting for them."""
        if self.pool is not None:
            self.pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def readers_of_headers(workers: int) -> Iterator[Readers]:
    """Processes for the length of a block; they do not outlive this one."""
    readers = Readers(workers)
    try:
        yield readers
    finally:
        readers.close()


def mapped(work: Callable[[Any], T], tasks: Iterable[Any], readers: Readers) -> Iterator[T]:
    """Results in the order of the tasks, of which few are in flight at once.

    Raises
    ------
    SeriesError
        ``source.unreadable`` if processes die on one task again and again.
    """
    if readers.pool is None:
        yield from map(work, tasks)
        return
    waiting: deque[tuple[Any, Future[T]]] = deque()
    for task in chain(tasks, repeat(DONE)):
        if task is not DONE:
            waiting.append((task, _submitted(readers, work, task)))
            if len(waiting) < IN_FLIGHT * readers.workers:
                continue
        if not waiting:
            return
        yield _first_of(waiting, work, readers)


def _first_of(waiting: deque[tuple[Any, Future[T]]], work: Callable[[Any], T], readers: Readers) -> T:
    for _ in range(DEATHS):
        try:
            result = waiting[0][1].result()
        except BrokenProcessPool:
            # Which task the process died on is not known: all that wait are given out again.
            readers.renew()
            again = [(task, _submitted(readers, work, task)) for task, _ in waiting]
            waiting.clear()
            waiting.extend(again)
        else:
            waiting.popleft()
            return result
    message = "processes that read headers die again and again; look for want of memory, or index with one worker"
    raise SeriesError(message, code="source.unreadable")


def _submitted(readers: Readers, work: Callable[[Any], T], task: Any) -> Future[T]:
    assert readers.pool is not None
    try:
        return readers.pool.submit(work, task)
    except BrokenProcessPool as error:
        # Told with the result, where it is dealt with.
        broken: Future[T] = Future()
        broken.set_exception(error)
        return broken


def _follow_parent() -> None:
    """Let this process end with the one that started it, even if that is killed, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os._exit(0)

    threading.Thread(target=follow, daemon=True).start()
