"""Centrilobular nodules: small spots in groups that keep clear of the pleura."""

import itertools

import numpy as np
import pytest

from cop_imaging.core import Presence

APART_MM = 10.0


def spots(b, z, y, x, *, hu=-450.0, diameter_mm=4.0):
    for place in itertools.product(z, y, x):
        b.ball(place, diameter_mm / 2, hu)


def line(low, n):
    return [low + APART_MM * k for k in range(n)]


@pytest.mark.parametrize("hu", [-450.0, 20.0])
def test_hazy_and_solid_spots_in_the_middle_of_lobules_are_found(block, look, value, hu):
    b = block()
    spots(b, line(-20.0, 5), line(-20.0, 4), line(-35.0, 3), hu=hu)
    found = look(b.scene(), "centrilobular_nodules")
    assert found.presence is Presence.PRESENT
    assert value(found, "count") >= 0.8 * 60
    assert value(found, "spacing_mm") == pytest.approx(APART_MM, abs=1.5)
    assert value(found, "diameter_median_mm") == pytest.approx(4.0, abs=1.0)
    assert value(found, "right_share") == 1.0
    for m in found.measures:
        assert m.value is None or m.low <= m.value <= m.high, m.name


def test_spots_on_the_pleura_are_not_centrilobular(block, look, value):
    b = block()
    spots(b, line(-20.0, 5), [-43.0, 43.0], line(-35.0, 3))
    assert value(look(b.scene(), "centrilobular_nodules"), "count") == 0.0


def test_single_spots_far_apart_are_no_pattern(block, look, value):
    b = block()
    for place in ((-30.0, -30.0, -30.0), (30.0, 30.0, 30.0), (-30.0, 30.0, 30.0)):
        b.ball(place, 2.0, -300.0)
    found = look(b.scene(), "centrilobular_nodules")
    assert value(found, "count") == 0.0
    assert found.presence is Presence.ABSENT


def test_a_bundle_of_vessels_is_no_pattern(block, look, value):
    b = block()
    for y, x in itertools.product(line(-20.0, 4), line(-35.0, 3)):
        b.tube(0, (0.0, y, x), 1.5, 40.0)
    assert value(look(b.scene(), "centrilobular_nodules"), "count") == 0.0


def test_noise_is_no_pattern(block, look, value):
    b = block()
    b.hu = b.hu + np.random.default_rng(1).normal(0.0, 40.0, b.hu.shape).astype(np.float32)
    found = look(b.scene(), "centrilobular_nodules")
    assert value(found, "count") <= 3.0
    assert found.presence is Presence.ABSENT


def test_more_of_them_score_higher(block, look):
    b = block()
    scores = []
    for row in line(-20.0, 4):
        spots(b, [row], line(-20.0, 4), line(-35.0, 3))
        scores.append(look(b.scene(), "centrilobular_nodules").score)
    assert scores == sorted(scores)
    assert scores[-1] > scores[0]
