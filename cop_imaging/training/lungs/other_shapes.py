"""Disease of other shapes than any that the network is trained on: for its validation only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import draw_seed
from cop_imaging.synth.lesions.infarct import draw_infarct
from cop_imaging.synth.lesions.lesion import Layer, Lesion, Place, Point, smoothstep
from cop_imaging.synth.lesions.margins import smooth_noise
from cop_imaging.synth.lesions.perilobular import draw_perilobular
from cop_imaging.synth.lesions.reversed_halo import draw_reversed_halo
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["CutOff", "Pocket", "draw_other_shapes"]


@dataclass(frozen=True, slots=True)
class CutOff:
    """Everything in one lung beyond a wavy plane is airless, whatever lobe it belongs to."""

    centre_mm: Point
    """Middle of the lung's box."""
    extent_mm: float
    right: bool
    normal: Point
    offset_mm: float
    """Distance of the plane from the centre along its normal."""
    seed: int
    tissue_hu: float = 42.0

    @property
    def reach_mm(self) -> float:
        """The whole lung."""
        return self.extent_mm + 10.0

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """The airless part."""
        s = place.slab
        along = sum(
            (c - np.float32(o)) * n for c, o, n in zip((s.x, s.y, s.z), self.centre_mm, self.normal, strict=True)
        )
        waves = smooth_noise(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, size_mm=35.0)
        level = (along - np.float32(self.offset_mm) + np.float32(7.0) * waves).astype(np.float32)
        own = (place.lobe <= 3) == self.right
        return (Layer(np.float32(0.97) * smoothstep(level, 6.0) * own, self.tissue_hu, "consolidation"),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """None: the sign is a density."""
        del place
        return {}


@dataclass(frozen=True, slots=True)
class Pocket:
    """A lens of fluid on the pleura that does not lie lowest, and a thin layer of collapsed lung under it."""

    centre_mm: Point
    """On the pleura."""
    right: bool
    radius_mm: float
    thickness_mm: float
    seed: int
    fluid_hu: float = 10.0
    collapsed_hu: float = 45.0

    @property
    def reach_mm(self) -> float:
        """The lens with the layer under it."""
        return self.radius_mm + 15.0

    def parts(self, place: Place) -> tuple[Float32Array, Float32Array]:
        """Parts of each voxel in fluid and in collapsed lung, 0-1."""
        s = place.slab
        away = sum((c - np.float32(o)) ** 2 for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True))
        thick = self.thickness_mm * (1.0 - away / np.float32(self.radius_mm**2))
        inside = (thick - place.depth_mm).astype(np.float32)
        own = ((place.lobe <= 3) == self.right) & (thick > 0.0)
        fluid = own * smoothstep(inside, max(1.0, s.voxel_mm))
        lung = own * smoothstep((inside + np.float32(9.0)).astype(np.float32), 4.0)
        return fluid.astype(np.float32), lung.astype(np.float32)

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """Collapsed lung, then fluid over everything."""
        fluid, lung = self.parts(place)
        return (
            Layer(np.float32(0.93) * lung, self.collapsed_hu),
            Layer(fluid, self.fluid_hu, "effusion", over=True),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The collapsed lung under the fluid."""
        fluid, lung = self.parts(place)
        return {"atelectasis": lung * (fluid < 0.5)}


def draw_other_shapes(terrain: Terrain, rng: np.random.Generator) -> tuple[tuple[str, ...], tuple[Lesion, ...]]:
    """One kind of disease, or one with a pocket of fluid, by name and as lesions."""
    kind = ("cut_off", "cut_off_and_pocket", "pocket", "infarct", "reversed_halo", "perilobular")[int(rng.integers(6))]
    lesions: tuple[Lesion, ...] = ()
    if kind.startswith("cut_off"):
        lesions += (draw_cut_off(terrain, rng),)
    if kind.endswith("pocket"):
        lesions += (draw_pocket(terrain, rng),)
    where = Where(depth_mm=(0.0, 15.0))
    if kind == "infarct":
        lesions += draw_infarct(terrain, rng, where=where, number=3)
    elif kind == "reversed_halo":
        lesions += draw_reversed_halo(terrain, rng, where=where, number=3)
    elif kind == "perilobular":
        lesions += draw_perilobular(terrain, rng, where=where, target_ml=float(rng.uniform(30.0, 120.0)))
    return (kind,), lesions


def draw_cut_off(terrain: Terrain, rng: np.random.Generator) -> CutOff:
    """A twelfth to a half of one lung, more often below and behind."""
    right = bool(rng.random() < 0.5)
    points = terrain.points_mm[terrain.right == right]
    low, high = points.min(axis=0), points.max(axis=0)
    middle = 0.5 * (low + high)
    normal = np.array([rng.normal(0.0, 0.4), rng.normal(0.4, 0.6), rng.normal(-0.7, 0.6)])
    normal /= np.linalg.norm(normal)
    offset = float(np.quantile((points - middle) @ normal, 1.0 - rng.uniform(0.08, 0.5)))
    x, y, z = (round(float(v), 2) for v in middle)
    nx, ny, nz = (round(float(v), 4) for v in normal)
    return CutOff((x, y, z), float(0.5 * (high - low).max()), right, (nx, ny, nz), round(offset, 2), draw_seed(rng))


def draw_pocket(terrain: Terrain, rng: np.random.Generator) -> Pocket:
    """A lens of 60-110 mm and 15-40 mm thickness anywhere on the costal pleura."""
    near = np.flatnonzero(terrain.depth_mm < 6.0)
    chosen = int(near[int(rng.integers(len(near)))])
    x, y, z = (round(float(v), 2) for v in terrain.points_mm[chosen])
    radius, thickness = float(rng.uniform(30.0, 55.0)), float(rng.uniform(15.0, 40.0))
    fluid_hu = round(float(np.clip(rng.normal(9.0, 5.0), -5.0, 22.0)), 1)
    return Pocket(
        (x, y, z), bool(terrain.right[chosen]), round(radius, 1), round(thickness, 1), draw_seed(rng), fluid_hu
    )
