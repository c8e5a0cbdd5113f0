"""The airways as a tree: centre lines, generations and diameters, from shells of equal distance to the trachea's top.

The lumen is cut into shells by the length of the way through it; a connected piece of a shell is a short cylinder
whose middle lies on the centre line and whose volume over its length is the cross-section (a Reeb graph of the distance
from the root; Verroust and Lazarus 2000, Visual Computer 16:15). The volume counts each voxel by its share of air, so
that bronchi of a few voxels are measured too. Pieces hang on the piece they were reached from, so
that there are no loops; twigs shorter than their parent is wide are unevenness of its wall.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph

from cop_imaging.core.airway_tree import AirwayTree
from cop_imaging.core.arrays import BoolArray, Float64Array, Int16Array
from cop_imaging.core.geometry import Geometry

__all__ = ["airway_tree"]

Ints = NDArray[np.int64]

SHELL_MM = 2.5
"""Length of a piece of centre line: about the spacing of the finest tree that is looked for."""
SHORTEST_TWIG_MM = 5.0
"""Side branches shorter than this, or than their parent is wide, are no branches."""
CARINA_SHARE = 0.1
"""Share of the tree's length below which a branch above the carina is a recess of the throat."""


def airway_tree(airways: BoolArray, hu: Int16Array, geometry: Geometry) -> AirwayTree | None:
    """Centre lines and branches of the airway that begins highest; None when there is no more than a dot.

    Parameters
    ----------
    airways : bool [z, y, x]
        Lumen.
    hu : int16 [z, y, x]
        The scan on the same grid.
    """
    voxels = np.stack(np.nonzero(airways), axis=1)
    if len(voxels) < 2:
        return None
    way_mm, before = _ways(airways, voxels, geometry)
    reached = np.isfinite(way_mm)
    spacing = np.array(geometry.spacing_mm)
    shell_mm = max(SHELL_MM, 1.5 * spacing.max())
    piece, parent = _pieces(airways.shape, voxels, way_mm, before, reached, shell_mm)
    if len(parent) < 2:
        return None
    count = np.bincount(piece[reached], minlength=len(parent))
    middle = np.stack(
        [np.bincount(piece[reached], weights=voxels[reached, k], minlength=len(parent)) / count for k in range(3)],
        axis=1,
    )
    points_mm = geometry.to_patient(middle)
    # A cylinder: volume over length is the area of its cross-section.
    air = _air(airways, hu, voxels, piece, len(parent))
    diameter_mm = 2.0 * np.sqrt(air * spacing.prod() / shell_mm / np.pi)
    kept = _kept(points_mm, parent, diameter_mm)
    return _branches(points_mm, parent, diameter_mm, kept)


def _ways(airways: BoolArray, voxels: Ints, geometry: Geometry) -> tuple[Float64Array, Ints]:
    """Length in mm of the way from the top of the largest part to each voxel, and the voxel before it."""
    n = len(voxels)
    number = np.full(np.array(airways.shape) + 2, -1, dtype=np.int64)
    inner = voxels + 1
    number[tuple(inner.T)] = np.arange(n)
    rows, columns, lengths = [], [], []
    for z, y, x in np.ndindex(3, 3, 3):
        step = np.array([z, y, x]) - 1
        if tuple(step) <= (0, 0, 0):
            continue
        other = number[tuple((inner + step).T)]
        beside = other >= 0
        rows.append(np.flatnonzero(beside))
        columns.append(other[beside])
        lengths.append(np.full(int(beside.sum()), np.linalg.norm(step * np.array(geometry.spacing_mm))))
    graph = sparse.coo_array(
        (np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns))), shape=(n, n)
    ).tocsr()
    _, part = csgraph.connected_components(graph, directed=False)
    largest = np.flatnonzero(part == np.argmax(np.bincount(part)))
    root = int(largest[np.argmax(voxels[largest, 0])])
    ways_mm, before = csgraph.dijkstra(graph, directed=False, indices=[root], return_predecessors=True)
    return ways_mm[0], before[0].astype(np.int64)


def _air(airways: BoolArray, hu: Int16Array, voxels: Ints, piece: Ints, count: int) -> Float64Array:
    """Voxels of air in each piece and in the voxels at its faces, by each voxel's share of air.

    The share is the height of a voxel between air and the densest voxel at it, its wall.
    """
    padded = np.pad(hu, 2, mode="edge")
    inside = np.pad(airways, 2).ravel()
    _, ny, nx = padded.shape
    jumps = np.array([ny * nx, nx, 1])
    flat = (voxels + 2) @ jumps
    beside = (flat[:, None] + np.concatenate([jumps, -jumps])).ravel()
    outer = ~inside[beside]
    beside, first = np.unique(beside[outer], return_index=True)
    where = np.concatenate([flat, beside])
    whose = np.concatenate([piece, np.repeat(piece, 6)[outer][first]])
    where, whose = where[whose >= 0], whose[whose >= 0]
    values = padded.ravel()
    around: Ints = np.stack(np.meshgrid(*(np.array([-1, 0, 1]),) * 3, indexing="ij"), axis=-1).reshape(-1, 3) @ jumps
    wall_hu = np.full(where.size, float(LEAST_WALL_HU))
    for jump in around:
        np.maximum(wall_hu, values[where + jump], out=wall_hu)
    share = np.clip((wall_hu - values[where]) / (wall_hu - AIR_HU), 0.0, 1.0)
    out: Float64Array = np.bincount(whose, share, count).astype(np.float64)
    return out


