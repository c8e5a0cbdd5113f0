"""Limits of the checks on the scan itself."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["QualityConfig"]


class QualityConfig(Section):
    """From which measured value on a scan is remarked on."""

    coarse_mm: float = quantity(
        4.0, low=2.0, high=8.0, unit="mm", means="edge of the cubes of the coarse view", source="a trachea is 4 of them"
    )
    smallest_lung_ml: float = quantity(
        100.0,
        low=20.0,
        high=500.0,
        unit="mL",
        means="smallest air space that can be a lung or a part of one",
        source="bowel loops and the airways alone hold less; estimate",
    )
    gas_hu: float = quantity(
        -965.0,
        low=-1000.0,
        high=-900.0,
        unit="HU",
        means="median density below which an air space is gas, not lung",
        source="emphysema ends near -960 HU, gas is -1000 HU; estimate",
    )
    no_lungs_ml: float = quantity(
        500.0,
        low=100.0,
        high=2000.0,
        unit="mL",
        means="volume of air-filled lung below which the scan shows no lungs",
        source="adult lungs hold 2000 mL even in expiration; half of each may be dense; estimate",
    )
    air_off_hu: float = quantity(
        30.0,
        low=10.0,
        high=100.0,
        unit="HU",
        means="largest distance of air from -1000 HU",
        source="density classes are 50 to 100 HU apart; estimate",
    )
    fat_low_hu: float = quantity(
        -140.0, low=-200.0, high=-100.0, unit="HU", means="lowest plausible fat", source="fat is -120 to -80 HU"
    )
    fat_high_hu: float = quantity(
        -60.0, low=-100.0, high=0.0, unit="HU", means="highest plausible fat", source="fat is -120 to -80 HU"
    )
    soft_low_hu: float = quantity(
        5.0, low=-50.0, high=40.0, unit="HU", means="lowest plausible soft tissue", source="muscle is 30 to 70 HU"
    )
    soft_high_hu: float = quantity(
        130.0,
        low=80.0,
        high=300.0,
        unit="HU",
        means="highest plausible soft tissue",
        source="liver with contrast reaches 120 HU",
    )
    noise_hu: float = quantity(
        40.0,
        low=10.0,
        high=150.0,
        unit="HU",
        means="largest noise in soft tissue after smoothing to the common point spread",
        source="1 % of normal lung leaks over a bound 100 HU away at an SD of 43 HU",
    )
    common_psf_mm: float = quantity(
        1.2,
        low=0.5,
        high=3.0,
        unit="mm",
        means="FWHM of the smoothing that the noise is judged after",
        source="common point spread before density classes",
    )
    soft_per_mm: float = quantity(
        0.43,
        low=0.1,
        high=1.0,
        unit="1/mm",
        means="mean frequency of the noise below which a kernel is soft",
        source="noise of soft kernels peaks at 0.2 to 0.3 per mm, of medium ones at 0.4; measured on real series",
    )
    sharp_per_mm: float = quantity(
        0.52,
        low=0.1,
        high=1.5,
        unit="1/mm",
        means="mean frequency of the noise above which a kernel is sharp",
        source="noise of sharp kernels peaks above 0.5 per mm; measured on real series",
    )
    contrast_hu: float = quantity(
        90.0,
        low=60.0,
        high=200.0,
        unit="HU",
        means="density of heart and great vessels above which there is contrast medium",
        source="blood is 30 to 60 HU without, 120 HU and more with contrast medium",
    )
    expiration_hu: float = quantity(
        -750.0,
        low=-850.0,
        high=-600.0,
        unit="HU",
        means="commonest density of lung above which the scan was made in expiration",
        source="lung in inspiration is -800 to -900 HU",
    )
    motion_percent: float = quantity(
        25.0,
        low=5.0,
        high=100.0,
        unit="percent",
        means="largest share of slices whose edges do not continue their neighbours'",
        source="motion in over 25 % of slices halves the fine signs",
    )
    motion_mm: float = quantity(
        0.4,
        low=0.1,
        high=10.0,
        unit="mm",
        means="mean distance of a slice's edges from both neighbours' above which they do not continue",
        source="quiet real series stay below 0.2 mm in 90 % of slices, 4 mm apart below 0.37 mm in all; estimate",
    )
    implausible_hu: float = quantity(
        300.0,
        low=100.0,
        high=1000.0,
        unit="HU",
        means="how far a pixel lies above both neighbouring slices, or below both, that cannot continue them",
        source="far above noise and vessels, half of the step from lung to soft tissue; estimate",
    )
    implausible_percent: float = quantity(
        4.0,
        low=2.0,
        high=50.0,
        unit="percent",
        means="largest share of such pixels, away from edges, in a slice; 2.5 times that in the first and the last one",
        source="at most 0.9 % in 32 real volumes of 1.25 to 8 mm; of slices with over 10 % of pixels made wrong by "
        "damage to a lossless JPEG stream, 9 in 10 lie above",
    )
    cut_mm2: float = quantity(
        600.0,
        low=100.0,
        high=5000.0,
        unit="mm2",
        means="area of lung in the first or last slice above which that end is cut off",
        source="the last centimetre of an apex is smaller; estimate",
    )
    side_cut_ml: float = quantity(
        20.0,
        low=1.0,
        high=500.0,
        unit="mL",
        means="volume of lung at the edge of the scanned field above which a side is cut off",
        source="estimate",
    )
    metal_hu: float = quantity(
        2800.0, low=2000.0, high=3071.0, unit="HU", means="density of metal", source="cortical bone ends near 1900 HU"
    )
    metal_ml: float = quantity(
        0.5,
        low=0.01,
        high=20.0,
        unit="mL",
        means="volume of metal above which streaks are expected in the lungs",
        source="a pacemaker lead is 0.3 mL; estimate",
    )
    mirrored_score: float = quantity(
        0.1,
        low=0.0,
        high=2.0,
        unit="1",
        means="evidence above which a volume is upside down or back to front",
        source="measured on 30 real series in every orientation; estimate",
    )
    mirrored_side_score: float = quantity(
        0.5,
        low=0.0,
        high=3.0,
        unit="1",
        means="evidence above which left and right are in doubt",
        source="measured on 30 real series in every orientation; estimate",
    )
    mirrored_side_sure: float = quantity(
        1.5,
        low=0.0,
        high=4.0,
        unit="1",
        means="evidence above which left and right are swapped for sure",
        source="heart 10 mm and half of the liver on the wrong side; estimate",
    )
