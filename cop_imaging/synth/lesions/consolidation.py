"""Patchy consolidation that sits on the pleura and ends at the borders of lobules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, lobular, smoothstep

__all__ = ["Consolidation", "patch_level"]


def patch_level(
    place: Place, centre_mm: Point, *, radius_mm: float, depth_mm: float, lobule_mm: float, seed: int
) -> Float32Array:
    """How far inside a pleura-based patch a voxel lies, in mm: a flat bowl on the pleura with lobular edges."""
    s = place.slab
    # Stretched along z, as pleural patches are.
    away = np.sqrt((s.x - centre_mm[0]) ** 2 + (s.y - centre_mm[1]) ** 2 + (0.75 * (s.z - centre_mm[2])) ** 2)
    across = radius_mm - away
    floor = depth_mm * np.sqrt(np.clip(across / radius_mm + 0.25, 0.0, 1.0)) - place.depth_mm
    rough, lobule = lobular(
        s, centre_mm, reach_mm=1.75 * radius_mm, seed=seed, lobule_mm=lobule_mm, rough_mm=0.2 * lobule_mm
    )
    out: Float32Array = np.minimum(across, floor) + rough + np.float32(0.33 * lobule_mm) * lobule
    return out


@dataclass(frozen=True, slots=True)
class Consolidation:
    """A patch of airless lung (tissue fraction about 0.95) with a narrow margin of ground glass.

    Its truth is where the parenchyma reaches -300 HU, which is a tissue fraction of about 0.62 and more.
    """

    centre_mm: Point
    """LPS point near the pleura (x, y, z)."""
    radius_mm: float
    """Half width along the pleura."""
    depth_mm: float
    """How deep the patch reaches below the pleura at its middle."""
    seed: int
    lobule_mm: float = 14.0
    fraction: float = 0.96
    edge_mm: float = 4.0
    tissue_hu: float = 42.0

    @property
    def reach_mm(self) -> float:
        """The patch's half width along z with its lobules."""
        return 1.34 * self.radius_mm + self.lobule_mm

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One layer of consolidated lung."""
        level = patch_level(
            place,
            self.centre_mm,
            radius_mm=self.radius_mm,
            depth_mm=self.depth_mm,
            lobule_mm=self.lobule_mm,
            seed=self.seed,
        )
        return (Layer(self.fraction * smoothstep(level, self.edge_mm), self.tissue_hu, "consolidation"),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """None: the sign is a density."""
        del place
        return {}
