"""Bands: sheets and strands of dense lung that run to the pleura, along it, or across the base as plate atelectasis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cop_imaging.core.arrays import Float32Array, Float64Array
from cop_imaging.synth.lesions.drawing import depth_at, draw_seed, hilum, spread
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, smoothstep
from cop_imaging.synth.lesions.margins import ragged, sheet, smooth_noise
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["Band", "SubpleuralBand", "draw_band", "draw_plate_atelectasis", "draw_subpleural_band"]


@dataclass(frozen=True, slots=True)
class Band:
    """A bent sheet of dense lung: long, less wide, and thin; narrow ones are strands."""

    centre_mm: Point
    along: Point
    """Direction of its length, a unit vector (x, y, z)."""
    normal: Point
    """Direction across the sheet, a unit vector at right angles to ``along``."""
    length_mm: float
    width_mm: float
    thickness_mm: float
    seed: int
    bend_mm: float = 3.0
    """How far its ends lie off its middle's plane."""
    fraction: float = 0.85
    tissue_hu: float = 42.0
    roughness: float = 1.0
    """1 as in patients, 0 an exact sheet whose thickness ends abruptly at an oval edge."""

    @property
    def reach_mm(self) -> float:
        """Half of the longer side with bends."""
        return 0.5 * max(self.length_mm, self.width_mm) + abs(self.bend_mm) + self.thickness_mm + 4.0

    def part(self, place: Place) -> Float32Array:
        """Part of each voxel in the band, 0-1."""
        s, k = place.slab, self.roughness
        offset = [c - np.float32(o) for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True)]
        third = np.cross(np.array(self.along), np.array(self.normal))
        u, v, w = (
            (offset[0] * np.float32(d[0]) + offset[1] * np.float32(d[1])) + offset[2] * np.float32(d[2])
            for d in (self.along, tuple(third), self.normal)
        )
        u = u * np.float32(2.0 / self.length_mm)
        v = v * np.float32(2.0 / self.width_mm)
        w = w - np.float32(self.bend_mm) * u * u
        edge = np.sqrt(u * u + v * v)
        thick: Float32Array = np.full(s.shape, self.thickness_mm, dtype=np.float32)
        if k > 0.0:
            waves = smooth_noise(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, size_mm=28.0)
            grain = ragged(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + 3, size_mm=7.0)
            w = w + np.float32(0.3 * k * self.thickness_mm) * waves + np.float32(0.25 * k) * grain
            edge = edge + np.float32(0.07 * k) * waves + np.float32(0.05 * k) * grain
            # Thicker in the middle than at its ends.
            taper = np.sqrt(np.clip(1.0 - 0.75 * edge * edge, 0.05, 1.0)) * 1.2
            thick = thick * ((1.0 - k) + k * taper) * (1.0 + np.float32(0.14 * k) * grain)
        flat = sheet(w.astype(np.float32), thick.astype(np.float32), s, 0.9)
        span = 0.5 * min(self.length_mm, self.width_mm)
        out: Float32Array = flat * smoothstep((np.float32(span) * (1.0 - edge)).astype(np.float32), 2.0)
        return out

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One layer; bronchi and vessels run on through it."""
        return (Layer(np.float32(self.fraction) * self.part(place), self.tissue_hu, "consolidation"),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The band."""
        return {"band": self.part(place)}


