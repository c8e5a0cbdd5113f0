"""Where lesions can sit in a scanned pair of lungs."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from cop_imaging.core.arrays import AnyArray, BoolArray, Float64Array, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.synth.insertion.lung_map import LungMap, lung_slab
from cop_imaging.synth.shapes import Slab, Tubes
from cop_imaging.synth.terrain import Terrain

__all__ = ["terrain_of_scan"]

EVERY = 2
"""Coarse cubes of 2.5 mm between two places."""
BUNDLE_RADIUS_MM = (0.7, 6.0)
"""Bronchi with an artery in the lungs: wider ones are main bronchi and trachea."""


def terrain_of_scan(lungs: UInt8Array, geometry: Geometry, airways: BoolArray | None = None) -> Terrain:
    """Places 5 mm apart in the lungs of a scan.

    Lobes are estimated by planes (see ``LungMap.lobe_on``); bundles follow the airway mask and are empty without one.

    Raises
    ------
    ValueError
        If the mask is empty, or the grid's axes do not run along the patient's.
    """
    slab = lung_slab(geometry)
    lung_map = LungMap.of(lungs, slab)
    inside = np.zeros(lung_map.lungs.shape, dtype=bool)
    inside[::EVERY, ::EVERY, ::EVERY] = lung_map.lungs[::EVERY, ::EVERY, ::EVERY] > 0
    points = lung_map.grid.to_patient(np.argwhere(inside))
    lobe = lung_map.lobe_on(coarse_slab(lung_map))[inside]
    bundles = bundles_of(airways, slab) if airways is not None else nothing()
    return Terrain(
        points_mm=points,
        depth_mm=lung_map.depth.values[inside].astype(np.float64),
        edge_mm=lung_map.edge_mm[inside].astype(np.float64),
        lobe=lobe,
        bundles=bundles,
        bundle_mm=to_bundles(points, bundles),
        lung_ml=float((lungs > 0).sum() * geometry.voxel_ml),
    )


def coarse_slab(lung_map: LungMap) -> Slab:
    """Coordinates of the coarse cubes."""
    return Slab.of(lung_map.grid)


def nothing() -> Tubes:
    """No tubes."""
    return Tubes(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), np.zeros(0))


def bundles_of(airways: BoolArray, slab: Slab) -> Tubes:
    """Bronchi as short tubes from slice to slice: middles of the lumen's cuts that touch each other.

    A bronchus in the plane of a slice is one tube as wide as its cut; those of main bronchi and trachea are left out.
    """
    hit = np.flatnonzero(airways.any(axis=(1, 2)))
    if not hit.size:
        return nothing()
    x, y, z = slab.x.ravel(), slab.y.ravel(), slab.z.ravel()
    pixel_mm2 = float(abs(x[1] - x[0]) * abs(y[1] - y[0]))
    earlier: tuple[AnyArray, Float64Array, Float64Array] | None = None
    parts: list[Tubes] = []
    for k in range(int(hit[0]), int(hit[-1]) + 1):
        cuts, n = ndimage.label(airways[k])
        if n == 0:
            earlier = None
            continue
        middles = np.array(ndimage.center_of_mass(airways[k], cuts, np.arange(1, n + 1)))
        points = np.stack(
            [
                np.interp(middles[:, 1], np.arange(len(x)), x),
                np.interp(middles[:, 0], np.arange(len(y)), y),
                np.full(n, z[k]),
            ],
            axis=1,
        )
        radius = np.sqrt(np.bincount(cuts.ravel(), minlength=n + 1)[1:] * pixel_mm2 / np.pi)
        if earlier is not None:
            both = (cuts > 0) & (earlier[0] > 0)
            pairs = np.unique(np.stack([earlier[0][both], cuts[both]], axis=1), axis=0) - 1
            a, b = pairs[:, 0], pairs[:, 1]
            parts.append(Tubes(earlier[1][a], points[b], earlier[2][a], radius[b]))
        earlier = (cuts, points, radius)
    if not parts:
        return nothing()
    tubes = Tubes.joined(parts)
    widest, thinnest = (f(tubes.start_radius_mm, tubes.end_radius_mm) for f in (np.maximum, np.minimum))
    return tubes.where((widest <= BUNDLE_RADIUS_MM[1]) & (thinnest >= BUNDLE_RADIUS_MM[0]))


def to_bundles(points: Float64Array, bundles: Tubes) -> Float64Array:
    """Distance in mm of points (n, 3) to the nearest middle of a tube; infinite without tubes."""
    if not len(bundles):
        return np.full(len(points), np.inf)
    distance = cKDTree(0.5 * (bundles.start + bundles.end)).query(points, workers=1)[0]
    return np.asarray(distance, dtype=np.float64)
