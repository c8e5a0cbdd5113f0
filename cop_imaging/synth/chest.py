"""The inside of the chest: rib cage's inner surface, diaphragm, mediastinum and the lungs between them.

Model coordinates are LPS mm with the carina at (0, 18, 0). Sizes follow an adult of about 175 cm at inspiration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.cage import back, cavity_distance, midline, rings, sideways, sigmoid
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.mediastinum import organs_distance
from cop_imaging.synth.shapes import Distance, Slab, doubled, smooth_union

__all__ = ["ChestSpec", "Thorax", "surface_width", "thorax"]

RISE_MM = 0.5
"""Step over which it is found which way the lungs' surface faces."""
FINE_MM = 1.1
"""Pixels smaller than this are more than the smooth shapes of the chest need."""


@dataclass(frozen=True, slots=True, eq=False)
class Thorax:
    """Distances in mm on a slab, negative inside."""

    cavity: Float32Array
    """To the rib cage's inner surface, continued below the diaphragm."""
    rings: Float32Array
    """The same without the domes of the apices: the rings go on above them."""
    diaphragm: Float32Array
    """To the diaphragm's upper surface: negative below it."""
    organs: Float32Array
    """To heart, great vessels and oesophagus."""
    lung: Float32Array
    depth: Float32Array
    """Depth of a point of the lung below the costal and diaphragmatic pleura, positive inside."""


def diaphragm_height(s: Slab, spec: ChestSpec) -> Float32Array:
    """z of the diaphragm, float32 (1, y, x): right dome about 15 mm above the left, deep sulcus at the back."""
    level = Slab(np.full((1, 1, 1), -120.0, dtype=np.float32), s.y, s.x, s.voxel_mm)
    rho = np.minimum(rings(level, spec)[0], 1.0)
    right = sigmoid(-s.x / 16.0)
    raised = spec.right_dome_mm * right + spec.left_dome_mm * (1.0 - right)
    dome = -109.0 + 13.0 * right + spec.dome_mm - 13.0 * np.clip((np.abs(s.x) - 62.0) / 62.0, -1.0, 1.2) ** 2
    tilt = 0.0032 * (s.y + 25.0) ** 2
    depth = 44.0 + 0.12 * (s.y + 60.0) + 0.6 * spec.dome_mm
    height = dome - tilt - depth * (1.0 - np.sqrt(np.maximum(1.0 - rho**2.9, 0.0)))
    # A dome that stands too high is raised in its middle and less at its rim.
    out: Float32Array = (height + raised * (1.0 - rho**3)).astype(np.float32)
    return out


def spine_distance(s: Slab, spec: ChestSpec) -> Distance:
    """Distance to the column of vertebral bodies and the tissue beside it."""
    y = back(s.z, spec) - 28.0
    # Behind the bodies lie canal, laminae and the muscles of the back: no lung.
    before = np.minimum(s.y - y, 0.0) / 17.0
    # Ribs' heads and transverse processes stand out farther than the bodies.
    half = 20.0 + 0.3 * np.clip(s.y - y, 0.0, 36.0)
    return (np.sqrt(((s.x - sideways(s.z, spec)) / half) ** 2 + before**2) - 1.0) * 18.0


def thorax(s: Slab, spec: ChestSpec) -> Thorax:
    """Where the lungs and their neighbours lie on a slab in model coordinates."""
    steps = [float(a[1] - a[0]) if len(a) > 1 else np.inf for a in s.plane]
    if max(steps) > FINE_MM:
        return whole_thorax(s, spec)
    coarse = whole_thorax(s.halved(), spec)
    fields = (coarse.cavity, coarse.rings, coarse.diaphragm, coarse.organs, coarse.lung, coarse.depth)
    return Thorax(*(doubled(field, s.shape) for field in fields))


def surface_width(s: Slab, spec: ChestSpec) -> Float32Array | float:
    """Width in mm over which the lungs' surface is soft in each voxel, by the way that it faces."""
    if s.height_mm is None or abs(s.height_mm / s.voxel_mm - 1.0) < 0.02:
        return s.voxel_mm
    small = min(s.shape[1:]) < 8
    nodes = s if small else s.halved().halved()
    higher = replace(nodes, z=nodes.z + np.float32(RISE_MM))
    rise = (whole_thorax(higher, spec).lung - whole_thorax(nodes, spec).lung) * np.float32(1.0 / RISE_MM)
    width: Float32Array = s.facing(np.clip(rise, -1.0, 1.0))
    return width if small else doubled(doubled(width, s.halved().shape), s.shape)


def whole_thorax(s: Slab, spec: ChestSpec) -> Thorax:
    """The thorax computed at every voxel of a slab."""
    cavity, wall = cavity_distance(s, spec)
    height = diaphragm_height(s, spec)
    # Distance to a height field: the vertical gap over the surface's slope.
    gy, gx = np.gradient(height[0], s.y.ravel(), s.x.ravel())
    diaphragm = (s.z - height) / np.minimum(np.sqrt(1.0 + gy**2 + gx**2), 6.0)[None].astype(np.float32)
    organs = organs_distance(s, spec, blend_mm=3.0, start=np.full((1, 1, 1), 60.0, dtype=np.float32))
    # Two layers of pleura in front, the fat of the thymus above them, the oesophagus' surroundings behind.
    fat = 0.04 * spec.fat_mm
    plate = np.abs(s.x - midline(s.y, s.z)) - (
        1.2 + 0.5 * fat + (1.5 + 2.0 * fat) * np.clip((s.y + 40.0) / 80.0, 0.0, 1.0)
    )
    # What is left of the thymus fills the space before the great vessels.
    thymus = sigmoid((s.z - 26.0) / 8.0) * np.clip((s.y + 78.0) / 30.0, 0.0, 1.0) * np.clip(1.0 - s.y / 20.0, 0.0, 1.0)
    plate = plate - 13.0 * thymus
    # The thoracic inlet is as wide as the vessels to neck and arms.
    plate = plate - 0.8 * np.clip(s.z - 52.0, 0.0, 60.0)
    start = smooth_union(plate, spine_distance(s, spec), 8.0)
    fat_surface = organs_distance(s, spec, blend_mm=10.0 + 8.0 * fat, start=start) - np.float32(0.8 + 1.2 * fat)
    outer = -smooth_union(-(cavity + 1.5), diaphragm, 6.0)
    lung = -smooth_union(-outer, fat_surface, 5.0)
    return Thorax(cavity, wall, diaphragm, organs, lung, np.maximum(-outer, 0.0))
