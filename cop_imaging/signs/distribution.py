"""The numbers that every mask shares: how much, on which side, in which zone, how deep, in how many patches."""

from __future__ import annotations

from cop_imaging.core.finding import Feature

__all__ = ["DEPTH_SHELLS_MM", "distribution_features"]

DEPTH_SHELLS_MM = ((0, 5), (5, 10), (10, 15), (15, 20), (20, 30), (30, None))
"""Shells of depth below the costal pleura in which the extent is reported."""


def distribution_features(sign: str, title: str) -> tuple[Feature, ...]:
    """The declared distribution features of a sign with a mask, in column order."""
    shells = tuple(
        Feature(
            f"{sign}.extent_{low}_{high}_mm_percent" if high else f"{sign}.extent_over_{low}_mm_percent",
            "percent",
            f"share of the lung {low}-{high} mm below the costal pleura that is {title}"
            if high
            else f"share of the lung deeper than {low} mm below the costal pleura that is {title}",
            high=100.0,
        )
        for low, high in DEPTH_SHELLS_MM
    )
    named = (
        ("volume_ml", "ml", f"volume of {title}", None),
        ("extent_percent", "percent", f"share of both lungs that is {title}", 100.0),
        ("extent_right_percent", "percent", f"share of the right lung that is {title}", 100.0),
        ("extent_left_percent", "percent", f"share of the left lung that is {title}", 100.0),
        ("extent_upper_percent", "percent", f"share of the upper zones that is {title}", 100.0),
        ("extent_middle_percent", "percent", f"share of the middle zones that is {title}", 100.0),
        ("extent_lower_percent", "percent", f"share of the lower zones that is {title}", 100.0),
        ("lower_to_upper", "1", "extent in the lower zones over extent in the upper zones", None),
        (
            "peripheral_to_central",
            "1",
            "extent in the outer third of the lung by depth over the inner two thirds",
            None,
        ),
        ("subpleural_sparing", "1", "extent in the outer 4 mm over extent in the next 10 mm; low means spared", None),
        ("depth_median_mm", "mm", "median depth below the costal pleura", None),
        ("peribronchovascular_ratio", "1", "share within 5 mm of a bundle over the lung's own share there", None),
        ("right_share", "1", "volume in the right lung over the whole", 1.0),
        ("bilateral_index", "1", "twice the smaller side's share of the volume: 0 one-sided, 1 even", 1.0),
        ("dorsal_to_ventral", "1", "extent in the dependent half of the lung over extent in the other half", None),
        ("patch_count", "1", "connected components", None),
        ("largest_share", "1", "volume of the largest component over the whole", 1.0),
        ("patchiness", "1", "1 minus the largest component's share", 1.0),
        ("zones_hit", "1", "zones of six with at least 0.5 % extent", 6.0),
        ("mean_hu", "HU", "mean density of the mask", None),
    )
    table = tuple(
        Feature(f"{sign}.{name}", unit, means, low=None if unit == "HU" else 0.0, high=high)
        for name, unit, means, high in named
    )
    return table[:7] + shells + table[7:]
