"""The reversed halo (atoll): ground glass inside a ring of consolidation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.lesions.lesion import Layer, Place, Point, lobular, smoothstep

__all__ = ["ReversedHalo"]


@dataclass(frozen=True, slots=True)
class ReversedHalo:
    """A slightly irregular shell of consolidated lung around ground glass.

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
    """Angle of the axial circle over which the rim is there; its gap lies towards ``gap_deg``."""
    gap_deg: float = 0.0
    """Direction of the middle of the gap: 0 to the patient's left, 90 to the back."""
    core_fraction: float = 0.32
    rim_fraction: float = 0.95
    tissue_hu: float = 42.0

    @property
    def reach_mm(self) -> float:
        """Outer radius with its irregularity and soft edge."""
        return 0.65 * self.outer_mm + 4.0

    def distance_inside(self, place: Place) -> tuple[Float32Array, Float32Array]:
        """Distance inside the outer edge and the rim's own thickness, in mm, [z, y, x]."""
        s = place.slab
        dx, dy, dz = s.x - self.centre_mm[0], s.y - self.centre_mm[1], s.z - self.centre_mm[2]
        away = np.sqrt(dx * dx + dy * dy + (0.92 * dz) ** 2)
        rough, _ = lobular(
            s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed, lobule_mm=0.55 * self.outer_mm, rough_mm=1.0
        )
        # Irregular as a whole, and the rim uneven; both keep their means.
        inside = 0.5 * self.outer_mm - away + np.float32(0.045 * self.outer_mm) * np.clip(rough, -2.0, 2.0)
        uneven, _ = lobular(
            s, self.centre_mm, reach_mm=self.reach_mm, seed=self.seed + 1, lobule_mm=0.8 * self.outer_mm, rough_mm=0.16
        )
        rim = self.rim_mm * (1.0 + np.clip(uneven, -0.32, 0.32))
        return inside, rim

    def layers(self, place: Place) -> tuple[Layer, ...]:
        """Core of ground glass, then the rim over it."""
        inside, rim = self.distance_inside(place)
        core = np.float32(self.core_fraction) * smoothstep(inside - 0.5 * rim, 2.0)
        shell = smoothstep(inside, 1.8) * smoothstep(rim - inside, 1.8)
        if self.coverage_deg < 360.0:
            s = place.slab
            turn = np.degrees(np.arctan2(s.y - self.centre_mm[1], s.x - self.centre_mm[0])) - self.gap_deg
            off = np.abs((turn + 180.0) % 360.0 - 180.0) - 0.5 * (360.0 - self.coverage_deg)
            shell = shell * smoothstep(off.astype(np.float32), 12.0)
        return (
            Layer(core, self.tissue_hu, "ground_glass"),
            Layer(np.float32(self.rim_fraction) * shell, self.tissue_hu, "consolidation"),
        )

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        """The whole atoll."""
        return {"reversed_halo": smoothstep(self.distance_inside(place)[0], 1.8)}
