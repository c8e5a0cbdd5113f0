"""A quantity of a scan's soft tissue by distance from the isocentre and height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import Float32Array, Float64Array
from cop_imaging.synth.insertion.soft_tiles import SoftTiles
from cop_imaging.synth.shapes import Slab

__all__ = ["NODE_MM", "RadialTable"]

NODE_MM, FARTHEST_MM = 10.0, 260.0
REACH_RADIUS_MM, REACH_Z_MM = 15.0, 15.0
"""Over which distances tiles are averaged."""


@dataclass(frozen=True, slots=True, eq=False)
class RadialTable:
    """Values at nodes 10 mm apart.

    Parameters
    ----------
    centre_mm : (x, y)
        Isocentre.
    z_mm : float64 (nz,)
    values : float64 (nz, nr)
    """

    centre_mm: tuple[float, float]
    z_mm: Float64Array
    values: Float64Array

    @classmethod
    def even(cls, slab: Slab, centre_mm: tuple[float, float], value: float) -> RadialTable:
        """The same value everywhere."""
        z = np.arange(float(slab.z.min()), float(slab.z.max()) + NODE_MM, NODE_MM)
        return cls(centre_mm, z, np.full((len(z), int(FARTHEST_MM / NODE_MM)), value))

    @classmethod
    def of(
        cls,
        slab: Slab,
        centre_mm: tuple[float, float],
        tiles: SoftTiles,
        values: Float64Array,
        *,
        prior: float,
        usual: float,
    ) -> RadialTable:
        """Mean of tiles' values (n,) near by, with so many tiles' worth of a usual value."""
        z = np.arange(float(slab.z.min()), float(slab.z.max()) + NODE_MM, NODE_MM)
        radius = np.arange(0.0, FARTHEST_MM, NODE_MM)
        dr = (radius[None, :, None] - tiles.radius_mm) / REACH_RADIUS_MM
        dz = (z[:, None, None] - tiles.z_mm) / REACH_Z_MM
        weight = np.exp(-0.5 * dr**2) * np.exp(-0.5 * dz**2)
        return cls(centre_mm, z, (weight @ values + prior * usual) / (weight.sum(axis=-1) + prior))

    def on(self, slab: Slab) -> Float32Array:
        """The table at the voxels of a slab, [z, y, x]."""
        r = np.hypot(slab.x - np.float32(self.centre_mm[0]), slab.y - np.float32(self.centre_mm[1]))[0]
        column = np.clip(r / NODE_MM, 0.0, self.values.shape[1] - 1.001)
        row = np.clip((slab.z.ravel() - self.z_mm[0]) / NODE_MM, 0.0, max(len(self.z_mm) - 1.001, 0.0))
        k, i = row.astype(int), column.astype(int)
        v, u = (row - k)[:, None], (column - i).astype(np.float32)
        table = self.values[k] * (1.0 - v) + self.values[np.minimum(k + 1, len(self.z_mm) - 1)] * v
        table = table.astype(np.float32)
        out: Float32Array = table[:, i] * (1.0 - u) + table[:, i + 1] * u
        return out
