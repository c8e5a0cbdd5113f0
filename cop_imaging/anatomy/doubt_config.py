"""When a lung mask is doubtful, and when it is of no use."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["DoubtConfig"]

SOURCE = "set on 216 hard chests and earlier weights; what they catch now: docs/lungs.md, benchmarks/lung_doubt.py"


class DoubtConfig(Section):
    """Limits on what the network's probabilities and the density say of a mask."""

    most_unclear: float = quantity(
        0.07,
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
    least_expected: float = quantity(
        0.9,
        low=0.0,
        high=1.0,
        unit="1",
        means="Dice's coefficient expected of the mask below which it is doubtful",
        source=SOURCE,
    )
    most_disputed: float = quantity(
        0.14,
        low=0.0,
        high=10.0,
        unit="1",
        means="airless lung that may have been left out or be fluid, over all airless lung, from which the mask is "
        "doubtful",
        source=SOURCE,
    )
    most_watery: float = quantity(
        0.04,
        low=0.0,
        high=1.0,
        unit="1",
        means="fluid expected in the mask, over its airless lung, from which the mask is doubtful",
        source=SOURCE,
    )
    most_silent: float = quantity(
        0.35,
        low=0.0,
        high=1.0,
        unit="1",
        means="airless lung far from any air, over all airless lung, from which the mask is doubtful",
        source="lungs drowned in fluid and taken for airless have 0.7 and more, white lungs with open bronchi 0.15 at "
        "most: benchmarks/lung_doubt.py",
    )
    least_usable: float = quantity(
        0.8,
        low=0.0,
        high=1.0,
        unit="1",
        means="Dice's coefficient expected of the mask below which nothing is measured in it",
        source="all such masks of 85 hard chests were bad; good ones lie above 0.94: benchmarks/lung_doubt.py",
    )
