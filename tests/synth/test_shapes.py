"""Drawn shapes have the volume that geometry says, on any grid."""

import numpy as np
import pytest

from cop_imaging.core import Geometry
from cop_imaging.synth.random_field import Field
from cop_imaging.synth.shapes import Slab, Tubes, cover, draw_tubes, ellipsoid, smooth_union


def cube(spacing: float, edge_mm: float = 48.0) -> Geometry:
    n = round(edge_mm / spacing)
    return Geometry((n, n, n), (spacing,) * 3, (-0.5 * (n - 1) * spacing,) * 3)


@pytest.mark.parametrize("spacing", [0.8, 1.5, 3.0])
def test_a_ball_has_its_volume_whatever_the_spacing(spacing):
    grid = cube(spacing)
    s = Slab.of(grid)
    volume = cover(ellipsoid(s, (0.3, -0.4, 0.2), (15.0, 15.0, 15.0)), s.voxel_mm).sum() * spacing**3
    assert volume == pytest.approx(4 / 3 * np.pi * 15**3, rel=0.02)


@pytest.mark.parametrize("radius", [0.5, 1.0, 3.0, 6.0])
def test_a_tube_thinner_than_a_voxel_keeps_its_volume_in_the_mean(radius):
    grid = cube(1.5)
    tube = Tubes.path((-15.0, -3.2, 4.1, radius), (14.0, 6.0, -5.3, radius))
    length = np.linalg.norm(tube.end - tube.start)
    expected = np.pi * radius**2 * length + 4 / 3 * np.pi * radius**3
    assert draw_tubes(Slab.of(grid), tube).sum() * 1.5**3 == pytest.approx(expected, rel=0.05)


def test_a_field_lies_fixed_in_the_patient():
    field = Field.random(np.random.default_rng(1), (-40.0,) * 3, (40.0,) * 3, 5.0)
    whole = Slab.of(cube(2.0))
    seen = field.on(whole)
    assert np.array_equal(field.on(whole.part(3, 9)), seen[3:9])
    assert abs(seen.mean()) < 0.3
    assert 0.5 < seen.std() < 1.3


def test_a_smooth_union_holds_both_shapes_and_is_plain_far_from_their_meeting():
    a, b = np.linspace(-9, 9, 37, dtype=np.float32), np.linspace(9, -9, 37, dtype=np.float32)
    both = smooth_union(a, b, 4.0)
    assert (both <= np.minimum(a, b)).all()
    assert both[0] == a[0]


def test_a_tilted_grid_is_refused():
    c, s = np.cos(0.2), np.sin(0.2)
    tilted = Geometry((4, 4, 4), (1.0,) * 3, direction=((0.0, s, c), (0.0, c, -s), (1.0, 0.0, 0.0)))
    with pytest.raises(ValueError, match="axes"):
        Slab.of(tilted)


def test_directions_longer_than_one_by_rounding_still_have_an_edge():
    slab = Slab(np.zeros((1, 1, 1)), np.zeros((1, 1, 1)), np.zeros((1, 1, 1)), 3.5, 0.6)
    assert float(slab.facing(np.float32(1.02))) == pytest.approx(0.6, abs=1e-3)
    assert float(slab.facing(np.float32(0.0))) == pytest.approx(3.5)
