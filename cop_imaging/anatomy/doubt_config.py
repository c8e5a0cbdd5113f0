"""When a lung mask is doubtful, and when it is of no use."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["DoubtConfig"]

SOURCE = "best of its kind on 180 made and real chests, half of them hard on purpose: benchmarks/lung_doubt.py"


class DoubtConfig(Section):
    """Limits on what the network's own probabilities say of a mask."""

    most_unclear: float = quantity(
        0.06,
        low=0.0,
        high=1.0,
        unit="1",
        means="volume that the network expects to name wrongly, over the lungs', from which the mask is doubtful",
        source=SOURCE,
    )
    most_unclear_turned: float = quantity(
        0.05,
        low=0.0,
        high=1.0,
        unit="1",
        means="the same limit where ingestion is sure that the body lies the other way round than stated",
        source=SOURCE,
    )
    least_kept: float = quantity(
        0.75,
        low=0.0,
        high=1.0,
        unit="1",
        means="expected share of the airless lung inside the mask below which the mask is doubtful",
        source=SOURCE,
    )
    least_missed_ml: float = quantity(
        4.0,
        low=0.0,
        high=500.0,
        unit="mL",
        means="expected airless lung outside the mask below which its share raises no doubt",
        source=SOURCE,
    )
    least_usable: float = quantity(
        0.8,
        low=0.0,
        high=1.0,
        unit="1",
        means="Dice's coefficient expected of the mask below which nothing is measured in it",
        source="masks below it were wrong in every case tried: benchmarks/lung_doubt.py",
    )
