"""Everything around the lungs as Hounsfield units: body wall, bones, mediastinum, upper abdomen, and the table."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.abdomen import draw_abdomen
from cop_imaging.synth.bones import draw_ribs, draw_shoulders, draw_spine
from cop_imaging.synth.chest import Thorax
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.lesions.blending import blend
from cop_imaging.synth.mediastinum import draw_centre
from cop_imaging.synth.shapes import Field, Slab, cover
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
    below = cover(t.diaphragm, h) * cavity
    blend(inner, below, DIAPHRAGM)
    blend(inner, cover(np.maximum(t.diaphragm + 2.5, t.cavity + 3.0), h), draw_abdomen(s, spec, t, field))
    draw_centre(inner, s, spec, field, np.maximum(cavity, cover(60.0 - s.z, 20.0)))
    draw_spine(inner, s, spec, field)
    hu = np.full(s.shape, AIR, dtype=np.float32)
    table(hu, s, spec)
    blend(hu, cover(body, h), inner)
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
