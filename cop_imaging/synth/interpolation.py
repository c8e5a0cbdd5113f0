"""Values on a coarse lattice that lies fixed in the patient, seen on the voxels of any slab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.synth.shapes import Slab

__all__ = ["Lattice", "linear"]


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Nodes fixed in the patient that enclose a slab."""

    nodes: Slab
    below: tuple[NDArray[np.int64], ...]
    """Per axis z, y, x the node below each voxel,"""
    weight: tuple[Float32Array, ...]
    """and how far on to the next node it lies, 0-1."""

    @classmethod
    def around(cls, slab: Slab, step_mm: float) -> Lattice:
        """The nodes at multiples of a distance."""
        axes, below, weight = [], [], []
        for values in (slab.z.ravel(), slab.y.ravel(), slab.x.ravel()):
            place = values.astype(np.float64) / step_mm
            node = np.floor(place).astype(np.int64)
            low, high = int(node.min()), int(node.max()) + 1
            axes.append((step_mm * np.arange(low, high + 1)).astype(np.float32))
            below.append(node - low)
            weight.append((place - node).astype(np.float32))
        z, y, x = axes
        return cls(Slab(z[:, None, None], y[None, :, None], x[None, None, :], step_mm), tuple(below), tuple(weight))

    def needed(self, within: BoolArray) -> BoolArray:
        """The nodes around chosen voxels."""
        out = np.zeros(self.nodes.shape, dtype=bool)
        k, j, i = (below[at] for below, at in zip(self.below, np.nonzero(within), strict=True))
        out[k, j, i] = True
        for axis in range(3):
            before, after = ((slice(None),) * axis + (part,) for part in (slice(None, -1), slice(1, None)))
            out[after] |= out[before].copy()
        return out

    def carried(self, values: Float32Array) -> Float32Array:
        """Values of the nodes carried linearly to the voxels; they are the same for every slab that holds a voxel."""
        return linear(values, self.below, self.weight)


def linear(values: Float32Array, below: Sequence[NDArray[np.int64]], weight: Sequence[Float32Array]) -> Float32Array:
    """Values between nodes, from the node below along each axis and the share of the next."""
    for axis, (node, part) in enumerate(zip(below, weight, strict=True)):
        shape = [1, 1, 1]
        shape[axis] = -1
        after = values.take(node + 1, axis)
        values = values.take(node, axis)
        # One below and one after, without a third array.
        after -= values
        after *= part.reshape(shape)
        values += after
    return values
