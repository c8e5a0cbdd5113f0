"""Lungs of two real series by the network: their sides, and what is no lung; COP_IMAGING_REAL_CT names the folder."""

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.anatomy.body import find_body
from cop_imaging.core import LEFT, RIGHT
from cop_imaging.core.grid import components, dilated, eroded, resample
from cop_imaging.ingest.read import read_volume

FOLDER = os.environ.get("COP_IMAGING_REAL_CT", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="COP_IMAGING_REAL_CT names no folder of real CT series")
COARSE_MM = 3.0
GAS_HU, GAS_WALL_MM, SMALLEST_GAS_ML, MOST_LUNG_IN_GAS_ML = -970, 2.0, 3.0, 1.0


@pytest.fixture(scope="module", params=["covid_1.25mm", "near_normal_2.5mm"])
def found(request):
    """A series and its anatomy."""
    volume = read_volume(Path(FOLDER) / request.param)
    return volume, segment(volume, AnatomyConfig(method="network"))


def test_right_is_the_patients_right(found):
    volume, anatomy = found
    x_mm = volume.geometry.origin_mm[0] + np.arange(volume.hu.shape[2]) * volume.geometry.spacing_mm[2]
    right, left = (anatomy.lungs == side for side in (RIGHT, LEFT))
    middle = {n: np.average(x_mm, weights=mask.sum(axis=(0, 1))) for n, mask in ((RIGHT, right), (LEFT, left))}
    assert middle[RIGHT] < middle[LEFT] - 80.0
    # In no row does any part of the left lung lie to the right of the right one.
    astray = right & np.maximum.accumulate(left, axis=2)
    assert astray.sum() < 0.001 * right.sum()


def test_lungs_lie_inside_the_body_and_the_scanned_field(found):
    volume, anatomy = found
    lungs = anatomy.lungs > 0
    assert volume.valid is not None
    assert not (lungs & ~volume.valid).any()
    work = volume.geometry.resampled((COARSE_MM,) * 3)
    skin = find_body(resample(volume.hu, volume.geometry, work, antialias=True), work, AnatomyConfig().body_hu)
    coarse = resample(lungs, volume.geometry, work, method="nearest")
    assert not (coarse & ~dilated(skin, work, COARSE_MM)).any()
    # Between skin and lung there is a chest wall; arms have none of the lung.
    assert (coarse & ~eroded(skin, work, 6.0)).sum() < 0.002 * coarse.sum()


def test_gas_of_stomach_and_bowel_is_no_lung(found):
    volume, anatomy = found
    g = volume.geometry.resampled((COARSE_MM,) * 3)
    hu = resample(volume.hu, volume.geometry, g, antialias=True)
    lungs = resample(anatomy.lungs, volume.geometry, g, method="nearest") > 0
    inside = resample(anatomy.body, volume.geometry, g, method="nearest")
    airways = dilated(resample(anatomy.airways, volume.geometry, g, method="nearest"), g, 6.0)
    base = np.flatnonzero(lungs.any(axis=(1, 2)))
    gas = eroded((hu < GAS_HU) & inside & ~airways, g, GAS_WALL_MM)
    gas[base[0] + (base[-1] - base[0]) // 3 :] = False
    labels, n = components(gas)
    pockets = [labels == k for k in range(1, n + 1) if (labels == k).sum() * g.voxel_ml > SMALLEST_GAS_ML]
    assert pockets
    assert sum((pocket & lungs).sum() for pocket in pockets) * g.voxel_ml < MOST_LUNG_IN_GAS_ML


# Voxels of the covid series that were judged by eye, [z, y, x]: white lung on the ribs; liver, muscle, spine, heart.
CONSOLIDATED = [(65, 320, 124), (80, 325, 140), (80, 335, 151), (100, 313, 130), (100, 304, 113)]
NO_LUNG = [(65, 240, 130), (100, 330, 80), (100, 340, 140), (80, 330, 250), (65, 240, 330), (100, 250, 260)]


@pytest.mark.parametrize("found", ["covid_1.25mm"], indirect=True)
def test_white_lung_on_the_ribs_is_lung_and_what_it_lies_on_is_not(found):
    volume, anatomy = found
    for z, y, x in (*CONSOLIDATED, *NO_LUNG):
        assert -20 < np.median(volume.hu[z - 1 : z + 2, y - 3 : y + 4, x - 3 : x + 4]) < 400, (z, y, x)
    assert [at for at in CONSOLIDATED if anatomy.lungs[at] != RIGHT] == []
    assert [at for at in NO_LUNG if anatomy.lungs[at] > 0] == []


@pytest.mark.parametrize("name", ["imlab_1", "imlab_2", "imlab_4"])
def test_lungs_agree_with_the_masks_that_others_made(name):
    folder = Path(FOLDER) / "small_with_mask"
    volume = read_volume(folder / f"{name}_ct.nii.gz")
    stored = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"{name}_lung.nii.gz")))
    ours, drawn = segment(volume, AnatomyConfig(method="network")).lungs > 0, volume.stored.to_canonical(stored > 0)
    assert 2.0 * (ours & drawn).sum() / (ours.sum() + drawn.sum()) > 0.975
