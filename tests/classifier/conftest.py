"""Feature vectors of imagined scans."""

from collections.abc import Callable

import numpy as np
import pytest

from cop_imaging.classifier import Model, load_model
from cop_imaging.core.finding import Feature
from cop_imaging.core.vector import FeatureSchema, FeatureVector

SIGNS = ("lungs", "consolidation", "ground_glass", "reversed_halo")

EMPTY = float("nan")

NORMAL = {
    "lungs.volume_ml": 5000.0,
    "consolidation.extent_percent": 0.01,
    "consolidation.peripheral_to_central": 0.7,
    "consolidation.lower_to_upper": 1.2,
    "consolidation.peribronchovascular_ratio": 2.0,
    "consolidation.subpleural_sparing": 0.6,
    "consolidation.bilateral_index": 0.4,
    "consolidation.patch_count": 2.0,
    "consolidation.largest_share": 0.6,
    "consolidation.zones_hit": 0.0,
    "ground_glass.extent_percent": 0.2,
    "ground_glass.peripheral_to_central": 0.7,
    "ground_glass.lower_to_upper": 1.3,
    "ground_glass.peribronchovascular_ratio": 1.8,
    "ground_glass.subpleural_sparing": 0.6,
    "ground_glass.bilateral_index": 0.6,
    "ground_glass.patch_count": 6.0,
    "ground_glass.largest_share": 0.4,
    "ground_glass.zones_hit": 0.0,
    "reversed_halo.count": 0.0,
    "reversed_halo.possible_count": 0.0,
    "reversed_halo.best_outer_diameter_mm": EMPTY,
    "reversed_halo.best_rim_mm": EMPTY,
}
"""A healthy chest: 0.5 ml of vessels taken for consolidation, 10 ml of haze."""

PATCHY = NORMAL | {
    "consolidation.extent_percent": 8.0,
    "consolidation.peripheral_to_central": 3.0,
    "consolidation.lower_to_upper": 2.5,
    "consolidation.peribronchovascular_ratio": 0.9,
    "consolidation.subpleural_sparing": 1.1,
    "consolidation.bilateral_index": 0.8,
    "consolidation.patch_count": 8.0,
    "consolidation.largest_share": 0.3,
    "consolidation.zones_hit": 5.0,
    "ground_glass.extent_percent": 10.0,
    "ground_glass.peripheral_to_central": 1.5,
    "ground_glass.lower_to_upper": 1.5,
    "ground_glass.peribronchovascular_ratio": 1.0,
    "ground_glass.subpleural_sparing": 0.9,
    "ground_glass.bilateral_index": 0.8,
    "ground_glass.patch_count": 12.0,
    "ground_glass.largest_share": 0.3,
    "ground_glass.zones_hit": 6.0,
}
"""Consolidation and ground glass on both sides, peripheral, below, in many patches."""

HALO = {
    "reversed_halo.count": 1.0,
    "reversed_halo.best_outer_diameter_mm": 28.0,
    "reversed_halo.best_rim_mm": 5.0,
}

Maker = Callable[..., FeatureVector]


@pytest.fixture(scope="session")
def model() -> Model:
    return load_model()


@pytest.fixture
def normal() -> dict[str, float]:
    return dict(NORMAL)


@pytest.fixture
def patchy() -> dict[str, float]:
    return dict(PATCHY)


@pytest.fixture
def halo() -> dict[str, float]:
    return dict(HALO)


@pytest.fixture
def scan() -> Maker:
    """Make a vector: values by name, signs that could not be assessed, relative half-width of the intervals."""

    def make(values: dict[str, float], *, blind: tuple[str, ...] = (), width: float = 0.0) -> FeatureVector:
        names = tuple(values)
        features = tuple(Feature(name, "1", "made for a test") for name in names)
        hidden = np.array([name.partition(".")[0] in blind for name in names])
        array = np.where(hidden, np.nan, np.array([values[name] for name in names], dtype=float))
        return FeatureVector(
            schema=FeatureSchema("test", features, SIGNS),
            values=array,
            low=array * (1 - width),
            high=array * (1 + width),
            scores=dict.fromkeys(SIGNS),
            assessable={sign: sign not in blind for sign in SIGNS},
        )

    return make
