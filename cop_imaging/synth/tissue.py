"""Everything around the lungs: body wall, bones, mediastinum and upper abdomen as Hounsfield units, and the table."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.chest import ChestSpec, Thorax, back, front, profile
from cop_imaging.synth.lesions.blending import blend
from cop_imaging.synth.shapes import Distance, Field, Slab, Tubes, cover, draw_tubes, ellipsoid

__all__ = ["surroundings"]

FAT, MUSCLE, SKIN, CARTILAGE, MARROW, CORTEX, LIVER, SPLEEN, FLUID, AIR = (
    -100.0,
    52.0,
    10.0,
    95.0,
    140.0,
    820.0,
    56.0,
    48.0,
    12.0,
    -1000.0,
)
RIB_PITCH_MM, VERTEBRA_PITCH_MM = 24.0, 25.0


def body_distance(s: Slab, spec: ChestSpec) -> Distance:
    """Distance to the skin; arms raised, so the trunk ends in the shoulders."""
    fat = spec.fat_mm
    a = profile(s.z, (-210, 146), (-130, 154), (-60, 157), (0, 160), (60, 166), (95, 160), (125, 120)) + fat
    y0 = profile(s.z, (-210, -104), (-130, -118), (-60, -117), (0, -108), (60, -86), (95, -66), (125, -50)) - fat
    y1 = profile(s.z, (-210, 124), (-130, 134), (-60, 139), (0, 138), (60, 128), (125, 100)) + 0.5 * fat
    v = (s.y - 0.5 * (y0 + y1)) / (0.5 * (y1 - y0))
    u = s.x / (a * (1.0 + 0.05 * v))
    rho = np.maximum((np.abs(u) ** 2.5 + np.abs(v) ** 2.5) ** np.float32(0.4), 1e-3)
    reach = np.sqrt(s.x**2 + (s.y - 0.5 * (y0 + y1)) ** 2)
    groove = 5.0 * np.exp(-((s.x / 14.0) ** 2)) * np.clip(v, 0.0, 1.0)
    out: Distance = reach * (1.0 - 1.0 / rho) + groove
    return out


def bone(
    hu: Float32Array, distance: Distance, h: float, *, shell_mm: float, inner: float, shell: float = CORTEX
) -> None:
    """A bone with a cortex of ``shell_mm`` around its marrow, in place."""
    blend(hu, cover(distance, h), shell)
    blend(hu, cover(distance + np.float32(shell_mm), h), inner)


def ribs(hu: Float32Array, s: Slab, t: Thorax) -> None:
    """Twelve oblique rings in the chest wall that fall towards the front, end in cartilage, and the sternum."""
    axis = 0.5 * (front(s.z) + back(s.z))
    angle = np.arctan2(np.abs(s.x), s.y - axis)
    turn = angle / np.float32(np.pi)
    fall = np.clip(turn / 0.78, 0.0, 1.0) ** 1.2 - 0.5 * np.clip((turn - 0.78) / 0.22, 0.0, 1.0)
    drop = profile(s.z, (-200, 75), (-60, 66), (40, 42), (100, 24))
    phase = (s.z + drop * fall - 93.0) / np.float32(RIB_PITCH_MM)
    # Below the eighth ring ribs float: they end at the flank.
    last = profile(s.z, (-210, 0.45), (-150, 0.62), (-105, 0.80), (-95, 1.0))
    ends = np.maximum((turn - last) * 200.0, (phase - 0.45) * RIB_PITCH_MM)
    # Between the two apices there is no chest wall.
    ends = np.maximum(ends, np.minimum(28.0 - np.abs(s.x), s.z - 20.0))
    offset = (phase - np.round(phase)) * np.float32(RIB_PITCH_MM)
    radial = t.cavity - np.float32(6.5)
    ring = np.maximum((np.sqrt((radial / 4.2) ** 2 + (offset / 6.6) ** 2) - 1.0) * 4.8, ends)
    soft = np.clip((turn - 0.80) / 0.02, 0.0, 1.0)
    blend(hu, cover(ring, s.voxel_mm), CORTEX * (1.0 - soft) + CARTILAGE * soft)
    blend(hu, cover(ring + 1.4, s.voxel_mm), MARROW * (1.0 - soft) + CARTILAGE * soft)
    half = profile(s.z, (-118, 6), (-100, 15), (-60, 18), (10, 15), (22, 24), (44, 30))
    ventral = s.y - axis
    plate = np.maximum(
        np.maximum(np.abs(s.y - front(s.z) + 9.0) - 5.5, np.abs(s.x) - half),
        np.maximum(ventral, np.maximum(s.z - 46.0, -118.0 - s.z)),
    )
    bone(hu, plate, s.voxel_mm, shell_mm=1.2, inner=120.0, shell=500.0)


def shoulder(hu: Float32Array, s: Slab, t: Thorax) -> None:
    """Scapulae behind the upper ribs and clavicles in front of them."""
    axis = 0.5 * (front(s.z) + back(s.z))
    turn = np.arctan2(np.abs(s.x), s.y - axis) / np.float32(np.pi)
    span = profile(s.z, (-45, 0.0), (-30, 0.04), (60, 0.10), (92, 0.07))
    thick = profile(s.z, (-45, 1.8), (60, 2.6), (92, 4.0))
    blade = np.maximum(
        np.maximum(np.abs(t.cavity - 25.0) - thick, (np.abs(turn - 0.36) - span) * 300.0),
        np.maximum(s.z - 92.0, -45.0 - s.z),
    )
    bone(hu, blade, s.voxel_mm, shell_mm=1.6, inner=180.0)
    for side in (-1.0, 1.0):
        clavicle = Tubes.path(
            (side * 22, -74, 48, 9), (side * 60, -72, 70, 6), (side * 105, -48, 92, 5.5), (side * 150, -20, 105, 7)
        )
        spine = Tubes.path((side * 92, 98, 44, 3.5), (side * 128, 74, 84, 4.5), (side * 150, 40, 100, 8))
        for tubes in (clavicle, spine):
            blend(hu, draw_tubes(s, tubes), CORTEX)
            blend(hu, draw_tubes(s, tubes.widened(-2.0, -2.0)), MARROW)


def spine(hu: Float32Array, s: Slab) -> None:
    """Vertebral bodies with discs, canal, pedicles, laminae, transverse and spinous processes."""
    h, y = s.voxel_mm, back(s.z)
    phase = (s.z - 6.0) / np.float32(VERTEBRA_PITCH_MM)
    offset = (phase - np.round(phase)) * np.float32(VERTEBRA_PITCH_MM)
    waist = 1.0 + 0.05 * (offset / 10.0) ** 2
    column = (np.sqrt((s.x / (17.5 * waist)) ** 2 + ((s.y - y + 30.0) / (14.5 * waist)) ** 2) - 1.0) * 16.0
    blend(hu, cover(column, h), 80.0)
    bone(hu, np.maximum(column, np.abs(offset) - 10.2), h, shell_mm=1.3, inner=165.0, shell=480.0)
    arch = np.maximum(
        (np.sqrt((s.x / 14.0) ** 2 + ((s.y - y + 5.0) / 13.0) ** 2) - 1.0) * 13.5, np.abs(offset + 3.0) - 8.5
    )
    across = np.maximum(
        np.sqrt((s.y - y - 3.0 - 0.25 * np.abs(s.x)) ** 2 + (offset + 1.0) ** 2) - 4.5, np.abs(s.x) - 32.0
    )
    tip = np.maximum(
        np.maximum(np.abs(s.x) - 3.2, np.abs(offset + 5.0 + 0.45 * (s.y - y - 12.0)) - 6.5),
        np.maximum(y + 4.0 - s.y, s.y - y - 29.0),
    )
    bone(hu, np.minimum(np.minimum(arch, across), tip), h, shell_mm=1.7, inner=220.0, shell=650.0)
    blend(hu, cover(np.sqrt(s.x**2 + (s.y - y + 7.0) ** 2) - 8.0, h), 22.0)


def abdomen(s: Slab, t: Thorax, field: Float32Array) -> Float32Array:
    """Liver below the right dome, stomach with gas, spleen, and fat between them."""
    h = s.voxel_mm
    hu = np.full(s.shape, FAT, dtype=np.float32)
    inside = np.maximum(t.cavity + 3.0, t.diaphragm + 2.5)
    # The liver lies against the diaphragm, without fat between.
    liver = np.maximum(
        np.maximum(t.cavity + 1.0, t.diaphragm), s.x - (38.0 - 0.62 * (s.y + 55.0) + 0.18 * (s.z + 150.0))
    )
    blend(hu, cover(np.maximum(liver + 4.0, 3.0 - np.abs(field) * 18.0 + 2.2), h), LIVER - 10.0)
    blend(hu, cover(np.maximum(inside + 6.0, 4.0 - field * 12.0), h), 35.0)
    blend(hu, cover(liver, h), LIVER)
    spleen = np.maximum(ellipsoid(s, (92.0, 48.0, -158.0), (34.0, 58.0, 46.0), (0.8, 0.5, 0.0)), inside + 1.5)
    blend(hu, cover(spleen, h), SPLEEN)
    stomach = np.maximum(ellipsoid(s, (62.0, -22.0, -158.0), (40.0, 50.0, 38.0), (0.9, 0.3, 0.0)), inside + 1.0)
    blend(hu, cover(stomach, h), MUSCLE)
    # Supine, the gas lies in front of a level.
    blend(hu, cover(stomach + 4.0, h), FLUID)
    blend(hu, cover(np.maximum(stomach + 4.0, s.y + 30.0), h), AIR)
    return hu


def wall(s: Slab, spec: ChestSpec, t: Thorax, body: Distance, field: Float32Array) -> Float32Array:
    """Skin, subcutaneous fat and muscle with fat planes between, before the bones."""
    h = s.voxel_mm
    hu = np.full(s.shape, SKIN, dtype=np.float32)
    blend(hu, cover(body + 2.0, h), FAT)
    ventral = np.clip(-s.y / 90.0, 0.0, 1.0)
    flank = np.clip(np.abs(s.x) / 120.0, 0.0, 1.0)
    thickness = spec.fat_mm * (0.65 + 0.35 * flank + 0.35 * ventral) + 3.0
    blend(hu, cover(body + thickness, h), MUSCLE)
    # Fat planes between muscles lie where a smooth field is near zero; the axilla has most fat.
    axilla = np.exp(-(((np.abs(s.x) - 138.0) / 26.0) ** 2 + ((s.y + 5.0) / 40.0) ** 2)) * np.clip(
        (s.z + 60.0) / 50.0, 0.0, 1.0
    )
    plane = np.abs(field) * 16.0 - (1.3 + 12.0 * axilla)
    blend(hu, cover(np.maximum(np.maximum(plane, 13.0 - t.cavity), body + 8.0), h), FAT)
    return hu


def surroundings(s: Slab, spec: ChestSpec, t: Thorax, planes: Field) -> Float32Array:
    """Hounsfield units of all but lungs and airways, float32 [z, y, x], on a slab in model coordinates."""
    h = s.voxel_mm
    body = body_distance(s, spec)
    field = planes.on(s)
    inner = wall(s, spec, t, body, field)
    ribs(inner, s, t)
    shoulder(inner, s, t)
    cavity = cover(t.cavity + 0.5, h)
    blend(inner, cavity, FAT)
    below = cover(t.diaphragm, h) * cavity
    blend(inner, below, MUSCLE)
    blend(inner, cover(np.maximum(t.diaphragm + 2.5, t.cavity + 3.0), h), abdomen(s, t, field))
    blend(inner, cover(t.organs, h) * np.maximum(cavity, cover(60.0 - s.z, 20.0)), spec.blood_hu)
    spine(inner, s)
    hu = np.full(s.shape, AIR, dtype=np.float32)
    rest = profile(s.z, (-210, 141), (125, 141)) + 0.5 * spec.fat_mm + 4.0
    sheet = rest - 0.0011 * s.x**2
    width = np.abs(s.x) - 200.0
    blend(hu, cover(np.maximum(np.abs(s.y - sheet - 12.0) - 12.0, width), h), -930.0)
    for depth in (0.0, 24.0):
        blend(hu, cover(np.maximum(np.abs(s.y - sheet - depth) - 1.2, width), h), -150.0)
    blend(hu, cover(body, h), inner)
    return hu
