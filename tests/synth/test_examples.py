"""Every sign has a made chest that shows it, and its lesions lie inside the scan."""

import numpy as np
import pytest

from cop_imaging.synth.diseases.rendering import SHAPES
from cop_imaging.synth.examples import CHESTS, EXAMPLES, SEED, example_chest
from cop_imaging.synth.ground import terrain_of_model
from cop_imaging.synth.render import model_of

DENSITIES = {"consolidation", "ground_glass", "effusion"}


@pytest.fixture(scope="module")
def terrains():
    """The ground of each body among the chests."""
    specs = {chest.spec for chest in CHESTS.values()}
    return {spec: terrain_of_model(model_of(spec, np.random.default_rng([SEED, 1]))) for spec in specs}


def test_a_sign_is_shown_by_one_chest():
    named = [sign for chest in CHESTS.values() for sign in chest.signs]
    assert len(named) == len(set(named)) == len(EXAMPLES)


def test_truths_are_known_names():
    assert {truth for chest in CHESTS.values() for truth in chest.signs.values()} <= set(SHAPES) | DENSITIES


@pytest.mark.parametrize("name", CHESTS)
def test_lesions_lie_in_the_scan_and_are_the_same_every_time(terrains, name):
    example = CHESTS[name]
    first, again = (example.lesions(terrains[example.spec], np.random.default_rng([SEED, 5])) for _ in range(2))
    assert first == again
    shape = np.array(example.geometry.shape)
    # Fluid spreads over a whole lung; its level, not its middle, lies in the scan.
    placed = [lesion for lesion in first if type(lesion).__name__ not in ("Effusion", "AirwayWalls")]
    index = np.array([example.geometry.to_index(lesion.centre_mm) for lesion in placed]).reshape(-1, 3)
    assert ((index > 0) & (index < shape)).all()


def test_an_unknown_chest_is_refused():
    with pytest.raises(KeyError):
        example_chest("no such chest")
