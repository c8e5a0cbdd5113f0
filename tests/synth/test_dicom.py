"""A written series comes back as the volume it was, in every order of its axes."""

import itertools
import shutil
import subprocess

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from cop_imaging.core import Acquisition, CTVolume, Geometry, StoredOrder
from cop_imaging.errors import OutputError
from cop_imaging.synth import ScannerSpec, coarse_grid, write_dicom_series, write_sample
from cop_imaging.synth.scanner import acquisition_of

FLIPS = [StoredOrder(flipped=f) for f in itertools.product((False, True), repeat=3)]
GRID = Geometry((5, 17, 23), (1.5, 0.9, 0.7), (-60.25, 12.5, -431.125))


@pytest.fixture(scope="module")
def volume():
    rng = np.random.default_rng(0)
    hu = rng.integers(-1024, 3072, GRID.shape).astype(np.int16)
    valid = rng.random(GRID.shape) > 0.2
    hu[~valid] = -1024
    acquisition = Acquisition(kernel="STANDARD", sex="F", age_years=61.0, slice_thickness_mm=1.5)
    return CTVolume(hu, GRID, valid, acquisition)


def read_back(folder):
    """Canonical HU, padding as -1024, and the LPS position of voxel [0, 0, 0], through pydicom."""
    slices = [pydicom.dcmread(p) for p in sorted(folder.glob("*.dcm"))]
    slices.sort(key=lambda d: float(d.ImagePositionPatient[2]))
    array = np.stack([d.pixel_array for d in slices]).astype(np.int32)
    array = np.where(array == slices[0].get("PixelPaddingValue"), -1024, array + int(slices[0].RescaleIntercept))
    d = slices[0]
    origin = np.array([float(v) for v in d.ImagePositionPatient])
    for axis, cosine, n, spacing in (
        (2, d.ImageOrientationPatient[0], d.Columns, d.PixelSpacing[1]),
        (1, d.ImageOrientationPatient[4], d.Rows, d.PixelSpacing[0]),
    ):
        if float(cosine) < 0:
            array = np.flip(array, axis)
            origin[2 - axis] -= (n - 1) * float(spacing)
    return array, origin


@pytest.mark.parametrize("syntax", ["jpegls", "explicit"])
@pytest.mark.parametrize("stored", FLIPS, ids=lambda s: "".join("-" if f else "+" for f in s.flipped))
def test_a_series_in_any_order_comes_back_whole(volume, tmp_path, stored, syntax):
    write_dicom_series(volume, tmp_path, transfer_syntax=syntax, stored=stored)
    array, origin = read_back(tmp_path)
    assert np.array_equal(array, volume.hu)
    assert origin == pytest.approx(GRID.origin_mm)


@pytest.mark.parametrize("padded", [True, False])
def test_simpleitk_sees_the_same_volume_in_the_same_place(volume, tmp_path, padded):
    written = volume if padded else CTVolume(volume.hu.copy(), GRID)
    write_dicom_series(written, tmp_path)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    image = reader.Execute()
    seen = volume.valid if padded else np.ones(GRID.shape, dtype=bool)
    assert np.array_equal(sitk.GetArrayFromImage(image)[seen], volume.hu[seen])
    assert image.GetOrigin() == pytest.approx(GRID.origin_mm)
    assert image.GetSpacing() == pytest.approx(GRID.spacing_mm[::-1])


def test_instance_numbers_follow_the_stored_order(volume, tmp_path):
    write_dicom_series(volume, tmp_path, stored=StoredOrder(flipped=(True, False, False)))
    first = pydicom.dcmread(tmp_path / "IM0001.dcm")
    assert first.InstanceNumber == 1
    assert float(first.ImagePositionPatient[2]) == pytest.approx(-431.125 + 4 * 1.5)


def test_the_same_volume_and_seed_give_the_same_files(volume, tmp_path):
    for name in ("a", "b"):
        write_dicom_series(volume, tmp_path / name, seed=5)
    write_dicom_series(volume, tmp_path / "c", seed=6)
    a, b, c = ((tmp_path / name / "IM0003.dcm").read_bytes() for name in ("a", "b", "c"))
    assert a == b
    assert a != c


def test_uids_are_unique_and_valid(volume, tmp_path):
    for n, stored in enumerate(FLIPS[:2]):
        write_dicom_series(volume, tmp_path / str(n), stored=stored)
    found = [pydicom.dcmread(p, stop_before_pixels=True) for p in tmp_path.glob("*/*.dcm")]
    assert len({d.SOPInstanceUID for d in found}) == len(found)
    assert len({d.SeriesInstanceUID for d in found}) == 2
    assert all(d.SOPInstanceUID.is_valid and d.SeriesInstanceUID.is_valid for d in found)


