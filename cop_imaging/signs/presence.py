"""Presence is graded: a score from 0 to 1 with two limits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.finding import Finding, Lesion, Presence, Sign, measures_from
from cop_imaging.signs.intervals import Span

__all__ = ["POSSIBLE_SCORE", "PRESENT_SCORE", "graded", "presence_of", "seen"]

POSSIBLE_SCORE = 1 / 3
PRESENT_SCORE = 2 / 3


def graded(value: float, possible: float, present: float) -> float:
    """Score of a value that rises without bound: 0 at 0, 1/3 at ``possible``, 2/3 at ``present``, 1 far beyond."""
    if value <= possible:
        return POSSIBLE_SCORE * value / possible if possible > 0 else 0.0
    if value <= present:
        return POSSIBLE_SCORE + (PRESENT_SCORE - POSSIBLE_SCORE) * (value - possible) / (present - possible)
    return 1.0 - (1.0 - PRESENT_SCORE) * present / value


def presence_of(score: float) -> Presence:
    """Absent below 1/3, possible below 2/3, present from there."""
    if score >= PRESENT_SCORE:
        return Presence.PRESENT
    return Presence.POSSIBLE if score >= POSSIBLE_SCORE else Presence.ABSENT


def seen(
    sign: Sign,
    score: float,
    values: Mapping[str, Span],
    mask: BoolArray,
    lesions: tuple[Lesion, ...] = (),
    best_z: int | None = None,
) -> Finding:
    """The finding of a sign that was looked for; the best slice is that with most of the mask unless it is given."""
    if not mask.any():
        mask = np.broadcast_to(np.False_, mask.shape)  # most signs are absent: their masks take no memory
    elif best_z is None:
        best_z = int(np.argmax([np.count_nonzero(level) for level in mask]))
    return Finding(
        sign=sign.name,
        presence=presence_of(score),
        score=score,
        features=sign.features,
        measures=measures_from(sign.features, values),
        mask=mask,
        lesions=lesions,
        best_z=best_z,
    )
