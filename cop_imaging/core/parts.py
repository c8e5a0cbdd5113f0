"""Connected components of a mask by its runs: neighbours in a row, of which there are far fewer than voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cop_imaging.core.arrays import BoolArray, Int32Array, Int64Array

__all__ = ["Parts", "parts_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The components of a mask, largest first (ties by the first voxel)."""

    shape: tuple[int, ...]
    """Of the mask."""
    size: Int64Array
    """(n,) Voxels of each."""
    start: Int64Array
    """(m,) Flat index of the first voxel of each run, in the order of the array."""
    length: Int64Array
    """(m,) Voxels of each run."""
    part: Int32Array
    """(m,) Component 0..n-1 of each run."""

    def __len__(self) -> int:
        return len(self.size)

    def first(self, n: int) -> Parts:
        """The n largest."""
        mine = self.part < n
        return Parts(self.shape, self.size[:n], self.start[mine], self.length[mine], self.part[mine])

    def voxels(self) -> tuple[Int64Array, Int32Array]:
        """Flat index of each voxel, in the order of the array, and its component 0..n-1."""
        before = np.cumsum(self.length) - self.length
        flat = np.repeat(self.start - before, self.length)
        flat += np.arange(flat.size)
        return flat, np.repeat(self.part, self.length)

    def mask(self) -> BoolArray:
        """All of them."""
        out = np.zeros(self.shape, dtype=bool)
        out.ravel()[self.voxels()[0]] = True
        return out

    def labels(self) -> Int32Array:
        """Labels 1..n, 0 outside."""
        out = np.zeros(self.shape, dtype=np.int32)
        flat, part = self.voxels()
        out.ravel()[flat] = part + 1
        return out


def parts_of(mask: BoolArray, *, connectivity: Literal[6, 26] = 26) -> Parts:
    """The components of [z, y, x] that hang together by faces (6), or by edges and corners too (26)."""
    shape, hit = mask.shape, np.flatnonzero([level.any() for level in mask])
    lowest = int(hit[0]) if hit.size else 0
    mask = mask[lowest : int(hit[-1]) + 1] if hit.size else mask[:0]
    nz, ny, nx = mask.shape
    # Behind each row lies a voxel, and behind each slice a row, that belongs to nothing: no run has a wrong neighbour.
    guarded = np.zeros((nz, ny + 1, nx + 1), dtype=bool)
    guarded[:, :ny, :nx] = mask
    flat = guarded.ravel()
    change = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat[:1].any():
        change = np.concatenate([[0], change])
    start, end = change[::2], change[1::2]
    row, level = nx + 1, (ny + 1) * (nx + 1)
    steps, beside = ((row, level), 0) if connectivity == 6 else ((row, level - row, level, level + row), 1)
    runs, others = [], []
    for step in steps:
        low = np.searchsorted(end, start - step - beside, side="right")
        met = np.searchsorted(start, end - step + beside, side="left") - low
        runs.append(np.repeat(np.arange(start.size), met))
        others.append(np.repeat(low - np.cumsum(met) + met, met) + np.arange(met.sum()))
    pair = np.concatenate(runs), np.concatenate(others)
    graph = coo_matrix((np.ones(pair[0].size, dtype=bool), pair), shape=(start.size, start.size))
    n, found = connected_components(graph, directed=False)
    length = end - start
    size = np.bincount(found, length, n).astype(np.int64)
    first = np.empty(n, dtype=np.int64)
    first[found[::-1]] = np.arange(found.size)[::-1]
    order = np.lexsort((first, -size))
    rank = np.empty(n, dtype=np.int32)
    rank[order] = np.arange(n, dtype=np.int32)
    at = start // row
    return Parts(shape, size[order], start - at - at // (ny + 1) * nx + lowest * ny * nx, length, rank[found])
