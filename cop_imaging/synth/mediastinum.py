"""Heart, great vessels, oesophagus and nodes between the lungs: their shapes, and what they are filled with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.cage import sideways
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.lesions.blending import blend
from cop_imaging.synth.shapes import Distance, Slab, Tubes, capsule, cover, draw_tubes, ellipsoid, smooth_union

__all__ = ["Centre", "centre_of", "draw_centre", "organs_distance"]

Blob = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
APEX = (0.78, -0.36, -0.42)
NODES = (
    (-14.0, 2.0, 22.0, 3.6),
    (-16.0, 6.0, 8.0, 3.2),
    (27.0, 2.0, 10.0, 3.4),
    (3.0, 27.0, -16.0, 4.5),
    (-9.0, 30.0, -24.0, 3.4),
    (12.0, -38.0, 36.0, 2.6),
    (-8.0, -40.0, 20.0, 2.2),
    (-32.0, 18.0, -32.0, 3.0),
    (42.0, 20.0, -26.0, 3.0),
    (8.0, -2.0, 52.0, 2.4),
)
"""Lymph nodes at their usual stations: x, y, z, short half axis in mm."""


@dataclass(frozen=True, slots=True, eq=False)
class Centre:
    """What lies between the lungs, as tubes and ellipsoids in model coordinates."""

    left_blood: Tubes
    """Aorta with its branches."""
    right_blood: Tubes
    """Great veins and the trunk of the lung arteries."""
    soft: Tubes
    """Oesophagus and the walls of trachea and main bronchi."""
    hearts: tuple[Blob, ...]
    chambers: tuple[tuple[Blob, bool], ...]
    """Insides of the heart, and whether they hold the left heart's blood."""


def centre_of(spec: ChestSpec) -> Centre:
    """The mediastinum of a chest."""
    k, w, r = spec.heart, spec.aorta, 0.5 * spec.trachea_mm

    def behind(*points: tuple[float, float, float, float]) -> Tubes:
        """A tube that follows the bent spine."""
        return Tubes.path(*((x + float(sideways(z, spec)), y, z, radius) for x, y, z, radius in points))

    arch = Tubes.path(
        (-14, -38, -48, 15 * w),
        (-19, -26, -14, 15 * w),
        (-14, -18, 14, 14 * w),
        (4, -6, 31, 13 * w),
        (19, 14, 33, 12.5 * w),
        (25, 36, 20, 12 * w),
    )
    down = behind(
        (25, 36, 20, 12 * w),
        (26, 47, -10, 11.5 * w),
        (24, 52, -60, 11 * w),
        (20, 54, -100, 10.5 * w),
        (10, 52, -150, 10.5 * w),
        (3, 46, -215, 10 * w),
    )
    neck = Tubes.joined(
        [
            Tubes.path((-1, -5, 38, 6), (-16, -2, 66, 6), (-27, 2, 92, 4.5), (-34, 2, 135, 3.5)),
            Tubes.path((-23, -2, 84, 4.5), (-48, -4, 102, 4.2), (-100, -14, 104, 4)),
            Tubes.path((9, 2, 42, 4), (17, 4, 80, 3.7), (24, 4, 135, 3.5)),
            Tubes.path((19, 18, 40, 4.8), (28, 18, 78, 4.6), (52, 4, 101, 4.3), (104, -12, 104, 4)),
        ]
    )
    veins = Tubes.joined(
        [
            Tubes.path((-22, -24, 60, 6), (-26, -16, 40, 8), (-29, -12, 0, 9), (-29, -13, -44, 10)),
            Tubes.path((-24, 6, -92, 11), (-26, 10, -150, 12), (-22, 14, -215, 11)),
            Tubes.path((-22, -24, 58, 6), (8, -34, 58, 5.5), (34, -34, 72, 5.2), (70, -28, 92, 5)),
            Tubes.path((-22, -24, 60, 6), (-44, -28, 84, 5.2), (-80, -26, 98, 5)),
            Tubes.path((-40, -14, 92, 4.6), (-42, -8, 135, 5)),
            Tubes.path((40, -20, 92, 4.4), (42, -8, 135, 4.6)),
            Tubes.path((-27, -2, 12, 4), (-16, 30, 14, 4), (-6, 50, 2, 3.6)),
            behind((-6, 50, 2, 3.4), (-6, 55, -60, 3.2), (-4, 54, -160, 3)),
        ]
    )
    lungs = Tubes.joined(
        [
            Tubes.path((18, -44, -44, 14), (22, -24, -12, 13.5), (38, 6, -6, 10.5), (47, 24, -16, 8)),
            Tubes.path((20, -16, -12, 11.5), (-8, -4, -19, 10.5), (-34, 8, -25, 8.5)),
        ]
    )
    swallow = behind((1, 27, 125, 6), (4, 34, 40, 6.5), (4, 38, -30, 6.5), (9, 36, -90, 7), (20, 24, -140, 8))
    windpipe = Tubes.joined(
        [
            Tubes.path((0, 2, 135, r + 1.5), (0, 8, 90, r + 1.5), (0, 18, 2, r + 1.5)),
            Tubes.path((0, 18, 0, 8.3), (-27, 21, -18, 7.8), (-36, 25, -44, 6.6)),
            Tubes.path((0, 18, 0, 8.0), (26, 23, -15, 7.3), (44, 26, -27, 6.9)),
        ]
    )
    return Centre(
        Tubes.joined([arch, down, neck]),
        Tubes.joined([veins, lungs]),
        Tubes.joined([swallow, windpipe]),
        hearts=(
            ((25.0, -38.0, -80.0), (66.0 * k, 44.0 * k, 42.0 * k), APEX),
            ((-21.0, -27.0, -72.0), (25.0 * k, 33.0 * k, 38.0 * k), (1.0, 0.0, 0.0)),
            ((3.0, 10.0, -52.0), (36.0 * k, 18.0 * k, 21.0 * k), (1.0, 0.0, 0.0)),
        ),
        chambers=(
            (((42.0, -24.0, -84.0), (38.0 * k, 17.0 * k, 18.0 * k), APEX), True),
            (((4.0, 8.0, -52.0), (33.0 * k, 14.5 * k, 17.0 * k), (1.0, 0.0, 0.0)), True),
            (((18.0, -58.0, -82.0), (40.0 * k, 14.0 * k, 25.0 * k), (0.84, -0.2, -0.5)), False),
            (((-22.0, -28.0, -72.0), (20.0 * k, 27.0 * k, 32.0 * k), (1.0, 0.0, 0.0)), False),
        ),
    )


