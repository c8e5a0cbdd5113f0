"""A beating heart has two edges; a breath moves some slices near the diaphragm; nothing else moves."""

import numpy as np
import pytest

from cop_imaging.core import Geometry
from cop_imaging.synth.motion import Motion, MovingParts

GRID = Geometry((40, 100, 100), (2.0, 2.0, 2.0), (-99.0, -99.0, -140.0))
PARTS = MovingParts(heart_mm=(0.0, 0.0, -100.0), heart_radius_mm=40.0, diaphragm_mm=-110.0)


def cylinder(radius_mm: float) -> np.ndarray:
    y, x = (np.arange(100) * 2.0 - 99.0 for _ in range(2))
    plane = np.clip(0.5 - (np.hypot(x[None], y[:, None]) - radius_mm) / 2.0, 0.0, 1.0) * 890.0 - 850.0
    return np.repeat(plane[None].astype(np.float32), 40, axis=0)


def moved(hu: np.ndarray, cardiac_mm: float = 0.0, breathing_mm: float = 0.0) -> np.ndarray:
    motion = Motion(hu, GRID, np.random.default_rng(1), cardiac_mm=cardiac_mm, breathing_mm=breathing_mm, parts=PARTS)
    return np.array([motion.slice(z) for z in range(len(hu))])


def test_nothing_moves_unless_asked():
    hu = cylinder(40.0)
    assert np.array_equal(moved(hu), hu)


def test_the_heart_has_two_edges_half_as_steep_and_keeps_its_mass():
    hu = cylinder(40.0)
    before = hu.copy()
    out = moved(hu, cardiac_mm=8.0)
    assert np.array_equal(hu, before)
    changed = np.abs(out - hu).max(axis=(1, 2))
    assert changed.max() > 300.0
    worst = int(changed.argmax())
    between = (out[worst] > -500.0) & (out[worst] < -300.0)
    assert between.sum() > 3 * ((hu[worst] > -500.0) & (hu[worst] < -300.0)).sum()
    assert out[worst].mean() == pytest.approx(hu[worst].mean(), abs=2.0)


def test_what_lies_far_from_the_heart_rests():
    hu = cylinder(90.0)
    out = moved(hu, cardiac_mm=8.0)
    assert np.array_equal(out[:, :10], hu[:, :10])
    assert np.array_equal(out[-5:], hu[-5:])


def test_a_breath_moves_a_few_slices_by_no_more_than_asked():
    hu = np.repeat(np.arange(40, dtype=np.float32) * 2.0, 10000).reshape(40, 100, 100)
    shift = (moved(hu, breathing_mm=6.0) - hu)[:, 0, 0]
    affected = np.flatnonzero(shift)
    assert 3 <= len(affected) <= 13
    assert np.array_equal(affected, np.arange(affected[0], affected[-1] + 1))
    assert 3.0 < shift.max() <= 6.0
    assert shift.min() >= 0.0
