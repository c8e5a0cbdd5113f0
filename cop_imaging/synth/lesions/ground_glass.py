"""Ground glass: a hazy rise in density through which vessels stay visible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.consolidation import patch_level
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, smoothstep

__all__ = ["GroundGlass"]


@dataclass(frozen=True, slots=True)
class GroundGlass:
    """A patch whose tissue fraction is that of half-filled lung, uneven from lobule to lobule.

    Its truth is where the parenchyma lies between -700 and -300 HU.
    """

    centre_mm: Point
    radius_mm: float
    depth_mm: float
    seed: int
    lobule_mm: float = 16.0
    fraction: float = 0.34
    edge_mm: float = 11.0
    tissue_hu: float = 35.0

    @property
    def reach_mm(self) -> float:
        """The patch's half width along z with its lobules."""
        return 1.34 * self.radius_mm + self.lobule_mm

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One hazy layer, denser where the patch is deeper inside itself."""
        level = patch_level(
            place,
            self.centre_mm,
            radius_mm=self.radius_mm,
            depth_mm=self.depth_mm,
            lobule_mm=self.lobule_mm,
            seed=self.seed,
        )
        uneven = np.clip(0.85 + 0.02 * level, 0.85, 1.15)
        return (
            Layer(np.float32(self.fraction) * uneven * smoothstep(level, self.edge_mm), self.tissue_hu, "ground_glass"),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """None: the sign is a density."""
        del place
        return {}
