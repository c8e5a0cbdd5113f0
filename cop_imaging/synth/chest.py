"""The inside of the chest: rib cage's inner surface, diaphragm, mediastinum and the lungs between them.

Model coordinates are LPS mm with the carina at (0, 18, 0). Sizes follow an adult of about 175 cm at inspiration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.shapes import Distance, Slab, Tubes, capsule, ellipsoid, smooth_union

__all__ = ["ChestSpec", "Thorax", "thorax"]


class ChestSpec(Section):
    """What a chest is like; the seed draws its texture, its branching and nothing else."""

    size: float = quantity(
        1.0, means="length of the chest over that of a 175 cm adult", unit="1", low=0.7, high=1.25, source="estimate"
    )
    inspiration: float = quantity(
        1.0, means="1 full inspiration, 0 end of a quiet expiration", unit="1", low=0.0, high=1.0, source="estimate"
    )
    lung_hu: float = quantity(
        -875.0,
        means="mean density of the parenchyma between vessels at full inspiration",
        unit="HU",
        low=-920.0,
        high=-700.0,
        source="whole lung -820 to -880 HU at full inspiration",
    )
    gravity_hu_per_cm: float = quantity(
        3.0,
        means="rise of density towards the back, supine",
        unit="HU/cm",
        low=0.0,
        high=10.0,
        source="30 to 60 HU from front to back",
    )
    fat_mm: float = quantity(15.0, means="mean subcutaneous fat", unit="mm", low=2.0, high=50.0, source="estimate")
    heart: float = quantity(
        1.0, means="length of the heart over normal", unit="1", low=0.8, high=1.4, source="estimate"
    )
    blood_hu: float = quantity(
        42.0, means="blood without contrast", unit="HU", low=30.0, high=450.0, source="35 to 50 HU unenhanced"
    )
    leaf_spacing_mm: float = quantity(
        12.5,
        means="distance between the ends of the smallest vessels drawn",
        unit="mm",
        low=6.0,
        high=40.0,
        source="vessels are 3 to 5 % of the lung",
    )

    @property
    def dome_mm(self) -> float:
        """Height of the diaphragm above its place at full inspiration."""
        return 38.0 * (1.0 - self.inspiration)

    @property
    def parenchyma_hu(self) -> float:
        """Density at this inspiration: the lung keeps its mass while its volume falls to 0.62."""
        volume = 0.62 + 0.38 * self.inspiration
        return -1000.0 + (self.lung_hu + 1000.0) / volume


@dataclass(frozen=True, slots=True, eq=False)
class Thorax:
    """Distances in mm on a slab, negative inside."""

    cavity: Float32Array
    """To the rib cage's inner surface, continued below the diaphragm."""
    diaphragm: Float32Array
    """To the diaphragm's upper surface: negative below it."""
    organs: Float32Array
    """To heart, great vessels and oesophagus."""
    lung: Float32Array
    depth: Float32Array
    """Depth of a point of the lung below the costal and diaphragmatic pleura, positive inside."""


def profile(z: Float32Array, *knots: tuple[float, float]) -> Float32Array:
    """A smooth curve over z through (z, value), constant beyond its ends."""
    at, values = zip(*knots, strict=True)
    out: Float32Array = PchipInterpolator(at, values)(np.clip(z, at[0], at[-1])).astype(np.float32)
    return out


def front(z: Float32Array) -> Float32Array:
    """y of the rib cage's inner surface behind the sternum."""
    return profile(z, (-210, -84), (-130, -100), (-70, -99), (0, -84), (60, -52), (110, -28))


def back(z: Float32Array) -> Float32Array:
    """y of the rib cage's inner surface beside the spine: the thoracic kyphosis."""
    return profile(z, (-210, 86), (-130, 97), (-60, 101), (0, 97), (60, 84), (110, 68))


