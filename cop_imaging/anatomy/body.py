"""The body without table, clothes and air."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import AnyArray, BoolArray
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import components, dilated, eroded, fill_holes, volume_ml_by_label

__all__ = ["find_body"]

TABLE_RADIUS_MM = 4.0
LARGEST_WALL_ML = 60.0
"""A table top is larger."""
ROOM_AIR_HU = -975.0
CUT_LUNG_HU = (-930.0, -500.0)
"""Median density of lung that the field of view cuts through."""
MOST_CUT = 0.5
"""Share of a space's outline that the field of view may cut; a mattress below the body is cut on three sides."""


def find_body(hu: AnyArray, geometry: Geometry, body_hu: float) -> BoolArray:
    """Everything inside the skin, lungs and bowel included, as bool [z, y, x].

    The largest piece of tissue after thin things (table top, mattress, cables) are opened away, filled slice by
    slice: every air space inside the chest is enclosed in its axial slice, or cut through by the field of view.
    """
    tissue = hu > body_hu
    core = eroded(tissue, geometry, TABLE_RADIUS_MM)
    labels, n = components(core, connectivity=6)
    if n == 0:
        return tissue & False
    body = dilated(labels == 1, geometry, TABLE_RADIUS_MM + geometry.spacing_mm[2]) & tissue
    filled = fill_holes(body, axial=True)
    whole = fill_holes(filled | behind_thin_walls(hu, tissue & ~filled, filled, geometry), axial=True)
    return whole | cut_by_the_field(hu, whole)


def cut_by_the_field(hu: AnyArray, body: BoolArray) -> BoolArray:
    """Lung that reaches the sides of the grid, and for that is not enclosed in its axial slice."""
    low, high = CUT_LUNG_HU
    hit = np.zeros(len(hu), dtype=bool)
    for side in ((slice(None), 0), (slice(None), -1), (slice(None), slice(None), 0), (slice(None), slice(None), -1)):
        calm = ndimage.median_filter(hu[side], 5)
        hit |= ((calm > low) & (calm < high) & ~body[side]).any(axis=1)
    out = np.zeros_like(body)
    for z in np.flatnonzero(hit):
        labels, _ = ndimage.label(~body[z])
        sides = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
        for space in np.unique(sides[sides > 0]):
            piece = labels == space
            cut = int((sides == space).sum())
            walled = int((ndimage.binary_dilation(piece) & ~piece).sum())
            if cut < MOST_CUT * (cut + walled) and low < np.median(hu[z][piece]) < high:
                out[z] |= piece
    return out


def behind_thin_walls(hu: AnyArray, rest: BoolArray, body: BoolArray, geometry: Geometry) -> BoolArray:
    """Lung that a lean chest's wall, thinner than a table top and lost with it, closes in; and that wall.

    Small pieces of tissue on the body are walls where what they close in is denser than the air of the room.
    """
    labels, n = components(rest, connectivity=6)
    if n == 0:
        return rest
    touching = np.zeros(n + 1, dtype=bool)
    touching[labels[dilated(body, geometry, 1.1 * max(geometry.spacing_mm)) & rest]] = True
    small = np.concatenate([[0.0], volume_ml_by_label(labels, n, geometry)]) <= LARGEST_WALL_ML
    keep = touching & small
    keep[0] = False
    walls = keep[labels]
    closed_in = fill_holes(body | walls, axial=True) & ~body & ~walls
    spaces, m = components(closed_in, connectivity=6)
    if m == 0:
        return closed_in
    density = ndimage.median(hu[closed_in], spaces[closed_in], np.arange(1, m + 1))
    lung = np.concatenate([[False], np.asarray(density) > ROOM_AIR_HU])[spaces]
    out: BoolArray = lung | (walls & dilated(lung, geometry, 3.0 * max(geometry.spacing_mm)))
    return out
