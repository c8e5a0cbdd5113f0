"""Emphysema as a finding: holes added to a body that may have some of its own, whatever its disease."""

from __future__ import annotations

from dataclasses import replace

from cop_imaging.synth.case import CaseSpec
from cop_imaging.synth.chest import thorax
from cop_imaging.synth.ground import holes_of, slab_of
from cop_imaging.synth.render import ChestModel

__all__ = ["emphysema_percent", "with_emphysema"]

COARSE_MM = 5.0
HALVINGS = 7
LARGEST = 0.5
"""What a ``ChestSpec`` may hold."""


def with_emphysema(model: ChestModel, case: CaseSpec) -> ChestModel:
    """The chest with at least the emphysema that the case's finding asks for, as far as bodies can hold it."""
    if not case.has("emphysema"):
        return model
    asked = case.extents["emphysema"]
    if emphysema_percent(model) >= asked:
        return model
    low, high = model.spec.emphysema, LARGEST
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if emphysema_percent(holding(model, middle)) < asked else (low, middle)
    return holding(model, round(high, 4))


def holding(model: ChestModel, emphysema: float) -> ChestModel:
    """The same chest with another amount of emphysema."""
    return replace(model, spec=model.spec.model_copy(update={"emphysema": emphysema}))


def emphysema_percent(model: ChestModel) -> float:
    """Percent of the lungs that is holes."""
    s = slab_of(COARSE_MM, model.spec.size).scaled(model.spec.size)
    t = thorax(s, model.spec)
    inside = t.lung < 0.0
    return 100.0 * float((holes_of(s, model, t.depth) >= 0.5)[inside].mean())
