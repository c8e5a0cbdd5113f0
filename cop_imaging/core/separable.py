"""Blur and resampling axis by axis and slab by slab, for grids whose axes run the same way.

Along an axis either is a matrix with few entries beside its diagonal. Cut into blocks it is multiplied at full speed,
and of the finer grid's size there is nothing in memory but the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import AnyArray, BoolArray, Float32Array, Float64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.threads import on_threads

__all__ = ["blurred", "each_slab", "nearest", "outside_of"]

SLAB = 16
"""Levels that are made at once."""
BLOCK = 32
"""Rows or columns that one product makes."""
CUT_OFF = 3.0
"""SD up to which a Gaussian reaches."""
ROUNDING = 1e-6
"""What single precision may take off a whole number, as a share."""


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """The part ``target`` of an axis is ``weight`` (target, source) times its part ``source``."""

    target: slice
    source: slice
    weight: Float32Array


def outside_of(source: Geometry, target: Geometry) -> list[BoolArray]:
    """Along each axis which of the target's voxels have their centre beyond the source's faces."""
    return [(at < -0.5) | (at > n - 0.5) for at, n in zip(_positions(source, target), source.shape, strict=True)]


def nearest(array: AnyArray, source: Geometry, target: Geometry) -> AnyArray:
    """The nearest voxel's value on the grid ``target``, also beyond the source."""
    z, y, x = (
        np.clip(np.floor(np.round(at, 9) + 0.5), 0, n - 1).astype(np.int64)
        for at, n in zip(_positions(source, target), source.shape, strict=True)
    )
    rows = (z[:, None] * source.shape[1] + y).ravel()
    flat = array.reshape(-1, source.shape[2])
    wider = target.shape[2] > source.shape[2]
    out = flat.take(x, axis=1).take(rows, axis=0) if wider else flat.take(rows, axis=0).take(x, axis=1)
    return out.reshape(target.shape)


def each_slab(
    array: AnyArray,
    source: Geometry,
    target: Geometry,
    use: Callable[[slice, Float32Array], None],
    *,
    sigma: Sequence[float] = (0.0, 0.0, 0.0),
) -> None:
    """Interpolate linearly, and hand each slab of the target to ``use``, on several threads at once.

    Parameters
    ----------
    array : [z, y, x]
        Finite values on the grid ``source``; the nearest ones hold beyond it.
    use : function of levels and float32 (levels, y, x)
        It may change the values.
    sigma : sequence of float
        SD in voxels along each axis of a Gaussian blur that goes before.
    """
    at = _positions(source, target)
    levels, rows, columns = (
        _blocks(_behind_gaussian(_interpolation(at[k], source.shape[k]), sigma[k], source.shape[k]), size)
        for k, size in enumerate((SLAB, BLOCK, BLOCK))
    )

    def make(level: _Block) -> None:
        values = array[level.source].astype(np.float32)
        if level.weight.shape[0] < level.weight.shape[1]:  # the fewest values first
            use(level.target, _along_x(columns, _along_y(rows, _along_z(level.weight, values))))
        else:
            use(level.target, _along_z(level.weight, _along_y(rows, _along_x(columns, values))))

    on_threads(make, levels)


def blurred(array: AnyArray, sigma: Sequence[float], *, cut_off: float = CUT_OFF) -> AnyArray:
    """Gaussian blur of SD ``sigma`` voxels along each axis up to ``cut_off`` SD; the nearest value holds outside.

    Whole numbers stay whole: they are cut after each axis.
    """
    whole = array.dtype.kind in "iu"
    total = 1.0 + ROUNDING if whole else 1.0  # none may fall short of itself
    levels, rows, columns = (
        _blocks(_gaussian(s, n, total, cut_off), size)
        for s, n, size in zip(sigma, array.shape, (SLAB, BLOCK, BLOCK), strict=True)
    )
    out = np.empty(array.shape, dtype=array.dtype)

    def make(level: _Block) -> None:
        values = array[level.source].astype(np.float32)
        steps = (_along_z, level.weight), (_along_y, rows), (_along_x, columns)
        for (along, matrix), width in zip(steps, sigma, strict=True):
            if width > 0.0:
                values = along(matrix, values)  # type: ignore[operator]
                if whole:
                    np.trunc(values, out=values)
        out[level.target] = values

    on_threads(make, levels)
    return out


