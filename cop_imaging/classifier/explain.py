"""What each group of measures adds to the log-odds: Shapley values, exact over all subsets of the groups."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import factorial

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float64Array

__all__ = ["shapley"]


def shapley(value: Callable[[BoolArray], Float64Array], players: int) -> Float64Array:
    """(players,) mean gain of each player over all orders in which the players may join.

    Parameters
    ----------
    value : (s, players) bool -> (s,)
        Worth of each of s coalitions.

    The values sum to ``value(all) - value(none)`` (Shapley 1953).
    """
    members = np.array(list(product([False, True], repeat=players)), dtype=bool)
    worth = value(members)
    size = members.sum(axis=1)
    out = np.zeros(players)
    bit = 1 << np.arange(players - 1, -1, -1)
    for player in range(players):
        without = np.flatnonzero(~members[:, player])
        gain = worth[without + bit[player]] - worth[without]
        share = [factorial(s) * factorial(players - s - 1) / factorial(players) for s in size[without]]
        out[player] = (np.array(share) * gain).sum()
    return out
