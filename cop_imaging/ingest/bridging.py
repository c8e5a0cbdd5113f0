"""A slice that is missing in a thin stack, made up from its neighbours when the user asks for it."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import BoolArray, Int16Array
from cop_imaging.core.volume import AIR_HU

__all__ = ["bridge"]


def bridge(hu: Int16Array, valid: BoolArray, at: int) -> None:
    """Fill slice ``at`` in place with the mean of the slices beside it, valid where both are.

    Parameters
    ----------
    hu : int16 [slice, row, column]
        Both neighbours of ``at`` are filled already.
    valid : bool [slice, row, column]
        Inside the scanned field.
    """
    before, after = hu[at - 1].astype(np.int32), hu[at + 1]
    np.logical_and(valid[at - 1], valid[at + 1], out=valid[at])
    hu[at] = np.where(valid[at], (before + after) >> 1, AIR_HU)