def rings(s: Slab) -> tuple[Distance, Distance]:
    """Normalised radius (1 at the rib cage's inner surface) and distance from the axis, without the apices."""
    a = profile(s.z, (-210, 127), (-130, 134), (-70, 133), (0, 126), (60, 114), (110, 100))
    y0, y1 = front(s.z), back(s.z)
    # On both sides of the spine the cavity reaches farther back than in front of it.
    gutter = 1.0 + 0.10 * np.exp(-(((np.abs(s.x) - 68.0) / 40.0) ** 2)) * np.clip(s.y / 50.0, 0.0, 1.0)
    v = (s.y - 0.5 * (y0 + y1)) / (0.5 * (y1 - y0) * gutter)
    # The rib cage is flatter in front and fuller towards the back; the right half is the wider one.
    u = (s.x + profile(s.z, (-130, 3.5), (0, 3.0), (60, 0.0))) / (a * (1.0 + 0.07 * v - 0.06 * v * v))
    rho = (np.abs(u) ** 2.3 + np.abs(v) ** 2.3) ** np.float32(1.0 / 2.3)
    reach = np.sqrt(s.x**2 + (s.y - 0.5 * (y0 + y1)) ** 2)
    return np.maximum(rho, 1e-3), reach


def cavity_distance(s: Slab) -> Float32Array:
    """Distance to the rib cage's inner surface: oval rings below two domes for the apices."""
    rho, reach = rings(s)
    wall = reach * (1.0 - 1.0 / rho)
    side, fore = np.abs(s.x) - 52.0, s.y - 22.0
    side = np.where(side < 0.0, 0.45 * side, side)
    top = 102.0 - 0.0185 * side**2 - 0.0098 * fore**2
    slope = np.sqrt(1.0 + (0.037 * side) ** 2 + (0.02 * fore) ** 2)
    return -smooth_union(-wall, -((s.z - top) / slope), 20.0)


def diaphragm_height(s: Slab, spec: ChestSpec) -> Float32Array:
    """z of the diaphragm, float32 (1, y, x): right dome about 15 mm above the left, deep sulcus at the back."""
    level = Slab(np.full((1, 1, 1), -120.0, dtype=np.float32), s.y, s.x, s.voxel_mm)
    rho = np.minimum(rings(level)[0], 1.0)
    right = 1.0 / (1.0 + np.exp(np.clip(s.x / 16.0, -30.0, 30.0)))
    dome = -114.0 + 13.0 * right + spec.dome_mm - 13.0 * np.clip((np.abs(s.x) - 62.0) / 62.0, -1.0, 1.2) ** 2
    tilt = 0.0032 * (s.y + 25.0) ** 2
    depth = 34.0 + 0.06 * (s.y + 60.0) + 0.6 * spec.dome_mm
    out: Float32Array = dome - tilt - depth * (1.0 - np.sqrt(np.maximum(1.0 - rho**3.2, 0.0)))
    return out


def organ_tubes() -> Tubes:
    """Great vessels, trachea and oesophagus as tubes (x, y, z, radius)."""
    return Tubes.joined(
        [
            Tubes.path(
                (-14, -38, -48, 15),
                (-19, -26, -14, 15),
                (-14, -18, 14, 14.5),
                (4, -6, 33, 14),
                (19, 14, 34, 13.5),
                (25, 38, 18, 13),
                (26, 46, -20, 12.5),
                (24, 50, -90, 12),
                (12, 52, -150, 11.5),
                (2, 50, -215, 11),
            ),
            Tubes.path((-22, -24, 66, 6), (-27, -14, 40, 9), (-29, -13, -40, 10)),
            Tubes.path((-24, 8, -95, 11), (-26, 10, -215, 12)),
            Tubes.path((18, -42, -42, 14), (22, -22, -12, 13.5), (40, 10, -6, 10.5), (48, 26, -18, 8)),
            Tubes.path((20, -16, -12, 11.5), (-12, 0, -19, 11), (-40, 10, -26, 9)),
            Tubes.path((-1, -5, 38, 6), (-20, 4, 75, 6), (-34, 6, 120, 4.5)),
            Tubes.path((9, 2, 42, 4.5), (18, 8, 120, 4)),
            Tubes.path((19, 18, 40, 5.5), (30, 18, 84, 5), (60, 4, 100, 4.5), (110, -10, 100, 4.5)),
            Tubes.path((-24, -22, 60, 6), (30, -34, 64, 6), (70, -28, 92, 5)),
            Tubes.path((1, 28, 125, 7.5), (4, 35, 40, 7.5), (5, 38, -30, 7.5), (8, 36, -90, 8), (20, 24, -140, 9)),
            Tubes.path((-5, 52, 0, 4), (-5, 55, -120, 4)),
            Tubes.path((0, 4, 125, 10.5), (0, 19, 0, 10.5)),
            Tubes.path((0, 18, 0, 8.5), (-28, 22, -20, 8), (-36, 26, -44, 7.5)),
            Tubes.path((0, 18, 0, 8), (44, 26, -25, 8)),
        ]
    )


