"""Mosaic attenuation: lobules that are darker than their neighbours, with sharp straight borders (air trapping)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.interpolation import Lattice
from cop_imaging.synth.lesions.drawing import draw_seed, lobe_at
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, lobular, smoothstep
from cop_imaging.synth.lesions.margins import smooth_noise
from cop_imaging.synth.shapes import Slab
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["Mosaic", "draw_mosaic"]

STEP_MM = 1.5
"""Distance of the nodes, fixed in the patient, on which lobules are told apart."""


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Groups of lobules with less tissue in a region of one lung."""

    centre_mm: Point
    radius_mm: float
    """Of the region; beyond it fewer and fewer lobules are dark."""
    seed: int
    share: float
    """Share of the lobules in the region that are dark."""
    loss: float = 0.4
    """Share of their tissue, blood above all, that dark lobules lack: 0.4 takes -860 HU to -916 HU."""
    lobule_mm: float = 18.0
    side: int = 0
    """1 right, 2 left lung, 0 both."""

    @property
    def reach_mm(self) -> float:
        """Radius with its fading edge."""
        return 1.25 * self.radius_mm + 0.5 * self.lobule_mm

    def away_mm(self, s: Slab) -> Float32Array:
        """Distance from the centre."""
        dx, dy, dz = (c - np.float32(o) for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True))
        out: Float32Array = np.sqrt(dx * dx + dy * dy + dz * dz)
        return out

    def part(self, place: Place) -> Float32Array:
        """Part of each voxel that is dark, 0-1; the borders are as sharp as a voxel."""
        s = place.slab
        lattice = Lattice.around(s, STEP_MM)
        nodes = lattice.nodes
        _, lobule = lobular(
            nodes, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, lobule_mm=self.lobule_mm, rough_mm=1.0
        )
        wide = smooth_noise(
            nodes, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + 1, size_mm=4.0 * self.lobule_mm
        )
        # Neighbouring lobules share their bronchiole's fate: dark ones come in groups.
        level = np.float32(0.75) * lobule + np.float32(0.66) * wide
        away = self.away_mm(nodes)
        outside = np.clip((away / np.float32(self.radius_mm) - 0.75) / 0.45, 0.0, 1.5)
        level = level - np.float32(2.5) * outside * outside
        dark = (level > np.float32(threshold(self.share))).astype(np.float32)
        fine = lattice.carried(dark)
        inside = smoothstep(np.float32(2.0 * STEP_MM) * (fine - np.float32(0.5)), max(1.0, s.voxel_mm))
        beyond = self.away_mm(s)
        inside = np.where(beyond < self.reach_mm, inside, np.float32(0.0))
        if self.side:
            inside = inside * ((place.lobe <= 3) == (self.side == 1))
        out: Float32Array = inside.astype(np.float32)
        return out

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One layer of air."""
        return (Layer(np.float32(self.loss) * place.once(self, lambda: self.part(place)), -1000.0),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The dark lobules."""
        return {"mosaic": place.once(self, lambda: self.part(place))}


def threshold(share: float) -> float:
    """What a standard normal number exceeds with this chance."""
    return float(norm.isf(share))


def draw_mosaic(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    share: float,
    regions: int = 5,
) -> tuple[Mosaic, ...]:
    """Regions of 35-60 mm in both lungs in which a share of the lobules is dark.

    Source: a patchwork of lobules 60-150 HU apart (Fleischner glossary, Radiology 2008;246:697, "mosaic
    attenuation"); at full inspiration, as here, 60-90 HU; sizes are an estimate.
    """
    out: list[Mosaic] = []
    loss = round(float(rng.uniform(0.42, 0.65)), 3)
    for _ in range(regions):
        radius = round(float(rng.uniform(35.0, 60.0)), 1)
        point = terrain.draw(where, rng, clear_of=[(m.centre_mm, 0.9 * (radius + m.radius_mm)) for m in out])
        if point is not None:
            side = 1 if lobe_at(terrain, point) <= 3 else 2
            out.append(Mosaic(point, radius, draw_seed(rng), share, loss=loss, side=side))
    return tuple(out)
