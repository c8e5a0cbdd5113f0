"""Consolidation against the chest wall is brought back into the lung mask, and nothing else is."""

import pytest

from cop_imaging.anatomy import segment
from cop_imaging.core.grid import dilated

FLOORS = {1: 0.27, 2: 0.2, 3: 0.58}
"""Least share of the consolidation that is brought back, by seed: patches that reach diaphragm or spine are hard."""


@pytest.fixture(scope="module", params=FLOORS, ids="seed {}".format)
def case(request, op, quick):
    phantom = op(request.param)
    return phantom, segment(phantom.volume, quick), FLOORS[request.param]


def test_organizing_pneumonia_is_brought_back_into_the_lungs(case):
    phantom, anatomy, floor = case
    dense = phantom.truth["consolidation"]
    recall = (dense & (anatomy.lungs > 0)).sum() / dense.sum()
    without = (dense & (phantom.volume.hu < -400)).sum() / dense.sum()
    assert recall > floor
    assert recall > without + 0.2
    assert anatomy.doubt.recovered_ml > 0.2 * dense.sum() * phantom.volume.geometry.voxel_ml


def test_bringing_back_takes_no_chest_wall_and_no_other_side(case):
    phantom, anatomy, _ = case
    truth = phantom.truth["lungs"]
    outside = (anatomy.lungs > 0) & ~dilated(truth > 0, phantom.volume.geometry, 3.0)
    assert outside.sum() < 0.006 * (truth > 0).sum()
    swapped = (anatomy.lungs > 0) & (truth > 0) & (anatomy.lungs != truth)
    assert swapped.sum() < 0.005 * (truth > 0).sum()


def test_ground_glass_is_lung(case):
    phantom, anatomy, _ = case
    hazy = phantom.truth["ground_glass"]
    assert (hazy & (anatomy.lungs > 0)).sum() > 0.9 * hazy.sum()
    aerated = hazy & (phantom.volume.hu < -400)
    assert (aerated & (anatomy.lungs > 0)).sum() > 0.97 * aerated.sum()
