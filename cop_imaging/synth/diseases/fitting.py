"""Draws lesions until they are as large as was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cop_imaging.synth.case import CaseSpec
from cop_imaging.synth.ground import Ground
from cop_imaging.synth.lesions.lesion import Lesion

__all__ = ["asked_ml", "fitted"]

FOCUS_MM = (20.0, 60.0)
"""Diameters of the one lesion of focal organizing pneumonia (Kohno N 1993, Zhao F 2014)."""
FOCUS_PERCENT = (1.5, 25.0)
"""Extents of organizing pneumonia of any form that stand for the smallest and the largest focus; an estimate."""

CLOSE = 0.1
"""Difference from the wanted volume, on the log scale, that is good enough."""
TRIES = 5


def asked_ml(case: CaseSpec, finding: str, lung_ml: float) -> float:
    """Volume of a finding that a case should show: the tables' extent, or a nodule or mass where its form is focal.

    The tables have no extents by form. A focus keeps its rank among them: where they have more, it is larger.
    """
    asked = case.asked_ml(finding, lung_ml)
    if not (case.op and case.subtype == "focal"):
        return asked
    low, high = np.log(FOCUS_PERCENT)
    rank = float(np.clip((np.log(case.extents[finding]) - low) / (high - low), 0.0, 1.0))
    diameter_mm = FOCUS_MM[0] + rank * (FOCUS_MM[1] - FOCUS_MM[0])
    return min(asked, float(np.pi / 6000.0 * diameter_mm**3))


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
