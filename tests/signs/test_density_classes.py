"""Density classes: every lung voxel in exactly one."""

import dataclasses

import numpy as np
import pytest

from cop_imaging.core import Acquisition
from cop_imaging.core.geometry import Geometry
from cop_imaging.signs.density.between_vessels import least_ml, without_lines
from cop_imaging.signs.density_classes import DENSITY_CLASSES, density_classes

SIDE_MM = (60.0, 72.0, 90.0)


def found_in(scene, look):
    return {name: look(scene, name) for name in ("consolidation", "ground_glass")}


@pytest.fixture
def mixed(block):
    """Haze, consolidation, a vessel, an airway and an air hole in one pair of lungs."""
    b = block(side_mm=SIDE_MM)
    b.ball((0.0, 20.0, -25.0), 11.0, 20.0)
    b.ball((0.0, -15.0, 22.0), 14.0, -550.0)
    b.vessels |= b.tube(0, (0.0, 10.0, 10.0), 2.5, 40.0)
    b.airways |= b.tube(0, (0.0, -10.0, -10.0), 2.5, -990.0)
    b.ball((10.0, 20.0, 30.0), 8.0, -1000.0)
    return b.scene()


def test_the_classes_partition_the_lungs_exactly(mixed, look):
    found = found_in(mixed, look)
    classes = density_classes(mixed, found)
    assert classes.dtype == np.uint8
    assert np.array_equal(classes > 0, mixed.lungs > 0)
    share = np.bincount(classes.ravel(), minlength=len(DENSITY_CLASSES))
    assert share.size == len(DENSITY_CLASSES)
    assert (share > 0).all(), dict(zip(DENSITY_CLASSES, share, strict=True))
    for name in ("consolidation", "ground_glass"):
        assert np.array_equal(classes == DENSITY_CLASSES.index(name), found[name].mask), name


def test_the_order_of_the_slices_and_the_sides_change_no_class(block, look):
    volumes = []
    for flip in (1, -1):
        b = block(side_mm=SIDE_MM)
        b.ball((5.0 * flip, 20.0, -25.0 * flip), 11.0, 20.0)
        b.ball((-5.0 * flip, -15.0, 22.0 * flip), 14.0, -550.0)
        scene = b.scene()
        volumes.append(np.bincount(density_classes(scene, found_in(scene, look)).ravel(), minlength=8))
    assert np.abs(volumes[0] - volumes[1]).max() <= 0.02 * volumes[0][3]


def test_lungs_cannot_be_divided_where_haze_cannot_be_seen(block, look):
    scene = dataclasses.replace(
        block(side_mm=(36.0, 36.0, 36.0)).scene(), acquisition=Acquisition(slice_thickness_mm=8.0)
    )
    with pytest.raises(ValueError, match="not assessable"):
        density_classes(scene, found_in(scene, look))


def test_lines_go_and_what_is_thicker_than_the_window_stays():
    density = np.full((1, 24, 24), -850.0, np.float32)
    density[0, :, 4] = density[0, 8, :] = 0.0
    density[0, 12:18, 12:18] = -500.0
    opened = without_lines(density, np.ones(density.shape, bool))
    assert (opened[0, 12:18, 12:18] == -500.0).all()
    opened[0, 12:18, 12:18] = -850.0
    assert (opened == -850.0).all()


def test_in_one_slice_a_lesion_is_kept_by_its_width():
    thick = Geometry((60, 10, 10), (1.0, 0.75, 0.75))
    slice_of_1_mm = Geometry((1, 10, 10), (1.0, 0.75, 0.75))
    assert least_ml(thick, 0.2) == 0.2
    # A ball of 0.2 mL is 7.26 mm wide.
    assert least_ml(slice_of_1_mm, 0.2) == pytest.approx(np.pi / 4 * 7.26**2 / 1000, rel=0.01)
