"""The lung between vessels and bronchi: gravity, texture, fissures, and the holes of emphysema."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.airways import major_fissure, minor_fissure
from cop_imaging.synth.cage import midline, profile
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.lesions.blending import blend
from cop_imaging.synth.random_field import Field
from cop_imaging.synth.shapes import Slab

__all__ = ["air_holes", "lung_density"]

HOLE_HU = -985.0
FISSURE_RISE_HU = 170.0
"""Two layers of pleura, together 0.2 mm thick, add 0.2 x 850 HU over one millimetre."""


def lung_density(s: Slab, spec: ChestSpec, fine: Field, coarse: Field) -> Float32Array:
    """Density between vessels, float32 [z, y, x]: gravity, texture and fissures."""
    broad = coarse.on(s)
    hu = 9.0 * fine.on(s)
    hu += 7.0 * broad
    hu += spec.parenchyma_hu + np.float32(0.1 * spec.gravity_hu_per_cm) * (s.y - 5.0) - 0.06 * (s.z + 60.0)
    # A fissure is a sheet that bends a little, and is missing in places.
    developed = np.clip((broad + np.float32(2.2 - 4.0 * spec.fissure_gap)) * 2.0, 0.0, 1.0)
    width = max(s.voxel_mm, 0.8)
    rise = developed * np.float32(FISSURE_RISE_HU / width)
    major = major_fissure(s.x, s.y, s.z)
    hu += np.maximum(1.0 - np.abs(major) * np.float32(1.0 / width), 0.0) * rise
    columns = np.flatnonzero(s.x[0, 0] < 12.0)
    if len(columns):
        box = (slice(0, s.shape[0]), slice(0, s.shape[1]), slice(int(columns[0]), int(columns[-1]) + 1))
        c = s.crop(box)
        minor = minor_fissure(c.x, c.y, c.z)
        there = (major[box] < 0.0) & (c.x < midline(c.y, c.z))
        hu[box] += np.maximum(1.0 - np.abs(minor) * np.float32(1.0 / width), 0.0) * rise[box] * there
    return hu


def air_holes(s: Slab, spec: ChestSpec, depth: Float32Array, fine: Field, coarse: Field) -> Float32Array:
    """Part of each voxel that emphysema has emptied, [z, y, x]: mostly in the upper lungs and, if so, along the pleura.

    Parameters
    ----------
    depth : float32 [z, y, x]
        Below the pleura, in mm.
    fine : Field
        Smooth noise whose hills are as wide as a hole.
    """
    high = profile(s.z, (-150, 0.25), (-60, 0.55), (20, 1.0), (80, 1.2))
    grain = fine.on(s) + np.float32(0.35) * coarse.on(s)
    level = np.float32(1.06) * (np.float32(2.9) - np.float32(4.0) * np.sqrt(np.float32(spec.emphysema)) * high)
    out = np.clip((grain - level) * 1.8, 0.0, 1.0) if spec.emphysema > 0.0 else np.zeros(s.shape, dtype=np.float32)
    if spec.paraseptal > 0.0:
        rim = (
            np.clip((11.0 - depth) / 3.0, 0.0, 1.0)
            * np.clip((depth - 0.7) * 1.5, 0.0, 1.0)
            * np.clip(high - 0.4, 0.0, 1.0)
        )
        out = np.maximum(out, rim * np.clip((grain + np.float32(2.2 * spec.paraseptal - 1.7)) * 1.6, 0.0, 1.0))
    return np.asarray(out, dtype=np.float32)


def empty(hu: Float32Array, holes: Float32Array) -> None:
    """Empty the holes, in place: thin strands stay in them."""
    blend(hu, 0.9 * holes, HOLE_HU)
