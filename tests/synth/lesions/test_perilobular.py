"""Perilobular bands arch over lobules at the pleura whose middle stays aerated."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.synth.lesions.lobules import Lobules
from cop_imaging.synth.lesions.perilobular import Perilobular, draw_perilobular
from cop_imaging.synth.terrain import Where

LESION = Perilobular((0.0, 38.0, 0.0), radius_mm=32.0, depth_mm=22.0, seed=3, affected=0.7)


def test_bands_are_2_to_6_mm_thick(paint):
    _, truth = paint(LESION, voxel_mm=0.8)
    mask = truth["perilobular"]
    distance = ndimage.distance_transform_edt(mask, sampling=0.8)
    ridge = mask & (distance >= ndimage.maximum_filter(distance, 3)) & (distance > 0.8)
    thick = 2.0 * distance[ridge] - 0.8
    assert 2.0 < np.median(thick) < 5.0
    assert np.quantile(thick, 0.9) < 7.0


def test_bands_run_along_the_walls_of_lobules_and_spare_their_middle(cube_of_lung, paint):
    hu, truth = paint(LESION)
    place = cube_of_lung(1.0)
    lobules = Lobules.around(LESION.centre_mm, reach_mm=LESION.reach_mm, seed=3, lobule_mm=LESION.lobule_mm)
    near = (place.depth_mm > 3.0) & (place.depth_mm < 20.0)
    near &= np.sqrt(place.slab.x**2 + (place.slab.y - 38.0) ** 2 + place.slab.z**2) < 26.0
    wall = lobules.walls(place.slab, lobules.rough.on(place.slab), near).distance_mm
    band = truth["perilobular"][near]
    assert band[wall < 1.2].mean() > 2.5 * band[wall > 3.5].mean()
    assert band[wall > 5.0].mean() < 0.12
    assert np.median(hu[near][wall > 5.0]) < -750.0


def test_bands_are_dense_sheets_and_no_lumps(paint):
    hu, truth = paint(LESION)
    mask = truth["perilobular"]
    assert np.median(hu[mask]) > -350.0
    surface = sum(np.abs(np.diff(mask.astype(np.int8), axis=a)).sum() for a in range(3)) / 1.5
    ball = (36.0 * np.pi * mask.sum() ** 2.0) ** (1.0 / 3.0)
    assert surface > 4.0 * ball


def test_bands_touch_the_pleura_and_end_at_their_depth(cube_of_lung):
    place = cube_of_lung(1.0)
    part = LESION.shapes(place)["perilobular"]
    reached = (place.depth_mm > 0.0) & (place.depth_mm < 1.5)
    assert (part[reached] > 0.5).sum() > 150
    assert not (part[place.depth_mm > 30.0] > 0.5).any()


def test_more_affected_lobules_mean_more_bands_and_missing_walls_fewer(cube_of_lung):
    place = cube_of_lung(1.5)

    def volume(**fields):
        return dataclasses.replace(LESION, **fields).shapes(place)["perilobular"].sum()

    assert volume(affected=0.9) > 1.3 * volume(affected=0.4)
    assert volume(closed=0.9) > 1.3 * volume(closed=0.5)
    assert volume(affected=0.0) == 0.0


def test_drawn_arcades_lie_at_the_pleura_and_reach_about_their_volume(ground):
    terrain = ground.terrain
    lesions = draw_perilobular(
        terrain, np.random.default_rng(2), where=Where(depth_mm=(0.0, 8.0), height=(0.0, 1.0, 2.0)), target_ml=60.0
    )
    assert 1 <= len(lesions) <= 12
    assert ground.measure(lesions)["perilobular"] == pytest.approx(60.0, rel=0.5)
    for lesion in lesions:
        nearest = np.argmin(np.linalg.norm(terrain.points_mm - np.array(lesion.centre_mm), axis=1))
        assert terrain.depth_mm[nearest] <= 8.0
        assert 10.0 <= lesion.lobule_mm <= 25.0
