"""Bands are long and thin, run as asked, and reach the pleura or keep their distance from it."""

import numpy as np
import pytest

from cop_imaging.synth.lesions.band import (
    Band,
    SubpleuralBand,
    draw_band,
    draw_plate_atelectasis,
    draw_subpleural_band,
)
from cop_imaging.synth.lesions.drawing import hilum
from cop_imaging.synth.terrain import Where

MIDDLE = (0.0, 0.0, 0.0)


@pytest.mark.parametrize("voxel_mm", [0.75, 1.0, 1.5])
def test_an_exact_sheet_has_the_volume_of_its_oval_and_thickness(voxel_mm, cube_of_lung):
    lesion = Band(MIDDLE, (0.8, 0.6, 0.0), (-0.6, 0.8, 0.0), 50.0, 30.0, 3.0, seed=1, bend_mm=0.0, roughness=0.0)
    part = lesion.shapes(cube_of_lung(voxel_mm))["band"].sum(dtype=float) * voxel_mm**3
    assert part == pytest.approx(np.pi / 4.0 * 50.0 * 30.0 * 3.0, rel=0.01)


def test_a_band_is_long_along_its_direction_and_thin_across(paint):
    lesion = Band(MIDDLE, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 50.0, 16.0, 4.0, seed=2, bend_mm=2.0)
    hu, truth = paint(lesion)
    z, y, x = np.argwhere(truth["band"]).T
    assert np.ptp(x) == pytest.approx(50.0, abs=6.0)
    assert np.ptp(z) == pytest.approx(16.0, abs=4.0)
    thick = np.bincount(x * 96 + z)
    assert np.median(thick[thick > 0]) == pytest.approx(4.0, abs=1.0)
    assert np.median(hu[truth["band"]]) > -250.0
    # Its ends are bent off the plane of its middle.
    ends, middle = y[np.abs(x - 47.5) > 18.0].mean(), y[np.abs(x - 47.5) < 6.0].mean()
    assert 0.6 < ends - middle < 4.0


def test_a_subpleural_band_keeps_its_distance_from_the_pleura(cube_of_lung):
    place = cube_of_lung(1.0)
    lesion = SubpleuralBand((0.0, 35.0, 0.0), 8.0, 40.0, 30.0, 3.0, seed=3)
    band = lesion.shapes(place)["band"] > 0.5
    depth = np.broadcast_to(place.depth_mm, band.shape)[band]
    assert depth.mean() == pytest.approx(8.0, abs=0.8)
    assert depth.std() < 2.5
    assert depth.min() > 2.0


def test_radial_bands_point_away_from_the_hilum_and_reach_the_pleura(terrain):
    bands = draw_band(terrain, np.random.default_rng(1), where=Where(height=(0.0, 1.0, 1.0)), number=8)
    assert len(bands) == 8
    for band in bands:
        way = np.array(band.centre_mm) - np.array(hilum(terrain, band.centre_mm))
        assert abs(np.dot(way / np.linalg.norm(way), band.along)) > 0.7
        assert abs(np.dot(band.along, band.normal)) < 1e-4
        assert band.length_mm >= 20.0
        assert 2.0 <= band.thickness_mm <= 6.0


def test_plates_are_nearly_horizontal(terrain):
    plates = draw_plate_atelectasis(terrain, np.random.default_rng(1), where=Where(height=(0.0, 0.0, 1.0)), number=6)
    assert np.mean([abs(k.normal[2]) for k in plates]) > 0.9
    assert all(k.thickness_mm <= 4.0 for k in plates)


def test_subpleural_bands_lie_4_to_12_mm_deep(terrain):
    bands = draw_subpleural_band(terrain, np.random.default_rng(1), where=Where(), number=5)
    assert bands
    assert all(4.0 <= k.depth_mm <= 12.0 for k in bands)
