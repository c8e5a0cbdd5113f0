"""Limits of the ingest stage."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["IngestConfig"]


class IngestConfig(Section):
    """Which series can be one CT volume of the lungs, and what is remarked on."""

    axial_deg: float = quantity(
        30.0,
        low=5.0,
        high=40.0,
        unit="deg",
        means="largest angle between the slices' normal and the long axis of the body",
        source="gantries tilt by up to 30 degrees; beyond that it is a reformat; estimate",
    )
    tilt_deg: float = quantity(
        0.5,
        low=0.05,
        high=2.0,
        unit="deg",
        means="largest angle between the slices' normal and the direction in which they are stacked",
        source="0.5 degrees shear 300 mm of lung by 2.6 mm; estimate",
    )
    drift_pixels: float = quantity(
        1.0,
        low=0.1,
        high=5.0,
        unit="pixel",
        means="largest sideways distance of a slice from the straight line through all slices",
        source="a step of one pixel shows at an edge; estimate",
    )
    uneven_percent: float = quantity(
        2.0,
        low=0.1,
        high=20.0,
        unit="percent",
        means="largest distance of a slice from its place on the regular grid, relative to the spacing",
        source="2 % of 1.25 mm is 0.025 mm, a tenth of the thinnest wall that is measured; estimate",
    )
    stray_percent: float = quantity(
        10.0,
        low=0.0,
        high=40.0,
        unit="percent",
        means="largest share of slices of another orientation, matrix or pixel spacing that is left out",
        source="a few localizers or repeats in a series; more is a second stack; estimate",
    )
    fewest_slices: int = quantity(
        20,
        low=3,
        high=200,
        unit="1",
        means="fewest slices of a chest",
        source="250 mm of chest at 10 mm are 25 slices; estimate",
    )
    shortest_mm: float = quantity(
        80.0,
        low=20.0,
        high=300.0,
        unit="mm",
        means="shortest extent from foot to head",
        source="a third of the height of adult lungs; estimate",
    )
    fewest_slices_with_gaps: int = quantity(
        10,
        low=3,
        high=200,
        unit="1",
        means="fewest slices when there are gaps between them",
        source="high-resolution CT of 1 mm every 10 to 20 mm covers a chest in 12 to 25 slices; estimate",
    )
    shortest_with_gaps_mm: float = quantity(
        100.0,
        low=20.0,
        high=300.0,
        unit="mm",
        means="shortest extent from foot to head when there are gaps between slices",
        source="sampled slices show a lung only when they span most of it; estimate",
    )
    thick_mm: float = quantity(
        3.0,
        low=0.5,
        high=10.0,
        unit="mm",
        means="slice thickness (or distance, if larger) above which signs and likelihood are limited",
        source="limits of single signs lie at 1.5 to 3 mm; volumetric high-resolution CT is at most 1.5 mm",
    )
    gap_ratio: float = quantity(
        1.1,
        low=1.01,
        high=2.0,
        unit="1",
        means="distance between slices over their thickness above which there are gaps",
        source="headers round the thickness to 0.1 mm; estimate",
    )
    wide_gap_ratio: float = quantity(
        2.0,
        low=1.1,
        high=10.0,
        unit="1",
        means="distance over thickness above which wide gaps make the lungs not assessable",
        source="more than half of the lung lies between the slices; estimate",
    )
    wide_gap_mm: float = quantity(
        5.0,
        low=1.0,
        high=20.0,
        unit="mm",
        means="distance between slices above which gaps are wide",
        source="a secondary lobule is 10 to 25 mm across and must be seen in two slices; estimate",
    )
    padding_below_hu: float = quantity(
        -1300.0,
        low=-2000.0,
        high=-1050.0,
        unit="HU",
        means="density below which nothing was scanned",
        source="noise and streaks in air reach about -1200 HU, padding is -1500 to -3024 HU; estimate",
    )
    air_high_hu: float = quantity(
        -750.0,
        low=-950.0,
        high=-600.0,
        unit="HU",
        means="highest density of the commonest value among air and lung",
        source="air is -1000 HU, lung in inspiration -800 to -900 HU",
    )
    tissue_low_hu: float = quantity(
        -150.0,
        low=-300.0,
        high=0.0,
        unit="HU",
        means="lowest density of the commonest value among soft tissues",
        source="fat is -120 to -80 HU",
    )
    tissue_high_hu: float = quantity(
        150.0,
        low=80.0,
        high=400.0,
        unit="HU",
        means="highest density of the commonest value among soft tissues",
        source="muscle is 30 to 70 HU, with contrast up to 100 HU, a sharp kernel spreads it; estimate",
    )
    smallest_share_percent: float = quantity(
        1.0,
        low=0.01,
        high=10.0,
        unit="percent",
        means="smallest share of voxels that must be air, and that must be soft tissue",
        source="the trachea alone is 0.5 % of a chest; estimate",
    )
