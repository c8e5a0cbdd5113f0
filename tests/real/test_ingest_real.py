"""Ingestion of real CT series; the folder is named by COP_IMAGING_REAL_CT."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from cop_imaging.core import Severity, Status, status_of
from cop_imaging.errors import SeriesError
from cop_imaging.ingest import find_series, read_series
from cop_imaging.ingest.density_config import DensityConfig
from cop_imaging.ingest.headers import read_header
from cop_imaging.ingest.hounsfield import slice_hu
from cop_imaging.ingest.parsing import quiet_parser
from cop_imaging.ingest.pixels import decode

FOLDER = os.environ.get("COP_IMAGING_REAL_CT", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="COP_IMAGING_REAL_CT names no folder of real CT series")
CT = Path(FOLDER)

SERIES = [
    # folder, slices, z spacing, share of padding in percent (None: everything was scanned), z of the lowest slice
    ("covid_1.25mm", 248, 1.25, 21.3, -20.5),
    ("near_normal_2.5mm", 133, 2.5, 21.3, -340.0),
    ("near_normal_1.25mm", 261, 1.25, 21.3, -334.5),
    ("near_normal_3mm", 99, 3.0, None, -288.0),
    ("kernel_pair_8mm/b70f", 30, 8.0, None, 80.0),
    ("kernel_pair_8mm/b40f", 30, 8.0, None, 80.0),
]


@pytest.mark.parametrize(("name", "slices", "step_mm", "padded_percent", "lowest_mm"), SERIES)
def test_a_full_series_reads_as_itk_reads_it(name, slices, step_mm, padded_percent, lowest_mm):
    volume = read_series(CT / name)
    assert volume.hu.shape == (slices, 512, 512)
    assert volume.geometry.spacing_mm[0] == pytest.approx(step_mm)
    assert volume.geometry.origin_mm[2] == pytest.approx(lowest_mm)
    if padded_percent is None:
        assert volume.valid is None
    else:
        assert 100 * (1 - volume.valid.mean()) == pytest.approx(padded_percent, abs=0.1)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(CT / name))
    image = sitk.ReadImage(names)
    grid = volume.stored.stored_geometry(volume.geometry)
    np.testing.assert_allclose(grid.origin_mm, image.GetOrigin(), atol=1e-6)
    np.testing.assert_allclose(grid.spacing_mm, image.GetSpacing()[::-1], atol=1e-9)
    theirs = sitk.GetArrayViewFromImage(image)
    ours = volume.stored.to_stored(volume.hu)
    assert all(np.array_equal(o, np.maximum(t, -1024)) for o, t in zip(ours, theirs, strict=True))


def test_8_mm_slices_limit_what_may_be_said_and_thin_ones_do_not():
    (thick,) = [i for i in read_series(CT / "kernel_pair_8mm/b70f").issues if i.code == "slices.thick"]
    assert (thick.severity, thick.measured) == (Severity.WARNING, 8.0)
    assert status_of(read_series(CT / "near_normal_3mm").issues) is Status.OK


def test_two_kernels_of_one_scan_are_told_apart_and_lie_on_one_grid():
    sharp, soft = (read_series(CT / "kernel_pair_8mm" / kernel) for kernel in ("b70f", "b40f"))
    assert (sharp.acquisition.kernel_class, soft.acquisition.kernel_class) == ("sharp", "soft")
    assert sharp.geometry == soft.geometry
    assert sharp.digest != soft.digest
    both = read_series(CT / "kernel_pair_8mm")
    assert "series.mixed" in [issue.code for issue in both.issues]
    assert len(find_series(CT / "kernel_pair_8mm")) == 2


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("abdomen_4.25mm", "slices.too_few"),
        ("exam_summary_ct_modality", "series.secondary_capture"),
        ("head_1.25mm", "slices.too_few"),
        ("head_tilt_variable_gap", "slices.uneven_spacing"),
        ("localizer_ge", "series.only_localizers"),
        ("localizer_phantom", "series.only_localizers"),
        ("mr", "series.not_ct"),
        ("sagittal_reformat_2slices", "geometry.not_axial"),
    ],
)
def test_what_is_no_chest_ct_is_refused_by_its_reason(name, code):
    with pytest.raises(SeriesError) as caught:
        read_series(CT / "negatives" / name)
    assert caught.value.code == code


def test_slices_12_mm_apart_are_a_sample_and_no_volume():
    volume = read_series(CT / "negatives" / "thorax_phantom_12mm_step")
    assert "slices.not_contiguous" in [i.code for i in volume.issues]
    assert not volume.acquisition.contiguous
    assert status_of(volume.issues) is not Status.OK


@pytest.mark.parametrize("folder", ["single_slices", "single_slices_covid_sbu"])
def test_single_slices_are_no_volume(folder):
    with pytest.raises(SeriesError) as caught:
        read_series(CT / folder)
    assert caught.value.code == "slices.single"


def test_one_slice_in_every_transfer_syntax_is_the_same_slice():
    digests = set()
    with quiet_parser():
        for path in sorted((CT / "transfer_syntaxes" / "same_slice").iterdir()):
            header = read_header(path)
            shape = (header.binary("Rows"), header.binary("Columns"))
            hu, scanned = np.empty(shape, np.int16), np.empty(shape, np.bool_)
            slice_hu(header, hu, scanned, DensityConfig())
            digests.add(hashlib.sha256(hu.tobytes() + scanned.tobytes()).hexdigest())
    assert len(digests) == 1


def samples():
    listed = json.loads((CT / "transfer_syntaxes" / "expected.json").read_text()) if FOLDER else []
    return [pytest.param(entry, id=Path(entry["file"]).name) for entry in listed]


@pytest.mark.parametrize("entry", samples())
def test_samples_of_every_transfer_syntax_decode_to_their_known_pixels(entry):
    path = CT / "transfer_syntaxes" / entry["file"]
    with quiet_parser():
        if path.name.startswith(("made_", "enhanced_")):
            with pytest.raises(SeriesError, match=path.name) as caught:
                decode(read_header(path, path.name))
            assert caught.value.code == "pixels.undecodable"
            assert "transfer syntax" in str(caught.value)
            return
        values = decode(read_header(path)).values
    assert list(values.shape) == entry["shape"]
    assert [values.min(), values.max()] == entry["stored_min_max"]
    assert hashlib.sha256(values.astype("<i4").tobytes()).hexdigest() == entry["sha256_of_int32_pixels"]


def test_reading_a_thin_series_stays_far_below_a_gigabyte():
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from cop_imaging.ingest import read_series\n"
        # Of this process alone: ru_maxrss holds the peak of the process that it was forked from, too.
        "peak = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) / 1024\n"
        "before = peak()\n"
        "read_series(Path(sys.argv[1]))\n"
        "print(peak() - before)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(CT / "covid_1.25mm")], capture_output=True, text=True, check=True
    )
    # 124 MiB of int16 and 62 MiB of the scanned field, then the slices in flight.
    assert 186.0 < float(run.stdout) < 350.0
