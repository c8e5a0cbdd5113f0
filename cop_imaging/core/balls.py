"""Dilation by a ball, 64 voxels of a row at once.

A ball is a stack of rows. The mask is packed into bits, widened along x by shifts, and the rows of the ball are laid
over each other by "or": some dozen passes over an array that fits into the cache, where a distance map takes as many
over one of floats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cop_imaging.core.arrays import BoolArray

__all__ = ["ball_rows", "dilated_by_rows"]

Rows = NDArray[np.int64]
Words = NDArray[np.uint64]

WORD = 64
ROUNDING = 1e-6
"""A voxel this much (as a share) beyond the radius lies on it."""


def ball_rows(spacing_mm: tuple[float, float, float], radius_mm: float) -> Rows:
    """Half lengths in voxels of the rows of a ball over (abs dz, abs dy): -1 where there is none."""
    if radius_mm < 0.0:
        return np.full((1, 1), -1, dtype=np.int64)
    limit_mm = radius_mm * (1.0 + ROUNDING)
    z, y, x = (np.arange(int(limit_mm / s) + 1) * s for s in spacing_mm)
    rows: Rows = (z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 <= limit_mm**2).sum(axis=2) - 1
    return rows


def dilated_by_rows(mask: BoolArray, rows: Rows) -> BoolArray:
    """Voxels of [z, y, x] that a ball of these rows reaches from the mask."""
    longest = int(rows.max())
    if longest < 0:
        return np.zeros_like(mask)
    nz, ny, nx = mask.shape
    # Bits that a shift moves out of their row end in unused ones of that row or of the one before.
    packed = np.packbits(mask, axis=-1, bitorder="little")
    octets = np.zeros((nz, ny, WORD // 8 * -(-(nx + longest) // WORD)), dtype=np.uint8)
    octets[..., : packed.shape[-1]] = packed
    widened = [octets.view("<u8")]
    for _ in range(longest):
        widened.append(_wider(widened[-1]))
    out = np.zeros_like(widened[0])
    for dz, row in enumerate(rows):
        disc = widened[row[0]].copy()
        for dy, half in enumerate(row[row >= 0][1:], start=1):
            disc[:, dy:] |= widened[half][:, :-dy]
            disc[:, :-dy] |= widened[half][:, dy:]
        out[dz:] |= disc[: max(nz - dz, 0)]
        out[: max(nz - dz, 0)] |= disc[dz:]
    bits = np.unpackbits(out.view(np.uint8), axis=-1, count=nx, bitorder="little")
    return bits.view(np.bool_)


def _wider(words: Words) -> Words:
    """Bits with their neighbours along x."""
    flat = words.ravel()
    out: Words = flat | flat << np.uint64(1) | flat >> np.uint64(1)
    out[1:] |= flat[:-1] >> np.uint64(WORD - 1)
    out[:-1] |= flat[1:] << np.uint64(WORD - 1)
    shaped: Words = out.reshape(words.shape)
    return shaped
