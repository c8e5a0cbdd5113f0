"""Dents of the costal surface are found against the ribs, whichever way they face."""

import numpy as np
import pytest

from cop_imaging.anatomy.costal import costal_dents, costal_map
from cop_imaging.core import Geometry

GRID = Geometry((50, 100, 100), (2.0, 2.0, 2.0))


def round_lung(dent_half_mm=0.0, *, mirrored=False):
    """A round lung of 60 mm radius in a ring of bone with a lateral dent 20 mm deep, and the midline."""
    z, y, x = np.meshgrid(*(np.arange(n) * 2.0 for n in GRID.shape), indexing="ij")
    radius = np.hypot(y - 100.0, x - 100.0)
    lung = radius < 60.0
    lung &= ~((x - 100.0 > 40.0) & (np.abs(y - 100.0) < dent_half_mm) & (np.abs(z - 50.0) < dent_half_mm))
    bone = (radius > 66.0) & (radius < 72.0)
    spine_x = 0.0
    if mirrored:
        lung, bone, spine_x = lung[:, :, ::-1], bone[:, :, ::-1], 99.0
    return lung, bone, spine_x


def dent_ml(lung, bone, spine_x):
    view = costal_map(lung, bone, spine_x, GRID)
    space = costal_dents(view, GRID.shape, GRID, window_mm=45.0, depth_mm=70.0, gap_mm=4.0)
    return float((space & ~lung).sum()) * GRID.voxel_ml


def test_a_lung_that_touches_the_ribs_all_around_has_no_dent():
    assert dent_ml(*round_lung()) == 0.0


@pytest.mark.parametrize("half_mm", [12.0, 24.0])
def test_a_lateral_dent_is_found_and_its_mirror_image_alike(half_mm):
    left, right = dent_ml(*round_lung(half_mm)), dent_ml(*round_lung(half_mm, mirrored=True))
    assert left > 0.5 * (2 * half_mm) ** 2 * 15.0 / 1000.0
    assert right == pytest.approx(left, rel=0.05)
