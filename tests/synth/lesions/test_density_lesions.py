"""Lesions in a uniform lung have the densities and sizes of their signs."""

import numpy as np
import pytest

from cop_imaging.core import Geometry
from cop_imaging.synth import Cavity, Consolidation, GroundGlass, ReversedHalo
from cop_imaging.synth.lesions.blending import add_lesions, lay_over
from cop_imaging.synth.shapes import Slab

LUNG_HU = -850.0
GRID = Geometry((64, 64, 64), (1.0, 1.0, 1.0), (-31.5, -31.5, -31.5))


def paint(*lesions):
    """Density and truth in a cube of uniform lung whose pleura is its back face."""
    s = Slab.of(GRID)
    hu = np.full(s.shape, LUNG_HU, dtype=np.float32)
    depth = np.broadcast_to(32.0 - s.y, s.shape).astype(np.float32)
    lobe = np.ones(s.shape, dtype=np.uint8)
    blended = add_lesions(hu, s, depth, lobe, lesions)
    masks = {"vessels": np.zeros(s.shape, bool), "airways": np.zeros(s.shape, bool), **blended.masks}
    lay_over(hu, np.ones(s.shape, np.float32), blended, masks)
    return hu, masks


def test_consolidation_is_dense_patchy_and_sits_on_the_pleura():
    hu, truth = paint(Consolidation((0.0, 28.0, 0.0), radius_mm=22.0, depth_mm=16.0, seed=3))
    mask = truth["consolidation"]
    assert 4.0 < mask.sum() / 1000.0 < 35.0
    assert hu[mask].min() > -300.0
    assert np.median(hu[mask]) > -50.0
    assert mask[:, -2].sum() > 3 * mask[:, 64 - 20].sum()
    assert not truth["ground_glass"].any()


def test_consolidation_is_no_ball():
    _, truth = paint(Consolidation((0.0, 28.0, 0.0), radius_mm=22.0, depth_mm=16.0, seed=3))
    points = np.argwhere(truth["consolidation"]).astype(float)
    distance = np.linalg.norm(points - points.mean(axis=0), axis=1)
    ball = (3 * len(points) / (4 * np.pi)) ** (1 / 3)
    assert np.quantile(distance, 0.99) > 1.25 * ball


def test_ground_glass_keeps_to_its_band():
    hu, truth = paint(GroundGlass((0.0, 24.0, 0.0), radius_mm=22.0, depth_mm=20.0, seed=5))
    mask = truth["ground_glass"]
    assert mask.sum() > 4000
    assert hu[mask].min() >= -700.0
    assert -650.0 < hu[mask].mean() < -450.0
    assert not truth["consolidation"].any()


@pytest.mark.parametrize(("outer", "rim"), [(24.0, 4.0), (36.0, 6.0)])
def test_a_reversed_halo_has_a_hazy_core_in_a_dense_rim(outer, rim):
    hu, truth = paint(ReversedHalo((0.0, 0.0, 0.0), outer_mm=outer, rim_mm=rim, seed=7))
    s = Slab.of(GRID)
    away = np.sqrt(s.x**2 + s.y**2 + s.z**2)
    core = hu[away < 0.5 * outer - rim - 4.0]
    around = hu[np.abs(away - 0.5 * (outer - rim)) < 0.5]
    assert LUNG_HU + 60.0 < core.mean() < -450.0
    assert np.median(around) > core.mean() + 150.0
    sphere = 4 / 3 * np.pi * (0.5 * outer) ** 3
    assert truth["reversed_halo"].sum() == pytest.approx(sphere, rel=0.35)
    rim_mask = truth["consolidation"]
    assert (truth["reversed_halo"] | ~rim_mask).mean() > 0.995
    assert truth["ground_glass"][31, 31, 31]


def test_the_gap_of_a_broken_reversed_halo_lies_where_it_was_put():
    whole = paint(ReversedHalo((0.0, 0.0, 0.0), 32.0, 5.0, seed=2))[1]["consolidation"]
    broken = paint(ReversedHalo((0.0, 0.0, 0.0), 32.0, 5.0, seed=2, coverage_deg=240.0, gap_deg=90.0))[1][
        "consolidation"
    ]
    # Towards the back is +y.
    assert not broken[32, 42:, 32].any()
    assert np.array_equal(broken[32, :22, 32], whole[32, :22, 32])
    # The gap is a cone of 60 degrees around its direction: a quarter of the sphere.
    assert broken.sum() / whole.sum() == pytest.approx(0.75, abs=0.05)


def test_a_cavity_holds_air_and_is_no_reversed_halo():
    hu, truth = paint(Cavity((0.0, 0.0, 0.0), outer_mm=30.0, wall_mm=5.0, seed=1))
    assert hu[32, 32, 32] < -990.0
    assert not any(mask.any() for name, mask in truth.items() if name != "cavity")
    assert truth["cavity"].any()
