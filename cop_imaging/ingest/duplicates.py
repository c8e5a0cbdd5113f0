"""Copies of slices: two at one position that are the same image."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np

from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.planes import Placed
from cop_imaging.ingest.records import SliceRecord

__all__ = ["SameImage", "without_copies"]

SameImage = Callable[[SliceRecord, SliceRecord], bool]


def without_copies(
    placed: Placed, config: GeometryConfig, same_image: SameImage, scan: Callable[[SliceRecord], Hashable]
) -> Placed:
    """Slices without those that are a copy of another one; of all at one position the order becomes that of ``rank``.

    Parameters
    ----------
    same_image : function of two records
        Whether two slices at one position are copies. A SOPInstanceUID proves nothing: broken exporters repeat it.
    scan : function of a record
        Only slices for which it gives the same are compared. After the first two of a scan that differ, no more of it
        are: it is no stack then, and comparing is slow.
    """
    ends = np.flatnonzero(np.diff(placed.along_mm) >= config.same_position_mm) + 1
    starts = np.concatenate([[0], ends])
    sizes = np.diff(np.append(starts, len(placed.records)))
    if sizes.max() == 1:
        return placed
    limit = config.drift_pixels * max(placed.plane.spacing_mm)
    differing: set[Hashable] = set()
    kept: list[int] = []
    for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
        if size == 1:
            kept.append(start)
            continue
        firsts: dict[Hashable, int] = {}
        for n in sorted(range(start, start + size), key=lambda n: placed.records[n].rank):
            record = placed.records[n]
            which = scan(record)
            first = firsts.setdefault(which, n)
            if first != n and which not in differing:
                near = float(np.abs(placed.positions_mm[n] - placed.positions_mm[first]).max()) <= limit
                if near and same_image(placed.records[first], record):
                    continue
                differing.add(which)
            kept.append(n)
    return placed.pick(kept)
