"""Limits within which bronchi are followed."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["BronchiConfig"]

TUNED = "set on made chests of other seeds than those it is measured on"


class BronchiConfig(Section):
    """How bronchi are told from lung at the scan's own resolution."""

    smoothing_mm: float = quantity(
        0.5,
        low=0.0,
        high=1.5,
        unit="mm",
        means="SD of the blur before bronchi are followed",
        source=f"half the radius of the smallest bronchus seen; {TUNED}",
    )
    noisy_hu: float = quantity(
        40.0,
        low=10.0,
        high=200.0,
        unit="HU",
        means="noise after this blur above which the scan is blurred more",
        source=f"a third of the rise to the wall of a small bronchus; {TUNED}",
    )
    noisy_smoothing_mm: float = quantity(
        0.75,
        low=0.0,
        high=2.0,
        unit="mm",
        means="SD of the blur of noisy scans",
        source=TUNED,
    )
    lumen_hu: float = quantity(
        -500.0,
        low=-900.0,
        high=-300.0,
        unit="HU",
        means="density below which a voxel may be lumen",
        source="half-height between air and consolidated lung",
    )
    lumen_share: float = quantity(
        0.5,
        low=0.2,
        high=0.9,
        unit="1",
        means="largest height of the lumen's density between air and its wall",
        source=f"half-height; {TUNED}",
    )
    wall_rise_hu: float = quantity(
        80.0,
        low=30.0,
        high=300.0,
        unit="HU",
        means="least rise from lumen to wall",
        source=TUNED,
    )
    wall_rise_noise: float = quantity(
        3.0,
        low=1.0,
        high=6.0,
        unit="SD",
        means="least rise from lumen to wall in standard deviations of the noise",
        source=TUNED,
    )
    thin_wall_mm: float = quantity(
        5.0,
        low=2.0,
        high=12.0,
        unit="mm",
        means="distance up to which such a rise is a wall",
        source=f"vessels are about as far apart; {TUNED}",
    )
    thick_rise_hu: float = quantity(
        500.0,
        low=100.0,
        high=1000.0,
        unit="HU",
        means="rise to a wall farther away",
        source="walls of wide bronchi are 1 mm and more thick: half-height between air and tissue",
    )
    widest_radius_mm: float = quantity(
        4.0,
        low=2.0,
        high=8.0,
        unit="mm",
        means="radius of the widest bronchus that is followed by its walls",
        source="lobar bronchi, 4 mm; Weibel 1963",
    )
    slack_mm: float = quantity(
        0.8,
        low=0.0,
        high=3.0,
        unit="mm",
        means="how much farther than its parent's diameter a voxel's wall may be",
        source=f"about a voxel; {TUNED}",
    )
    closed_axes: float = quantity(
        11.1,
        low=6.0,
        high=13.0,
        unit="of 13",
        means="axes with walls on both sides at which a voxel neither adds to nor takes from the evidence",
        source=f"in a tube the axes along it stay open; {TUNED}",
    )
    least_closed_axes: int = quantity(
        7,
        low=3,
        high=13,
        unit="of 13",
        means="axes with walls on both sides below which no voxel is passed",
        source=f"half of them; {TUNED}",
    )
    evidence: float = quantity(
        5.0,
        low=1.0,
        high=20.0,
        unit="axes",
        means="evidence that a path can save up",
        source=TUNED,
    )
    bright_cost: float = quantity(
        3.0,
        low=0.5,
        high=20.0,
        unit="axes",
        means="evidence that a voxel costs which is not dark against its wall",
        source=TUNED,
    )
    known_radius_mm: float = quantity(
        2.2,
        low=1.0,
        high=8.0,
        unit="mm",
        means="radius above which found lumen closes in what lies beside it",
        source=f"wide bronchi are open where they fork; {TUNED}",
    )
    known_wall_hu: float = quantity(
        -200.0,
        low=-800.0,
        high=0.0,
        unit="HU",
        means="density of the wall above which such lumen does so",
        source=f"walls of wide bronchi and consolidation, not of thin bronchi in lung; {TUNED}",
    )
    fill_mm: float = quantity(
        1.25,
        low=0.0,
        high=3.0,
        unit="mm",
        means="how far lumen is filled towards its wall",
        source="radius of the smallest bronchus seen",
    )
    most_beyond_seed_ml: float = quantity(
        90.0,
        low=5.0,
        high=200.0,
        unit="mL",
        means="volume beyond the coarse airways above which growth has leaked and is repeated stricter",
        source="lumen of generations 2 to 9 is 30-40 mL (Weibel 1963), the rim of the trachea up to 30 mL",
    )
