"""Limits that part vessels from dense lung."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["VesselsConfig"]

TUNED = "set on made chests of other seeds than those it is measured on"


class VesselsConfig(Section):
    """How vessels are told from consolidation."""

    dense_hu: float = quantity(
        -350.0,
        low=-600.0,
        high=-100.0,
        unit="HU",
        means="density above which lung is dense",
        source="half-height between aerated lung and soft tissue, raised for the blur",
    )
    core_mm: float = quantity(
        5.0,
        low=3.0,
        high=10.0,
        unit="mm",
        means="depth below its surface from which dense lung is thicker than any vessel of the lungs",
        source=f"hilar vessels wider than 10 mm are not lung; {TUNED}",
    )
    surface_mm: float = quantity(
        2.5,
        low=0.0,
        high=6.0,
        unit="mm",
        means="how far beyond a ball of that size its surface may lie",
        source=f"about the blur of the work grid; {TUNED}",
    )
    sure_answer: float = quantity(
        0.8,
        low=0.05,
        high=0.99,
        unit="1",
        means="tube filter answer from which a voxel in dense lung is vessel",
        source=f"four times the usual ridge strength; {TUNED}",
    )
    smallest_ml: float = quantity(
        0.1,
        low=0.0,
        high=2.0,
        unit="mL",
        means="smallest vessel that hangs together",
        source=f"a tube of 2 mm in radius and 8 mm long; {TUNED}",
    )
