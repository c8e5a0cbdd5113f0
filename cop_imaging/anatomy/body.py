"""The body without table, clothes and air."""

from __future__ import annotations

from cop_imaging.core.arrays import AnyArray, BoolArray
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import components, dilated, eroded, fill_holes

__all__ = ["find_body"]

TABLE_RADIUS_MM = 4.0


def find_body(hu: AnyArray, geometry: Geometry, body_hu: float) -> BoolArray:
    """Everything inside the skin, lungs and bowel included, as bool [z, y, x].

    The largest piece of tissue after thin things (table top, mattress, cables) are opened away, filled slice by
    slice: every air space inside the chest is enclosed in its axial slice.
    """
    tissue = hu > body_hu
    core = eroded(tissue, geometry, TABLE_RADIUS_MM)
    labels, n = components(core, connectivity=6)
    if n == 0:
        return tissue & False
    body = dilated(labels == 1, geometry, TABLE_RADIUS_MM + geometry.spacing_mm[2]) & tissue
    return fill_holes(body, axial=True)
