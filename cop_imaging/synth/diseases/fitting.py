"""Draws lesions until they are as large as was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cop_imaging.synth.ground import Ground
from cop_imaging.synth.lesions.lesion import Lesion

__all__ = ["fitted"]

CLOSE = 0.1
"""Difference from the wanted volume, on the log scale, that is good enough."""
TRIES = 5


def fitted(
    ground: Ground,
    sign: str,
    asked_ml: float,
    draw: Callable[[float], Sequence[Lesion]],
    *,
    below: Sequence[Lesion] = (),
    above: Sequence[Lesion] = (),
) -> tuple[Lesion, ...]:
    """Lesions that, together with those drawn before and after them, make ``asked_ml`` of a sign true.

    Parameters
    ----------
    draw : function of mL
        Gives lesions of a wanted volume; called again with the same random numbers, it changes little else.
    below, above : sequences of lesions
        What is blended before and after.

    Returns
    -------
    tuple of lesions
        The closest of a few tries; empty where the others alone already make more than was asked.
    """
    kept: dict[Lesion, Lesion] = {}
    below, above = (tuple(ground.once(lesion) for lesion in group) for group in (below, above))
    alone = ground.measure((*below, *above)).get(sign, 0.0)
    if alone >= asked_ml:
        return ()
    wanted, off = asked_ml - alone, np.inf
    best: tuple[Lesion, ...] = ()
    for _ in range(TRIES):
        lesions = tuple(draw(wanted))
        known = [kept.setdefault(lesion, ground.once(lesion)) for lesion in lesions]
        got = ground.measure((*below, *known, *above)).get(sign, 0.0)
        miss = abs(float(np.log(max(got, 0.01) / asked_ml)))
        if miss < off:
            best, off = lesions, miss
        if off < CLOSE or not lesions:
            break
        made = max(got - alone, 0.05 * (asked_ml - alone))
        wanted *= float(np.clip((asked_ml - alone) / made, 0.3, 3.0))
    return best
