"""Figures of healthy made chests lie where people's do."""

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.core import Geometry
from cop_imaging.synth import coarse_grid
from cop_imaging.synth.airways import lobe_of
from cop_imaging.synth.body import draw_chest, predicted_tlc_l
from cop_imaging.synth.chest import thorax
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.phantom import make_phantom
from cop_imaging.synth.render import draw, model_of
from cop_imaging.synth.shapes import Slab


def lung_litres(spec):
    """Lung volume on cubes of 5 mm."""
    x, y, z = (np.arange(a, b, 5.0, dtype=np.float32) for a, b in ((-175, 175), (-150, 150), (-230, 125)))
    s = Slab(z[:, None, None], y[None, :, None], x[None, None, :], 5.0)
    return (thorax(s, spec).lung < 0.0).sum() * (5.0 * spec.size) ** 3 / 1e6


@pytest.fixture(scope="module")
def body():
    return draw_chest(np.random.default_rng([3, 3]))


@pytest.fixture(scope="module")
def scanned(body):
    return make_phantom(3, geometry=coarse_grid(), spec=body)


@pytest.fixture(scope="module")
def model():
    return model_of(ChestSpec(), np.random.default_rng(1))


def test_lungs_of_drawn_bodies_have_their_predicted_volume():
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(12):
        body = draw_chest(rng).model_copy(update={"left_dome_mm": 0.0, "right_dome_mm": 0.0})
        predicted = predicted_tlc_l(female=body.female, height_cm=body.height_cm, age_years=body.age_years)
        shares.append(lung_litres(body) / predicted)
    assert 0.78 < np.mean(shares) < 0.90
    assert min(shares) > 0.6


def test_a_shallow_breath_and_a_raised_dome_take_volume():
    whole = lung_litres(ChestSpec())
    assert 0.55 < lung_litres(ChestSpec(inspiration=0.0)) / whole < 0.7
    assert 0.9 < lung_litres(ChestSpec(left_dome_mm=40.0)) / whole < 0.98


def test_density_inside_the_lungs_is_that_of_healthy_people(scanned):
    inside = scanned.volume.hu[scanned.truth["lungs"] > 0]
    assert -880.0 < inside.mean() < -815.0
    assert 0.027 < ((inside > -600) & (inside < -250)).mean() < 0.10
    assert (inside < -950).mean() < 0.07


def test_vessels_fill_three_to_five_per_cent_of_the_lung(model):
    middle = Geometry((16, 250, 290), (1.25, 1.1, 1.1), (-160.0, -130.0, -60.0))
    drawn = draw(model, middle)
    assert 0.03 < drawn.masks["vessels"].sum() / (drawn.lungs > 0).sum() < 0.06


def test_bronchi_narrow_like_weibels(model):
    # Lobar bronchi 8.3 mm, generation 4 about 4.5 mm, and none narrower than CT shows.
    diameter = 2.0 * model.trees.lumen.end_radius_mm
    assert 8.0 < diameter.max() < 11.0
    assert 1.8 < diameter.min() < 2.2
    for low, high, least in ((7.0, 9.0, 3), (4.0, 6.0, 8), (2.0, 3.0, 60)):
        assert ((diameter > low) & (diameter < high)).sum() >= least


def test_an_artery_is_as_wide_as_the_bronchus_beside_it(model):
    lumen, arteries = model.trees.lumen, model.trees.arteries
    ratios = []
    for k in np.flatnonzero((lumen.end_radius_mm > 1.2) & (lumen.end_radius_mm < 3.0)):
        gap = np.linalg.norm(arteries.end - lumen.end[k], axis=1)
        near = np.flatnonzero(gap < 2.2 * lumen.end_radius_mm[k] + 4.0)
        if len(near):
            ratios.append(lumen.end_radius_mm[k] / arteries.end_radius_mm[near].max())
    assert 0.6 < np.median(ratios) < 0.95


def test_vessels_reach_to_within_a_few_millimetres_of_the_pleura(model):
    ends = model.trees.arteries.end
    s = Slab.of(Geometry((116, 120, 150), (3.0, 2.5, 2.5), (-187.0, -150.0, -225.0)))
    inside = thorax(s, model.spec).lung < 0.0
    vessel = np.ones(s.shape, dtype=bool)
    index = [
        np.clip(np.searchsorted(axis.ravel(), ends[:, 2 - k]), 0, n - 1)
        for k, (axis, n) in enumerate(zip((s.z, s.y, s.x), s.shape, strict=True))
    ]
    vessel[tuple(index)] = False
    to_vessel = ndimage.distance_transform_edt(vessel, sampling=(3.0, 2.5, 2.5))
    rim = inside & ~ndimage.binary_erosion(inside)
    assert np.median(to_vessel[rim]) < 9.0


def test_both_lungs_cross_the_middle_of_the_body():
    # In front the right lung reaches across; behind the heart its recess does.
    assert lobe_of(np.array([[3.0, -80.0, -70.0]]))[0] <= 3
    assert lobe_of(np.array([[5.0, 55.0, -80.0]]))[0] <= 3
    assert lobe_of(np.array([[14.0, -80.0, -70.0]]))[0] >= 4


def test_emphysema_makes_holes_mostly_in_the_upper_lungs():
    # Heights of the middle of the upper and the lower lungs.
    spec = ChestSpec(emphysema=0.12)
    sick = model_of(spec, np.random.default_rng(1))
    shares = []
    for z in (30.0, -110.0):
        drawn = draw(sick, Geometry((4, 150, 170), (2.0, 2.0, 2.0), (-170.0, -150.0, z)))
        shares.append(drawn.masks["emphysema"].sum() / (drawn.lungs > 0).sum())
    assert 0.02 < shares[0] < 0.4
    assert shares[1] < 0.5 * shares[0]


def test_contrast_medium_lights_the_left_heart_and_aorta_apart_from_the_right():
    spec = ChestSpec(blood_hu=300.0, pulmonary_hu=150.0, enhancement=0.3)
    grid = Geometry((3, 60, 60), (2.0, 2.0, 2.0), (-60.0, -70.0, -70.0))
    hu = draw(model_of(spec, np.random.default_rng(1)), grid).hu
    k, j, i = np.rint(grid.to_index((24.0, 52.0, -68.0))).astype(int)
    aorta, right_atrium = hu[k, min(j, 59), i], hu[k, 21, 19]
    assert aorta > 250.0
    assert 120.0 < right_atrium < 190.0


def test_the_same_body_is_drawn_in_whatever_slabs(model):
    whole = Geometry((12, 120, 140), (2.5, 2.5, 2.5), (-175.0, -150.0, -60.0))
    part = Geometry((4, 120, 140), (2.5, 2.5, 2.5), (-175.0, -150.0, -50.0))
    assert np.allclose(draw(model, whole).hu[4:8], draw(model, part).hu, atol=2.0)
