"""The reversed halo (atoll): ground glass inside a ring or crescent of consolidation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.drawing import draw_seed, spread
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, lobular, smoothstep
from cop_imaging.synth.lesions.margins import ragged
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["ReversedHalo", "draw_reversed_halo"]

TAPER_DEG = 40.0
"""Angle over which the rim of a broken ring thins out towards its gap."""


@dataclass(frozen=True, slots=True)
class ReversedHalo:
    """A lobulated, uneven shell of consolidated lung around ground glass.

    The truth of the sign is the whole shape, rim and core, out to the middle of the rim's outer edge. The rim counts
    as consolidation and the core as ground glass as well, where their densities reach the limits.
    """

    centre_mm: Point
    outer_mm: float
    """Mean outer diameter, 20-45 mm."""
    rim_mm: float
    """Mean thickness of the rim, 3-8 mm."""
    seed: int
    coverage_deg: float = 360.0
    """Angle of the axial circle over which the rim is there; its gap is a cone towards ``gap_deg``."""
    gap_deg: float = 0.0
    """Direction of the middle of the gap: 0 to the patient's left, 90 to the back."""
    core_fraction: float = 0.32
    rim_fraction: float = 0.95
    tissue_hu: float = 42.0
    roughness: float = 1.0
    """1 as in patients, 0 an exact ball with an exact rim."""

    @property
    def reach_mm(self) -> float:
        """Outer radius with its irregularity and soft edge."""
        return 0.5 * self.outer_mm * (1.0 + 0.44 * self.roughness) + 4.0

    def distance_inside(self, place: Place) -> tuple[Float32Array, Float32Array]:
        """Distance inside the outer edge and the rim's own thickness, in mm, [z, y, x]."""
        s, k = place.slab, self.roughness
        stretch = np.exp(k * np.random.default_rng([self.seed, 9]).uniform(-0.15, 0.15, 3))
        stretch = (stretch / np.cbrt(stretch.prod())).astype(np.float32)
        offset = [c - np.float32(o) for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True)]
        away = np.sqrt(sum((n * d) ** 2 for n, d in zip(stretch, offset, strict=True)))
        inside: Float32Array = np.float32(0.5 * self.outer_mm) - away
        rim = np.full(s.shape, self.rim_mm, dtype=np.float32)
        if k > 0.0:
            # Lobules of the usual size stand out or back; acini make both edges ragged, each in its own way.
            rough, lobule = lobular(
                s,
                self.centre_mm,
                reach_mm=self.reach_mm,
                seed=self.seed,
                lobule_mm=min(0.45 * self.outer_mm, 13.0),
                rough_mm=1.0,
                within=inside > -0.11 * self.outer_mm - 2.5,
            )
            outer, inner = (
                ragged(s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + n, size_mm=5.0) for n in (2, 4)
            )
            bulge = np.float32(0.032 * self.outer_mm) * np.clip(rough, -2.0, 2.0)
            bulge += np.float32(0.02 * self.outer_mm) * np.clip(lobule, -2.0, 2.0)
            inside = inside + (np.float32(k) * (bulge + np.float32(0.55) * outer)).astype(np.float32)
            uneven = np.float32(0.17) * np.clip(rough, -2.0, 2.0) + np.float32(0.16) * np.clip(lobule, -2.0, 2.0)
            rim = rim * (np.float32(1.0) + np.float32(k) * np.clip(uneven, -0.5, 0.6)).astype(np.float32)
            rim = rim + np.float32(0.5 * k) * inner
        return inside, np.maximum(rim, np.float32(0.3 * self.rim_mm))

    def gap(self, place: Place) -> Float32Array:
        """How much of the rim is left, 0-1: it thins out towards its gap."""
        s, turn = place.slab, np.radians(self.gap_deg)
        dx, dy, dz = (c - np.float32(o) for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True))
        along = dx * np.float32(np.cos(turn)) + dy * np.float32(np.sin(turn))
        away = np.maximum(np.sqrt(dx * dx + dy * dy + dz * dz), 1e-3)
        angle = np.degrees(np.arccos(np.clip(along / away, -1.0, 1.0)))
        off = angle - np.float32(0.5 * (360.0 - self.coverage_deg))
        out: Float32Array = np.clip(off / np.float32(TAPER_DEG) + np.float32(0.5), 0.0, 1.0).astype(np.float32)
        return out

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """Core of ground glass, then the rim over it."""
        return self.layers_of(place, *self.distance_inside(place))

    def layers_of(self, place: Place, inside: Float32Array, rim: Float32Array) -> tuple[Layer, ...]:
        """The layers where the distances are known."""
        core = np.float32(self.core_fraction) * smoothstep(inside - 0.5 * rim, 2.0)
        if self.roughness > 0.0:
            grain = ragged(place.slab, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + 6)
            core = core * (1.0 + np.float32(0.12 * self.roughness) * grain)
        if self.coverage_deg < 360.0:
            left = self.gap(place)
            # The rim becomes thinner from within, and at last less dense.
            rim = rim * left
            core = np.maximum(core, np.float32(self.core_fraction) * smoothstep(inside - 0.5 * rim, 2.0))
            shell = smoothstep(inside, 1.8) * smoothstep(rim - inside, 1.8) * np.clip(3.0 * left, 0.0, 1.0)
        else:
            shell = smoothstep(inside, 1.8) * smoothstep(rim - inside, 1.8)
        return (
            Layer(core, self.tissue_hu, "ground_glass"),
            Layer(np.float32(self.rim_fraction) * shell, self.tissue_hu, "consolidation"),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The whole atoll."""
        return {"reversed_halo": smoothstep(self.distance_inside(place)[0], 1.8)}


def draw_reversed_halo(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    where: Where,
    number: int = 1,
    outer_mm: tuple[float, float] = (18.0, 46.0),
    clear_of: Sequence[tuple[Point, float]] = (),
) -> tuple[ReversedHalo, ...]:
    """Atolls of 18-46 mm with rims of 5.0 SD 2.2 mm within 2.5-9; one in three is a crescent of 270-340 degrees.

    They keep clear of ``clear_of``, pairs of a point and a radius in mm.

    Source: rim in 25 patients with organizing pneumonia (Marchiori E et al., Chest 2012;142:1469); complete or
    crescent rims (Kim SJ et al., AJR 2003;180:1251); diameters are an estimate.
    """
    out = []
    for point, outer in spread(terrain, where, rng, number=number, size_mm=outer_mm, apart=0.65, clear_of=clear_of):
        rim = float(np.clip(rng.normal(5.0, 2.2), 2.5, min(9.0, 0.2 * outer)))
        crescent = rng.random() < 1.0 / 3.0
        out.append(
            ReversedHalo(
                point,
                outer,
                round(rim, 2),
                draw_seed(rng),
                coverage_deg=round(float(rng.uniform(270.0, 340.0)), 1) if crescent else 360.0,
                gap_deg=round(float(rng.uniform(0.0, 360.0)), 1),
                core_fraction=round(float(rng.uniform(0.24, 0.36)), 3),
            )
        )
    return tuple(out)
