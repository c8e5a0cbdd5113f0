"""When a lung mask is doubtful, and when it is of no use."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["DoubtConfig"]

SOURCE = "45 of 48 good masks of hard chests lie below, 27 of 29 bad ones above: benchmarks/lung_doubt.py"


class DoubtConfig(Section):
    """Limits on what the network's own probabilities say of a mask."""

    most_unclear: float = quantity(
        0.065,
        low=0.0,
        high=1.0,
        unit="1",
        means="volume that the network expects to name wrongly, over the lungs', from which the mask is doubtful",
        source=SOURCE,
    )
    most_unclear_turned: float = quantity(
        0.047,
        low=0.0,
        high=1.0,
        unit="1",
        means="the same limit where ingestion is sure that the body lies the other way round than stated",
        source=SOURCE,
    )
    least_usable: float = quantity(
        0.8,
        low=0.0,
        high=1.0,
        unit="1",
        means="Dice's coefficient expected of the mask below which nothing is measured in it",
        source="all such masks of 85 hard chests were bad; good ones lie above 0.94: benchmarks/lung_doubt.py",
    )
