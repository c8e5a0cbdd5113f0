"""Air, fat, soft tissue and lung against the densities they have by definition."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.grid import dilated
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.ingest.quality.coarse import CoarseView, commonest
from cop_imaging.ingest.quality.config import QualityConfig

__all__ = ["densities", "density_issues", "expiration_issues", "lung_density"]

AIR_RANGE_HU = (-1100.0, -880.0)
CLIPPED_HU = -1023.0
"""Blocks at the end of the scale: padding, or air that was cut off."""
FAT_RANGE_HU = (-180.0, -25.0)
SOFT_RANGE_HU = (-20.0, 200.0)
AIRWAY_HU = -930.0
BEDDING_SHARE = 0.25
"""Mattress and blankets (-960 to -900) may fill more of the field than air, and are never lighter than it."""
CLEAR_MM = 10.0
"""Room air is looked for at this distance from the skin: clothes and the table's edge lie nearer."""


def densities(view: CoarseView) -> dict[str, float | None]:
    """Commonest densities of air, fat and soft tissue in HU, None for what is not seen."""
    room = view.valid & ~dilated(view.body, view.geometry, CLEAR_MM)
    airway = view.interior(view.lungs & (view.hu < AIRWAY_HU))
    # A field that ends near the skin may hold nothing but bedding: the trachea's air is air in any field.
    found = [
        commonest(view.hu[where & (view.hu > CLIPPED_HU)], *AIR_RANGE_HU, 4.0, BEDDING_SHARE)
        for where in (room, airway)
    ]
    air = min((value for value in found if value is not None), default=None)
    inside = ndimage.binary_erosion(view.body, np.ones((1, 3, 3), dtype=bool)) & ~view.lungs
    flat = inside & (_spread(view) < 60.0)
    return {
        "air_hu": air,
        "fat_hu": commonest(view.hu[flat], *FAT_RANGE_HU, 5.0),
        "soft_tissue_hu": commonest(view.hu[flat], *SOFT_RANGE_HU, 5.0),
    }


def lung_density(view: CoarseView) -> float | None:
    """Commonest density of aerated lung away from its borders, in HU."""
    return commonest(view.hu[view.interior(view.lungs)], -980.0, -450.0, 10.0)


def density_issues(found: dict[str, float | None], contrast: bool | None, config: QualityConfig) -> tuple[Issue, ...]:
    """``hu.offset`` for every density that is not where it belongs; contrast medium excuses bright soft tissue."""
    limits = {
        "air_hu": ("air", -1000.0 - config.air_off_hu, -1000.0 + config.air_off_hu),
        "fat_hu": ("fat", config.fat_low_hu, config.fat_high_hu),
        "soft_tissue_hu": ("soft tissue", config.soft_low_hu, np.inf if contrast else config.soft_high_hu),
    }
    issues = []
    for key, (name, low, high) in limits.items():
        value = found[key]
        if value is None or low <= value <= high:
            continue
        # A lost offset moves all densities: beside fat and soft tissue in their places, "air" is bedding or foam.
        alone = key == "air_hu" and _in_place(found, limits, "fat_hu") and _in_place(found, limits, "soft_tissue_hu")
        issues.append(
            Issue(
                code="hu.offset",
                severity=Severity.INFO if alone else Severity.WARNING,
                message=f"The commonest density of {name} is {value:.0f} HU instead of "
                f"{low:.0f} HU {'and more' if np.isinf(high) else f'to {high:.0f} HU'}; nothing was corrected.",
                affects=() if alone else ("ground_glass", "consolidation", "likelihood"),
                measured=value,
                limit=low if value < low else high,
            )
        )
    return tuple(issues)


def _in_place(found: dict[str, float | None], limits: dict[str, tuple[str, float, float]], key: str) -> bool:
    value, (_, low, high) = found[key], limits[key]
    return value is not None and low <= value <= high


def expiration_issues(lung_hu: float | None, config: QualityConfig) -> tuple[Issue, ...]:
    """``quality.expiration`` for lung that is denser than in inspiration."""
    if lung_hu is None or lung_hu <= config.expiration_hu:
        return ()
    return (
        Issue(
            code="quality.expiration",
            severity=Severity.WARNING,
            message=f"The commonest density of aerated lung is {lung_hu:.0f} HU, above {config.expiration_hu:.0f} HU: "
            "made in expiration, or the lung is dense everywhere.",
            affects=("ground_glass", "consolidation"),
            measured=lung_hu,
            limit=config.expiration_hu,
        ),
    )


def _spread(view: CoarseView) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Range of the density over a block and its four neighbours in the slice, HU."""
    cross = ndimage.generate_binary_structure(2, 1)[None]
    high = ndimage.maximum_filter(view.hu, footprint=cross)
    spread: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = high - ndimage.minimum_filter(view.hu, footprint=cross)
    return spread