LEAST_WALL_HU = -700.0
"""Density of the thinnest wall that is seen, blurred as it is."""
AIR_HU = -1000.0


def _pieces(
    shape: tuple[int, ...], voxels: Ints, way_mm: Float64Array, before: Ints, reached: BoolArray, shell_mm: float
) -> tuple[Ints, Ints]:
    """Number of the piece of each voxel (-1 when not reached), nearest to the root first, and each piece's parent."""
    shell = np.full(len(voxels), -1, dtype=np.int64)
    shell[reached] = (way_mm[reached] / shell_mm).astype(np.int64)
    # Shells of three classes in turn: pieces of one class never touch those of another shell of that class.
    label = np.full(len(voxels), -1, dtype=np.int64)
    count = 0
    for k in range(3):
        mine = (shell % 3 == k) & reached
        mask = np.zeros(shape, dtype=bool)
        mask[tuple(voxels[mine].T)] = True
        labels, n = ndimage.label(mask, np.ones((3, 3, 3), dtype=bool))
        label[mine] = count + labels[tuple(voxels[mine].T)] - 1
        count += int(n)
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, label[reached], shell[reached])
    order = np.argsort(first, kind="stable")
    rank = np.empty(count, dtype=np.int64)
    rank[order] = np.arange(count)
    piece = np.where(reached, rank[label], -1)
    parent = np.full(count, -1, dtype=np.int64)
    enters = np.flatnonzero(reached & (before >= 0))
    enters = enters[piece[before[enters]] != piece[enters]]
    # The piece from which most of a piece's voxels were reached.
    pairs, votes = np.unique(np.stack([piece[enters], piece[before[enters]]], axis=1), axis=0, return_counts=True)
    best = np.lexsort((votes, pairs[:, 0]))
    parent[pairs[best, 0]] = pairs[best, 1]
    return piece, parent


def _kept(points_mm: Float64Array, parent: Ints, diameter_mm: Float64Array) -> BoolArray:
    """Pieces of the tree without short twigs and without recesses above the carina."""
    kept = np.ones(len(parent), dtype=bool)
    step_mm = np.zeros(len(parent))
    step_mm[1:] = np.linalg.norm(points_mm[1:] - points_mm[parent[1:]], axis=1)
    while True:
        fork = np.bincount(parent[kept & (parent >= 0)], minlength=len(parent))
        short = []
        for tip in np.flatnonzero(kept & (fork == 0)):
            twig, length_mm, at = [int(tip)], float(step_mm[tip]), int(parent[tip])
            while at >= 0 and fork[at] == 1:
                twig.append(at)
                length_mm, at = length_mm + float(step_mm[at]), int(parent[at])
            if at >= 0 and length_mm - 0.5 * diameter_mm[at] < max(SHORTEST_TWIG_MM, 0.5 * diameter_mm[at]):
                short.append((length_mm, twig, at))
        if not short:
            break
        # The shortest twig of a fork goes first: the other may then be the branch that goes on.
        gone = set()
        for _, twig, at in sorted(short):
            if at not in gone:
                kept[twig] = False
                gone.add(at)
    return kept & ~_recesses(kept, parent, step_mm)


def _recesses(kept: BoolArray, parent: Ints, step_mm: Float64Array) -> BoolArray:
    """Branches above the carina that hold too little of the tree to be a lung's."""
    below_mm = np.where(kept, step_mm, 0.0)
    for k in range(len(parent) - 1, 0, -1):
        below_mm[parent[k]] += below_mm[k]
    out = np.zeros(len(parent), dtype=bool)
    at = 0
    while True:
        next_ = np.flatnonzero(kept & (parent == at))
        if next_.size == 0:
            return out
        large = next_[below_mm[next_] >= CARINA_SHARE * below_mm[0]]
        if large.size != 1:
            return out
        small = np.setdiff1d(next_, large)
        out[small] = True
        for k in range(at + 1, len(parent)):
            out[k] |= bool(out[parent[k]])
        at = int(large[0])


def _branches(points_mm: Float64Array, parent: Ints, diameter_mm: Float64Array, kept: BoolArray) -> AirwayTree | None:
    """Kept pieces in their branches: a branch ends where two or more go on."""
    forks = np.bincount(parent[kept & (parent >= 0)], minlength=len(parent))
    branch = np.full(len(parent), -1, dtype=np.int64)
    above: list[int] = []
    generation: list[int] = []
    for k in np.flatnonzero(kept):
        up = int(parent[k])
        if up >= 0 and forks[up] == 1:
            branch[k] = branch[up]
            continue
        branch[k] = len(above)
        above.append(-1 if up < 0 else int(branch[up]))
        generation.append(0 if up < 0 else generation[above[-1]] + 1)
    rows = np.flatnonzero(kept)
    rows = rows[np.argsort(branch[rows], kind="stable")]
    number = np.full(len(parent), -1, dtype=np.int64)
    number[rows] = np.arange(len(rows))
    before = np.where(parent[rows] >= 0, number[parent[rows]], -1)
    return AirwayTree(
        points_mm=points_mm[rows],
        before=before,
        branch=branch[rows],
        diameter_mm=diameter_mm[rows],
        parent=np.array(above, dtype=np.int64),
        generation=np.array(generation, dtype=np.int64),
    )
