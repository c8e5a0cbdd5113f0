"""Phantoms look like a chest in numbers, and their truth is exact."""

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.core import Geometry
from cop_imaging.synth import (
    ChestSpec,
    Consolidation,
    ScannerSpec,
    coarse_grid,
    healthy_chest,
    make_case,
    make_phantom,
    organizing_pneumonia_chest,
    render,
)
from cop_imaging.synth.case import draw_case
from cop_imaging.synth.lesions.nodule import Nodule

SIGNS = ("consolidation", "ground_glass", "reversed_halo")


@pytest.fixture(scope="module")
def healthy():
    return make_phantom(1, geometry=coarse_grid())


@pytest.fixture(scope="module")
def sick():
    return organizing_pneumonia_chest(2, geometry=coarse_grid())


def litres(mask, geometry):
    return mask.sum() * geometry.voxel_ml / 1000.0


def test_lungs_have_a_normal_volume_and_the_right_one_is_larger(healthy):
    right, left = (litres(healthy.truth[f"lungs_{side}"], healthy.volume.geometry) for side in ("right", "left"))
    assert 4.0 < right + left < 6.0
    assert 0.53 < right / (right + left) < 0.55


def test_each_lung_is_one_piece_inside_the_grid(healthy):
    lungs = healthy.truth["lungs"]
    for label in (1, 2):
        parts, n = ndimage.label(lungs == label)
        sizes = np.bincount(parts.ravel())[1:]
        assert sizes.max() / sizes.sum() > 0.995, n
    for face in (lungs[0], lungs[-1], lungs[:, 0], lungs[:, -1], lungs[:, :, 0], lungs[:, :, -1]):
        assert not face.any()


def test_the_right_lung_lies_on_the_patients_right(healthy):
    g = healthy.volume.geometry
    centre = np.argwhere(healthy.truth["lungs_right"]).mean(axis=0)
    assert g.to_patient(centre)[0] < -40.0


def test_lung_density_is_that_of_full_inspiration_and_rises_towards_the_back(healthy):
    lungs, hu = healthy.truth["lungs"] > 0, healthy.volume.hu
    inner = ndimage.binary_erosion(lungs, iterations=2) & ~healthy.truth["vessels"]
    assert -890.0 < np.median(hu[inner]) < -820.0
    _, y, _ = np.nonzero(inner)
    y_cm = y * healthy.volume.geometry.spacing_mm[1] / 10.0
    # Medians of front and back, since vessels gather in the middle.
    low, high = np.quantile(y_cm, [0.15, 0.85])
    rise = np.median(hu[inner][y_cm > high]) - np.median(hu[inner][y_cm < low])
    assert 1.5 < rise / (np.median(y_cm[y_cm > high]) - np.median(y_cm[y_cm < low])) < 5.0


def test_expiration_makes_lungs_smaller_and_denser(healthy):
    out = make_phantom(1, geometry=coarse_grid(), spec=ChestSpec(inspiration=0.2))
    assert litres(out.truth["lungs"] > 0, out.volume.geometry) < 0.88 * litres(
        healthy.truth["lungs"] > 0, healthy.volume.geometry
    )
    assert (
        np.median(out.volume.hu[out.truth["lungs"] > 0]) > np.median(healthy.volume.hu[healthy.truth["lungs"] > 0]) + 35
    )


def test_the_trachea_is_air_and_no_part_of_the_lungs(healthy):
    truth, g = healthy.truth, healthy.volume.geometry
    k, j, i = np.rint(g.to_index((0.0, 12.0, 60.0))).astype(int)
    assert truth["airways"][k, j, i]
    assert truth["lungs"][k, j, i] == 0
    assert healthy.volume.hu[k, j, i] < -900
    area_mm2 = truth["airways"][k, :, i - 6 : i + 7].sum() * g.spacing_mm[1] * g.spacing_mm[2]
    assert area_mm2 == pytest.approx(np.pi * 9.0**2, rel=0.25)