@dataclass(frozen=True, slots=True)
class SubpleuralBand:
    """A curved sheet that keeps its distance from the pleura."""

    centre_mm: Point
    """A point near the middle of the sheet."""
    depth_mm: float
    """Its depth below the pleura, 3-12 mm."""
    length_mm: float
    """Across, in the axial plane."""
    height_mm: float
    """Along z."""
    thickness_mm: float
    seed: int
    fraction: float = 0.82
    tissue_hu: float = 42.0

    @property
    def reach_mm(self) -> float:
        """Half of the longer side."""
        return 0.5 * max(self.length_mm, self.height_mm) + 6.0

    def part(self, place: Place) -> Float32Array:
        """Part of each voxel in the band, 0-1."""
        s = place.slab
        across = np.hypot(s.x - np.float32(self.centre_mm[0]), s.y - np.float32(self.centre_mm[1]))
        up = s.z - np.float32(self.centre_mm[2])
        waves = smooth_noise(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, size_mm=24.0)
        grain = ragged(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + 3, size_mm=7.0)
        edge = np.hypot(across * np.float32(2.0 / self.length_mm), up * np.float32(2.0 / self.height_mm))
        edge = edge + np.float32(0.12) * waves + np.float32(0.05) * grain
        thick = np.float32(self.thickness_mm) * np.sqrt(np.clip(1.1 - 0.8 * edge * edge, 0.05, 1.0))
        # Outside the lung the depth is 0 everywhere: there is no sheet.
        off = place.depth_mm - np.float32(self.depth_mm) + np.float32(0.35 * self.thickness_mm) * waves
        off = off + np.float32(0.25) * grain
        flat = sheet(off, (thick * (1.0 + np.float32(0.14) * grain)).astype(np.float32), s, 0.9)
        span = 0.5 * min(self.length_mm, self.height_mm)
        ends = smoothstep((np.float32(span) * (1.0 - edge)).astype(np.float32), 4.0)
        out: Float32Array = flat * ends * (place.depth_mm > 0.0)
        return out

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """One layer."""
        return (Layer(np.float32(self.fraction) * self.part(place), self.tissue_hu, "consolidation"),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The band."""
        return {"band": self.part(place)}


def unit(way: Float64Array) -> Float64Array:
    """A vector of length 1."""
    out: Float64Array = way / max(float(np.linalg.norm(way)), 1e-9)
    return out


def beside(along: Float64Array, rng: np.random.Generator) -> Float64Array:
    """A random direction at right angles to another."""
    other = rng.standard_normal(3)
    return unit(other - (other @ along) * along)


def rounded_point(way: Float64Array) -> Point:
    """As plain floats."""
    x, y, z = (round(float(v), 5) for v in way)
    return x, y, z


def draw_band(terrain: Terrain, rng: np.random.Generator, *, where: Where, number: int) -> tuple[Band, ...]:
    """Parenchymal bands that radiate towards the pleura: 25-60 mm long, 8-30 mm wide, 2-6 mm thick.

    Source: radial bands along bronchi in organizing pneumonia (Murphy JM et al., 1999); bands up to 8 mm thick and
    longer than 20 mm; widths are an estimate.
    """
    out = []
    near = replace(where, depth_mm=(9.0, 24.0))
    for point, longest in spread(terrain, near, rng, number=number, size_mm=(25.0, 60.0), apart=0.35):
        # Its outer end touches the pleura.
        length = round(min(max(2.4 * depth_at(terrain, point), 25.0), longest), 2)
        along = unit(np.array(point) - np.array(hilum(terrain, point)) + rng.normal(0.0, 12.0, 3))
        out.append(
            Band(
                point,
                rounded_point(along),
                rounded_point(beside(along, rng)),
                length,
                round(float(rng.uniform(8.0, 30.0)), 2),
                round(float(rng.uniform(2.0, 6.0)), 2),
                draw_seed(rng),
                bend_mm=round(float(rng.normal(0.0, 3.0)), 2),
            )
        )
    return tuple(out)


def draw_subpleural_band(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, number: int
) -> tuple[SubpleuralBand, ...]:
    """Bands parallel to the pleura, 4-12 mm below it: 30-70 mm long, 20-50 mm high, 2-5 mm thick.

    Source: parallel bands of organizing and of late chronic eosinophilic pneumonia (Murphy JM et al., 1999);
    subpleural curvilinear line within 1 cm of the pleura (Fleischner glossary, Radiology 2008;246:697).
    """
    near = replace(where, depth_mm=(3.0, 15.0))
    return tuple(
        SubpleuralBand(
            point,
            round(min(max(depth_at(terrain, point), 4.0), 12.0), 2),
            length,
            round(float(rng.uniform(20.0, 50.0)), 2),
            round(float(rng.uniform(2.0, 5.0)), 2),
            draw_seed(rng),
        )
        for point, length in spread(terrain, near, rng, number=number, size_mm=(30.0, 70.0), apart=0.45)
    )


def draw_plate_atelectasis(
    terrain: Terrain, rng: np.random.Generator, *, where: Where, number: int
) -> tuple[Band, ...]:
    """Plates across the base, nearly horizontal: 35-80 mm long, 25-50 mm wide, 2-4 mm thick.

    Source: Fleischner glossary (Radiology 2008;246:697), "linear atelectasis"; sizes are an estimate.
    """
    out = []
    for point, length in spread(terrain, where, rng, number=number, size_mm=(35.0, 80.0), apart=0.3):
        normal = unit(np.array([0.0, 0.0, 1.0]) + rng.normal(0.0, 0.22, 3))
        out.append(
            Band(
                point,
                rounded_point(beside(normal, rng)),
                rounded_point(normal),
                length,
                round(float(rng.uniform(25.0, 50.0)), 2),
                round(float(rng.uniform(2.0, 4.0)), 2),
                draw_seed(rng),
                bend_mm=round(float(rng.normal(0.0, 3.0)), 2),
            )
        )
    return tuple(out)
