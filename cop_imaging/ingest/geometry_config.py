"""When slices are one regular stack in patient space: every tolerance of geometry, with its source."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["GeometryConfig"]


class GeometryConfig(Section):
    """Which slices are one stack, what is set right, and what is refused."""

    same_angle_deg: float = quantity(
        0.3,
        low=0.0,
        high=2.0,
        unit="deg",
        means="slices whose rows and columns differ by less have one orientation",
        source="headers round the cosines to two to six decimals; 0.3 degrees move a corner of 500 mm by 1.3 mm",
    )
    same_spacing_percent: float = quantity(
        0.1,
        low=0.0,
        high=1.0,
        unit="percent",
        means="difference of pixel spacing that is rounding, relative to the spacing",
        source="0.1 % of 512 pixels is half a pixel; headers round to four or more digits",
    )
    same_position_mm: float = quantity(
        0.01,
        low=0.0,
        high=0.1,
        unit="mm",
        means="slices closer than this along their normal lie at one position",
        source="a twentieth of the smallest slice distance in use (0.2 mm), above the rounding of exact headers",
    )
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
        means="angle between the slices' normal and the direction in which they are stacked above which the gantry was "
        "tilted, so that the stack is straightened",
        source="0.5 degrees shear 300 mm of lung by 2.6 mm; below, straightening costs more than it mends; estimate",
    )
    largest_tilt_deg: float = quantity(
        30.0,
        low=1.0,
        high=45.0,
        unit="deg",
        means="largest tilt that is straightened",
        source="gantries tilt by up to 30 degrees",
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
        means="largest distance of a slice from its place on the regular grid, relative to the slice distance",
        source="2 % of 1.25 mm is 0.025 mm, a tenth of the thinnest wall that is measured; estimate",
    )
    rounded_mm: float = quantity(
        0.06,
        low=0.0,
        high=0.1,
        unit="mm",
        means="the same distance where all positions are written to one decimal",
        source="half a decimal, and a little for the fitted grid",
    )
    stray_percent: float = quantity(
        10.0,
        low=0.0,
        high=40.0,
        unit="percent",
        means="largest share of slices of another orientation, matrix or pixel spacing that is left out",
        source="a few localizers or repeats in a series; more is a second stack; estimate",
    )
    bridge_slices: int = quantity(
        0,
        low=0,
        high=1,
        unit="1",
        means="missing slices that are filled with the mean of their neighbours; with 0 the series is refused",
        source="what was not scanned is not measured, unless the user asks for it",
    )
    bridge_step_mm: float = quantity(
        1.5,
        low=0.2,
        high=3.0,
        unit="mm",
        means="largest slice distance at which a missing slice is filled",
        source="its neighbours then lie within 3 mm, the limit of single signs; thin-section CT is at most 1.5 mm",
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
    widest_step_mm: float = quantity(
        20.0,
        low=5.0,
        high=50.0,
        unit="mm",
        means="largest distance between slices",
        source="high-resolution CT samples every 10, at most every 20 mm; beyond that the lungs are hardly seen",
    )
    gap_ratio: float = quantity(
        1.1,
        low=1.01,
        high=2.0,
        unit="1",
        means="distance between slices over their thickness above which there are gaps",
        source="headers round the thickness to 0.1 mm; estimate",
    )
    unknown_thickness_mm: float = quantity(
        5.0,
        low=1.0,
        high=20.0,
        unit="mm",
        means="distance between slices that do not say how thick they are, above which there may be gaps between them",
        source="slices of chest CT without gaps are at most 5 mm thick in nearly all protocols; estimate",
    )
    thick_mm: float = quantity(
        3.0,
        low=0.5,
        high=10.0,
        unit="mm",
        means="slice thickness (or distance, if larger) above which signs and likelihood are limited",
        source="limits of single signs lie at 1.5 to 3 mm; volumetric high-resolution CT is at most 1.5 mm",
    )
    largest_megavoxels: float = quantity(
        1500.0,
        low=1.0,
        high=20000.0,
        unit="1e6 voxels",
        means="largest volume, a tilted one after straightening",
        source="2000 slices of 768 x 768 are 1200; 1500 need 4.5 GB",
    )
