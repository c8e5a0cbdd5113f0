"""Points on sheets joined to pieces that are flat, or that turn slowly, with their size and their lie in the lung."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cop_imaging.core.arrays import Float64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.ridges import Sheets

__all__ = ["Pieces", "mean_by_piece", "pieces_of"]

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Pieces of sheets; every array but ``label`` has a row for each piece."""

    label: Rows
    """(n,) Row of the piece that a point belongs to."""
    area_mm2: Float64Array
    length_mm: Float64Array
    """(k, 3) Extents along the principal axes, longest first: of a rectangle its sides."""
    flatness: Float64Array
    """1 where all normals agree, 1/3 where they point everywhere."""

    def __len__(self) -> int:
        return len(self.area_mm2)


def pieces_of(sheets: Sheets, grid: Geometry, *, link_mm: float, agree: float) -> Pieces:
    """Pieces of sheets: neighbouring points whose normals agree.

    Parameters
    ----------
    link_mm : float
        Largest distance of neighbours.
    agree : float
        Smallest cosine of the angle between their normals.
    """
    n, normal = len(sheets), sheets.normal
    if n == 0:
        return Pieces(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros((0, 3)), np.zeros(0))
    pairs = cKDTree(sheets.position_mm).query_pairs(link_mm, output_type="ndarray")
    first, second = pairs.T
    pairs = pairs[np.abs((normal[first] * normal[second]).sum(axis=1)) > agree]
    linked = coo_matrix((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    k, found = connected_components(linked, directed=False)
    label: Rows = np.asarray(found, dtype=np.int64)
    middle = np.stack([mean_by_piece(c, label, k) for c in sheets.position_mm.T], axis=1)
    spread: Float64Array = _moments(sheets.position_mm - middle[label], label, k)
    sides = np.sqrt(12.0 * np.maximum(np.asarray(np.linalg.eigvalsh(spread))[:, ::-1], 0.0))
    flat = np.asarray(np.linalg.eigvalsh(_moments(normal, label, k)), dtype=np.float64)[:, -1]
    area = np.bincount(label, minlength=k) * float(np.prod(grid.spacing_mm)) ** (2.0 / 3.0)
    return Pieces(label, area, sides, flat)


def mean_by_piece(value: NDArray[np.floating], label: Rows, k: int) -> Float64Array:
    """Mean of a value over the points of each of k pieces."""
    out: Float64Array = np.bincount(label, weights=value, minlength=k) / np.maximum(np.bincount(label, minlength=k), 1)
    return out


def _moments(vectors: Float64Array, label: Rows, k: int) -> Float64Array:
    """Mean outer product of the vectors of each piece, (k, 3, 3)."""
    out: Float64Array = np.empty((k, 3, 3), dtype=np.float64)
    for i in range(3):
        for j in range(i, 3):
            out[:, i, j] = out[:, j, i] = mean_by_piece(vectors[:, i] * vectors[:, j], label, k)
    return out
