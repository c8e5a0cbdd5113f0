"""Samples hold the disease that was asked for, and validation holds shapes that training never sees."""

import numpy as np
import pytest

from cop_imaging.synth.case import draw_case, stream
from cop_imaging.synth.ground import ground_of
from cop_imaging.synth.render import model_of
from cop_imaging.training.lungs.disease import FAMILIES, draw_disease
from cop_imaging.training.lungs.other_shapes import draw_cut_off, draw_other_shapes, draw_pocket
from cop_imaging.training.lungs.samples import made_sample


@pytest.fixture(scope="module")
def terrain():
    case = draw_case("NORMAL", 5)
    return ground_of(model_of(case.body, stream(case.seed, "model"))).terrain


def test_a_family_kept_for_validation_is_never_drawn(terrain):
    names = [draw_disease(terrain, np.random.default_rng(n), without=("lobar", "fluid"))[0] for n in range(25)]
    drawn = {name for chosen in names for name in chosen}
    assert drawn <= set(FAMILIES) - {"lobar", "fluid"}
    assert len(drawn) >= 5


def test_the_same_numbers_draw_the_same_disease(terrain):
    first, second = (draw_disease(terrain, np.random.default_rng(4)) for _ in range(2))
    assert first == second


def test_a_cut_off_takes_a_twelfth_to_a_half_of_one_lung(terrain):
    for seed in range(6):
        cut = draw_cut_off(terrain, np.random.default_rng(seed))
        own = terrain.points_mm[terrain.right == cut.right]
        share = ((own - np.array(cut.centre_mm)) @ np.array(cut.normal) > cut.offset_mm).mean()
        assert 0.06 < share < 0.52
        assert np.linalg.norm(cut.normal) == pytest.approx(1.0, abs=1e-3)


def test_a_pocket_of_fluid_lies_on_the_pleura(terrain):
    pocket = draw_pocket(terrain, np.random.default_rng(1))
    nearest = np.linalg.norm(terrain.points_mm - np.array(pocket.centre_mm), axis=1).argmin()
    assert terrain.depth_mm[nearest] < 6.0
    assert pocket.thickness_mm < 2.0 * pocket.radius_mm


def test_other_shapes_have_names_that_training_does_not_know(terrain):
    for seed in range(12):
        names, lesions = draw_other_shapes(terrain, np.random.default_rng(seed))
        assert lesions
        assert not set(names) & set(FAMILIES)


def test_a_made_sample_is_labelled_and_the_same_every_time():
    sample, again = made_sample(60004), made_sample(60004)
    np.testing.assert_array_equal(sample.hu, again.hu)
    np.testing.assert_array_equal(sample.label, again.label)
    assert sample.families == ("made", "fluid")
    assert set(np.unique(sample.label)) == {0, 1, 2, 3, 4}
    collapsed = sample.dense & np.isin(sample.label, (1, 2))
    assert np.median(sample.hu[collapsed]) > np.median(sample.hu[sample.label == 3]) + 10
