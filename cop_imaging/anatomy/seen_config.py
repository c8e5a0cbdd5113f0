"""When the network's probabilities make tissue lung or fluid."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["SeenConfig"]


class SeenConfig(Section):
    """Limits on probability, and on the shape of what the network names."""

    likely: float = quantity(
        0.5,
        low=0.2,
        high=0.9,
        unit="1",
        means="probability from which dense tissue is lung, or fluid",
        source="likelier than not",
    )
    possible: float = quantity(
        0.25,
        low=0.05,
        high=0.9,
        unit="1",
        means="probability of lung from which what is as dark as lung is lung",
        source="density says most of it; estimate",
    )
    core_mm: float = quantity(
        4.0,
        low=1.0,
        high=10.0,
        unit="mm",
        means="how far inside airless lung its core lies",
        source="one voxel of the network; estimate",
    )
    smallest_core_ml: float = quantity(
        0.1,
        low=0.01,
        high=10.0,
        unit="mL",
        means="core of airless lung from which its surroundings are looked at again",
        source="without one nothing is taken in: hollows beside heart, spine and vessels are there in health too",
    )
    reach_mm: float = quantity(
        15.0,
        low=0.0,
        high=40.0,
        unit="mm",
        means="how far from such a core dense tissue is looked at again",
        source="chosen on lesions put into three scans that the network never saw",
    )
    likely_near: float = quantity(
        0.3,
        low=0.05,
        high=0.9,
        unit="1",
        means="probability of lung from which dense tissue there is lung",
        source="the network errs by a voxel or two of its grid, which is much of a small patch; chosen as above",
    )
    hollow_mm: float = quantity(
        30.0,
        low=5.0,
        high=80.0,
        unit="mm",
        means="radius of the ball that does not reach into a hollow of the surface of the lungs",
        source="consolidation on the pleura leaves hollows; chosen as above",
    )
    hollow_odds: float = quantity(
        20.0,
        low=1.0,
        high=100.0,
        unit="1",
        means="how many times higher the odds of lung are taken in such hollows",
        source="chosen as above",
    )
    dry: float = quantity(
        0.3,
        low=0.0,
        high=1.0,
        unit="1",
        means="probability of fluid from which they are not",
        source="fluid leaves hollows too; chosen as above",
    )
    certain: float = quantity(
        0.99,
        low=0.5,
        high=1.0,
        unit="1",
        means="probability of lung within reach of which airless lung is not doubted",
        source="of lesions put into scans 3 % are doubted, of what else is taken in a fourth",
    )
    certain_mm: float = quantity(
        2.0,
        low=0.0,
        high=10.0,
        unit="mm",
        means="how far inside airless lung this is asked",
        source="half a voxel of the network; estimate",
    )
    sure_of_both: float = quantity(
        0.9,
        low=0.5,
        high=1.0,
        unit="1",
        means="probability of lung or fluid from which density decides between the two",
        source="muscle and vessels are as dense as lung; estimate",
    )
    fluid_hu: tuple[float, float] = quantity(
        (-60.0, 90.0),
        unit="HU",
        means="density of pleural fluid with noise",
        source="effusions have -10 to 25 HU, blood 30 to 70; estimate",
    )
    smallest_fluid_ml: float = quantity(
        5.0,
        low=0.5,
        high=100.0,
        unit="mL",
        means="smallest pleural effusion",
        source="a few mL of fluid are normal; estimate",
    )
    smallest_unsure_ml: float = quantity(
        1.0,
        low=0.1,
        high=50.0,
        unit="mL",
        means="smallest piece of tissue that may be lung or fluid",
        source="smaller ones are the border; estimate",
    )
    enclosed_mm: float = quantity(
        5.0,
        low=1.0,
        high=15.0,
        unit="mm",
        means="radius to which aerated lung encloses vessels and walls",
        source="half of the widest vessel inside the lungs; estimate",
    )
    gap_mm: float = quantity(
        3.0,
        low=0.0,
        high=10.0,
        unit="mm",
        means="radius of gaps in the lungs that are closed where lung is possible",
        source="one voxel of the network; estimate",
    )
    thin_mm: float = quantity(
        3.0,
        low=0.5,
        high=10.0,
        unit="mm",
        means="half the thickness up to which dense tissue beside aerated lung is partial volume",
        source="the network does not resolve it; estimate",
    )
