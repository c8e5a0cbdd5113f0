"""Phantom chests and their anatomy, made once for all tests that look at them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.core import Anatomy
from cop_imaging.synth import Phantom, coarse_grid, healthy_chest, organizing_pneumonia_chest


@pytest.fixture(scope="session")
def healthy() -> Phantom:
    """A chest without lesions in cubes of 2.5 mm."""
    return healthy_chest(1, geometry=coarse_grid())


@pytest.fixture(scope="session")
def op() -> Callable[[int], Phantom]:
    """Chests with organizing pneumonia by seed, in cubes of 2.5 mm."""
    made: dict[int, Phantom] = {}

    def make(seed: int) -> Phantom:
        if seed not in made:
            made[seed] = organizing_pneumonia_chest(seed, geometry=coarse_grid())
        return made[seed]

    return make


@pytest.fixture(scope="session")
def quick() -> AnatomyConfig:
    """The coarsest work grid: an eighth of the usual voxels."""
    return AnatomyConfig(method="classical", work_spacing_mm=3.0)


@pytest.fixture(scope="session")
def healthy_anatomy(healthy: Phantom, quick: AnatomyConfig) -> Anatomy:
    """What is found in the healthy chest on the coarsest work grid."""
    return segment(healthy.volume, quick)
