"""The noise of a scan by distance from the isocentre and height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import Float32Array, Float64Array
from cop_imaging.synth.insertion.tissue_blocks import TissueBlocks
from cop_imaging.synth.shapes import Slab

__all__ = ["NoiseTable"]

NODE_MM, FARTHEST_MM = 10.0, 260.0
REACH_MM = 15.0
"""Over which distance blocks are averaged."""
PRIOR = 0.5
"""Blocks' worth of the whole scan's noise that is mixed into that of every place."""
EVENEST = 0.2
"""Share of blocks that hold noise alone."""
BY_CHANCE = 1.15
"""How much more noise alone varies on the average than in the evenest blocks, which are so by chance."""
LEAST_HU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class NoiseTable:
    """SD of the noise at nodes 10 mm apart.

    Parameters
    ----------
    centre_mm : (x, y)
        Isocentre.
    z_mm : float64 (nz,)
    sd_hu : float64 (nz, nr)
    """

    centre_mm: tuple[float, float]
    z_mm: Float64Array
    sd_hu: Float64Array

    @classmethod
    def of(cls, slab: Slab, blocks: TissueBlocks) -> NoiseTable:
        """Geometric mean of what the blocks near by show."""
        z = np.arange(float(slab.z.min()), float(slab.z.max()) + NODE_MM, NODE_MM)
        radius = np.arange(0.0, FARTHEST_MM, NODE_MM)
        dr = (radius[None, :, None] - blocks.radius_mm) / REACH_MM
        dz = (z[:, None, None] - blocks.z_mm) / REACH_MM
        weight = np.exp(-0.5 * dr**2) * np.exp(-0.5 * dz**2)
        level = np.log(np.maximum(noise_hu(blocks.values), LEAST_HU))
        mean = (weight @ level + PRIOR * float(np.median(level))) / (weight.sum(axis=-1) + PRIOR)
        return cls(blocks.centre_mm, z, np.exp(mean))

    def on(self, slab: Slab) -> Float32Array:
        """SD in HU at the voxels of a slab, [z, y, x]."""
        r = np.hypot(slab.x - np.float32(self.centre_mm[0]), slab.y - np.float32(self.centre_mm[1]))[0]
        column = np.clip(r / NODE_MM, 0.0, self.sd_hu.shape[1] - 1.001)
        row = np.clip((slab.z.ravel() - self.z_mm[0]) / NODE_MM, 0.0, max(len(self.z_mm) - 1.001, 0.0))
        k, i = row.astype(int), column.astype(int)
        v, u = (row - k)[:, None], (column - i).astype(np.float32)
        table = self.sd_hu[k] * (1.0 - v) + self.sd_hu[np.minimum(k + 1, len(self.z_mm) - 1)] * v
        table = table.astype(np.float32)
        out: Float32Array = table[:, i] * (1.0 - u) + table[:, i + 1] * u
        return out


def noise_hu(blocks: Float32Array) -> Float64Array:
    """SD of the noise in blocks [n, z, y, x], by their finest part.

    Noise and structure are told apart without knowing either: noise alone varies in a fixed proportion to its own
    finest part, and the evenest blocks are noise alone.
    """
    plane = blocks[:, 0].astype(np.float64)
    variance = plane.var(axis=(1, 2))
    fine = (plane - ndimage.uniform_filter(plane, (0, 3, 3)))[:, 1:-1, 1:-1]
    finest = np.maximum((fine**2).mean(axis=(1, 2)), 1e-6)
    ratio = variance / finest
    usual = BY_CHANCE * np.median(ratio[ratio <= np.quantile(ratio, 2.0 * EVENEST)])
    out: Float64Array = np.sqrt(np.minimum(usual * finest, variance))
    return out
