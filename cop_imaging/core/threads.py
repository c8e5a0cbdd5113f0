"""Pieces of work on as many threads as SimpleITK may use; the results do not depend on their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import SimpleITK as sitk
from threadpoolctl import threadpool_limits

__all__ = ["on_threads", "side_by_side"]

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


def _count() -> int:
    return int(sitk.ProcessObject.GetGlobalDefaultNumberOfThreads())
