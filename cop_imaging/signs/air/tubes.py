"""Tubes of air: voxels that tissue closes in on all sides, and the branching tubes that they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph

from cop_imaging.core.arrays import AnyArray, BoolArray, Float64Array, Int32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import components

__all__ = ["AXES", "Tubes", "closed_axes", "tubes_of"]

AXES = 13
"""Directions to the 26 neighbours of a voxel, opposite ones taken together."""
AIR_HU = -1000.0
SHELL_MM = 2.0
"""Length of the pieces into which tubes are cut."""
RIM_MM = 1.2
"""Beyond a tube's voxels, where blur has spread its air: one point spread."""

Ints = NDArray[np.int64]


def closed_axes(candidates: BoolArray, tissue: BoolArray, geometry: Geometry, widest_mm: float) -> Ints:
    """Axes of 13 along which each candidate (in scan order) has tissue on both sides, no farther apart than that."""
    reach = [int(np.ceil(widest_mm / s)) for s in geometry.spacing_mm]
    padded = np.pad(tissue, [(r, r) for r in reach])
    flat = padded.ravel()
    _, ny, nx = padded.shape
    jumps = np.array([ny * nx, nx, 1])
    start = (np.argwhere(candidates) + reach) @ jumps
    closed = np.zeros(len(start), dtype=np.int64)
    spacing = np.array(geometry.spacing_mm)
    half = [d for d in np.ndindex(3, 3, 3) if d > (1, 1, 1)]
    for direction in np.array(half) - 1.0:
        course = direction / np.linalg.norm(direction)
        sides = [_met_mm(flat, start, course * sign, spacing, jumps, widest_mm) for sign in (1.0, -1.0)]
        closed += sides[0] + sides[1] <= widest_mm
    return closed


def _met_mm(
    flat: BoolArray, start: Ints, course: Float64Array, spacing: Float64Array, jumps: Ints, longest_mm: float
) -> Float64Array:
    """Distance to the first tissue in a direction (z, y, x), infinite where there is none."""
    along = np.arange(0.5, longest_mm / spacing.min(), 0.5) * spacing.min()
    steps = np.rint(course * along[:, None] / spacing).astype(np.int64)
    steps = steps[np.any(np.diff(steps, axis=0, prepend=0), axis=1)]
    out = np.full(len(start), np.inf)
    waiting = np.arange(len(start))
    for step in steps:
        distance = float(np.linalg.norm(step * spacing))
        if distance > longest_mm:
            break
        hit = flat[start[waiting] + int(step @ jumps)]
        out[waiting[hit]] = distance
        waiting = waiting[~hit]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Tubes:
    """Tubes cut into pieces ``SHELL_MM`` long.

    Parameters
    ----------
    labels : int32 [z, y, x]
        Tube of each voxel, 0 outside, longest first.
    length_mm : float64 (n,)
        Length of all branches of each tube.
    piece_tube : int64 (m,)
        Tube 0..n-1 of each piece.
    piece_mm : float64 (m,)
        Diameter of a circle with the piece's cross-section.
    piece_centre : float64 (m, 3)
        Index (z, y, x) of its middle.
    """

    labels: Int32Array
    length_mm: Float64Array
    piece_tube: Ints
    piece_mm: Float64Array
    piece_centre: Float64Array

    def only(self, kept: BoolArray) -> Tubes:
        """The tubes marked in ``kept`` (n,)."""
        return _kept(
            self.labels, np.where(kept, self.length_mm, -1.0), self.piece_tube, self.piece_mm, self.piece_centre, 0.0
        )


def tubes_of(mask: BoolArray, hu: AnyArray, geometry: Geometry, shortest_mm: float, tissue_hu: float) -> Tubes:
    """The components of a mask with at least that length of branches.

    Each component is cut into shells by the length of the way from its farthest end (a Reeb graph; Verroust and
    Lazarus 2000, Visual Computer 16:15): a connected piece of a shell is a short cylinder.

    Parameters
    ----------
    hu : [z, y, x]
        Density: with each voxel's share of air a piece's cross-section is counted, so that blur does not change it.
    tissue_hu : float
        Density around the tubes.
    """
    labels, n = components(mask)
    voxels = np.argwhere(mask)
    if n == 0:
        none = np.zeros(0)
        return Tubes(labels, none, none.astype(np.int64), none, np.zeros((0, 3)))
    tube = labels[tuple(voxels.T)].astype(np.int64) - 1
    way = _ways_mm(mask.shape, voxels, tube, n, geometry)
    shell_mm = max(SHELL_MM, 1.2 * max(geometry.spacing_mm))
    piece, count = _pieces(mask.shape, voxels, way, shell_mm)
    piece_tube = np.zeros(count, dtype=np.int64)
    piece_tube[piece] = tube
    size = np.bincount(piece, minlength=count)
    centre = np.stack([np.bincount(piece, voxels[:, k], count) / size for k in range(3)], axis=1)
    order = np.argsort(piece, kind="stable")
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    span = np.maximum.reduceat(way[order], starts) - np.minimum.reduceat(way[order], starts)
    long_mm = np.minimum(span + 0.5 * min(geometry.spacing_mm), shell_mm)
    rim, owner = _rim(mask.shape, voxels, piece, geometry)
    air = np.clip((tissue_hu - hu.ravel()[rim]) / (tissue_hu - AIR_HU), 0.0, 1.0)
    volume_mm3 = np.bincount(owner, air, count) * geometry.voxel_ml * 1000.0
    diameter = 2.0 * np.sqrt(np.maximum(volume_mm3, 0.0) / long_mm / np.pi)
    length = np.bincount(piece_tube, long_mm, n).astype(np.float64)
    return _kept(labels, length, piece_tube, diameter, centre, shortest_mm)


