"""Pieces of work on as many threads as SimpleITK may use; the results do not depend on their number."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

import SimpleITK as sitk
from threadpoolctl import threadpool_limits

__all__ = ["on_threads", "side_by_side", "when_ready"]

AT_ONCE = 3
"""So many results are made at the same time, however many threads there are: each holds maps of its own."""

Piece = TypeVar("Piece")
Result = TypeVar("Result")
First = TypeVar("First")
Second = TypeVar("Second")


def on_threads(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> list[Result]:
    """Results of the pieces in their order.

    BLAS has one thread in each: its own would wait for each other at every product when a core is busy.
    """
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(_count()) as pool:
        return list(pool.map(work, pieces))


def side_by_side(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """Results of two pieces of work that have nothing to do with each other."""
    if _count() == 1:
        return first(), second()
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(1) as pool:
        beside = pool.submit(second)
        return first(), beside.result()


def when_ready(
    work: Callable[[str, Mapping[str, Result]], Result], needs: Mapping[str, Collection[str]]
) -> dict[str, Result]:
    """Results by name, each made from those that it needs: which are ready begin in the order of ``needs``.

    Parameters
    ----------
    work : function of a name and of what was made so far
    needs : mapping
        Names of what each needs. What is needed stands before what needs it.

    Raises
    ------
    KeyError
        If something needs what is not made.
    """
    found: dict[str, Result] = {}
    count = min(_count(), AT_ONCE)
    if count == 1:
        for name in needs:
            found[name] = work(name, found)
        return found
    waiting = list(needs)
    running: dict[Future[Result], str] = {}
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(count) as pool:
        while waiting or running:
            ready = [name for name in waiting if found.keys() >= set(needs[name])]
            for name in ready[: count - len(running)]:
                waiting.remove(name)
                running[pool.submit(work, name, dict(found))] = name
            if not running:
                raise KeyError(f"{waiting[0]} needs what is not made: {', '.join(needs[waiting[0]])}")
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                found[running.pop(future)] = future.result()
    return {name: found[name] for name in needs}


def _count() -> int:
    return int(sitk.ProcessObject.GetGlobalDefaultNumberOfThreads())
