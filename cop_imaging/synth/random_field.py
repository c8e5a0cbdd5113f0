"""Smooth random fields that lie fixed in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import Float32Array
from cop_imaging.synth.interpolation import linear
from cop_imaging.synth.shapes import Slab

__all__ = ["Field"]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A smooth random field of mean 0 and SD 1 that lies fixed in the patient, whatever the grid it is seen on."""

    values: Float32Array
    origin_mm: tuple[float, float, float]
    step_mm: float

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        low: tuple[float, float, float],
        high: tuple[float, float, float],
        correlation_mm: float,
    ) -> Field:
        """Gaussian field between two corners (x, y, z) with a Gaussian correlation of SD ``correlation_mm``."""
        step = 0.75 * correlation_mm
        shape = [int(np.ceil((b - a) / step)) + 2 for a, b in zip(low[::-1], high[::-1], strict=True)]
        values = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), 0.95, mode="wrap")
        values -= values.mean()
        return cls(values / values.std(), low, step)

    def on(self, slab: Slab) -> Float32Array:
        """The field on the slab's voxels, linear between its nodes."""
        below, weight = [], []
        for axis, (coordinate, origin) in enumerate(zip((slab.z, slab.y, slab.x), self.origin_mm[::-1], strict=True)):
            place = np.clip((coordinate.ravel() - origin) / self.step_mm, 0.0, self.values.shape[axis] - 1.001)
            below.append(place.astype(np.int64))
            weight.append((place - below[-1]).astype(np.float32))
        return linear(self.values, below, weight)