def _positions(source: Geometry, target: Geometry) -> list[Float64Array]:
    """Where the target's voxels lie along each axis, in voxels of the source."""
    first = source.to_index(target.to_patient((0.0, 0.0, 0.0)))
    return [
        f + np.arange(n) * (t / s)
        for f, n, s, t in zip(first, target.shape, source.spacing_mm, target.spacing_mm, strict=True)
    ]


def _interpolation(at: Float64Array, n: int) -> tuple[AnyArray, AnyArray]:
    """Voxels (positions, 2) and their shares for linear interpolation along an axis of ``n``."""
    inside = np.clip(at, 0, n - 1)
    below = np.floor(inside).astype(np.int64)
    # Rounded first: the two shares then add up to exactly 1.
    share = (inside - below).astype(np.float32)
    return np.stack([below, np.minimum(below + 1, n - 1)], axis=1), np.stack([1 - share, share], axis=1)


def _gaussian(sigma: float, n: int, total: float, cut_off: float) -> tuple[AnyArray, AnyArray]:
    """Voxels (n, taps) and their shares, which add up to ``total``, for a blur along an axis of ``n``."""
    step, kernel = _kernel(sigma, cut_off)
    return np.clip(np.arange(n)[:, None] + step, 0, n - 1), np.broadcast_to(kernel * total, (n, kernel.size))


def _behind_gaussian(taps: tuple[AnyArray, AnyArray], sigma: float, n: int) -> tuple[AnyArray, AnyArray]:
    """Voxels and their shares where those of ``taps``, on an axis of ``n``, are taken after a blur."""
    voxels, shares = taps
    step, kernel = _kernel(sigma, CUT_OFF)
    wider = np.clip(voxels[..., None] + step, 0, n - 1)
    return wider.reshape(len(voxels), -1), (shares[..., None] * kernel).reshape(len(voxels), -1)


def _kernel(sigma: float, cut_off: float) -> tuple[AnyArray, Float64Array]:
    """Steps of a Gaussian and its shares, which add up to 1."""
    reach = int(cut_off * sigma + 0.5)
    step = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (step / sigma) ** 2) if reach else np.ones(1)
    return step, kernel / kernel.sum()


def _blocks(taps: tuple[AnyArray, AnyArray], size: int) -> list[_Block]:
    """Blocks of ``size`` rows of the matrix with these voxels and shares in each row."""
    voxels, shares = taps
    blocks = []
    for start in range(0, len(voxels), size):
        mine = voxels[start : start + size]
        low, high = int(mine.min()), int(mine.max()) + 1
        weight = np.zeros((len(mine), high - low))
        np.add.at(weight, (np.arange(len(mine))[:, None], mine - low), shares[start : start + size])
        blocks.append(_Block(slice(start, start + len(mine)), slice(low, high), weight.astype(np.float32)))
    return blocks


def _along_z(weight: Float32Array, values: Float32Array) -> Float32Array:
    out: Float32Array = (weight @ values.reshape(len(values), -1)).reshape(-1, *values.shape[1:])
    return out


def _along_y(blocks: list[_Block], values: Float32Array) -> Float32Array:
    out = np.empty((values.shape[0], blocks[-1].target.stop, values.shape[2]), dtype=np.float32)
    for b in blocks:
        np.matmul(b.weight, values[:, b.source], out=out[:, b.target])
    return out


def _along_x(blocks: list[_Block], values: Float32Array) -> Float32Array:
    flat = values.reshape(-1, values.shape[2])
    out = np.empty((len(flat), blocks[-1].target.stop), dtype=np.float32)
    for b in blocks:
        np.matmul(flat[:, b.source], b.weight.T, out=out[:, b.target])
    return out.reshape(*values.shape[:2], -1)
