"""Real CT volumes in NIfTI, and the same written as NRRD and MetaImage; the folder is named by COP_IMAGING_REAL_CT."""

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from cop_imaging.core.volume import AIR_HU
from cop_imaging.errors import SeriesError
from cop_imaging.ingest import read_series
from cop_imaging.ingest.read import read_volume

FOLDER = os.environ.get("COP_IMAGING_REAL_CT", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="COP_IMAGING_REAL_CT names no folder of real CT series")
CT = Path(FOLDER)

VOLUMES = [
    "training_lungs/t01_thin_contrast_woman",
    "training_lungs/t05_4dct_one_arm_down",
    "training_lungs/acrinflt_013_partial_4mm",
    "training_lungs/lidc_0003_2.5mm",
    "lowres_scope/normal002_4mm",
    "small_with_mask/imlab_2_ct",
    "small_with_mask/elastix_rightlung_ct",
]
MASKS = [
    "small_with_mask/imlab_1_lung",
    "small_with_mask/elastix_rightlung_mask",
    "near_normal_1.25mm_labels/ggo_2readers",
]
ENDINGS = [".nii", ".nii.gz", ".nrrd", ".mha"]
SMALL = "training_lungs/t01_thin_contrast_woman"


def path_of(name):
    return CT / f"{name}.nii.gz"


def written(image, path, *, compressed=False):
    sitk.WriteImage(image, str(path), useCompression=compressed)
    return path


def agrees_with_itk(volume, image, places=60):
    """At random voxels of the file: ITK says where they lie in the patient, and there the volume must hold their HU."""
    rng = np.random.default_rng(0)
    for index in rng.integers(0, image.GetSize(), (places, 3)).tolist():
        at = volume.geometry.to_index(image.TransformIndexToPhysicalPoint(index))
        place = np.rint(at).astype(int)
        assert np.abs(at - place).max() < 1e-3
        assert volume.hu[tuple(place)] == max(image[index], AIR_HU)


@pytest.mark.parametrize("name", VOLUMES)
def test_a_real_volume_holds_at_each_patient_point_what_itk_finds_there(name):
    volume, image = read_series(path_of(name)), sitk.ReadImage(str(path_of(name)))
    assert sorted(volume.hu.shape) == sorted(image.GetSize())
    assert np.diag(np.array(volume.geometry.direction)[::-1]).min() > 0.9
    agrees_with_itk(volume, image)
    assert "geometry.mirrored" not in [issue.code for issue in volume.issues]


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_given_as_ct_is_refused(name):
    with pytest.raises(SeriesError) as caught:
        read_series(path_of(name))
    assert caught.value.code == "hu.offset"


@pytest.mark.parametrize("name", [SMALL, "small_with_mask/imlab_2_ct", "lowres_scope/normal002_4mm"])
def test_a_real_volume_is_the_same_in_every_format(name, tmp_path):
    image = sitk.ReadImage(str(path_of(name)))
    truth = read_series(path_of(name))
    for ending in ENDINGS:
        volume = read_series(written(image, tmp_path / f"plain{ending}"))
        assert (ending, volume.digest) == (ending, truth.digest)
        assert volume.quality == truth.quality
    for ending in (".nrrd", ".mha"):
        assert read_volume(written(image, tmp_path / f"packed{ending}", compressed=True)).digest == truth.digest


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("orientation", ["RAS", "RPI", "LSA", "IPR", "SAR"])
def test_a_real_volume_is_the_same_whatever_the_order_of_its_axes(ending, orientation, tmp_path):
    image = sitk.DICOMOrient(sitk.ReadImage(str(path_of(SMALL))), orientation)
    volume, truth = read_volume(written(image, tmp_path / f"x{ending}")), read_volume(path_of(SMALL))
    np.testing.assert_array_equal(volume.hu, truth.hu)
    np.testing.assert_allclose(volume.geometry.origin_mm, truth.geometry.origin_mm, atol=1e-3)
    np.testing.assert_allclose(volume.geometry.matrix, truth.geometry.matrix, atol=1e-6)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_real_volume_that_lies_askew_keeps_its_points(ending, tmp_path):
    image = sitk.ReadImage(str(path_of(SMALL)))
    askew = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.12, -0.07, 0.3).GetMatrix()
    image.SetDirection(tuple((np.array(askew).reshape(3, 3) @ np.array(image.GetDirection()).reshape(3, 3)).ravel()))
    path = written(image, tmp_path / f"x{ending}")
    agrees_with_itk(read_volume(path), sitk.ReadImage(str(path)))


@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_no_number_in_a_real_volume_is_never_tissue(ending, kind, value, tmp_path):
    image = sitk.ReadImage(str(path_of(SMALL)))
    values = sitk.GetArrayFromImage(image).astype(kind)
    lost = np.zeros(values.shape, bool)
    lost[:, :6] = lost[40:50, 60:64, 30:40] = True
    values[lost] = value
    floats = sitk.GetImageFromArray(values)
    floats.CopyInformation(image)
    volume, truth = read_volume(written(floats, tmp_path / f"x{ending}")), read_volume(path_of(SMALL))
    assert volume.valid is not None
    np.testing.assert_array_equal(volume.stored.to_stored(volume.valid), ~lost)
    np.testing.assert_array_equal(volume.hu, np.where(volume.valid, truth.hu, AIR_HU))
