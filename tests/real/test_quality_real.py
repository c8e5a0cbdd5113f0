"""Quality of real CT series; the folder is named by COP_IMAGING_REAL_CT."""

import itertools
import os
import shutil
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1

from cop_imaging.core import CTVolume, Status, status_of
from cop_imaging.errors import SeriesError
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


def implausible(volume):
    return [issue for issue in assess(volume, QualityConfig())[1] if issue.code == "pixels.implausible"]


def test_no_slice_of_a_real_series_is_called_implausible(series):
    assert not implausible(series[1])


def test_a_real_series_thinned_out_to_10_mm_is_still_plausible(series):
    _, volume = series
    far = int(10.0 // volume.geometry.spacing_mm[0])
    hu = np.ascontiguousarray(volume.hu[::far])
    valid = None if volume.valid is None else np.ascontiguousarray(volume.valid[::far])
    z_mm, *rest_mm = volume.geometry.spacing_mm
    geometry = replace(volume.geometry, shape=hu.shape, spacing_mm=(far * z_mm, *rest_mm))
    assert not implausible(CTVolume(hu, geometry, valid))


@pytest.fixture
def copied(tmp_path):
    shutil.copytree(CT / "near_normal_3mm", tmp_path / "ct")
    return tmp_path / "ct"


def with_wrong_bytes(stream, share):
    at = round(share * len(stream))
    return stream[:at] + bytes(range(64)) + stream[at + 64 :]


@pytest.mark.parametrize("names", [["IM0050.dcm"], ["IM0050.dcm", "IM0051.dcm"]])
def test_damage_in_the_middle_of_lossless_jpeg_is_named_and_no_likelihood_can_be_given(copied, names):
    z_mm = []
    for name in names:
        header = dcmread(copied / name)
        stored = header.pixel_array.astype(np.int32) & 0xFFFF
        stream = with_wrong_bytes(imagecodecs.ljpeg_encode(stored.astype(np.uint16)), 0.4)
        header.PixelData = encapsulate([stream])
        header.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        header.save_as(copied / name)
        z_mm.append(float(header.ImagePositionPatient[2]))
    volume = read_series(copied)
    (issue,) = [i for i in volume.issues if i.code == "pixels.implausible"]
    told = issue.message.partition("z = ")[2].partition(" mm")[0]
    assert [float(z) for z in told.split(", ")] == pytest.approx(sorted(z_mm))
    assert status_of(volume.issues) is Status.NOT_ASSESSABLE


def test_damage_in_the_middle_of_jpeg_ls_is_refused_by_its_decoder(copied):
    header = dcmread(copied / "IM0050.dcm")
    header.PixelData = with_wrong_bytes(header.PixelData, 0.4)
    header.save_as(copied / "IM0050.dcm")
    with pytest.raises(SeriesError) as caught:
        read_series(copied)
    assert caught.value.code == "pixels.undecodable"