def _kept(
    labels: Int32Array, length: Float64Array, tube: Ints, diameter: Float64Array, centre: Float64Array, least_mm: float
) -> Tubes:
    """The tubes that are long enough, longest first."""
    order = np.argsort(-length, kind="stable")
    order = order[length[order] >= least_mm]
    rank = np.full(len(length), -1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    table = np.concatenate([[0], rank + 1]).astype(np.int32)
    mine = rank[tube] >= 0
    return Tubes(table[labels], length[order], rank[tube][mine], diameter[mine], centre[mine])


def _ways_mm(shape: tuple[int, ...], voxels: Ints, tube: Ints, n: int, geometry: Geometry) -> Float64Array:
    """Length of the way inside its tube from each voxel to the tube's farthest end."""
    number = np.full(np.array(shape) + 2, -1, dtype=np.int64)
    inner = voxels + 1
    number[tuple(inner.T)] = np.arange(len(voxels))
    rows, columns, lengths = [], [], []
    for step in np.array([d for d in np.ndindex(3, 3, 3) if d > (1, 1, 1)]) - 1:
        other = number[tuple((inner + step).T)]
        beside = np.flatnonzero(other >= 0)
        rows.append(beside)
        columns.append(other[beside])
        lengths.append(np.full(beside.size, np.linalg.norm(step * np.array(geometry.spacing_mm))))
    graph = sparse.coo_array(
        (np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns))), shape=(len(voxels),) * 2
    ).tocsr()
    _, first = np.unique(tube, return_index=True)
    way = np.full(len(voxels), np.inf)
    # Twice: the voxel farthest from any voxel is an end.
    for _ in range(2):
        way = csgraph.dijkstra(graph, directed=False, indices=first, min_only=True)
        order = np.lexsort((way, tube))
        last = np.flatnonzero(np.diff(tube[order], append=n))
        first = order[last]
    out: Float64Array = way
    return out


def _pieces(shape: tuple[int, ...], voxels: Ints, way: Float64Array, shell_mm: float) -> tuple[Ints, int]:
    """Piece of each voxel, and how many there are."""
    shell = (way / shell_mm).astype(np.int64)
    out = np.zeros(len(voxels), dtype=np.int64)
    count = 0
    # Shells of three classes in turn: pieces of one class never touch those of another shell of that class.
    for k in range(3):
        mine = shell % 3 == k
        if not mine.any():
            continue
        part = np.zeros(shape, dtype=bool)
        part[tuple(voxels[mine].T)] = True
        labels, n = ndimage.label(part, np.ones((3, 3, 3), dtype=bool))
        out[mine] = count + labels[tuple(voxels[mine].T)] - 1
        count += int(n)
    return out, count


def _rim(shape: tuple[int, ...], voxels: Ints, piece: Ints, geometry: Geometry) -> tuple[Ints, Ints]:
    """Flat index of each voxel of the tubes and within ``RIM_MM`` of them, and the piece nearest to it."""
    reach = [int(RIM_MM / s) for s in geometry.spacing_mm]
    offsets = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    far = np.linalg.norm(offsets * np.array(geometry.spacing_mm), axis=1)
    offsets = offsets[np.argsort(far, kind="stable")][: int((far <= RIM_MM).sum())]
    # Nearest first: of those that reach a voxel the first is kept.
    places = np.clip(voxels[None] + offsets[:, None], 0, np.array(shape) - 1).reshape(-1, 3)
    flat, first = np.unique(places @ np.array([shape[1] * shape[2], shape[2], 1]), return_index=True)
    return flat, np.tile(piece, len(offsets))[first]
