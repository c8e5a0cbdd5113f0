"""Limits of the reversed halo and of what only looks like one."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["ReversedHaloConfig"]


class ReversedHaloConfig(Section):
    """Limits of the reversed halo."""

    rim_hu: float = quantity(
        -430.0,
        low=-500.0,
        high=-200.0,
        unit="HU",
        means="density above which a sample may be rim",
        source="a rim of -250 HU and 3 mm keeps about half of its contrast after blurring; set on made chests",
    )
    rim_hu_range: tuple[float, float] = quantity(
        (-470.0, -370.0),
        unit="HU",
        means="tried range of that limit, from which the interval comes",
        source="half of the rim's contrast on either side; estimate",
    )
    edge_share_range: tuple[float, float] = quantity(
        (0.4, 0.6),
        unit="1",
        means="tried height of the rim's borders between the levels on their two sides",
        source="half height is unbiased for a rim wider than the blur; estimate",
    )
    contrast_hu: float = quantity(
        150.0,
        low=50.0,
        high=500.0,
        unit="HU",
        means="least density of the rim above the core",
        source="core at least 150 HU below the rim; estimate",
    )
    above_aerated_hu: float = quantity(
        60.0,
        low=0.0,
        high=200.0,
        unit="HU",
        means="least density of the core above aerated lung",
        source="core is ground glass, not spared lung; estimate",
    )
    core_hu: float = quantity(
        -400.0,
        low=-500.0,
        high=-200.0,
        unit="HU",
        means="largest density of the core",
        source="core of -750 to -350 HU; between vessels of the hilum it is denser; set on made chests",
    )
    dark_share: float = quantity(
        0.1,
        low=0.02,
        high=1.0,
        unit="1",
        means="share of the core that is aerated lung from which it is spared lung",
        source="set on made chests",
    )
    lines_share: float = quantity(
        0.12,
        low=0.02,
        high=0.5,
        unit="1",
        means="share of the core as dense as the rim from which a ring with a thick rim is fungal-like",
        source="reticulation inside the halo in 14 of 15 against 0 of 25; Marchiori 2012; share set on made chests",
    )
    crescent_lines_share: float = quantity(
        0.08,
        low=0.02,
        high=0.5,
        unit="1",
        means="share of the core as dense as the rim up to which an open ring is a crescent",
        source="more is a place between vessels; set on made chests",
    )
    crescent_spread: float = quantity(
        0.25,
        low=0.1,
        high=0.5,
        unit="1",
        means="largest robust SD over median of the radius of a crescent",
        source="an open ring must be rounder than a closed one to be taken for one; set on made chests",
    )
    round_share: float = quantity(
        0.77,
        low=0.5,
        high=1.0,
        unit="1",
        means="share of all directions below which a ring must be as round as a crescent to be a halo",
        source="patches of crazy paving and gaps between consolidations have 0.65 to 0.73 and are not round, haloes "
        "that are not round 0.80; set on made chests",
    )
    crescent_vessel_share: float = quantity(
        0.5,
        low=0.2,
        high=1.0,
        unit="1",
        means="share of the rim that is vessel up to which an open ring is a crescent",
        source="more is a place between vessels; set on made chests",
    )
    airway_share: float = quantity(
        0.4,
        low=0.1,
        high=1.0,
        unit="1",
        means="share of the core that is airway from which the ring is a bronchus in cross-section",
        source="a bronchus may cross a core; set on made chests",
    )
    air_hu: float = quantity(
        -900.0,
        low=-980.0,
        high=-850.0,
        unit="HU",
        means="density below which the core holds air",
        source="cavity; gas below -900 HU",
    )
    air_share: float = quantity(
        0.25,
        low=0.0,
        high=1.0,
        unit="1",
        means="share of the core that is air from which the ring is no halo",
        source="estimate",
    )
    rim_mm: tuple[float, float] = quantity(
        (1.5, 15.0),
        unit="mm",
        means="thickness of the rim on a ray",
        source="at least 2 mm, less where it is uneven; above 10-15 mm look-alikes",
    )
    thick_rim_mm: float = quantity(
        10.0,
        low=8.0,
        high=15.0,
        unit="mm",
        means="median thickness from which a ring is fungal-like or a cleared consolidation",
        source="5.0 SD 2.2 mm in organizing pneumonia, 20.4 SD 8.5 mm in mould; Marchiori 2012",
    )
    bulla_wall_mm: float = quantity(
        2.2,
        low=1.0,
        high=4.0,
        unit="mm",
        means="thickness up to which the wall of an air space is a bulla's",
        source="walls of 1 mm and less, with the blur of the scan; estimate",
    )
    honeycomb_mm: float = quantity(
        13.0,
        low=5.0,
        high=25.0,
        unit="mm",
        means="outer diameter up to which an air space may be a honeycomb cell",
        source="cells of 3-10 mm with walls of 1-3 mm",
    )
    honeycomb_apart_mm: float = quantity(
        20.0,
        low=5.0,
        high=40.0,
        unit="mm",
        means="distance within which two other air spaces make one of up to 25 mm a honeycomb cell",
        source="cells of 3-10 mm, up to 25 mm, in a row or in layers; Hansell 2008",
    )
    vessel_share: float = quantity(
        0.4,
        low=0.1,
        high=1.0,
        unit="1",
        means="share of the rim that is vessel from which it is a vessel loop",
        source="set on made chests",
    )
    core_least_mm: float = quantity(
        4.0,
        low=2.0,
        high=20.0,
        unit="mm",
        means="smallest diameter of the core",
        source="outer diameter of 10 mm with a rim of 3 mm",
    )
    outer_mm: tuple[float, float] = quantity(
        (10.0, 80.0), unit="mm", means="outer diameter", source="centre of 8 to 80 mm; Kim 2003, Marchiori 2012"
    )
    coverage_deg: float = quantity(
        270.0,
        low=180.0,
        high=360.0,
        unit="degrees",
        means="angle of the rim in the best plane of a reversed halo",
        source="ring or at least three quarters of a circle; Hansell 2008",
    )
    crescent_deg: float = quantity(
        180.0,
        low=90.0,
        high=270.0,
        unit="degrees",
        means="angle from which a crescent is possible",
        source="crescent of 180-270 degrees; estimate",
    )
    sphere_share: float = quantity(
        0.6,
        low=0.3,
        high=1.0,
        unit="1",
        means="share of all directions that the rim covers",
        source="50 to 60 % of the sphere; estimate",
    )
    spread: float = quantity(
        0.35,
        low=0.1,
        high=1.0,
        unit="1",
        means="largest robust SD over median of the radius of outer border and core",
        source="round to oval: an ellipsoid with axes 1:2 has 0.3; estimate",
    )
    pleura_share: float = quantity(
        0.6,
        low=0.2,
        high=1.0,
        unit="1",
        means="largest share of the rim that is bounded by pleura",
        source="not all pleura-bounded; estimate",
    )
    wedge_base_share: float = quantity(
        0.1,
        low=0.02,
        high=0.6,
        unit="1",
        means="share of the surface on the lung's border from which a ring may be infarct-like",
        source="base on the pleura; set on made chests",
    )
    wedge_base_width: float = quantity(
        0.95,
        low=0.5,
        high=1.0,
        unit="1",
        means="width of the quarter on the border over the widest, from which a closed ring is a wedge",
        source="0.75 in a ball that touches, 1 in a wedge; set on made chests",
    )
    wedge_spread: float = quantity(
        0.15,
        low=0.05,
        high=0.35,
        unit="1",
        means="robust SD over median of the radius above which a ring with such a base is a wedge",
        source="0.08 to 0.13 in balls that touch the pleura, 0.16 to 0.40 in wedges; set on made chests",
    )
    wedge_rim_share: float = quantity(
        0.35,
        low=0.2,
        high=0.6,
        unit="1",
        means="share of a closed ring's rim that the lung's border bounds, from which it is a wedge",
        source="0.25 at most in a ball; set on made chests",
    )
    closed_share: float = quantity(
        0.8,
        low=0.5,
        high=1.0,
        unit="1",
        means="share of all directions with a rim from which a ring is closed, at the pleura too",
        source="a halo cut by the pleura is open there, an infarct dense; set on made chests",
    )
    thickness_mm: float = quantity(
        3.0, low=1.0, high=5.0, unit="mm", means="slice thickness up to which it is measured well", source="3 mm"
    )
