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

from cop_imaging.core.arrays import Float64Array, UInt8Array
from cop_imaging.synth.shapes import Slab, Tubes

__all__ = ["LOBES", "Trees", "grow_trees", "lobe_of", "lobes"]

Point = tuple[float, float, float]

RADIUS_EXPONENT = 0.36
"""Radius over the share of a lobe that a branch feeds, fitted to Weibel's generations 2 to 9."""
SMALLEST_LUMEN_MM = 0.95
"""Radius below which a bronchus is not drawn: its wall is no longer seen on CT."""
SMALLEST_VESSEL_MM = 0.55

RUL, RML, RLL, LUL, LLL = 1, 2, 3, 4, 5
LOBES: dict[int, tuple[Point, float, Point, Point]] = {
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
    vessels: Tubes


def lobe_of(points: Float64Array) -> UInt8Array:
    """Lobe 1-5 (RUL, RML, RLL, LUL, LLL) of points (n, 3) as (x, y, z), parted by oblique and horizontal fissures."""
    return _lobe(points[:, 0], points[:, 1], points[:, 2])


def lobes(s: Slab) -> UInt8Array:
    """Lobe 1-5 of every voxel of a slab in model coordinates, [z, y, x]."""
    return _lobe(s.x, s.y, s.z)


def _lobe(x: Any, y: Any, z: Any) -> UInt8Array:
    behind, low = major_fissure(y, z) > 0.0, minor_fissure(x, y, z) < 0.0
    right = np.where(behind, np.uint8(RLL), np.where(low, np.uint8(RML), np.uint8(RUL)))
    out: UInt8Array = np.where(x < 0.0, right, np.where(behind, np.uint8(LLL), np.uint8(LUL)))
    return out


def major_fissure(y: Any, z: Any) -> Any:
    """Distance behind the oblique fissure in mm: it falls from the back at 30 mm to the front of the diaphragm."""
    return (y - 92.0) * np.float32(0.70) - (z - 30.0) * np.float32(0.714)


def minor_fissure(x: Any, y: Any, z: Any) -> Any:
    """Distance above the horizontal fissure of the right lung in mm: it sinks a little to front and side."""
    return z + (42.0 - 0.08 * (y + 20.0) + 0.0016 * (x + 60.0) ** 2)


def grow(points: Float64Array, start: Point) -> tuple[Float64Array, Float64Array, NDArray[np.int64], NDArray[np.int64]]:
    """One tree from ``start`` to every point.

    Returns
    -------
    start, end (n, 3), parent (n,) as row or -1, fed (n,) the number of points that a branch feeds; parents come first.
    """
    begins, ends, parents, fed = [], [], [], []
    todo = [(points, np.array(start), -1)]
    while todo:
        own, origin, parent = todo.pop()
        centre = own.mean(axis=0)
        way = centre - origin
        end = own[0] if len(own) == 1 else origin + 0.42 * way
        begins.append(origin)
        ends.append(end)
        parents.append(parent)
        fed.append(len(own))
        if len(own) == 1:
            continue
        # The plane holds the branch and cuts the points across their longest axis beside it.
        axis = way / max(float(np.linalg.norm(way)), 1e-6)
        spread = own - centre
        spread = spread - np.outer(spread @ axis, axis)
        along = spread @ np.linalg.eigh(np.einsum("ni,nj->ij", spread, spread))[1][:, 2]
        first = along < np.median(along) if len(own) < 4 else along < 0.0
        if first.all() or not first.any():
            first = np.arange(len(own)) < len(own) // 2
        row = len(fed) - 1
        todo += [(own[first], end, row), (own[~first], end, row)]
    return np.array(begins), np.array(ends), np.array(parents), np.array(fed)


def beside(
    tree: tuple[Float64Array, Float64Array, NDArray[np.int64], NDArray[np.int64]], gap_mm: Float64Array, root: Point
) -> tuple[Float64Array, Float64Array]:
    """Start and end of the branches of a second tree that runs ``gap_mm`` beside the first, from another root."""
    begin, end, parent, fed = tree
    way = end - begin
    way = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
    lean = np.array([0.35, -0.8, 0.5]) * np.where(begin[:, :1] < 0.0, [[-1.0, 1.0, 1.0]], 1.0)
    lean = lean - (lean * way).sum(axis=1, keepdims=True) * way
    lean = lean / np.maximum(np.linalg.norm(lean, axis=1, keepdims=True), 1e-6)
    # A lone last branch meets its point: there is no bronchus beside it any more.
    second_end = end + lean * (gap_mm * (fed > 1))[:, None]
    second_begin = np.where(parent[:, None] >= 0, second_end[parent], np.array(root))
    return second_begin, second_end


def tapered(
    begin: Float64Array, end: Float64Array, parent: NDArray[np.int64], radius: Float64Array, root_mm: float
) -> Tubes:
    """Tubes that narrow from the mean of parent and own radius to their own."""
    above = np.where(parent >= 0, radius[parent], root_mm)
    return Tubes(begin, end, np.minimum(0.5 * (above + radius), 1.3 * radius), radius)


def central_airways() -> Tubes:
    """Trachea, main bronchi and intermediate bronchus; the first two reach the hila."""
    return Tubes.joined(
        [
            Tubes.path((0, 2, 135, 9), (0, 8, 90, 9), (0, 18, 4, 9)),
            Tubes.path((0, 18, 2, 7.5), (-27, 21, -18, 6.6), (-36, 25, -44, 5.4)),
            Tubes.path((0, 18, 2, 7), (26, 23, -15, 5.9), (44, 26, -27, 5.6)),
        ]
    )


def hilar_airways() -> Tubes:
    """The short way from the central airways to the start of each lobe's bronchus."""
    return Tubes.joined(
        [
            Tubes.path((-27, 21, -18, 5), (*LOBES[RUL][0], 4.4)),
            Tubes.path((-36, 25, -44, 4), (*LOBES[RML][0], 3.3)),
            Tubes.path((-36, 25, -44, 5.2), (*LOBES[RLL][0], 4.5)),
            Tubes.path((44, 26, -27, 5.4), (*LOBES[LUL][0], 4.5)),
            Tubes.path((44, 26, -27, 5.4), (*LOBES[LLL][0], 4.4)),
        ]
    )


def hilar_vessels() -> Tubes:
    """Arteries and veins between mediastinum and lobes."""
    sources = {RUL: (-32, 8, -22), RML: (-38, 12, -28), RLL: (-38, 12, -28), LUL: (44, 16, -8), LLL: (46, 24, -16)}
    arteries = [Tubes.path((*sources[lobe], 7.0), (*place[2], 5.6)) for lobe, place in LOBES.items()]
    veins = [Tubes.path(((-18 if lobe < LUL else 24), 8, -48, 7.0), (*place[3], 5.2)) for lobe, place in LOBES.items()]
    return Tubes.joined(arteries + veins)


def wall_mm(radius: Float64Array) -> Float64Array:
    """Thickness of a bronchus's wall for the radius of its lumen: 0.7 mm at 2 mm, 1.3 mm at a lobe."""
    out: Float64Array = 0.5 + 0.18 * radius
    return out


def grow_trees(leaves: Float64Array, vein_leaves: Float64Array) -> Trees:
    """Bronchi with their arteries towards ``leaves``, veins towards ``vein_leaves``, both (n, 3) as (x, y, z)."""
    bronchi, vessels = [hilar_airways()], [hilar_vessels()]
    lobe, vein_lobe = lobe_of(leaves), lobe_of(vein_leaves)
    for name, (root, radius_mm, artery_root, vein_root) in LOBES.items():
        own = leaves[lobe == name]
        if len(own) > 1:
            tree = begin, end, parent, fed = grow(own, root)
            radius = radius_mm * (fed / len(own)) ** RADIUS_EXPONENT
            bronchi.append(
                tapered(begin, end, parent, radius, radius_mm).where((radius >= SMALLEST_LUMEN_MM) & (fed > 1))
            )
            artery = np.maximum(1.2 * radius, SMALLEST_VESSEL_MM)
            gap = np.where(radius >= SMALLEST_LUMEN_MM, radius + wall_mm(radius) + artery, artery)
            vessels.append(tapered(*beside(tree, gap, artery_root), parent, artery, 5.6))
        own = vein_leaves[vein_lobe == name]
        if len(own) > 1:
            begin, end, parent, fed = grow(own, vein_root)
            vessels.append(
                tapered(
                    begin,
                    end,
                    parent,
                    np.maximum(1.15 * radius_mm * (fed / len(own)) ** RADIUS_EXPONENT, SMALLEST_VESSEL_MM),
                    5.2,
                )
            )
    lumen, central = Tubes.joined(bronchi), central_airways()
    both = Tubes.joined([central, lumen])
    return Trees(
        central, lumen, both.widened(wall_mm(both.start_radius_mm), wall_mm(both.end_radius_mm)), Tubes.joined(vessels)
    )
