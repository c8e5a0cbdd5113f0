"""Quality of real CT series; the folder is named by COP_IMAGING_REAL_CT."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from cop_imaging.core import CTVolume
from cop_imaging.ingest import read_series
from cop_imaging.ingest.quality import QualityConfig, assess

FOLDER = os.environ.get("COP_IMAGING_REAL_CT", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="COP_IMAGING_REAL_CT names no folder of real CT series")
CT = Path(FOLDER)

KERNELS = {
    "covid_1.25mm": "soft",
    "near_normal_2.5mm": "soft",
    "near_normal_1.25mm": "soft",
    "near_normal_3mm": "sharp",
    "kernel_pair_8mm/b70f": "sharp",
    "kernel_pair_8mm/b40f": "soft",
}
AXES = [axes for n in range(4) for axes in itertools.combinations(range(3), n)]


@pytest.fixture(scope="module", params=sorted(KERNELS))
def series(request):
    return request.param, read_series(CT / request.param)


def test_the_kernel_that_is_measured_is_the_one_in_the_header(series):
    name, volume = series
    assert assess(volume, QualityConfig())[0].kernel_class == KERNELS[name]


def test_a_whole_quiet_scan_is_neither_cut_nor_moving(series):
    _, volume = series
    found = {issue.code for issue in assess(volume, QualityConfig())[1]}
    assert not found & {"quality.motion", "coverage.partial", "coverage.no_lungs", "quality.expiration"}


@pytest.mark.parametrize("axes", AXES)
def test_exactly_the_axes_that_are_turned_round_are_flagged(series, axes):
    _, volume = series
    valid = None if volume.valid is None else np.ascontiguousarray(np.flip(volume.valid, axes))
    turned = CTVolume(np.ascontiguousarray(np.flip(volume.hu, axes)), volume.geometry, valid)
    found = [issue.message for issue in assess(turned, QualityConfig())[1] if issue.code == "geometry.mirrored"]
    named = {0: "apices", 1: "spine", 2: "right and left"}
    assert sorted(a for a, word in named.items() if any(word in message for message in found)) == list(axes)
