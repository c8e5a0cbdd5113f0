"""Branching trees that fill the lungs: bronchi, the arteries beside them, and veins between.

A tree is grown towards its own share of points: every branch runs part of the way to the centre of its points, which
are then parted by the plane through that centre (after Tawhai et al., Ann Biomed Eng 2000;28:793). Radii follow the
share that a branch feeds, with Weibel's model A as the guide (8.3 mm at a lobe, about 1 mm at generation 11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cop_imaging.core.arrays import BoolArray, Float64Array, UInt8Array
from cop_imaging.synth.cage import midline
from cop_imaging.synth.shapes import Slab, Tubes

__all__ = ["LOBES", "Trees", "grow_trees", "lobe_of", "lobes"]

Point = tuple[float, float, float]

RADIUS_EXPONENT = 0.36
"""Radius over the share of a lobe that a branch feeds, fitted to Weibel's generations 2 to 9."""
SMALLEST_LUMEN_MM = 0.95
"""Radius below which a bronchus is not drawn: its wall is no longer seen on CT."""
SMALLEST_VESSEL_MM = 0.42
ARTERY_RATIO = 0.9
"""Artery over the outer width of the bronchus beside it."""
SMALLER_SHARE = (0.18, 0.5)
"""What the lesser of two daughters feeds: the other goes on in its parent's course, so that vessels stay long."""
PIECE_MM = 5.0
"""Length of the straight pieces of a curved branch."""

RUL, RML, RLL, LUL, LLL = 1, 2, 3, 4, 5
Hilum = tuple[Point, float, Point, Point]
LOBES: dict[int, Hilum] = {
    RUL: ((-42.0, 17.0, -12.0), 4.4, (-42.0, 6.0, -20.0), (-34.0, 2.0, -36.0)),
    RML: ((-47.0, 8.0, -60.0), 3.3, (-46.0, 3.0, -54.0), (-32.0, 0.0, -46.0)),
    RLL: ((-46.0, 38.0, -64.0), 4.5, (-52.0, 30.0, -58.0), (-34.0, 22.0, -62.0)),
    LUL: ((56.0, 14.0, -18.0), 4.5, (54.0, 8.0, -8.0), (38.0, 0.0, -36.0)),
    LLL: ((52.0, 38.0, -52.0), 4.4, (58.0, 32.0, -44.0), (40.0, 24.0, -60.0)),
}
"""Per lobe: start and radius of its bronchus, start of its artery, start of its vein, in mm."""


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """All tubes of a chest in model coordinates."""

    central: Tubes
    """Lumen of trachea, main and intermediate bronchus: no part of the lungs."""
    lumen: Tubes
    """Lumen of the lobar bronchi and beyond."""
    walls: Tubes
    """The outer surface of every drawn airway."""
    arteries: Tubes
    veins: Tubes


def lobe_of(points: Float64Array) -> UInt8Array:
    """Lobe 1-5 (RUL, RML, RLL, LUL, LLL) of points (n, 3) as (x, y, z), parted by oblique and horizontal fissures."""
    return _lobe(points[:, 0], points[:, 1], points[:, 2])


def lobes(s: Slab) -> UInt8Array:
    """Lobe 1-5 of every voxel of a slab in model coordinates, [z, y, x]."""
    return _lobe(s.x, s.y, s.z)


def _lobe(x: Any, y: Any, z: Any) -> UInt8Array:
    behind, low = major_fissure(x, y, z) > 0.0, minor_fissure(x, y, z) < 0.0
    right = np.where(behind, np.uint8(RLL), np.where(low, np.uint8(RML), np.uint8(RUL)))
    out: UInt8Array = np.where(x < midline(y, z), right, np.where(behind, np.uint8(LLL), np.uint8(LUL)))
    return out


