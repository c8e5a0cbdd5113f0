"""Everything around the lungs as Hounsfield units: body wall, bones, mediastinum, upper abdomen, and the table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.abdomen import draw_abdomen
from cop_imaging.synth.bones import draw_ribs, draw_shoulders, draw_spine
from cop_imaging.synth.chest import Thorax
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.lesions.blending import blend
from cop_imaging.synth.mediastinum import draw_centre
from cop_imaging.synth.random_field import Field
from cop_imaging.synth.shapes import Slab, cover
from cop_imaging.synth.wall import FAT, draw_wall

__all__ = ["surroundings"]

AIR, DIAPHRAGM = -1000.0, 52.0
TABLE_GAP_MM = 4.0


def surroundings(s: Slab, spec: ChestSpec, t: Thorax, planes: Field) -> Float32Array:
    """Hounsfield units of all but lungs and airways, float32 [z, y, x], on a slab in model coordinates."""
    h = s.voxel_mm
    field = planes.on(s)
    inner, body = draw_wall(s, spec, t, field)
    draw_ribs(inner, s, spec, t, field)
    draw_shoulders(inner, s, spec, t)
    cavity = cover(t.cavity + 0.5, h)
    # Fat between the lungs holds strands and small vessels.
    blend(inner, cavity, np.float32(FAT) + np.maximum(field, 0.0) * np.float32(14.0))
    rows = np.flatnonzero(t.diaphragm.min(axis=(1, 2)) < h)
    if len(rows):
        k = slice(int(rows[0]), int(rows[-1]) + 1)
        below = Thorax(*(part[k] for part in (t.cavity, t.rings, t.diaphragm, t.organs, t.lung, t.depth)))
        blend(inner[k], cover(below.diaphragm, h) * cavity[k], DIAPHRAGM)
        inside = cover(np.maximum(below.diaphragm + 2.5, below.cavity + 3.0), h)
        blend(inner[k], inside, draw_abdomen(replace(s, z=s.z[k]), spec, below, field[k]))
    draw_centre(inner, s, spec, field, np.maximum(cavity, cover(60.0 - s.z, 20.0)))
    draw_spine(inner, s, spec, field)
    # The table is the same in every slice.
    plate = np.full((1, *s.shape[1:]), AIR, dtype=np.float32)
    table(plate, s, spec)
    hu: Float32Array = cover(body, h)
    inner -= plate
    hu *= inner
    hu += plate
    return hu


def table(hu: Float32Array, s: Slab, spec: ChestSpec) -> None:
    """A curved carbon plate filled with foam under the back, and a mattress on it, in place."""
    h = s.voxel_mm
    rest = 136.0 + 16.0 * (spec.depth - 1.0) * 6.0 + 0.5 * spec.fat_mm + TABLE_GAP_MM + 14.0
    sheet = np.float32(rest) - 0.0011 * s.x**2
    width = np.abs(s.x) - 200.0
    from_top = s.y - sheet
    blend(hu, np.broadcast_to(cover(np.maximum(np.abs(from_top + 7.0) - 6.0, width), h), hu.shape), -960.0)
    blend(hu, np.broadcast_to(cover(np.maximum(np.abs(from_top - 12.0) - 12.0, width), h), hu.shape), -930.0)
    for depth in (0.0, 24.0):
        blend(hu, np.broadcast_to(cover(np.maximum(np.abs(from_top - depth) - 1.2, width), h), hu.shape), -150.0)
