"""From HU to the classes' logits: a residual encoder and decoder on folded voxels, a light head on the full ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cop_imaging.anatomy.lung_network.layers import conv, fold, mix, rectified, unfold
from cop_imaging.core.arrays import Float32Array, Int16Array

__all__ = [
    "BLOCKS",
    "CHANNELS",
    "CLASSES",
    "MULTIPLE",
    "SOFT_CENTRE_HU",
    "SOFT_HU",
    "SOFT_LIMIT",
    "WIDE_CENTRE_HU",
    "WIDE_HU",
    "channels",
    "forward",
]

CHANNELS = 2
CLASSES = ("outside", "right lung", "left lung", "pleural fluid", "trachea and main bronchi")
"""What the logits stand for, in their order."""
BLOCKS = (1, 2, 2, 2)
"""Residual blocks of the encoder by level, whose voxels are 2, 4, 8, 16 times the grid's; the decoder has one each."""
MULTIPLE = 16
"""Every side of the input is a multiple of this."""
WIDE_CENTRE_HU, WIDE_HU = -300.0, 700.0
SOFT_CENTRE_HU, SOFT_HU, SOFT_LIMIT = 30.0, 100.0, 2.0


def channels(hu: Int16Array) -> Float32Array:
    """What the network sees, (2, z, y, x): air to bone in one channel, soft tissue spread out in the other."""
    values = hu.astype(np.float32)
    wide = np.clip((values - WIDE_CENTRE_HU) / WIDE_HU, -1.1, 2.0)
    soft = np.clip((values - SOFT_CENTRE_HU) / SOFT_HU, -SOFT_LIMIT, SOFT_LIMIT)
    out: Float32Array = np.stack([wide, soft])
    return out


def forward(weights: Mapping[str, Float32Array], x: Float32Array) -> Float32Array:
    """Logits (5, z, y, x) of ``channels``; normalisation is folded into the weights."""

    def through(name: str, value: Float32Array) -> Float32Array:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return conv(value, weight, bias) if weight.ndim == 5 else mix(value, weight, bias)

    def residual(name: str, value: Float32Array) -> Float32Array:
        inner = through(f"{name}.second", rectified(through(f"{name}.first", value)))
        inner += value
        return rectified(inner)

    levels = []
    value = x
    for level, blocks in enumerate(BLOCKS):
        value = rectified(through(f"down.{level}", fold(value)))
        for block in range(blocks):
            value = residual(f"encoder.{level}.{block}", value)
        levels.append(value)
    for level in range(len(BLOCKS) - 2, -1, -1):
        value = unfold(through(f"up.{level}", value))
        value += levels[level]
        value = residual(f"decoder.{level}", rectified(value))
    fine = unfold(through("up.fine", value))
    fine += through("fine", x)
    return through("classes", rectified(through("head", rectified(fine))))