def organs_distance(s: Slab, spec: ChestSpec, *, blend_mm: float, start: Distance) -> Float32Array:
    """``start`` joined with heart, great vessels, trachea and oesophagus."""
    out = np.broadcast_to(start, s.shape).astype(np.float32)
    centre = centre_of(spec)
    for place, radii, axis in centre.hearts:
        box = s.box(np.array(place) - max(radii) - 20.0, np.array(place) + max(radii) + 20.0)
        if box is not None:
            out[box] = smooth_union(out[box], ellipsoid(s.crop(box), place, radii, axis), blend_mm)
    tubes = Tubes.joined([centre.left_blood, centre.right_blood, centre.soft])
    for a, b, r0, r1 in zip(tubes.start, tubes.end, tubes.start_radius_mm, tubes.end_radius_mm, strict=True):
        box = s.box(np.minimum(a, b) - max(r0, r1) - 20.0, np.maximum(a, b) + max(r0, r1) + 20.0)
        if box is not None:
            distance, radius = capsule(s.crop(box), a, b, r0, r1)
            out[box] = smooth_union(out[box], distance - radius, blend_mm)
    return out


def draw_centre(hu: Float32Array, s: Slab, spec: ChestSpec, field: Float32Array, inside: Float32Array) -> None:
    """Fill the mediastinum's fat with its organs, in place.

    Parameters
    ----------
    field : float32 [z, y, x]
        Smooth noise that thins and thickens the fat of the heart and makes strands in the mediastinum's.
    inside : float32 [z, y, x]
        Part of each voxel inside the rib cage or above it.
    """
    centre, h = centre_of(spec), s.voxel_mm
    muscle = 50.0 + 50.0 * spec.enhancement
    for place, radii, axis in centre.hearts:
        box = s.box(np.array(place) - max(radii) - 3.0, np.array(place) + max(radii) + 3.0)
        if box is not None:
            # Fat lies between pericardium and muscle, thickest in the grooves.
            fat = np.float32(1.2 + 0.05 * spec.fat_mm) + np.maximum(field[box], -0.5) * np.float32(2.4)
            distance = ellipsoid(s.crop(box), place, radii, axis)
            blend(hu[box], cover(np.abs(distance + 0.4) - 0.4, h) * inside[box], 20.0)
            blend(hu[box], cover(distance + fat, h) * inside[box], muscle)
    for (place, radii, axis), left in centre.chambers:
        box = s.box(np.array(place) - max(radii) - 3.0, np.array(place) + max(radii) + 3.0)
        if box is not None:
            distance = ellipsoid(s.crop(box), place, radii, axis) + field[box] * np.float32(1.2)
            blend(hu[box], cover(distance, 2.0 * h), spec.blood_hu if left else spec.right_blood_hu)
    nodes = Tubes.joined([Tubes.path((x - 2, y, z - 2, r), (x + 2, y + 1, z + 3, r * 0.8)) for x, y, z, r in NODES])
    blend(hu, draw_tubes(s, nodes), 38.0 + 30.0 * spec.enhancement)
    blend(hu, draw_tubes(s, centre.soft), 38.0 + 25.0 * spec.enhancement)
    blend(hu, draw_tubes(s, centre.right_blood), spec.right_blood_hu)
    aorta = draw_tubes(s, centre.left_blood)
    blend(hu, aorta, spec.blood_hu)
    if spec.aortic_calcium > 0.0:
        plaque = aorta - draw_tubes(s, centre.left_blood.widened(-1.3, -1.3))
        level = np.float32(1.9 - 2.2 * spec.aortic_calcium)
        blend(hu, plaque * np.clip((field - level) * 4.0, 0.0, 1.0), 650.0)
    if spec.oesophagus_air > 0.0:
        air = centre.soft.where(slice(0, 4)).widened(0.0, 0.0)
        thin = Tubes(air.start, air.end, 0.0 * air.start_radius_mm + 0.5 * spec.oesophagus_air, air.end_radius_mm * 0.0)
        blend(hu, draw_tubes(s, thin), -900.0)
