"""Drawn bodies are those of adults, and no two are alike."""

import numpy as np
import pytest

from cop_imaging.synth.body import draw_chest, predicted_tlc_l


@pytest.fixture(scope="module")
def bodies():
    rng = np.random.default_rng(5)
    return [draw_chest(rng) for _ in range(400)]


def test_the_same_generator_draws_the_same_body():
    assert draw_chest(np.random.default_rng(3)) == draw_chest(np.random.default_rng(3))


def test_no_two_bodies_are_alike(bodies):
    assert len({body.model_dump_json() for body in bodies}) == len(bodies)


def test_women_are_smaller_and_only_they_have_breasts(bodies):
    women, men = ([b for b in bodies if b.female == sex] for sex in (True, False))
    assert np.mean([b.size for b in women]) < np.mean([b.size for b in men]) - 0.04
    assert np.mean([b.trachea_mm for b in women]) < np.mean([b.trachea_mm for b in men]) - 1.5
    assert all(b.breast_mm > 0.0 for b in women)
    assert not any(b.breast_mm for b in men)


def test_heavy_people_have_more_fat(bodies):
    bmi = np.array([b.weight_kg / (b.height_cm / 100.0) ** 2 for b in bodies])
    assert np.corrcoef(bmi, [b.fat_mm for b in bodies])[0, 1] > 0.7


def test_age_shows_in_spine_bone_and_aorta(bodies):
    age = [b.age_years for b in bodies]
    for name, sign in (("kyphosis_deg", 1), ("marrow_hu", -1), ("aortic_calcium", 1), ("cartilage_calcium", 1)):
        assert sign * np.corrcoef(age, [getattr(b, name) for b in bodies])[0, 1] > 0.3, name


def test_most_scans_are_without_contrast_medium(bodies):
    assert 0.5 < np.mean([b.blood_hu < 60.0 for b in bodies]) < 0.7


def test_lung_capacity_is_predicted_from_sex_age_and_height():
    assert predicted_tlc_l(female=False, height_cm=175.0, age_years=60.0) == pytest.approx(6.77, abs=0.01)
    assert predicted_tlc_l(female=True, height_cm=162.0, age_years=60.0) == pytest.approx(5.02, abs=0.01)
