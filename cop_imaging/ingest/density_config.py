"""Limits on densities: what was scanned, and whether the values are Hounsfield units at all."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["DensityConfig"]


class DensityConfig(Section):
    """Whether stored values are Hounsfield units of a body."""

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
    air_offset_hu: float = quantity(
        30.0,
        low=5.0,
        high=100.0,
        unit="HU",
        means="distance of the peak of air from -1000 HU from which an offset is remarked on",
        source="on real chest CT the peak of room air lay within 20 HU of -1000; estimate",
    )
    air_peak_percent: float = quantity(
        10.0,
        low=1.0,
        high=50.0,
        unit="percent",
        means="smallest share of voxels within 100 HU of such a peak that makes it the peak of air",
        source="air and lung were 30 to 44 % of the voxels of real chest CT; estimate",
    )
    canvas_above_hu: float = quantity(
        -900.0,
        low=-990.0,
        high=-300.0,
        unit="HU",
        means="density above which one value that fills the corners of a slice is canvas and not air",
        source="air outside the body is -1000 HU with noise of at most 50 HU; estimate",
    )
    canvas_percent: float = quantity(
        2.0,
        low=0.1,
        high=20.0,
        unit="percent",
        means="smallest share of a slice that such a canvas has",
        source="corners beside a round field are 21 % of a square; estimate",
    )
    pile_percent: float = quantity(
        0.5,
        low=0.01,
        high=10.0,
        unit="percent",
        means="share of voxels at the highest or lowest density from which they are cut off there",
        source="metal and cortical bone are below 0.5 % of a chest; estimate",
    )
    floor_hu: float = quantity(
        -990.0,
        low=-1000.0,
        high=-900.0,
        unit="HU",
        means="highest density at which values may be cut off below: above it lung cannot be told from air",
        source="air is -1000 HU; emphysema reaches -990 HU",
    )
    ceiling_hu: float = quantity(
        300.0,
        low=200.0,
        high=1500.0,
        unit="HU",
        means="lowest density at which values may be cut off above: below it the values are a window",
        source="vessels with contrast medium reach 300 HU, cortical bone 1000 HU and more",
    )
    lossy_ratio: float = quantity(
        10.0,
        low=2.0,
        high=100.0,
        unit="1",
        means="stated ratio of lossy compression above which signs can be trusted less",
        source="ratios up to 10 were not told from originals on chest CT in reading studies; estimate",
    )
