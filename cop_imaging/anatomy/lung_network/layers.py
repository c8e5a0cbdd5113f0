"""The network's layers on float32 arrays [channel, z, y, x]."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import Float32Array
from cop_imaging.core.threads import on_threads

__all__ = ["conv", "fold", "mix", "rectified", "unfold"]

COLUMNS = 4096
"""Voxels whose neighbourhoods are multiplied at once: they stay in the cache."""


def rectified(x: Float32Array) -> Float32Array:
    """Negative values become 0, in place."""
    np.maximum(x, 0.0, out=x)
    return x


def mix(x: Float32Array, weight: Float32Array, bias: Float32Array) -> Float32Array:
    """Every voxel's channels by a matrix (out, in) and an offset (out,)."""
    flat = x.reshape(x.shape[0], -1)
    out: Float32Array = (weight @ flat + bias[:, None]).reshape(len(weight), *x.shape[1:])
    return out


def conv(x: Float32Array, weight: Float32Array, bias: Float32Array) -> Float32Array:
    """Convolution over 3 x 3 x 3 voxels, zeros outside; ``weight`` (out, in, 3, 3, 3), ``bias`` (out,).

    On the padded, flattened grid a neighbour is a shift by a constant, so that a block of columns is gathered by 27
    copies and multiplied in one product.
    """
    depth, height, width = x.shape[1:]
    row, plane = width + 2, (height + 2) * (width + 2)
    padded = np.zeros((x.shape[0], (depth + 2) * plane + 2 * row + 2), dtype=np.float32)
    inner = padded[:, : (depth + 2) * plane].reshape(x.shape[0], depth + 2, height + 2, width + 2)
    inner[:, 1:-1, 1:-1, 1:-1] = x
    shifts = [dz * plane + dy * row + dx for dz in range(3) for dy in range(3) for dx in range(3)]
    matrix = np.ascontiguousarray(weight.transpose(0, 2, 3, 4, 1).reshape(len(weight), -1))
    whole = np.empty((len(weight), depth * plane), dtype=np.float32)

    def multiply(start: int) -> None:
        stop = min(start + COLUMNS, depth * plane)
        gathered = np.concatenate([padded[:, start + shift : stop + shift] for shift in shifts])
        np.matmul(matrix, gathered, out=whole[:, start:stop])

    on_threads(multiply, range(0, depth * plane, COLUMNS))
    inner = whole.reshape(len(weight), depth, height + 2, width + 2)[:, :, :height, :width]
    out: Float32Array = inner + bias[:, None, None, None]
    return out


def fold(x: Float32Array) -> Float32Array:
    """Blocks of 2 x 2 x 2 voxels become channels: (c, z, y, x) to (8 c, z/2, y/2, x/2)."""
    c, z, y, w = x.shape
    blocks = x.reshape(c, z // 2, 2, y // 2, 2, w // 2, 2).transpose(0, 2, 4, 6, 1, 3, 5)
    return np.ascontiguousarray(blocks.reshape(8 * c, z // 2, y // 2, w // 2))


def unfold(x: Float32Array) -> Float32Array:
    """The inverse of ``fold``."""
    c, z, y, w = x.shape
    blocks = x.reshape(c // 8, 2, 2, 2, z, y, w).transpose(0, 4, 1, 5, 2, 6, 3)
    return np.ascontiguousarray(blocks.reshape(c // 8, 2 * z, 2 * y, 2 * w))
