"""Ribs with their cartilage, sternum, shoulder girdle and spine."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.cage import back, front, profile, sideways, turn
from cop_imaging.synth.chest import Thorax
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.lesions.blending import blend
from cop_imaging.synth.shapes import Distance, Slab, Tubes, cover, draw_tubes

__all__ = ["draw_ribs", "draw_shoulders", "draw_spine"]

CARTILAGE, CORTEX, DISC = 95.0, 880.0, 85.0
RIB_PITCH_MM, VERTEBRA_PITCH_MM = 24.0, 25.0


def bone(
    hu: Float32Array, distance: Distance, h: float, *, shell_mm: float, inner: Float32Array | float, shell: float
) -> None:
    """A bone with a cortex of ``shell_mm`` around its marrow, in place."""
    blend(hu, cover(distance, h), shell)
    blend(hu, cover(distance + np.float32(shell_mm), h), inner)


def draw_ribs(hu: Float32Array, s: Slab, spec: ChestSpec, t: Thorax, field: Float32Array) -> None:
    """Twelve oblique rings in the chest wall that fall towards the front, end in cartilage, and the sternum."""
    ribs(hu, s, spec, t, field)
    sternum(hu, s, spec, field)


def ribs(hu: Float32Array, s: Slab, spec: ChestSpec, t: Thorax, field: Float32Array) -> None:
    """The rings with their cartilage, in place."""
    # Only the layer in which they lie is looked at.
    at = np.nonzero(np.abs(t.cavity - np.float32(6.3)) < np.float32(8.0 + s.voxel_mm))
    k, j, i = at
    around, field = turn(s)[0, j, i], field[at]
    x, y, z = s.x[0, 0, i], s.y[0, j, 0], s.z[k, 0, 0]
    fall = np.clip(around / 0.78, 0.0, 1.0) ** 1.2 - 0.5 * np.clip((around - 0.78) / 0.22, 0.0, 1.0)
    drop = profile(s.z, (-200, 84), (-60, 74), (40, 46), (100, 26))[k, 0, 0]
    phase = (z + drop * fall - 93.0) / np.float32(RIB_PITCH_MM)
    # Below the eighth ring ribs float: they end at the flank.
    last = profile(s.z, (-210, 0.45), (-150, 0.62), (-105, 0.80), (-95, 1.0))[k, 0, 0]
    ends = np.maximum((around - last) * 200.0, (phase - 0.45) * RIB_PITCH_MM)
    # They begin beside the vertebra's body, and between the two apices there is no chest wall.
    ends = np.maximum(ends, 22.0 - np.abs(x) + 30.0 * (y < 0.0))
    ends = np.maximum(ends, np.minimum(28.0 - np.abs(x), z - 20.0))
    offset = (phase - np.round(phase)) * np.float32(RIB_PITCH_MM)
    radial = t.cavity[at] - np.float32(6.3) + field * np.float32(0.5)
    # Flat and high at the sides, rounder behind.
    thick = 3.6 + 1.2 * np.clip(1.0 - around / 0.35, 0.0, 1.0)
    ring = np.maximum((np.sqrt((radial / thick) ** 2 + (offset / 6.4) ** 2) - 1.0) * 4.6, ends)
    soft = np.clip((around - 0.80) / 0.02, 0.0, 1.0)
    shell = cover(ring, s.voxel_mm)
    calcified = np.clip((field - np.float32(1.6 - 2.0 * spec.cartilage_calcium)) * 3.0, 0.0, 1.0) * 260.0
    part = hu[at]
    blend(
        part, shell, CORTEX * (1.0 - soft) + (CARTILAGE + calcified * np.float32(spec.cartilage_calcium > 0.0)) * soft
    )
    marrow = np.float32(spec.marrow_hu - 20.0) + field * np.float32(25.0)
    blend(part, cover(ring + 1.3, s.voxel_mm), marrow * (1.0 - soft) + CARTILAGE * soft)
    hu[at] = part


def sternum(hu: Float32Array, s: Slab, spec: ChestSpec, field: Float32Array) -> None:
    """Manubrium and body with rounded edges, in place."""
    half = profile(s.z, (-118, 5), (-100, 13), (-60, 17), (8, 13), (14, 14), (24, 23), (44, 30), (50, 22))
    middle = front(s.z, spec) - 10.0
    thick = profile(s.z, (-118, 3.0), (-90, 4.6), (10, 5.2), (35, 7.0), (50, 5.5))
    rows = np.flatnonzero((s.z[:, 0, 0] > -120.0) & (s.z[:, 0, 0] < 52.0))
    if not len(rows):
        return
    k = slice(int(rows[0]), int(rows[-1]) + 1)
    near = np.flatnonzero(np.abs(s.x[0, 0]) < 45.0)
    if not len(near):
        return
    box = (k, slice(0, s.shape[1]), slice(int(near[0]), int(near[-1]) + 1))
    c = s.crop(box)
    u, v = np.abs(c.x) / half[k], np.abs(c.y - middle[k] + 0.004 * c.x**2) / thick[k]
    plate = ((u**4 + v**4) ** np.float32(0.25) - 1.0) * thick[k]
    plate = np.maximum(plate, np.maximum(c.z - 50.0, -116.0 - c.z))
    joint = np.abs(c.z - 14.0) - 1.5
    inner = np.float32(spec.marrow_hu - 40.0) + field[box] * np.float32(25.0)
    part = hu[box]
    bone(part, np.maximum(plate, -joint), s.voxel_mm, shell_mm=1.1, inner=inner, shell=560.0)


def draw_shoulders(hu: Float32Array, s: Slab, spec: ChestSpec, t: Thorax) -> None:
    """Scapulae behind the upper ribs, clavicles in front of them and the heads of the upper arms, in place."""
    around, w = turn(s), spec.width
    rows = np.flatnonzero((s.z[:, 0, 0] > -50.0) & (s.z[:, 0, 0] < 100.0))
    if len(rows):
        k = slice(int(rows[0]), int(rows[-1]) + 1)
        z = s.z[k]
        middle = profile(z, (-45, 0.36), (20, 0.36), (92, 0.38))
        span = profile(z, (-46, 0.0), (-38, 0.03), (60, 0.105), (92, 0.085))
        across = (around - middle) / np.maximum(span, 1e-3)
        # The blade is thin, thick at its outer edge, and bent around the ribs.
        thick = 1.7 + 2.6 * np.clip(across, 0.0, 1.0) ** 3 + profile(z, (40, 0.0), (92, 2.0))
        off = 15.0 * spec.muscle + RIB_GAP_MM + 6.0 * across**2
        blade = np.maximum(np.abs(t.rings[k] - off) - thick, (np.abs(across) - 1.0) * span * 320.0)
        blade = np.maximum(blade, np.maximum(z - 94.0, -44.0 - z))
        bone(hu[k], blade, s.voxel_mm, shell_mm=1.4, inner=180.0, shell=720.0)
    for side in (-1.0, 1.0):
        x = side * w
        lift = 0.0 if spec.arms_down else 8.0
        clavicle = Tubes.path(
            (x * 22, -74, 46, 8),
            (x * 45, -80, 56 + lift, 6),
            (x * 75, -70, 72 + lift, 5.2),
            (x * 105, -42, 88 + lift, 5.5),
            (x * 145, -14, 102 + lift, 6.5),
        )
        ridge = Tubes.path((x * 88, 100, 44, 3.5), (x * 124, 78, 84, 4.5), (x * 150, 36, 104, 7))
        for tubes in (clavicle, ridge):
            blend(hu, draw_tubes(s, tubes), CORTEX)
            blend(hu, draw_tubes(s, tubes.widened(-2.0, -2.0)), spec.marrow_hu)
        if spec.arms_down:
            arm = Tubes.path((x * 160, 14, 84, 23), (x * 168, 15, 70, 22), (x * 184, 18, 34, 12))
            shaft = Tubes.path((x * 184, 18, 34, 12), (x * 197, 26, -40, 10.5), (x * 204, 34, -220, 10))
        else:
            arm = Tubes.path((x * 146, 12, 130, 23), (x * 150, 8, 146, 20))
            shaft = Tubes.path((x * 150, 8, 146, 12), (x * 158, 0, 240, 11))
        blend(hu, draw_tubes(s, Tubes.joined([arm, shaft])), CORTEX)
        blend(hu, draw_tubes(s, arm.widened(-2.0, -2.0)), spec.marrow_hu)
        blend(hu, draw_tubes(s, shaft.widened(-4.0, -4.0)), -20.0)


RIB_GAP_MM = 13.0
"""From the inner surface of the ribs to the muscle under the scapula."""


def draw_spine(hu: Float32Array, s: Slab, spec: ChestSpec, field: Float32Array) -> None:
    """Vertebral bodies with discs, canal, pedicles, laminae, transverse and spinous processes, in place."""
    bent = float(np.abs(spec.scoliosis_mm)) + 42.0
    columns = np.flatnonzero(np.abs(s.x[0, 0]) < bent)
    y_low, y_high = float(back(s.z, spec).min()) - 60.0, float(back(s.z, spec).max()) + 40.0
    lines = np.flatnonzero((s.y[0, :, 0] > y_low) & (s.y[0, :, 0] < y_high))
    if not len(columns) or not len(lines):
        return
    box = (
        slice(0, s.shape[0]),
        slice(int(lines[0]), int(lines[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )
    c, part, h = s.crop(box), hu[box], s.voxel_mm
    y, x = back(c.z, spec), c.x - sideways(c.z, spec)
    slope = (0.5 * (back(c.z + 1.0, spec) - back(c.z - 1.0, spec))).astype(np.float32)
    grow = profile(c.z, (-210, 1.2), (-60, 1.04), (60, 0.9), (115, 0.85))
    # Discs stand across the bent column.
    phase = (c.z + slope * (c.y - y + 29.0) - 6.0) / np.float32(VERTEBRA_PITCH_MM)
    offset = (phase - np.round(phase)) * np.float32(VERTEBRA_PITCH_MM)
    waist = grow * (1.0 + 0.055 * (offset / 10.0) ** 2)
    column = (np.sqrt((x / (17.0 * waist)) ** 2 + ((c.y - y + 29.0) / (14.5 * waist)) ** 2) - 1.0) * 15.5
    # The back of a vertebra's body is hollow towards the canal.
    column = np.maximum(column, c.y - y + 16.5 - 0.012 * x**2)
    blend(part, cover(column - 2.0, h), 45.0)
    blend(part, cover(column, h), DISC)
    inner = np.float32(spec.marrow_hu) + field[box] * np.float32(22.0)
    bone(part, np.maximum(column, np.abs(offset) - 9.6), h, shell_mm=0.9, inner=inner, shell=430.0)
    canal = np.sqrt(x**2 + (c.y - y + 7.5) ** 2) - 8.3
    arch = np.maximum(
        np.maximum(np.abs(np.sqrt((x / 1.08) ** 2 + (c.y - y + 6.5) ** 2) - 11.8) - 3.0, np.abs(offset + 2.0) - 8.0),
        # Between the pedicles of two vertebrae nerves leave.
        np.maximum(4.0 - np.abs(offset - 3.0), -40.0) * (c.y < y - 4.0),
    )
    across = np.maximum(
        np.sqrt((c.y - y + 1.0 - 0.35 * np.abs(x)) ** 2 + (offset - 2.0) ** 2) - 4.6,
        np.maximum(np.abs(x) - 30.0, 9.0 - np.abs(x)),
    )
    tip = np.maximum(
        np.maximum(np.abs(x) - 2.8, np.abs(offset + 4.0 + 0.5 * (c.y - y - 8.0)) - 5.5),
        np.maximum(y + 3.0 - c.y, c.y - y - 27.0),
    )
    bone(part, np.minimum(np.minimum(arch, across), tip), h, shell_mm=1.5, inner=inner + 60.0, shell=700.0)
    blend(part, cover(canal, h), 5.0)
    cord = np.sqrt((x / 1.2) ** 2 + (c.y - y + 8.5) ** 2) - 4.2
    blend(part, cover(cord, h), 38.0)