def test_a_folder_in_use_is_left_alone(volume, tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(OutputError, match="already holds files"):
        write_dicom_series(volume, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


def written_header(volume, folder, **options):
    return pydicom.dcmread(write_dicom_series(volume, folder, **options)[0])


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy of Debian's dicom3tools is not installed")
@pytest.mark.parametrize("syntax", ["jpegls", "explicit"])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("position", ["HFS", "FFP"])
def test_a_series_obeys_the_standard_without_a_warning(volume, tmp_path, syntax, padded, position):
    scanner = ScannerSpec(contrast_phase="venous", padding_hu=-1024)
    patient = Acquisition(sex="F", age_years=61.0, height_m=1.68, weight_kg=66.5)
    acquisition = acquisition_of(scanner, GRID, patient).model_copy(update={"patient_position": position})
    made = CTVolume(volume.hu.copy(), GRID, volume.valid.copy() if padded else None, acquisition)
    paths = write_dicom_series(made, tmp_path / "ct", transfer_syntax=syntax, scanner=scanner)
    for command in (["dciodvfy", "-new", str(paths[0])], ["dcentvfy", *map(str, paths)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0
        assert "Error" not in done.stderr
        assert "Warning" not in done.stderr


def test_nobody_takes_a_phantom_for_a_patient(volume, tmp_path):
    d = written_header(volume, tmp_path / "ct", seed=7)
    assert str(d.PatientName).startswith("PHANTOM^")
    assert d.PatientID == "PHANTOM-7"
    for text in (d.ImageComments, d.StudyDescription):
        assert "no patient" in text
    assert "PHANTOM" in d.InstitutionName


def test_the_scanners_names_dose_and_contrast_phase_are_in_the_headers(volume, tmp_path):
    scanner = ScannerSpec(
        kernel="sharp",
        manufacturer="SIEMENS",
        model="Sensation 64",
        kernel_name="B70f",
        kvp=100.0,
        mas=80.0,
        contrast_phase="arterial",
    )
    made = CTVolume(volume.hu.copy(), GRID, volume.valid.copy(), acquisition_of(scanner, GRID))
    d = written_header(made, tmp_path / "ct", scanner=scanner)
    assert (d.Manufacturer, d.ManufacturerModelName, d.ConvolutionKernel) == ("SIEMENS", "Sensation 64", "B70f")
    assert (d.KVP, d.Exposure) == (100, 80)
    assert d.XRayTubeCurrent * d.ExposureTime / 1000 / d.SpiralPitchFactor == pytest.approx(80)
    assert "arterial" in d.ContrastBolusAgent
    assert "ContrastBolusAgent" not in written_header(volume, tmp_path / "native", scanner=ScannerSpec())


@pytest.mark.parametrize("padding_hu", [-3024, -2000, -1024])
def test_outside_the_round_field_the_file_holds_the_scanners_padding(volume, tmp_path, padding_hu):
    d = written_header(volume, tmp_path / "ct", scanner=ScannerSpec(padding_hu=padding_hu), transfer_syntax="explicit")
    outside = ~volume.valid[0]
    assert set(d.pixel_array[outside] + int(d.RescaleIntercept)) == {padding_hu}
    assert d.PixelPaddingValue + int(d.RescaleIntercept) == padding_hu


def test_a_series_that_cannot_be_finished_leaves_nothing(volume, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pydicom.dataset.Dataset, "save_as", full)
    with pytest.raises(OutputError, match="No space left"):
        write_dicom_series(volume, tmp_path / "ct")
    assert list(tmp_path.iterdir()) == []


def test_a_sample_with_truth_is_series_and_masks_in_one_space(tmp_path):
    phantom = write_sample(tmp_path, seed=1, kind="organizing_pneumonia", truth=True, geometry=coarse_grid())
    assert len(list((tmp_path / "series").iterdir())) == coarse_grid().shape[0]
    names = {"lungs", "airways", "consolidation", "ground_glass", "reversed_halo"}
    assert {p.name.removesuffix(".nii.gz") for p in (tmp_path / "truth").iterdir()} == names
    for name in names:
        image = sitk.ReadImage(str(tmp_path / "truth" / f"{name}.nii.gz"))
        assert np.array_equal(sitk.GetArrayFromImage(image), phantom.truth[name])
        assert image.GetOrigin() == pytest.approx(coarse_grid().origin_mm)
