"""Crazy paving: ground glass with a net of lines, along the walls of lobules and finer ones inside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import draw_seed
from cop_imaging.synth.lesions.geographic import Region, region_of, sites_of
from cop_imaging.synth.lesions.lesion import Layer, Place, Point
from cop_imaging.synth.lesions.margins import ragged, sheet, smooth_noise
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["CrazyPaving", "draw_crazy_paving"]


@dataclass(frozen=True, slots=True)
class CrazyPaving:
    """Hazy lobules with sharp borders, thickened septa between them and intralobular lines."""

    centre_mm: Point
    radius_mm: float
    seed: int
    lobule_mm: float = 12.0
    septum_mm: float = 1.5
    """Thickness of the lines along lobules, 1-2 mm."""
    fraction: float = 0.3
    septum_fraction: float = 0.62
    tissue_hu: float = 40.0

    @property
    def reach_mm(self) -> float:
        """Radius with the lobules beyond it."""
        return 1.3 * self.radius_mm + 1.1 * self.lobule_mm

    def region(self, place: Place) -> Region:
        """The lobules that it takes."""
        return place.once(
            self,
            lambda: region_of(
                place,
                self.centre_mm,
                radius_mm=self.radius_mm,
                reach_mm=self.reach_mm,
                seed=self.seed,
                lobule_mm=self.lobule_mm,
            ),
        )

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """Haze, fine lines, then septa."""
        s, region = place.slab, self.region(place)
        grain = ragged(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed)
        haze = np.float32(self.fraction) * region.inside
        haze = haze * (1.0 + np.float32(0.1) * np.clip(region.value, -2.0, 2.0) + np.float32(0.07) * grain)
        # Where smooth noise changes its sign lies a net of thin sheets; its mean slope gives the distance in mm.
        net = smooth_noise(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + 2, size_mm=7.0)
        fine = np.float32(0.42) * sheet(net * np.float32(1.8), 0.9, s, 0.7) * region.inside
        thick = np.float32(self.septum_mm) * (1.0 + np.float32(0.2) * grain)
        # Septa also bound the region: they reach half their thickness beyond it.
        bound = np.where(region.wall_mm < 0.6 * thick, np.float32(1.0), region.inside)
        near = np.maximum(region.inside, bound * (region.inside > 0.0))
        septa = np.float32(self.septum_fraction) * sheet(region.wall_mm, thick, s, 0.7) * near
        return (
            Layer(haze, self.tissue_hu, "ground_glass"),
            Layer(fine, self.tissue_hu),
            Layer(septa, self.tissue_hu),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The hazy lobules with their lines."""
        return {"crazy_paving": self.region(place).inside}


def draw_crazy_paving(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, target_ml: float
) -> tuple[CrazyPaving, ...]:
    """Regions of radius 18-38 mm with septa of 1-2 mm around lobules of 10-15 mm.

    Source: Fleischner glossary (Radiology 2008;246:697), "crazy-paving pattern"; sizes are an estimate.
    """
    return tuple(
        CrazyPaving(
            point,
            radius,
            draw_seed(rng),
            lobule_mm=round(float(rng.uniform(10.0, 15.0)), 2),
            septum_mm=round(float(rng.uniform(1.0, 2.0)), 2),
            fraction=round(float(rng.uniform(0.24, 0.36)), 3),
        )
        for point, radius in sites_of(terrain, rng, where, target_ml, (18.0, 38.0))
    )
