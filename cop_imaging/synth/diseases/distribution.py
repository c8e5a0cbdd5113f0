"""Where the disease of a case lies: what a reader reports of its distribution, as preferences among places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cop_imaging.synth.lesions.lesion import Lesion
from cop_imaging.synth.terrain import Where

__all__ = ["Distribution", "distribution_of"]

Draw = Callable[[Where, float], Sequence[Lesion]]
Side = Literal["right", "left"]

LOWER, UPPER = (0.25, 0.65, 1.0), (1.0, 0.6, 0.25)
"""Weights of upper, middle and lower third: about three times as much disease below as above, or the reverse."""
RIND_MM, SPARED_MM, BUNDLES_FROM_MM = 16.0, 14.0, 15.0
"""Peripheral disease begins within the first depth; spared lung ends and disease along bundles begins at the others."""
HAZE_ADHERES = 0.6
"""Share of cases whose ground glass follows the reported depth; it is as often random as subpleural (Lee KS 1994)."""
DORSAL = {"AIP_DAD": 3.0, "NSIP": 2.0, "UIP": 1.6, "SRD": 2.0}
"""Weight of the back half; 1.5 elsewhere, by gravity."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Preferences of a case, the same for all that its disease makes."""

    where: Where
    """Height, depth, bundles and back half."""
    haze: Where
    """The same for ground glass."""
    shares: tuple[tuple[Side, float], ...]
    """How much of each extent lies on a side; sides without disease are missing."""

    def spread(self, draw: Draw, amount: float, *, haze: bool = False) -> tuple[Lesion, ...]:
        """``draw(where, amount)`` on every diseased side with its share of the amount."""
        where = self.haze if haze else self.where
        return tuple(
            lesion for side, share in self.shares for lesion in draw(replace(where, side=side), amount * share)
        )

    def scattered(self, draw: Draw, number: float) -> tuple[Lesion, ...]:
        """``draw(where, number)`` split at random halves, at least one on every diseased side."""
        return tuple(
            lesion
            for side, share in self.shares
            for lesion in draw(replace(self.where, side=side), max(1.0, round(number * share)))
        )

    @property
    def one_side(self) -> Where:
        """The side with most disease, for what is single."""
        side = max(self.shares, key=lambda pair: pair[1])[0]
        return replace(self.where, side=side)


def distribution_of(disease: str, findings: Sequence[str], rng: np.random.Generator) -> Distribution:
    """Read the distribution findings of a case; what they leave open is drawn."""
    has = set(findings)
    height = (1.0, 1.0, 1.0)
    if "lower_zone_predominant" in has:
        height = LOWER
    elif "upper_zone_predominant" in has:
        height = UPPER
    depth, bundles = (0.0, 1000.0), 1.0
    if "peripheral" in has:
        depth = (0.0, RIND_MM)
    elif "peribronchovascular" in has:
        depth, bundles = (BUNDLES_FROM_MM, 1000.0), 6.0
    elif "subpleural_sparing" in has:
        depth = (SPARED_MM, 1000.0)
    where = Where(height=height, depth_mm=depth, dorsal=DORSAL.get(disease, 1.5), near_bundles=bundles)
    free = rng.random() >= HAZE_ADHERES and "subpleural_sparing" not in has
    return Distribution(where, replace(where, depth_mm=(0.0, 1000.0)) if free else where, shares_of(has, rng))


def shares_of(has: set[str], rng: np.random.Generator) -> tuple[tuple[Side, float], ...]:
    """Even on both sides, all on one, or mostly on one."""
    if "bilateral" in has:
        smaller = float(rng.beta(6.0, 6.0) * 0.4 + 0.2)
    elif "unilateral_single_focus" in has:
        smaller = 0.0
    else:
        smaller = float(rng.beta(1.0, 8.0))
    right = 1.0 - smaller if rng.random() < 0.55 else smaller
    sides: tuple[tuple[Side, float], ...] = (("right", round(right, 3)), ("left", round(1.0 - right, 3)))
    # Less than a twentieth is no second side.
    kept = tuple(pair for pair in sides if pair[1] >= 0.05)
    return kept if len(kept) == 2 else ((kept[0][0], 1.0),)
