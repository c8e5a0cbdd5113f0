"""Sheets are found on their middle with thickness and direction; tubes are narrow, the pleura is no sheet."""

import numpy as np
import pytest

from cop_imaging.core import Geometry
from cop_imaging.scene.ridges import inward, sheets_in

STEP_MM, N = 1.2, 40
GRID = Geometry((N, N, N), (STEP_MM,) * 3, (0.0, 0.0, 0.0))
AT = np.stack(np.meshgrid(*([np.arange(N) * STEP_MM] * 3), indexing="ij"), axis=-1)
MIDDLE_MM = 0.5 * (N - 1) * STEP_MM
LUNGS = np.zeros((N, N, N), np.uint8)
LUNGS[4:-4, 4:-4, 4:-4] = 1
TILTED = np.array([0.8, 0.6, 0.0])


def lung_with(outside_mm, hu=30.0):
    """Aerated lung in soft tissue, filled where the signed distance is negative."""
    share = np.clip(0.5 - outside_mm / STEP_MM, 0.0, 1.0) * (LUNGS > 0)
    aerated = np.where(LUNGS > 0, -860.0, 40.0)
    return (aerated + share * (hu - aerated)).astype(np.float32)


def found(image, lungs=LUNGS):
    inner = lungs > 0
    inner[[0, -1]] = False
    return sheets_in(image, lungs, np.flatnonzero(inner), GRID)


def in_the_middle(sheets):
    return sheets.where(np.abs(sheets.position_mm - MIDDLE_MM).max(axis=1) < 8.0)


@pytest.mark.parametrize("way", [np.array([1.0, 0.0, 0.0]), TILTED, np.ones(3) / np.sqrt(3.0)])
@pytest.mark.parametrize("thick_mm", [3.0, 5.0])
def test_a_sheet_has_points_on_its_middle_with_its_thickness_and_normal(way, thick_mm):
    off = (AT - MIDDLE_MM) @ way
    sheets = in_the_middle(found(lung_with(np.abs(off) - thick_mm / 2)))
    assert len(sheets) > 50
    assert np.abs((sheets.position_mm - MIDDLE_MM) @ way).max() < 0.5
    assert np.abs(sheets.normal @ way).min() > 0.97
    assert np.median(sheets.thickness_mm) == pytest.approx(thick_mm, abs=0.9)
    assert np.median(sheets.breadth) == 1.0
    assert np.median(sheets.contrast_hu) > 600.0


def test_a_tube_goes_on_in_fewer_directions_than_a_sheet():
    off = np.linalg.norm((AT - MIDDLE_MM)[..., 1:], axis=-1)
    tube = in_the_middle(found(lung_with(off - 2.0)))
    assert not len(tube) or np.median(tube.breadth) < 0.75


def test_lung_alone_has_no_sheets_not_even_at_the_pleura():
    assert len(found(lung_with(np.full((N, N, N), 99.0)))) == 0


def test_tissue_between_two_lungs_is_no_sheet_of_one():
    lungs = LUNGS.copy()
    lungs[:, :, N // 2 :][lungs[:, :, N // 2 :] > 0] = 2
    wall = np.abs(AT[..., 2] - (N // 2 - 0.5) * STEP_MM) - 1.5
    assert len(in_the_middle(found(lung_with(wall), lungs))) == 0


def test_what_lies_outside_the_lungs_is_replaced_by_nearby_lung():
    image = lung_with(np.full((N, N, N), 99.0))
    np.testing.assert_allclose(inward(image, LUNGS > 0, GRID)[4:-4, 4:-4, 4:-4], -860.0, atol=1e-3)
    assert inward(image, LUNGS > 0, GRID).max() < -790.0