def test_airways_are_one_tree(healthy):
    thin = Geometry((100, 130, 150), (1.2, 1.2, 1.2), (-90.0, -60.0, -90.0))
    airways = make_phantom(1, geometry=thin, scanner=ScannerSpec(noise_hu=0.0)).truth["airways"]
    parts, _ = ndimage.label(airways, np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    assert sizes.max() / sizes.sum() > 0.85


def test_vessels_fill_a_few_per_cent_of_the_lungs(healthy):
    share = healthy.truth["vessels"].sum() / (healthy.truth["lungs"] > 0).sum()
    assert 0.01 < share < 0.05


def test_a_healthy_chest_has_no_lesion(healthy):
    assert healthy.lesions == ()
    assert not any(healthy.truth[name].any() for name in SIGNS)


def test_organizing_pneumonia_is_bilateral_with_every_sign(sick):
    truth, g = sick.truth, sick.volume.geometry
    for side in ("lungs_right", "lungs_left"):
        assert litres(truth["consolidation"] & truth[side], g) > 0.015
    assert litres(truth["ground_glass"], g) > 0.05
    assert 2.0 < litres(truth["reversed_halo"], g) * 1000.0 < 60.0
    assert not (truth["consolidation"] & truth["ground_glass"]).any()
    assert 4 <= sum(isinstance(lesion, Consolidation) for lesion in sick.lesions) <= 7


def test_truth_lies_in_the_lungs_and_looks_like_its_sign(sick):
    lungs, hu = sick.truth["lungs"] > 0, sick.volume.hu
    for name in SIGNS:
        assert not (sick.truth[name] & ~lungs).any()
    clear = ~sick.truth["airways"]
    assert np.median(hu[sick.truth["consolidation"] & clear]) > -150.0
    assert -700.0 < np.median(hu[sick.truth["ground_glass"] & clear]) < -400.0


def test_lesions_leave_the_lung_mask_as_it_was(sick):
    spec_of_health = healthy_chest(2, geometry=coarse_grid())
    assert np.array_equal(spec_of_health.truth["lungs"], sick.truth["lungs"])


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(sick):
    again = organizing_pneumonia_chest(2, geometry=coarse_grid())
    assert again.volume.digest == sick.volume.digest
    assert all(np.array_equal(again.truth[name], mask) for name, mask in sick.truth.items())
    assert (
        healthy_chest(3, geometry=coarse_grid()).volume.digest != healthy_chest(2, geometry=coarse_grid()).volume.digest
    )


def test_the_bytes_do_not_depend_on_how_many_slices_are_drawn_at_once(monkeypatch):
    # Slices thicker than pixels are wide, so that every kind of edge and of lattice is in it.
    grid = Geometry((14, 150, 190), (2.0, 0.9, 0.9), (-140.0, -60.0, -78.0))
    case = draw_case("COP", 7)
    drawn = []
    for voxels in (3 * 150 * 190, 11 * 150 * 190):
        monkeypatch.setattr(render, "SLAB_VOXELS", voxels)
        drawn.append(make_case(case, grid))
    one, other = drawn
    assert one.lesions
    assert one.volume.digest == other.volume.digest
    assert one.truth.keys() == other.truth.keys()
    assert all(np.array_equal(mask, other.truth[name]) for name, mask in one.truth.items())


def test_thick_slices_are_means_of_thin_ones():
    thick = Geometry((6, 120, 140), (5.0, 2.5, 2.5), (-176.25, -146.0, -40.0))
    thin = Geometry((24, 120, 140), (1.25, 2.5, 2.5), (-176.25, -146.0, -41.875))
    quiet = ScannerSpec(noise_hu=0.0)
    a = make_phantom(4, geometry=thick, scanner=quiet).volume.hu
    b = make_phantom(4, geometry=thin, scanner=quiet).volume.hu
    difference = a - b.reshape(6, 4, 120, 140).mean(axis=1)
    # Edges are soft over the voxel's size, which differs: the mean must not.
    assert abs(difference.mean()) < 3.0
    assert np.quantile(np.abs(difference), 0.9) < 15.0


@pytest.mark.parametrize("step_mm", [1.25, 2.5])
def test_a_ball_in_the_lung_has_the_volume_the_edge_and_the_slices_that_were_asked_for(step_mm):
    """A ball of 20 mm in a whole phantom, against the same phantom without it."""
    middle, n, radius = np.array((-75.0, 20.0, -5.0)), int(44.0 / step_mm), 10.0
    corner = middle - 0.5 * (np.array((64, 64, n)) - 1) * (0.65, 0.65, step_mm) + (0.0, 0.0, 0.3 * step_mm)
    grid = Geometry((n, 64, 64), (step_mm, 0.65, 0.65), tuple(corner))
    ball = Nodule(tuple(middle), 2.0 * radius, 1, fraction=1.0, roughness=0.0)
    quiet = ScannerSpec(noise_hu=0.0, round_field=False)
    made, bare = (make_phantom(1, geometry=grid, scanner=quiet, lesions=lesions) for lesions in ((ball,), ()))
    was, now = (p.volume.hu.astype(float) for p in (bare, made))
    volume_mm3 = 4.0 / 3.0 * np.pi * radius**3
    assert made.truth["nodule"].sum() * grid.voxel_ml * 1000.0 == pytest.approx(volume_mm3, rel=0.01)
    even = (was > -920.0) & (was < -780.0)
    share = (now - was)[even] / (ball.tissue_hu - was[even])
    x, y, z = (grid.to_patient(np.argwhere(even)) - middle).T
    beside = np.hypot(x, y)
    # Beside the ball the kernel alone makes its edge soft, at the poles the slice does.
    edge = np.abs(z) < 1.5
    away = np.sqrt(radius**2 - z[edge] ** 2) - beside[edge]
    sigma = np.sqrt(np.log(2.0) / 2.0) / np.pi / 0.35
    assert rise_mm(away, share[edge]) == pytest.approx(2.563 * sigma, rel=0.1)
    pole = beside < 4.0
    away = np.sqrt(radius**2 - beside[pole] ** 2) - np.abs(z[pole])
    assert rise_mm(away, share[pole]) == pytest.approx(0.8 * step_mm, rel=0.2)


def rise_mm(away, share):
    """Distance over which an edge rises from 10 to 90 %."""
    edges = np.arange(-5.0, 5.01, 0.25)
    index = np.digitize(away, edges)
    seen = [k for k in range(1, len(edges)) if (index == k).any()]
    means = np.array([(share[index == k].mean(), away[index == k].mean()) for k in seen])
    low, high = np.interp([0.1, 0.9], np.maximum.accumulate(means[:, 0]), means[:, 1])
    return high - low