def major_fissure(x: Any, y: Any, z: Any) -> Any:
    """Distance behind the oblique fissure in mm: it falls from the back at 30 mm to the front of the diaphragm.

    It is twisted like a propeller: above the hilum its outer part lies farther back, below it farther in front (Proto
    AV, Ball JB, AJR 1983;140:439).
    """
    out = np.abs(x) - np.float32(58.0)
    twist = np.float32(0.30) * np.clip((z + np.float32(28.0)) / np.float32(55.0), -1.0, 1.0)
    fore = (y - 92.0) * np.float32(0.70) - (z - 30.0) * np.float32(0.714)
    return (fore - twist * out + np.float32(0.0022) * out * out) + waves(x, y, z)


def minor_fissure(x: Any, y: Any, z: Any) -> Any:
    """Distance above the horizontal fissure of the right lung in mm: it sinks a little to front and side."""
    return (z + (42.0 - 0.08 * (y + 20.0) + 0.0016 * (x + 60.0) ** 2)) + waves(x, y, z)


def waves(x: Any, y: Any, z: Any) -> Any:
    """How far a fissure's sheet bends to one side in mm: hills 30-60 mm wide, unlike on both sides."""
    across = np.float32(2.2) * np.sin(x * np.float32(1 / 13.0) + np.float32(0.9)) * np.cos(z * np.float32(1 / 19.0))
    along = np.float32(1.8) * np.sin(y * np.float32(1 / 15.0) - x * np.float32(1 / 31.0))
    return across + along


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Branches from one root; parents come before their daughters.

    Parameters
    ----------
    begin, end : float64 (n, 3)
    parent : int64 (n,)
        Row of the parent, or -1.
    fed : int64 (n,)
        Number of points that a branch feeds.
    bend : float64 (n, 3)
        From the middle of a branch to the point that pulls it into a curve.
    """

    begin: Float64Array
    end: Float64Array
    parent: NDArray[np.int64]
    fed: NDArray[np.int64]
    bend: Float64Array


def grow(points: Float64Array, start: Point, rng: np.random.Generator) -> Tree:
    """One tree from ``start`` to every point, all branches of a generation at once."""
    order, sizes = np.arange(len(points)), np.array([len(points)])
    origin, parent = np.array([start], dtype=np.float64), np.array([-1])
    rows: list[tuple[Float64Array, Float64Array, NDArray[np.int64], NDArray[np.int64]]] = []
    count = 0
    while len(sizes):
        own, starts = points[order], np.concatenate([[0], np.cumsum(sizes)[:-1]])
        way = np.add.reduceat(own, starts) / sizes[:, None] - origin
        end = origin + np.where(sizes == 1, 1.0, rng.uniform(0.36, 0.46, len(sizes)))[:, None] * way
        rows.append((origin, end, parent, sizes))
        splits, group = sizes > 1, np.repeat(np.arange(len(sizes)), sizes)
        # The plane holds the branch and cuts the points across their longest axis beside it, seldom into halves.
        axis = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
        spread = own - (origin + way)[group]
        spread = spread - (spread * axis[group]).sum(axis=1, keepdims=True) * axis[group]
        square = np.add.reduceat((spread[:, :, None] * spread[:, None, :]).reshape(-1, 9), starts).reshape(-1, 3, 3)
        along = (spread * np.linalg.eigh(square)[1][group, :, 2]).sum(axis=1)
        sorted_rows = np.lexsort((along, group))
        less = rng.uniform(*SMALLER_SHARE, len(sizes))
        less = np.where(rng.random(len(sizes)) < 0.5, less, 1.0 - less)
        share = np.clip(np.rint(sizes * less), 1, np.maximum(sizes - 1, 1)).astype(int)
        order = order[sorted_rows][splits[group]]
        rows_here = count + np.arange(len(sizes))
        count += len(sizes)
        origin, parent = (np.repeat(a[splits], 2, axis=0) for a in (end, rows_here))
        sizes = np.stack([share, sizes - share], axis=1)[splits].ravel()
    begin, end, above, fed = (np.concatenate(c) for c in zip(*rows, strict=True))
    return Tree(begin, end, above, fed, bends(begin, end, above, rng))


def bends(begin: Float64Array, end: Float64Array, parent: NDArray[np.int64], rng: np.random.Generator) -> Float64Array:
    """How a branch leaves its parent's course gradually, and wavers a little, as it does in a real lung."""
    way = end - begin
    length = np.linalg.norm(way, axis=1, keepdims=True)
    course = way / np.maximum(length, 1e-6)
    before = np.where(parent[:, None] >= 0, course[parent], course)
    bend = 0.16 * length * (before - course) + 0.05 * length * rng.standard_normal(way.shape)
    out: Float64Array = bend - (bend * course).sum(axis=1, keepdims=True) * course
    return out


