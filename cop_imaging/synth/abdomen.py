"""The upper abdomen under the diaphragm: liver, stomach, spleen, kidneys, colon and the fat between them."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.chest import Thorax
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.lesions.blending import blend
from cop_imaging.synth.shapes import Distance, Slab, Tubes, cover, draw_tubes, ellipsoid, smooth_union
from cop_imaging.synth.wall import FAT

__all__ = ["draw_abdomen"]

FLUID, GAS, WALL = 14.0, -990.0, 48.0
LIVER_VEINS = Tubes.joined(
    [
        Tubes.path((-24, 12, -112, 7), (-50, 0, -122, 5), (-92, -12, -146, 2.5)),
        Tubes.path((-24, 8, -112, 6), (-40, -30, -126, 4), (-56, -68, -150, 2)),
        Tubes.path((-22, 6, -112, 6), (0, -24, -126, 4), (24, -50, -142, 2)),
        Tubes.path((-20, -2, -176, 7), (-44, 2, -162, 5.5), (-78, 16, -156, 3), (-100, 30, -160, 1.8)),
        Tubes.path((-44, 2, -162, 5), (-66, -36, -164, 3), (-88, -52, -170, 1.8)),
        Tubes.path((-20, -2, -176, 5), (-6, -40, -160, 3.5), (4, -62, -164, 2)),
    ]
)
"""Veins of the liver towards the vena cava, and branches of the portal vein."""
CRURA = Tubes.joined(
    [
        Tubes.path((-16, 36, -132, 3), (-15, 46, -170, 5), (-13, 58, -230, 5)),
        Tubes.path((-19, 62, -150, 3), (-17, 62, -230, 4)),
        Tubes.path((30, 42, -136, 3), (26, 50, -170, 4.5), (20, 60, -230, 4.5)),
    ]
)
"""Legs of the diaphragm beside the aorta."""
BOWEL = Tubes.joined(
    [
        Tubes.path((-28, -8, -196, 9), (-8, -22, -190, 10), (18, -8, -182, 9), (52, 22, -172, 8)),
        Tubes.path((-40, -22, -186, 12), (-50, -6, -206, 11), (-44, 4, -232, 11), (-8, 10, -246, 10)),
        Tubes.path((30, -52, -214, 13), (62, -42, -222, 12), (78, -20, -216, 12), (66, 4, -226, 11)),
        Tubes.path((12, -38, -226, 12), (38, -18, -236, 12), (30, 8, -232, 11), (54, 14, -246, 12)),
        Tubes.path((-70, -48, -218, 16), (-92, -22, -226, 18), (-98, 6, -240, 19)),
        Tubes.path((-60, -62, -226, 15), (-14, -68, -222, 15), (28, -72, -206, 15)),
        Tubes.path((92, -44, -214, 12), (98, -18, -228, 12), (88, 6, -238, 12)),
    ]
)
"""Pancreas, duodenum, loops of small bowel, and colon."""
MESENTERY = Tubes.joined(
    [
        Tubes.path((4, 30, -196, 4), (8, 0, -214, 3.5), (26, -24, -226, 2.4), (48, -30, -230, 1.6)),
        Tubes.path((4, 22, -206, 3.5), (-8, -4, -224, 3), (-34, -20, -236, 2)),
        Tubes.path((2, 24, -180, 4), (36, 20, -166, 3), (84, 40, -158, 2.5)),
    ]
)
"""Vessels of bowel and spleen."""


def draw_abdomen(s: Slab, spec: ChestSpec, t: Thorax, field: Float32Array) -> Float32Array:
    """Density below the diaphragm, float32 [z, y, x]."""
    h = s.voxel_mm
    hu = np.full(s.shape, FAT, dtype=np.float32)
    low = np.flatnonzero(s.z[:, 0, 0] < -40.0 + max(spec.dome_mm, 0.0) + max(spec.left_dome_mm, spec.right_dome_mm))
    if not len(low):
        return hu
    k = slice(0, int(low[-1]) + 1)
    if s.z[-1, 0, 0] < s.z[0, 0, 0]:
        k = slice(int(low[0]), s.shape[0])
    c = s.crop((k, slice(0, s.shape[1]), slice(0, s.shape[2])))
    part, cavity, diaphragm, f = hu[k], t.cavity[k], t.diaphragm[k], field[k]
    inside = np.maximum(cavity + 3.0, diaphragm + 2.5)
    blend(part, cover(np.maximum(diaphragm + 9.0, np.float32(1.1) - np.abs(f) * 18.0), h), FAT + 25.0)
    lift = np.float32(0.55 * spec.dome_mm)
    shifted = Slab(c.z - lift - 0.8 * spec.left_dome_mm, c.y, c.x, c.voxel_mm)
    hollow(part, shifted, spec, inside, f)
    kept = cover(inside + 6.0, h)
    blend(part, draw_tubes(shifted, MESENTERY) * kept, 40.0 + 90.0 * spec.enhancement)
    bowel = draw_tubes(shifted, BOWEL) * kept
    blend(part, bowel, 30.0 + 30.0 * spec.enhancement + 18.0 * f)
    spleen = ellipsoid(shifted, (100.0, 50.0, -162.0), (50.0, 22.0, 40.0), (0.62, 0.78, 0.0))
    spleen = np.maximum(smooth_union(spleen, spleen, 1.0), inside + 1.0)
    blend(part, cover(spleen, h), 48.0 + 60.0 * spec.enhancement)
    for side, z in ((-1.0, -208.0), (1.0, -196.0)):
        kidney = ellipsoid(shifted, (side * 58.0, 56.0, z), (26.0, 22.0, 52.0), (0.8, side * 0.6, 0.0))
        blend(part, cover(np.maximum(kidney, inside + 4.0), h), 32.0 + 120.0 * spec.enhancement)
        blend(part, cover(np.maximum(kidney + 14.0, inside + 4.0), h), -70.0)
    liver(part, c, spec, cavity, diaphragm, f)
    crura = draw_tubes(c, CRURA) * cover(diaphragm + 2.0, 4.0 * h)
    blend(part, crura, WALL)
    return hu


def liver(
    hu: Float32Array, s: Slab, spec: ChestSpec, cavity: Float32Array, diaphragm: Float32Array, field: Float32Array
) -> None:
    """The liver lies against the right dome, without fat between, and thins to the left, in place."""
    h, lift = s.voxel_mm, np.float32(0.55 * spec.dome_mm)
    # Behind, the left lobe ends on a line from the vena cava to its tip under the heart, far to the left in front.
    beyond = s.x + 22.0 + field * np.float32(7.0) + 0.28 * (lift - 118.0 - s.z)
    left = np.maximum(beyond, 0.0)
    slope = s.y - (20.0 - 0.5 * left - 0.0028 * left**2) - 8.0 * np.maximum(-beyond, 0.0) - field * np.float32(3.0)
    # Its under surface rises from right to left.
    under = (-205.0 + 0.0015 * np.maximum(s.x + 130.0, 0.0) ** 2 - 0.15 * s.y) - (s.z - lift)
    organ = -smooth_union(-np.maximum(cavity + 2.6, diaphragm + 0.5), -np.maximum(slope * 0.72, under * 0.9), 12.0)
    blend(hu, cover(organ, h), 56.0 + 50.0 * spec.enhancement)
    veins = draw_tubes(Slab(s.z - lift, s.y, s.x, h), LIVER_VEINS) * cover(organ + 3.0, 4.0 * h)
    blend(hu, veins, 42.0 + 115.0 * spec.enhancement)


def hollow(hu: Float32Array, s: Slab, spec: ChestSpec, inside: Distance, field: Float32Array) -> None:
    """Stomach with its gas before a level, and the colon's left flexure, in place."""
    h = s.voxel_mm
    fundus = ellipsoid(s, (60.0, 12.0, -148.0), (36.0, 44.0, 32.0), (0.9, -0.4, 0.0))
    body = ellipsoid(s, (44.0, -36.0, -180.0), (46.0, 26.0, 26.0), (0.7, -0.7, -0.3))
    stomach = np.maximum(smooth_union(fundus, body, 18.0) - field * np.float32(2.5), inside + 1.5)
    blend(hu, cover(stomach, h), WALL)
    content = np.clip(np.float32(FLUID) + 18.0 * field, -40.0, 60.0)
    lumen = stomach + np.float32(4.0) + np.abs(field) * np.float32(1.6)
    blend(hu, cover(lumen, h), content)
    if spec.stomach_gas > 0.0:
        # Supine, gas lies in front of a level.
        blend(hu, cover(np.maximum(lumen, s.y - (-62.0 + 82.0 * spec.stomach_gas)), h), GAS)
    if spec.colon_gas > 0.0:
        bowel = Tubes.path((112, -10, -200, 17), (104, -30, -158, 19), (84, -62, -150, 18), (40, -76, -172, 15))
        outer = draw_tubes(s, bowel) * cover(inside + 1.5, h)
        blend(hu, outer, WALL)
        haustra = bowel.widened(-2.2, -2.2)
        gas = np.clip(0.5 + (np.float32(spec.colon_gas - 0.45) * 4.0 + field), 0.0, 1.0)
        blend(hu, draw_tubes(s, haustra) * cover(inside + 4.0, h), 25.0 + gas * (GAS - 25.0))
