"""When density and the network's probabilities speak against a lung mask."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["EvidenceConfig"]


class EvidenceConfig(Section):
    """What is weighed of a mask."""

    airless_hu: float = quantity(
        -150.0,
        low=-400.0,
        high=-50.0,
        unit="HU",
        means="density above which lung is airless",
        source="ground glass with its noise lies below; estimate",
    )
    likely: float = quantity(
        0.5,
        low=0.2,
        high=0.9,
        unit="1",
        means="probability of lung or fluid from which density is asked which of the two",
        source="likelier than not",
    )
    possible: float = quantity(
        0.05,
        low=0.001,
        high=0.5,
        unit="1",
        means="probability of lung from which what was left out counts",
        source="the network is surer than it is right; estimate",
    )
    surest: float = quantity(
        0.002,
        low=1e-6,
        high=0.1,
        unit="1",
        means="no probability of lung or of fluid is taken for less",
        source="as above",
    )
    layer_mm: float = quantity(
        3.5,
        low=0.0,
        high=10.0,
        unit="mm",
        means="radius up to which left-out tissue is partial volume",
        source="nearly a voxel of the network; estimate",
    )
    beside_fluid_mm: float = quantity(
        14.0,
        low=0.0,
        high=40.0,
        unit="mm",
        means="distance from fluid that was found within which lung is not suspected to be fluid",
        source="the border is unclear there anyway; estimate",
    )
    least_ml: float = quantity(
        4.0,
        low=0.5,
        high=50.0,
        unit="mL",
        means="expected volume of a left-out piece from which it counts",
        source="vessels and the border leave smaller ones in every scan",
    )
    reach_mm: float = quantity(
        25.0,
        low=5.0,
        high=100.0,
        unit="mm",
        means="distance from the mask beyond which nothing counts as left out",
        source="most airless lung lies on lung, a white one makes much unclear; skin under a cover was 30 mm away",
    )
    much_ml: float = quantity(
        1000.0,
        low=50.0,
        high=5000.0,
        unit="mL",
        means="airless lung that suspected fluid is held against where there is less of it",
        source="estimate",
    )
    air_hu: float = quantity(
        -200.0,
        low=-900.0,
        high=-150.0,
        unit="HU",
        means="density below which there is air, also in a small bronchus",
        source="a lumen of 2 mm among tissue, blurred, lies below; estimate",
    )
    least_air: float = quantity(
        0.02,
        low=0.0,
        high=1.0,
        unit="1",
        means="share of a cube of the network from which there is air in it",
        source="one voxel of the work grid fills 0.08 of it; estimate",
    )
    silent_mm: float = quantity(
        30.0,
        low=5.0,
        high=80.0,
        unit="mm",
        means="distance from air beyond which airless lung shows no bronchus",
        source="open segmental bronchi lie 20 to 40 mm apart: no place is farther than half of it from one; estimate",
    )