def beside(tree: Tree, gap_mm: Float64Array, root: Point) -> Tree:
    """The branches of a second tree that runs ``gap_mm`` beside the first, from another root."""
    way = tree.end - tree.begin
    way = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
    lean = np.array([0.35, -0.8, 0.5]) * np.where(tree.begin[:, :1] < 0.0, [[-1.0, 1.0, 1.0]], 1.0)
    lean = lean - (lean * way).sum(axis=1, keepdims=True) * way
    lean = lean / np.maximum(np.linalg.norm(lean, axis=1, keepdims=True), 1e-6)
    # A lone last branch meets its point: there is no bronchus beside it any more.
    end = tree.end + lean * (gap_mm * (tree.fed > 1))[:, None]
    begin = np.where(tree.parent[:, None] >= 0, end[tree.parent], np.array(root))
    return Tree(begin, end, tree.parent, tree.fed, tree.bend)


def curved(tree: Tree, radius_mm: Float64Array, root_mm: float, keep: BoolArray | None = None) -> Tubes:
    """Tubes along the bent branches, in pieces, that narrow from the mean of parent and own radius to their own."""
    above = np.where(tree.parent >= 0, radius_mm[tree.parent], root_mm)
    start_mm = np.minimum(0.5 * (above + radius_mm), 1.3 * radius_mm)
    chosen = np.ones(len(radius_mm), dtype=bool) if keep is None else keep
    length = np.linalg.norm(tree.end - tree.begin, axis=1)
    pieces = np.clip(np.ceil(length / PIECE_MM), 1, 6).astype(int)
    parts = []
    for n in np.unique(pieces[chosen]):
        rows = np.flatnonzero(chosen & (pieces == n))
        t = np.linspace(0.0, 1.0, n + 1)[:, None, None]
        a, b = tree.begin[rows], tree.end[rows]
        pull = 0.5 * (a + b) + tree.bend[rows]
        nodes = (1.0 - t) ** 2 * a + 2.0 * t * (1.0 - t) * pull + t**2 * b
        radii = start_mm[rows] + t[:, :, 0] * (radius_mm[rows] - start_mm[rows])
        parts.append(Tubes(nodes[:-1].reshape(-1, 3), nodes[1:].reshape(-1, 3), radii[:-1].ravel(), radii[1:].ravel()))
    return Tubes.joined(parts)


def central_airways(trachea_mm: float) -> Tubes:
    """Trachea, main bronchi and intermediate bronchus; the first two reach the hila."""
    r = 0.5 * trachea_mm
    return Tubes.joined(
        [
            Tubes.path((0, 2, 135, r), (0, 8, 90, r), (0, 18, 4, r)),
            Tubes.path((0, 18, 2, 7.5), (-27, 21, -18, 6.6), (-36, 25, -44, 5.4)),
            Tubes.path((0, 18, 2, 7), (26, 23, -15, 5.9), (44, 26, -27, 5.6)),
        ]
    )


def hila(rng: np.random.Generator) -> dict[int, Hilum]:
    """Starts of bronchus, artery and vein of every lobe: a few mm off the usual place, as people differ."""

    def near(point: Point, sd_mm: float) -> Point:
        x, y, z = np.array(point) + np.clip(sd_mm * rng.standard_normal(3), -2.0 * sd_mm, 2.0 * sd_mm)
        return float(x), float(y), float(z)

    return {
        lobe: (near(bronchus, 1.2), radius, near(artery, 3.0), near(vein, 3.0))
        for lobe, (bronchus, radius, artery, vein) in LOBES.items()
    }


