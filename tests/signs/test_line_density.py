"""Lines around each voxel: counted once for a scene, and the same as counted anew."""

import numpy as np
import pytest

from cop_imaging.core.grid import dilated, resample
from cop_imaging.core.line_density import line_density_in
from cop_imaging.signs.lines.density import DENSE_SHELL_MM, line_density


@pytest.fixture
def scene(block):
    b = block(side_mm=(60.0, 60.0, 60.0))
    for x in (-12.0, 0.0, 12.0):
        b.paint(np.abs(b.at[..., 2] - x) - 0.8, 0.0)
    b.paint(np.linalg.norm(b.at - np.float32((10.0, 10.0, 5.0)), axis=-1) - 8.0, 20.0)
    return b.scene()


def test_without_dense_lung_the_scenes_own_map_is_taken(scene):
    nothing = np.zeros(scene.lungs.shape, bool)
    assert line_density(scene, nothing) is scene.line_density


def test_the_scenes_map_is_what_is_counted_anew_to_the_last_bit(scene):
    ridges, source = scene.ridges, scene.geometry
    counted = resample(scene.lungs > 0, source, ridges.geometry, method="nearest")
    tubes = resample(scene.vessels | scene.airways, source, ridges.geometry, method="nearest")
    counted &= ~dilated(tubes, ridges.geometry, 1.25)
    counted &= resample(scene.depth_mm, source, ridges.geometry) > 2.5
    anew = line_density_in(ridges, counted)
    assert counted.any()
    assert np.array_equal(scene.line_density.counted, counted)
    assert np.array_equal(scene.line_density.strength_hu, anew.strength_hu)
    assert np.array_equal(scene.line_density.between_hu, anew.between_hu)


def test_around_dense_lung_no_line_is_counted(scene):
    dense = scene.smooth_hu > -100
    found = line_density(scene, dense)
    grid = scene.ridges.geometry
    shell = dilated(resample(dense, scene.geometry, grid, method="nearest"), grid, DENSE_SHELL_MM)
    assert not (found.counted & shell).any()
    assert np.array_equal(found.counted, scene.line_density.counted & ~shell)
    assert not np.array_equal(found.strength_hu, scene.line_density.strength_hu)


def test_the_smoothed_density_on_the_ridges_grid_is_the_scenes_own(scene):
    expected = resample(scene.smooth_hu, scene.geometry, scene.ridges.geometry)
    assert np.array_equal(scene.ridges.smooth_hu, expected)
