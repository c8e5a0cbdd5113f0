"""Bright tubes answer the tube filter; plates and blobs answer less."""

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.anatomy import AnatomyConfig
from cop_imaging.anatomy.vessels import tube_filter, vessels_apart
from cop_imaging.core import Geometry

STEP_MM = 1.5
N = 33
GRID = Geometry((N, N, N), (STEP_MM,) * 3)
MIDDLE = (N // 2,) * 3
CONFIG = AnatomyConfig()


def drawn(level_mm, hu=50.0):
    """Lung with an object of one density where ``level_mm`` is above zero."""
    return (-850.0 + (hu + 850.0) * np.clip(0.5 + level_mm / STEP_MM, 0.0, 1.0)).astype(np.float32)


def distances(direction):
    """Distance in mm of each voxel from the middle, and along a direction."""
    z, y, x = (np.indices(GRID.shape) - N // 2) * STEP_MM
    along = (np.stack([z, y, x], axis=-1) * (np.array(direction) / np.linalg.norm(direction))).sum(axis=-1)
    return np.sqrt(z**2 + y**2 + x**2), along


def tube(radius_mm, direction=(1.0, 1.0, 0.5), hu=50.0):
    away, along = distances(direction)
    return drawn(radius_mm - np.sqrt(np.maximum(away**2 - along**2, 0.0)), hu)


def plate(radius_mm, direction=(1.0, 1.0, 0.5)):
    return drawn(radius_mm - np.abs(distances(direction)[1]))


def blob(radius_mm):
    return drawn(radius_mm - distances((1.0, 0.0, 0.0))[0])


def answer(image, mask=None):
    where = np.ones(GRID.shape, dtype=bool) if mask is None else mask
    return tube_filter(image, where, GRID, CONFIG.vessel_scales_mm, CONFIG.vessel_contrast_hu)


@pytest.mark.parametrize("radius_mm", [2.0, 3.5, 5.5])
def test_a_tube_answers_more_than_a_plate_or_a_blob_of_the_same_contrast(radius_mm):
    of_tube, of_plate, of_blob = (float(answer(make(radius_mm))[0][MIDDLE]) for make in (tube, plate, blob))
    assert of_tube > CONFIG.vessel_answer > of_plate
    assert of_tube > of_blob + 0.05
    assert of_tube > of_plate + 0.3


@pytest.mark.parametrize("radius_mm", [2.0, 2.5, 3.5, 5.0])
def test_the_radius_of_a_tube_is_told_to_about_a_third(radius_mm):
    assert answer(tube(radius_mm))[1][MIDDLE] == pytest.approx(radius_mm, rel=0.35)


def test_a_tube_answers_alike_in_every_direction():
    found = [answer(tube(3.0, direction))[0][MIDDLE] for direction in ((1, 0, 0), (0, 1, 0), (0, 1, 1), (1, 1, 1))]
    assert max(found) - min(found) < 0.05


def test_dark_tubes_and_even_lung_do_not_answer():
    bronchus = tube(3.0, hu=-1000.0)
    assert answer(bronchus)[0][MIDDLE] < 0.05
    even = np.full(GRID.shape, -850.0, dtype=np.float32)
    found, radius_mm = answer(even)
    assert not found.any()
    assert not radius_mm.any()


def test_a_stronger_contrast_answers_more_and_answers_lie_between_0_and_1():
    found = [answer(tube(3.0, hu=hu))[0] for hu in (-800.0, -500.0, 50.0)]
    assert found[0][MIDDLE] < found[1][MIDDLE] < found[2][MIDDLE]
    assert all(f.min() >= 0.0 and f.max() < 1.0 for f in found)


def test_only_the_mask_is_answered_and_the_image_is_left_as_it_was():
    image, mask = tube(3.0), np.zeros(GRID.shape, dtype=bool)
    mask[10:20, 10:20, 10:20] = True
    image.flags.writeable = mask.flags.writeable = False
    before = image.tobytes(), mask.tobytes()
    found, radius_mm = answer(image, mask)
    assert not found[~mask].any()
    assert not radius_mm[~mask].any()
    assert np.array_equal(found[mask], answer(image)[0][mask])
    assert (image.tobytes(), mask.tobytes()) == before


def apart(image):
    found = answer(image)[0]
    return vessels_apart(found, image, GRID, CONFIG.vessel_answer, CONFIG.vessels)


def block(hu=30.0):
    """Consolidation that fills a third of the cube, uneven as tissue is."""
    rng = np.random.default_rng(3)
    uneven = ndimage.gaussian_filter(rng.normal(0.0, 1.0, GRID.shape), 1.0)
    image = np.full(GRID.shape, -850.0, dtype=np.float32)
    image[:, :, :14] = (hu + 100.0 * uneven / uneven.std())[:, :, :14]
    return ndimage.gaussian_filter(image, 0.6).astype(np.float32)


def test_a_vessel_in_lung_stays_and_consolidation_is_none():
    dense = block()
    inside = np.zeros(GRID.shape, dtype=bool)
    inside[:, :, :12] = True
    assert (answer(dense)[0][inside] > CONFIG.vessel_answer).mean() > 0.02
    assert (apart(dense) & inside).mean() < 0.002
    both = np.maximum(dense, tube(2.0, (1.0, 0.0, 0.0), hu=50.0))
    assert apart(both)[8:-8, N // 2, N // 2].all()


@pytest.mark.parametrize(("hu", "seen"), [(350.0, True), (60.0, False)], ids=["with contrast medium", "without"])
def test_a_vessel_in_consolidation_is_seen_by_its_contrast_medium(hu, seen):
    away, along = distances((1.0, 0.0, 0.0))
    across = np.sqrt(np.maximum(away**2 - along**2, 0.0))
    image = np.full(GRID.shape, 30.0, dtype=np.float32)
    image += (hu - 30.0) * np.clip(0.5 + (2.5 - across) / STEP_MM, 0.0, 1.0).astype(np.float32)
    assert bool(apart(image)[N // 2, N // 2, N // 2]) == seen


def test_a_speck_is_no_vessel():
    assert not apart(blob(1.2)).any()
