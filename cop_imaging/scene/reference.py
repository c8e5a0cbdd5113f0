"""The lungs' own volumes by zone, depth and place."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.anatomy import LEFT, RIGHT
from cop_imaging.core.scene import BUNDLE_MM, LungReference, Scene
from cop_imaging.scene.frames import along_gravity

__all__ = ["lung_reference"]

DEPTH_BIN_MM = 0.5
DEEPEST_MM = 150.0


def lung_reference(scene: Scene) -> LungReference:
    """Volumes of the lungs against which the extents of all signs are measured."""
    inside = scene.lungs > 0
    ml = scene.geometry.voxel_ml
    side = tuple(float(np.count_nonzero(scene.lungs == s)) * ml for s in (RIGHT, LEFT))
    zone_ml = np.array([np.count_nonzero(scene.zone == k) for k in range(1, 7)]) * ml
    edges = np.arange(0.0, DEEPEST_MM + DEPTH_BIN_MM, DEPTH_BIN_MM)
    depth = np.minimum(scene.depth_mm[inside], DEEPEST_MM)
    counts = np.histogram(depth, bins=edges.size - 1, range=(edges[0], edges[-1]))[0]
    total = float(counts.sum())
    outer = float(np.interp(1 / 3, np.concatenate([[0.0], np.cumsum(counts) / max(total, 1.0)]), edges))
    axis, _ = along_gravity(scene.gravity)
    plane = np.zeros(inside.shape[1:], dtype=np.int32)
    for level in inside:
        plane += level
    profiles = (np.array([np.count_nonzero(level) for level in inside]), plane.sum(axis=1), plane.sum(axis=0))
    half = float(np.interp(0.5, np.cumsum(profiles[axis]) / max(total, 1.0), np.arange(profiles[axis].size)))
    return LungReference(
        total_ml=total * ml,
        side_ml=(side[0], side[1]),
        zone_ml=zone_ml.astype(np.float64),
        depth_edges_mm=edges,
        depth_ml=counts.astype(np.float64) * ml,
        outer_third_mm=outer,
        near_bundle_share=float((scene.bundle_mm[inside] <= BUNDLE_MM).mean()) if total else 0.0,
        middle_along_gravity=half,
        centroid=np.array([float((np.arange(p.size) * p).sum()) / max(float(p.sum()), 1.0) for p in profiles]),
    )
