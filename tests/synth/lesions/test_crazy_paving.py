"""Crazy paving is ground glass with lines along its lobules."""

import dataclasses

import numpy as np

from cop_imaging.synth.lesions.crazy_paving import CrazyPaving, draw_crazy_paving
from cop_imaging.synth.terrain import Where

LESION = CrazyPaving((0.0, 0.0, 0.0), radius_mm=22.0, seed=3, lobule_mm=13.0, septum_mm=1.5)


def test_septa_are_denser_than_the_haze_and_lie_on_the_walls_of_lobules(cube_of_lung, paint):
    hu, truth = paint(LESION)
    place = cube_of_lung(1.0)
    region = LESION.region(place)
    inside = region.inside > 0.99
    on, off = inside & (region.wall_mm < 0.4), inside & (region.wall_mm > 3.0)
    assert np.median(hu[on]) > np.median(hu[off]) + 150.0
    assert -650.0 < np.median(hu[off]) < -400.0
    assert truth["ground_glass"][off].mean() > 0.9
    assert not truth["consolidation"].any()


def test_lines_are_a_small_part_of_it_and_grow_with_the_thickness_of_septa(cube_of_lung):
    place = cube_of_lung(1.0)
    shares = []
    for septum_mm in (1.0, 2.0):
        lesion = dataclasses.replace(LESION, septum_mm=septum_mm)
        septa = lesion.layers(place)[2].fraction / lesion.septum_fraction
        shares.append(septa.sum() / lesion.region(place).inside.sum())
    assert 0.1 < shares[0] < 0.35
    assert 1.5 < shares[1] / shares[0] < 2.1


def test_its_truth_is_the_lobules_with_their_lines(paint):
    hu, truth = paint(LESION)
    mask = truth["crazy_paving"]
    assert (truth["ground_glass"] & ~mask).sum() < 0.02 * mask.sum()
    assert np.median(hu[mask]) > -650.0


def test_drawn_septa_are_1_to_2_mm_thick(terrain):
    lesions = draw_crazy_paving(terrain, np.random.default_rng(1), where=Where(), target_ml=500.0)
    assert len(lesions) >= 4
    assert all(1.0 <= k.septum_mm <= 2.0 and 10.0 <= k.lobule_mm <= 15.0 for k in lesions)
