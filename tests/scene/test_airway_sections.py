"""Lumen, wall and artery of drawn bronchi, whatever the scanner's blur."""

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.core import Acquisition, Anatomy, CTVolume, Geometry, WorkGrid
from cop_imaging.core.airway_tree import AirwayTree
from cop_imaging.scene import build_scene

SPACING, SHAPE = 0.8, (32, 46, 46)
ORIGIN = (-20.0, 10.0, -300.0)
MIDDLE = (12.8, 18.0, 18.0)
"""Middle of the airway (z, y, x) in mm from the first voxel."""


def straight_tree(geometry, radius, along=(1.0, 0.0, 0.0)):
    steps = np.arange(-10.0, 10.01, 2.5)
    points = np.array(MIDDLE) + steps[:, None] * np.array(along)
    n = len(points)
    return AirwayTree(
        points_mm=geometry.to_patient(points / SPACING),
        before=np.arange(-1, n - 1),
        branch=np.zeros(n, dtype=np.int64),
        diameter_mm=np.full(n, 2.0 * radius),
        parent=np.array([-1]),
        generation=np.array([3]),
    )


def scene_of(*, radius=1.5, wall=0.6, artery=1.6, sigma=0.47, noise=0.0, along=(1.0, 0.0, 0.0), kernel="soft"):
    """A bronchus and its artery in aerated lung, drawn finely in planes, blurred and averaged into voxels."""
    axis = [0.5 * SPACING * (np.arange(2 * n) - 0.5) for n in SHAPE]
    z, y, x = np.meshgrid(*axis, indexing="ij", sparse=True)
    a = np.array(along) / np.linalg.norm(along)
    off = [c - m for c, m in zip((z, y, x), MIDDLE, strict=True)]
    t = sum(o * k for o, k in zip(off, a, strict=True))
    across = [o - t * k for o, k in zip(off, a, strict=True)]
    hu = np.full([2 * n for n in SHAPE], -860.0)

    def draw(beside, r, value):
        far = np.sqrt(sum((d - k) ** 2 for d, k in zip(across, beside, strict=True)))
        part = np.clip((r - far) / (0.5 * SPACING) + 0.5, 0.0, 1.0)
        hu[:] += part * (value - hu)

    if artery:
        draw((radius + wall + artery) * np.cross(a, (0.0, 1.0, 0.0)) / np.linalg.norm(a[[0, 2]]), artery, 40.0)
    draw((0.0, 0.0, 0.0), radius + wall, 30.0)
    draw((0.0, 0.0, 0.0), radius, -1000.0)
    hu = ndimage.gaussian_filter(hu, sigma / (0.5 * SPACING))
    hu = hu.reshape(SHAPE[0], 2, SHAPE[1], 2, SHAPE[2], 2).mean(axis=(1, 3, 5))
    hu += noise * np.random.default_rng(1).standard_normal(hu.shape)
    geometry = Geometry(SHAPE, (SPACING,) * 3, ORIGIN)
    none = np.zeros(SHAPE, dtype=bool)
    lungs = np.ones(SHAPE, dtype=np.uint8)
    work = WorkGrid(geometry, none.astype(np.float32), none.astype(np.float32))
    tree = straight_tree(geometry, 0.8 * radius, tuple(a))
    anatomy = Anatomy(geometry, lungs, none.copy(), ~none, none.copy(), none.copy(), work, airway_tree=tree)
    volume = CTVolume(np.rint(hu).astype(np.int16), geometry, None, Acquisition(kernel_class=kernel))
    return build_scene(volume, anatomy)


def measured(**drawn):
    found = scene_of(**drawn).airway_sections
    return tuple(float(np.nanmedian(v)) for v in (found.lumen_mm, found.wall_mm, found.artery_mm))


@pytest.mark.parametrize(("radius", "wall", "artery"), [(1.2, 0.5, 1.4), (1.5, 1.2, 1.6), (2.5, 0.8, 2.8)])
def test_lumen_wall_and_artery_are_what_was_drawn(radius, wall, artery):
    lumen_mm, wall_mm, artery_mm = measured(radius=radius, wall=wall, artery=artery)
    assert lumen_mm == pytest.approx(2.0 * radius, rel=0.06)
    assert wall_mm == pytest.approx(wall, rel=0.15)
    assert artery_mm == pytest.approx(2.0 * artery, rel=0.12)


def test_an_oblique_airway_is_as_wide_as_an_upright_one():
    upright, oblique = measured(noise=10.0), measured(noise=10.0, along=(1.0, 0.7, 0.5))
    assert oblique[0] == pytest.approx(upright[0], rel=0.05)
    assert oblique[1] == pytest.approx(upright[1], rel=0.12)


def test_thicker_walls_and_wider_lumens_are_told_apart():
    walls = [measured(wall=w)[1] for w in (0.5, 0.9, 1.4)]
    lumens = [measured(radius=r)[0] for r in (1.1, 1.8, 3.0)]
    assert np.all(np.diff(walls) > 0.2)
    assert np.all(np.diff(lumens) > 1.0)


def test_a_denser_wall_is_a_thinner_one():
    found = scene_of().airway_sections
    dense, loose = found.wall_bounds_mm
    assert np.nanmedian(dense) < np.nanmedian(found.wall_mm) < np.nanmedian(loose)


def test_there_is_no_artery_where_none_was_drawn():
    assert np.isnan(scene_of(artery=0.0).airway_sections.artery_mm).all()


def test_numbers_that_follow_from_others():
    found = scene_of().airway_sections
    inner, outer = 0.5 * found.lumen_mm, 0.5 * found.lumen_mm + found.wall_mm
    np.testing.assert_allclose(found.wall_area_percent, 100.0 * (outer**2 - inner**2) / outer**2)
    np.testing.assert_allclose(found.wall_over_outer, found.wall_mm / (2.0 * outer))
    np.testing.assert_allclose(found.lumen_over_artery, found.lumen_mm / found.artery_mm)
