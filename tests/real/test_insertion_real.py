"""Lesions put into a real scan; the folder is named by COP_IMAGING_REAL_CT."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from cop_imaging.anatomy import segment
from cop_imaging.ingest import read_series
from cop_imaging.synth.insertion import insert, model_scan, terrain_of_scan
from cop_imaging.synth.lesions.consolidation import draw_consolidation
from cop_imaging.synth.terrain import Where

FOLDER = os.environ.get("COP_IMAGING_REAL_CT", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="COP_IMAGING_REAL_CT names no folder of real CT series")


@pytest.fixture(scope="module")
def inserted():
    volume = read_series(Path(FOLDER) / "near_normal_2.5mm")
    anatomy = segment(volume)
    rng = np.random.default_rng(5)
    terrain = terrain_of_scan(anatomy.lungs, volume.geometry, anatomy.airways)
    lesions = draw_consolidation(terrain, rng, where=Where(depth_mm=(1.0, 9.0)), target_ml=250.0)
    return volume, anatomy, insert(volume, anatomy.lungs, lesions, seed=1, airways=anatomy.airways)


def test_lobes_have_usual_shares_of_the_lungs(inserted):
    volume, anatomy, _ = inserted
    lobe = terrain_of_scan(anatomy.lungs, volume.geometry).lobe
    shares = np.bincount(lobe, minlength=6)[1:] / len(lobe)
    assert (shares > (0.12, 0.04, 0.15, 0.15, 0.15)).all()


def test_the_wanted_volume_is_there_and_lies_in_the_lungs(inserted):
    volume, anatomy, made = inserted
    mask = made.truth["consolidation"]
    assert 120.0 < mask.sum() * volume.geometry.voxel_ml < 450.0
    assert not mask[anatomy.lungs == 0].any()


def test_no_dark_line_lies_between_consolidation_and_the_chest_wall(inserted):
    _, _, made = inserted
    dense = made.truth["consolidation"]
    hu = ndimage.uniform_filter(made.volume.hu.astype(np.float32), (1, 3, 3))
    shell = ndimage.binary_dilation(dense, np.ones((1, 3, 3)), iterations=2) & (made.truth["lungs"] == 0)
    assert shell.sum() > 1000
    assert np.mean(hu[shell] < -250.0) < 0.05


def test_the_scan_is_measured_plausibly(inserted):
    volume, anatomy, _ = inserted
    model = model_scan(volume, anatomy.lungs)
    assert 0.35 < model.spread.plane_mm < 1.2
    assert 8.0 < np.median(model.noise.sd_hu) < 40.0