def organs_distance(s: Slab, spec: ChestSpec, *, blend_mm: float, start: Distance) -> Float32Array:
    """``start`` joined with heart, great vessels, trachea and oesophagus."""
    out = np.broadcast_to(start, s.shape).astype(np.float32)
    k = spec.heart
    hearts = (
        ((24.0, -38.0, -80.0), (66.0 * k, 45.0 * k, 43.0 * k), (0.78, -0.36, -0.42)),
        ((-20.0, -26.0, -72.0), (28.0 * k, 36.0 * k, 40.0 * k), (1.0, 0.0, 0.0)),
        ((4.0, 8.0, -50.0), (38.0 * k, 20.0 * k, 22.0 * k), (1.0, 0.0, 0.0)),
    )
    for centre, radii, axis in hearts:
        box = s.box(np.array(centre) - max(radii) - 20.0, np.array(centre) + max(radii) + 20.0)
        if box is not None:
            out[box] = smooth_union(out[box], ellipsoid(s.crop(box), centre, radii, axis), blend_mm)
    tubes = organ_tubes()
    for a, b, r0, r1 in zip(tubes.start, tubes.end, tubes.start_radius_mm, tubes.end_radius_mm, strict=True):
        box = s.box(np.minimum(a, b) - max(r0, r1) - 20.0, np.maximum(a, b) + max(r0, r1) + 20.0)
        if box is not None:
            distance, radius = capsule(s.crop(box), a, b, r0, r1)
            out[box] = smooth_union(out[box], distance - radius, blend_mm)
    return out


def spine_distance(s: Slab) -> Distance:
    """Distance to the column of vertebral bodies and the tissue beside it."""
    y = back(s.z) - 29.0
    return (np.sqrt((s.x / 21.0) ** 2 + ((s.y - y) / 17.0) ** 2) - 1.0) * 18.5


def thorax(s: Slab, spec: ChestSpec) -> Thorax:
    """Where the lungs and their neighbours lie on a slab in model coordinates."""
    cavity = cavity_distance(s)
    height = diaphragm_height(s, spec)
    # Distance to a height field: the vertical gap over the surface's slope.
    gy, gx = np.gradient(height[0], s.y.ravel(), s.x.ravel())
    diaphragm = (s.z - height) / np.minimum(np.sqrt(1.0 + gy**2 + gx**2), 6.0)[None].astype(np.float32)
    organs = organs_distance(s, spec, blend_mm=3.0, start=np.full((1, 1, 1), 60.0, dtype=np.float32))
    middle = 2.0 + 8.0 / (1.0 + np.exp(np.clip((s.z + 45.0) / 12.0, -30.0, 30.0)))
    plate = np.abs(s.x - middle * np.clip(-s.y / 60.0, 0.0, 1.0)) - (2.2 + 6.0 * np.clip((s.y + 40.0) / 80.0, 0.0, 1.0))
    # The thoracic inlet is as wide as the vessels to neck and arms.
    plate = plate - 0.5 * np.clip(s.z - 55.0, 0.0, 45.0)
    fat = organs_distance(s, spec, blend_mm=22.0, start=smooth_union(plate, spine_distance(s), 18.0)) - 2.0
    outer = -smooth_union(-(cavity + 1.5), diaphragm, 6.0)
    lung = -smooth_union(-outer, fat, 5.0)
    return Thorax(cavity, diaphragm, organs, lung, np.maximum(-outer, 0.0))
