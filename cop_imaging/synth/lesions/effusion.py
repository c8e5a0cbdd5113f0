"""Free pleural fluid behind the lung of a supine patient, and the lung that collapses before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.synth.lesions.drawing import draw_seed
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, smoothstep
from cop_imaging.synth.lesions.margins import smooth_noise
from cop_imaging.synth.shapes import Distance
from cop_imaging.synth.terrain import Terrain

__all__ = ["Effusion", "draw_effusion"]

RISE = 0.35
"""How far the level sinks towards the back per mm of height: more fluid lies at the base."""
AIRLESS = 0.99
"""Tissue fraction of collapsed lung: what air is left would make it as dark as the fluid beside it."""
GAIN = 0.4
"""Growth of the crescent's thickness per mm below the level: it tapers upwards along the side of the chest."""


@dataclass(frozen=True, slots=True)
class Effusion:
    """A crescent between pleura and lung; thickest at the back and at the base."""

    centre_mm: Point
    extent_mm: float
    """Half of the longest side of the lung's box."""
    right: bool
    level_mm: float
    """y of the crescent's upper end at the height of the centre: smaller means more fluid."""
    volume_ml: float
    """What was asked for."""
    seed: int
    collapse: float = 0.45
    """Thickness of the collapsed lung over that of the fluid beside it."""
    fluid_hu: float = 8.0
    collapsed_hu: float = 45.0

    @property
    def reach_mm(self) -> float:
        """The whole lung."""
        return self.extent_mm + 10.0

    def thickness_mm(self, y: Float32Array, z: Float32Array) -> Float32Array:
        """Thickness of the fluid over each point."""
        out: Float32Array = thickness(y, z, self.level_mm, self.centre_mm[2]).astype(np.float32)
        return out

    def parts(self, place: Place) -> tuple[Float32Array, Float32Array]:
        """Parts of each voxel in fluid and in collapsed lung, 0-1."""
        s = place.slab
        thick = self.thickness_mm(s.y, s.z)
        own = ((place.lobe <= 3) == self.right).astype(np.float32)
        waves = smooth_noise(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, size_mm=30.0)
        # Lung that floats in fluid does not end on a plane.
        inside: Float32Array = thick * (1.0 + np.float32(0.14) * waves) - place.depth_mm
        # Depth ends at the pleura, where half of a voxel may still be lung: nothing is drawn where no fluid is near.
        some = own * (thick > 0.0)
        fluid = some * smoothstep(inside, max(1.0, s.voxel_mm))
        # The crescent itself thins towards the front, which would thin the band too.
        band = np.float32(1.0 + GAIN) * np.clip(np.float32(8.0) + np.float32(self.collapse) * thick, 0.0, 25.0)
        band = band * (1.0 + np.float32(0.25) * waves)
        band = band * np.clip((thick - np.float32(4.0)) / np.float32(8.0), 0.0, 1.0)
        lung = some * smoothstep((inside + band).astype(np.float32), 4.0) * (band > 0.5)
        return fluid.astype(np.float32), lung.astype(np.float32)

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """Collapsed lung, in which vessels and bronchi stay, then fluid over everything."""
        fluid, lung = self.parts(place)
        return (
            Layer(np.float32(AIRLESS) * lung, self.collapsed_hu),
            Layer(fluid, self.fluid_hu, "effusion", over=True),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The collapsed lung beside the fluid."""
        fluid, lung = self.parts(place)
        return {"atelectasis": lung * (fluid < 0.5)}


def thickness(y: Distance, z: Distance, level_mm: float, z0_mm: float) -> Distance:
    """Thickness in mm of a crescent whose upper end lies at ``level_mm`` at the height ``z0_mm``."""
    below: Distance = y - np.float32(level_mm) - np.float32(RISE) * (z - np.float32(z0_mm))
    out: Distance = np.clip(np.float32(GAIN) * below, 0.0, 90.0)
    return out


def draw_effusion(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    target_ml: float,
    side: Literal["right", "left", "both"] = "both",
    contrast: bool = False,
) -> tuple[Effusion, ...]:
    """Free fluid of a wanted volume, on both sides unless one is named, and collapsed lung before it.

    Source: fluid of -10 to 25 HU and collapsed lung of 30-110 HU; it gathers where the lung is lowest, and the
    right side holds 40-60 % of fluid on both (estimates).
    """
    share = float(rng.uniform(0.4, 0.6))
    shares = {"both": (share, 1.0 - share), "right": (1.0, 0.0), "left": (0.0, 1.0)}[side]
    fluid_hu = round(float(np.clip(rng.normal(9.0, 5.0), -5.0, 22.0)), 1)
    out = []
    for right, part in zip((True, False), shares, strict=True):
        own: BoolArray = terrain.right == right
        if part <= 0.0 or not own.any():
            continue
        points, depth = terrain.points_mm[own], terrain.depth_mm[own]
        low, high = points.min(axis=0), points.max(axis=0)
        x, y, z = (round(float(v), 1) for v in 0.5 * (low + high))
        voxel_ml = terrain.lung_ml / len(terrain.points_mm)
        few, many = float(high[1] + 0.5 * (high[2] - low[2])), float(low[1] - 200.0)
        for _ in range(40):
            level = 0.5 * (few + many)
            thick = thickness(points[:, 1], points[:, 2], level, z)
            # A place stands for 5 mm: it fills little by little.
            filled = np.where(thick > 0.0, np.clip((thick - depth) / 5.0 + 0.5, 0.0, 1.0), 0.0)
            few, many = (level, many) if filled.sum() * voxel_ml < part * target_ml else (few, level)
        out.append(
            Effusion(
                (x, y, z),
                round(float(0.5 * (high - low).max()), 1),
                right,
                round(level, 2),
                round(part * target_ml, 1),
                draw_seed(rng),
                collapse=round(float(rng.uniform(0.3, 0.6)), 2),
                fluid_hu=fluid_hu,
                collapsed_hu=round(float(rng.uniform(75.0, 105.0) if contrast else rng.uniform(36.0, 50.0)), 1),
            )
        )
    return tuple(out)
