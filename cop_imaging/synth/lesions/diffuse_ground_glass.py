"""Ground glass through whole lungs: diffuse, or central with the periphery spared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import draw_seed
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, smoothstep
from cop_imaging.synth.lesions.margins import smooth_noise
from cop_imaging.synth.shapes import Slab
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["DiffuseGroundGlass", "draw_central_ground_glass", "draw_diffuse_ground_glass"]

EDGE = 0.9
"""Width of the edges of hazy areas, in SD of their ground."""


@dataclass(frozen=True, slots=True)
class DiffuseGroundGlass:
    """Haze in both lungs or one, in wide uneven areas; near the pleura it may fade away."""

    centre_mm: Point
    reach_mm: float
    seed: int
    threshold: float = -0.5
    """Height of its uneven ground, in SD, above which the lung is hazy."""
    spared_mm: float = 0.0
    """Depth below the pleura at which it has half its strength; 0 reaches the pleura."""
    fade_mm: float = 16.0
    """Width over which it fades towards spared pleura."""
    fraction: float = 0.3
    tissue_hu: float = 35.0
    side: int = 0
    """1 right lung only, 2 left lung only, 0 both."""

    def hills(self, slab: Slab) -> tuple[Float32Array, Float32Array, Float32Array]:
        """The uneven ground that decides what is hazy, and its two finer parts, [z, y, x]."""
        wide, fine, grain = (
            smooth_noise(slab, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + k, size_mm=size)
            for k, size in ((0, 60.0), (1, 22.0), (2, 9.0))
        )
        return np.float32(0.8) * wide + np.float32(0.5) * fine + np.float32(0.25) * grain, fine, grain

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One hazy layer: wide areas, uneven inside them."""
        s = place.slab
        hills, fine, grain = self.hills(s)
        part = smoothstep(hills - np.float32(self.threshold), EDGE)
        part = part * (1.0 + np.float32(0.18) * fine + np.float32(0.12) * grain)
        if self.spared_mm > 0.0:
            part = part * smoothstep(place.depth_mm - np.float32(self.spared_mm) + 4.0 * fine, self.fade_mm)
        if self.side:
            part = part * ((place.lobe <= 3) == (self.side == 1))
        # Its bounding box is no edge of disease.
        away = np.maximum(
            np.maximum(np.abs(s.x - self.centre_mm[0]), np.abs(s.y - self.centre_mm[1])),
            np.abs(s.z - self.centre_mm[2]),
        )
        part = part * smoothstep(np.float32(self.reach_mm - 5.0) - away, 10.0)
        return (Layer(np.float32(self.fraction) * part, self.tissue_hu, "ground_glass"),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """None: the sign is a density."""
        del place
        return {}


def draw_haze(
    terrain: Terrain, rng: np.random.Generator, where: Where, target_ml: float, spared_mm: float
) -> tuple[DiffuseGroundGlass, ...]:
    """One haze over the lung that ``where`` allows, covering as much of it as the target asks."""
    chosen = terrain.weights(where) > 0.0
    deep = chosen & (terrain.depth_mm > spared_mm)
    if not deep.any() or target_ml <= 0.0:
        return ()
    points = terrain.points_mm[chosen]
    low, high = points.min(axis=0), points.max(axis=0)
    x, y, z = (float(v) for v in np.round(0.5 * (low + high), 2))
    haze = DiffuseGroundGlass(
        (x, y, z),
        round(float(0.5 * (high - low).max()) + 15.0, 2),
        draw_seed(rng),
        spared_mm=spared_mm,
        fraction=round(float(rng.uniform(0.24, 0.38)), 3),
        side={"both": 0, "right": 1, "left": 2}[where.side],
    )
    open_points = terrain.points_mm[deep]
    open_ml = terrain.lung_ml * len(open_points) / len(terrain.points_mm)
    share = min(target_ml / max(open_ml, 1.0), 0.98)
    # The hills at the places of the terrain, on a lattice of 8 mm.
    lattice = [np.arange(a, b + 8.0, 8.0, dtype=np.float32) for a, b in zip(low, high, strict=True)]
    slab = Slab(lattice[2][:, None, None], lattice[1][None, :, None], lattice[0][None, None, :], 8.0)
    i, j, k = np.rint((open_points - low) / 8.0).astype(np.int64).T
    hills = haze.hills(slab)[0][k, j, i]
    # Lung counts as hazy from a little above the threshold, where the edge has most of its strength.
    return (replace(haze, threshold=round(float(np.quantile(hills, 1.0 - share)) - 0.06 * EDGE, 3)),)


def draw_diffuse_ground_glass(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, target_ml: float
) -> tuple[DiffuseGroundGlass, ...]:
    """Haze through the lung as far as the target asks, up to the pleura.

    Source: bilateral ground glass of diffuse alveolar damage (Primack SL et al., Radiology 1993;188:849).
    """
    return draw_haze(terrain, rng, where, target_ml, 0.0)


def draw_central_ground_glass(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, target_ml: float
) -> tuple[DiffuseGroundGlass, ...]:
    """Perihilar haze that spares 14-24 mm below the pleura.

    Source: haemorrhage spares the subpleural lung; the width is an estimate.
    """
    return draw_haze(terrain, rng, where, target_ml, round(float(rng.uniform(14.0, 24.0)), 1))
