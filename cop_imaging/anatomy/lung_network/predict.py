"""The network's answer for a CT volume, on cubes of 3.5 mm around the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.anatomy.body import find_body
from cop_imaging.anatomy.lung_network.forward import MULTIPLE, channels, forward
from cop_imaging.anatomy.lung_network.weights import LungNetwork
from cop_imaging.core.arrays import Float32Array, Int16Array, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import bounding_box, resample
from cop_imaging.core.volume import AIR_HU

__all__ = ["GRID_MM", "LungLogits", "lung_logits"]

GRID_MM = 3.5
BODY_HU = -300.0
MARGIN_MM = 10.5


@dataclass(frozen=True, slots=True, eq=False)
class LungLogits:
    """What the network says of the box around the body.

    Parameters
    ----------
    logits : float32 [class, z, y, x]
        In the order of ``CLASSES``.
    geometry : Geometry
        Their grid.
    """

    logits: Float32Array
    geometry: Geometry

    @property
    def labels(self) -> UInt8Array:
        """[z, y, x] The likeliest class: 0 outside, 1 right, 2 left lung, 3 pleural fluid, 4 trachea, main bronchi."""
        out: UInt8Array = self.logits.argmax(axis=0).astype(np.uint8)
        return out


def lung_logits(hu: Int16Array, geometry: Geometry, network: LungNetwork) -> LungLogits:
    """Run the network on HU [z, y, x] of any spacing; the axes are canonical (head, back, left)."""
    work = geometry.resampled((GRID_MM,) * 3)
    coarse: Int16Array = resample(hu, geometry, work, antialias=True)
    body = find_body(coarse, work, BODY_HU)
    if body.any():
        box = bounding_box(body, work, MARGIN_MM)
        coarse, work = coarse[box], work.crop(box)
    # Air all around: beyond the scan there is nothing to see, and the sides become multiples of the coarsest voxel.
    before = [(-n % MULTIPLE) // 2 for n in coarse.shape]
    after = [-n % MULTIPLE - b for n, b in zip(coarse.shape, before, strict=True)]
    padded = np.pad(coarse, list(zip(before, after, strict=True)), constant_values=AIR_HU)
    logits = forward(network.weights, channels(padded))
    inner = tuple(slice(b, b + n) for b, n in zip(before, coarse.shape, strict=True))
    return LungLogits(np.ascontiguousarray(logits[(slice(None), *inner)]), work)
