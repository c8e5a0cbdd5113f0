"""What a beating heart and a breath during the scan do to the slices: double edges, and levels that do not continue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.synth.shapes import Slab

__all__ = ["Motion", "MovingParts"]

BEAT_MM = 32.0
"""Way of the table in one heart beat."""
BREATH_MM = (10.0, 25.0)
"""Length of the stretch that is scanned while the patient breathes."""
BREATH_NEAR_MM = (-15.0, 40.0)
"""Where that stretch begins, from the height of the diaphragm."""
SECOND_LEVEL = 0.6
"""Share of the displacement at which the second half of a slice's rays passes."""


@dataclass(frozen=True, slots=True)
class MovingParts:
    """Where in the patient things move: centre (x, y, z) and radius of the heart, z of the right dome, in LPS mm."""

    heart_mm: tuple[float, float, float] = (16.0, -34.0, -74.0)
    heart_radius_mm: float = 72.0
    diaphragm_mm: float = -105.0


class Motion:
    """Slices of a chest that moves while it is scanned.

    Parameters
    ----------
    hu : float32 [z, y, x]
        The chest at rest. Never changed.
    cardiac_mm : float
        Largest distance between the two edges of the heart's border.
    breathing_mm : float
        Largest displacement along the patient, for some slices near the diaphragm.
    rng : numpy Generator
        Decides phase of the heart, place and length of the breath.
    """

    def __init__(
        self,
        hu: Float32Array,
        geometry: Geometry,
        rng: np.random.Generator,
        *,
        cardiac_mm: float,
        breathing_mm: float,
        parts: MovingParts,
    ) -> None:
        self.hu, self.spacing_mm = hu, geometry.spacing_mm
        self.cardiac_mm, self.parts = cardiac_mm, parts
        self.levels = np.arange(hu.shape[0], dtype=np.float64)[:, None].repeat(2, axis=1)
        if not (cardiac_mm > 0.0 or breathing_mm > 0.0):
            return
        self.grid = Slab.of(geometry)
        z = self.grid.z.ravel().astype(np.float64)
        self.phase = 2.0 * np.pi * (z / BEAT_MM + rng.random())
        begin, length = parts.diaphragm_mm + rng.uniform(*BREATH_NEAR_MM), rng.uniform(*BREATH_MM)
        # Up at once, down slowly: the first slice does not continue the one before.
        through = (z - begin) / length
        shift = np.where((through >= 0.0) & (through < 1.0), breathing_mm * np.cos(0.5 * np.pi * through), 0.0)
        self.levels[:, 0] += shift / self.spacing_mm[0]
        self.levels[:, 1] += SECOND_LEVEL * shift / self.spacing_mm[0]

    def slice(self, z: int) -> Float32Array:
        """What the scanner sees as slice ``z``, float32 [y, x]; may be a view of the chest at rest."""
        first, second = self.levels[z]
        plane = self.level(first)
        if second != first:
            plane = np.float32(0.5) * (plane + self.level(second))
        return self.beaten(plane, z) if self.cardiac_mm > 0.0 else plane

    def level(self, at: float) -> Float32Array:
        """The chest at rest at a fractional slice."""
        last = self.hu.shape[0] - 1
        at = min(max(at, 0.0), float(last))
        k = int(at)
        if at == k:
            return np.asarray(self.hu[k])
        part = np.float32(at - k)
        return np.asarray((1.0 - part) * self.hu[k] + part * self.hu[k + 1])

    def beaten(self, plane: Float32Array, z: int) -> Float32Array:
        """The slice with two edges where the heart's border moves; fades with distance from the heart."""
        (cx, cy, cz), radius = self.parts.heart_mm, self.parts.heart_radius_mm
        reach = 1.35 * radius
        height = float(self.grid.z[z, 0, 0]) - cz
        box = self.grid.box(np.array([cx - reach, cy - reach, -np.inf]), np.array([cx + reach, cy + reach, np.inf]))
        apart = self.cardiac_mm * float(np.sin(self.phase[z]))
        if box is None or abs(height) >= reach or apart == 0.0:
            return plane
        y, x = self.grid.y[0, box[1]] - np.float32(cy), self.grid.x[0, :, box[2]] - np.float32(cx)
        weight = np.clip(1.0 - (x**2 + y**2 + np.float32(height**2)) / np.float32(reach**2), 0.0, 1.0)
        weight = np.minimum(2.2 * weight, 1.0)
        part = plane[box[1:]]
        # Apex and left wall move most: to the left and forwards.
        step = np.array([-0.6, 0.8]) * (0.5 * apart) / np.array(self.spacing_mm[1:])
        twice = ndimage.shift(part, step, order=1, mode="nearest") + ndimage.shift(part, -step, order=1, mode="nearest")
        out = plane.copy()
        out[box[1:]] += weight * (np.float32(0.5) * twice - part)
        return out
