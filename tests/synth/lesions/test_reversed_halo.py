"""A reversed halo is a closed or crescent-shaped dense rim around a hazy core, and its size is exact."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.synth.lesions.reversed_halo import ReversedHalo, draw_reversed_halo
from cop_imaging.synth.terrain import Where

LESION = ReversedHalo((0.31, -0.17, 0.23), outer_mm=34.0, rim_mm=5.0, seed=1)


def directions(n=2000):
    ways = np.random.default_rng(0).standard_normal((n, 3))
    return ways / np.linalg.norm(ways, axis=1, keepdims=True)


def along(hu, way):
    """Density from the middle of a cube of 1 mm voxels outwards, every half millimetre."""
    steps = 47.5 + np.arange(0.0, 32.0, 0.5)[None] * way[:, None]
    return ndimage.map_coordinates(hu, steps, order=1)


@pytest.mark.parametrize("voxel_mm", [0.75, 1.0, 1.5])
def test_without_roughness_rim_and_whole_have_their_exact_volumes(voxel_mm, cube_of_lung):
    lesion = dataclasses.replace(LESION, roughness=0.0)
    place = cube_of_lung(voxel_mm)
    ball = np.pi / 6.0 * 34.0**3
    whole = (lesion.shapes(place)["reversed_halo"] >= 0.5).sum() * voxel_mm**3
    rim = lesion.layers(place)[1].fraction.sum(dtype=float) / lesion.rim_fraction * voxel_mm**3
    assert whole == pytest.approx(ball, rel=0.01)
    assert rim == pytest.approx(ball - np.pi / 6.0 * 24.0**3, rel=0.01)


def test_in_every_direction_a_dense_rim_follows_a_hazy_core(paint):
    hu, _ = paint(LESION)
    lines = np.array([along(hu, way) for way in directions(400)])
    # Lung is -850 HU: the core is 60 above it, the rim 150 above the core.
    assert np.median(lines[:, :12]) > -790.0
    assert (lines.max(axis=1) > np.median(lines[:, :12]) + 250.0).mean() > 0.97
    assert np.median(lines[:, -6:]) == pytest.approx(-850.0, abs=1.0)


def test_its_rim_is_uneven_but_has_its_thickness_in_the_mean(paint):
    hu, _ = paint(LESION)
    thick = np.array([(along(hu, way) > -300.0).sum() * 0.5 for way in directions(400)])
    assert thick.mean() == pytest.approx(5.0, abs=1.2)
    assert 0.6 < thick.std() < 2.5


def test_its_outline_is_irregular_but_has_its_diameter_in_the_mean(paint):
    _, truth = paint(LESION)
    volume = truth["reversed_halo"].sum()
    assert 2.0 * (3.0 * volume / (4.0 * np.pi)) ** (1.0 / 3.0) == pytest.approx(34.0, rel=0.06)
    reach = np.array([along(truth["reversed_halo"].astype(np.float32), way).sum() * 0.5 for way in directions(400)])
    assert 0.03 < reach.std() / reach.mean() < 0.15


def test_a_crescent_is_open_on_one_side_and_thins_out_towards_it(paint):
    hu, _ = paint(dataclasses.replace(LESION, coverage_deg=280.0, gap_deg=90.0))
    ways = directions(3000)
    # Towards the back is +y; the gap is a cone of 40 degrees around it.
    angle = np.degrees(np.arccos(ways[:, 1]))
    thick = np.array([(along(hu, way) > -300.0).sum() * 0.5 for way in ways])
    assert thick[angle < 15.0].max(initial=0.0) == 0.0
    near, far = thick[(angle > 42.0) & (angle < 55.0)].mean(), thick[angle > 90.0].mean()
    assert 0.4 < near / far < 0.95
    assert (thick > 0.0).mean() > 0.8


def test_drawn_halos_have_the_sizes_of_organizing_pneumonia(terrain):
    rng = np.random.default_rng(1)
    lesions = [k for _ in range(60) for k in draw_reversed_halo(terrain, rng, where=Where(depth_mm=(10.0, 60.0)))]
    rims = np.array([k.rim_mm for k in lesions])
    assert 4.0 < rims.mean() < 6.0
    assert rims.min() >= 2.5
    assert rims.max() <= 9.0
    assert all(k.rim_mm < 0.3 * k.outer_mm for k in lesions)
    assert 0.15 < np.mean([k.coverage_deg < 360.0 for k in lesions]) < 0.5
