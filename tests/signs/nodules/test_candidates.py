"""Blobs: where they peak, and how rays tell a ball from a tube."""

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.core import Geometry
from cop_imaging.signs.nodules.candidates import LEAST_ROUNDNESS, Blobs, peaks, profiles, without_doubles

GRID = Geometry((49, 49, 49), (1.0, 1.0, 1.0))
MIDDLE = GRID.to_patient(np.array([[24.0, 24.0, 24.0]]))
LUNG_HU, TISSUE_HU = -880.0, 20.0


def drawn(outside_mm):
    share = np.clip(0.5 - outside_mm, 0.0, 1.0)
    return (LUNG_HU + share * (TISSUE_HU - LUNG_HU)).astype(np.float32)


def offsets():
    return np.stack(np.meshgrid(*[np.arange(49.0) - 24.0] * 3, indexing="ij"), axis=-1)


def ball(radius_mm):
    return drawn(np.linalg.norm(offsets(), axis=-1) - radius_mm)


def tube(radius_mm, axis):
    return drawn(np.linalg.norm(np.delete(offsets(), axis, axis=-1), axis=-1) - radius_mm)


@pytest.mark.parametrize("radius_mm", [2.0, 3.0, 5.0])
def test_the_rays_of_a_ball_all_end_at_its_radius(radius_mm):
    radius, spread, open_share, peak, base = profiles(ball(radius_mm), GRID, MIDDLE)
    assert radius[0] == pytest.approx(radius_mm, abs=0.3)
    assert spread[0] < 1.2
    assert open_share[0] == 0.0
    assert peak[0] == pytest.approx(TISSUE_HU, abs=5.0)
    assert base[0] == pytest.approx(LUNG_HU, abs=5.0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_quarter_of_the_rays_of_a_tube_run_on(axis):
    radius, spread, open_share, _, _ = profiles(tube(2.5, axis), GRID, MIDDLE)
    # A ray at an angle to the axis ends at radius / sin(angle).
    assert radius[0] == pytest.approx(2.5 / np.sin(np.pi / 3), abs=0.4)
    assert spread[0] == pytest.approx(1.46, abs=0.12)
    assert open_share[0] == pytest.approx(0.18, abs=0.08)


def test_a_ball_peaks_most_strongly_at_its_own_scale_and_a_tube_does_not_peak():
    inside = np.ones(GRID.shape, bool)
    strength = {}
    for scale in (1.0, 1.7, 3.0):
        point, found, roundness = peaks(ball(3.0), inside, GRID, scale, 50.0)
        near = np.linalg.norm(point - MIDDLE, axis=1) < 1.0
        strength[scale] = found[near].max(initial=0.0)
        assert (roundness[near] > 0.95).all()
    assert max(strength, key=strength.get) == 1.7
    noisy = tube(2.0, 0) + np.random.default_rng(3).normal(0.0, 5.0, GRID.shape).astype(np.float32)
    _, _, roundness = peaks(noisy, inside, GRID, 1.6, 100.0)
    assert not (roundness > max(0.5, LEAST_ROUNDNESS)).any()


def test_peaks_are_the_local_maxima():
    rng = np.random.default_rng(5)
    density = ndimage.gaussian_filter(rng.normal(-800.0, 400.0, (30, 30, 30)), 1.5).astype(np.float32)
    grid = Geometry((30, 30, 30), (1.0, 1.0, 1.0))
    inside = np.ones(grid.shape, bool)
    point, strength, _ = peaks(density, inside, grid, 1.0, 5.0)
    assert len(point) > 5
    fewer, _, _ = peaks(density, inside, grid, 1.0, float(np.median(strength)))
    known = {tuple(p) for p in point}
    assert {tuple(p) for p in fewer} <= known
    assert 0 < len(fewer) < len(point)
    half = inside.copy()
    half[:15] = False
    below, _, _ = peaks(density, half, grid, 1.0, 5.0)
    assert {tuple(p) for p in below} <= known
    assert (below[:, 2] >= 15.0).all()


def test_of_blobs_at_one_place_the_strongest_stays():
    rng = np.random.default_rng(2)
    n = 60
    some = np.ones(n)
    found = Blobs(
        rng.uniform(0, 20, (n, 3)), -np.sort(-rng.uniform(100, 900, n)), some, some, some, some, some, some, some
    )
    kept = without_doubles(found, 4.0)
    apart = np.linalg.norm(kept.point_mm[:, None] - kept.point_mm, axis=-1) + 1e3 * np.eye(len(kept))
    assert apart.min() > 4.0
    assert kept.strength_hu[0] == found.strength_hu[0]
    for p in found.point_mm:
        assert np.linalg.norm(kept.point_mm - p, axis=1).min() <= 4.0