def hilar_airways(places: dict[int, Hilum]) -> Tubes:
    """The short way from the central airways to the start of each lobe's bronchus."""
    right, lower, left = (-27, 21, -18), (-36, 25, -44), (44, 26, -27)
    sources = {RUL: (*right, 5.0), RML: (*lower, 4.0), RLL: (*lower, 5.2), LUL: (*left, 5.4), LLL: (*left, 5.4)}
    return Tubes.joined([Tubes.path(sources[lobe], (*place[0], place[1])) for lobe, place in places.items()])


def hilar_arteries(places: dict[int, Hilum]) -> Tubes:
    """Arteries between mediastinum and lobes."""
    sources = {RUL: (-32, 8, -22), RML: (-38, 12, -28), RLL: (-38, 12, -28), LUL: (44, 16, -8), LLL: (46, 24, -16)}
    return Tubes.joined([Tubes.path((*sources[lobe], 6.8), (*place[2], 5.6)) for lobe, place in places.items()])


def hilar_veins(places: dict[int, Hilum]) -> Tubes:
    """Veins between lobes and left atrium."""
    return Tubes.joined(
        [Tubes.path((-18 if lobe < LUL else 24, 8, -48, 7.0), (*place[3], 5.2)) for lobe, place in places.items()]
    )


def wall_mm(radius: Float64Array) -> Float64Array:
    """Thickness of a bronchus's wall for the radius of its lumen: 0.35 mm at 1 mm, 1.3 mm at a lobe."""
    out: Float64Array = 0.08 + 0.27 * radius
    return out


def radii(tree: Tree, root_mm: float, rng: np.random.Generator) -> Float64Array:
    """Radius of every branch by the share that it feeds, 6 % around the rule, never above its parent's."""
    radius = root_mm * (tree.fed / tree.fed[0]) ** RADIUS_EXPONENT
    out: Float64Array = radius * np.exp(0.06 * rng.standard_normal(len(radius)))
    return np.minimum(out, np.where(tree.parent >= 0, out[tree.parent], root_mm))


def grow_trees(
    leaves: Float64Array, vein_leaves: Float64Array, rng: np.random.Generator, *, trachea_mm: float
) -> Trees:
    """Bronchi with their arteries towards ``leaves``, veins towards ``vein_leaves``, both (n, 3) as (x, y, z)."""
    places = hila(rng)
    bronchi, arteries, veins = [hilar_airways(places)], [hilar_arteries(places)], [hilar_veins(places)]
    lobe, vein_lobe = lobe_of(leaves), lobe_of(vein_leaves)
    for name, (root, radius_mm, artery_root, vein_root) in places.items():
        own = leaves[lobe == name]
        if len(own) > 1:
            tree = grow(own, root, rng)
            radius = radii(tree, radius_mm, rng)
            bronchi.append(curved(tree, radius, radius_mm, (radius >= SMALLEST_LUMEN_MM) & (tree.fed > 1)))
            # About as wide as the bronchus with its wall.
            outer = radius + wall_mm(radius)
            artery = np.maximum(ARTERY_RATIO * outer, SMALLEST_VESSEL_MM)
            artery = artery * np.exp(0.05 * rng.standard_normal(len(artery)))
            gap = np.where(radius >= SMALLEST_LUMEN_MM, outer + artery, artery)
            arteries.append(curved(beside(tree, gap, artery_root), artery, 5.6))
        own = vein_leaves[vein_lobe == name]
        if len(own) > 1:
            tree = grow(own, vein_root, rng)
            vein = np.maximum(1.16 * radii(tree, radius_mm, rng), SMALLEST_VESSEL_MM)
            veins.append(curved(tree, vein, 5.4))
    lumen, central = Tubes.joined(bronchi), central_airways(trachea_mm)
    both = Tubes.joined([central, lumen])
    walls = both.widened(wall_mm(both.start_radius_mm), wall_mm(both.end_radius_mm))
    return Trees(central, lumen, walls, Tubes.joined(arteries), Tubes.joined(veins))
