"""Limits of the scene stage."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["SceneConfig"]


class SceneConfig(Section):
    """Smoothing and frames of reference that all signs share."""

    common_psf_mm: float = quantity(
        1.2,
        low=0.5,
        high=3.0,
        unit="mm",
        means="full width at half maximum to which every kernel is smoothed in plane",
        source="width of a soft kernel; sharp series are re-smoothed before density classes",
    )
    noise_target_hu: float = quantity(
        30.0,
        low=5.0,
        high=80.0,
        unit="HU",
        means="noise SD after smoothing that is accepted",
        source="at 30 HU less than 1 % of lung at -850 HU leaks over -700 + 80 HU; estimate",
    )
    widest_smoothing_mm: float = quantity(
        2.0,
        low=0.5,
        high=4.0,
        unit="mm",
        means="largest SD of the noise-adapted smoothing",
        source="keeps a 5 mm rim visible; estimate",
    )
    bundle_radius_mm: float = quantity(
        1.5,
        low=1.0,
        high=3.0,
        unit="mm",
        means="radius from which a vessel or bronchus makes a bundle",
        source="bronchovascular bundles of at least 3 mm",
    )
    mediastinum_half_mm: float = quantity(
        45.0,
        low=20.0,
        high=80.0,
        unit="mm",
        means="half width of the strip around the midline that is always mediastinum",
        source="half of the mediastinum's width at the right heart border; estimate",
    )
