"""Masks on disk lie where the series lies, byte for byte the same every time, and come back unchanged."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from cop_imaging.core import CTVolume, Geometry, StoredOrder
from cop_imaging.errors import UsageError
from cop_imaging.report.masks import read_lung_mask, write_mask

FLIPS = list(itertools.product((False, True), repeat=3))
TILTED = ((0.0, 0.1, np.sqrt(0.99)), (0.0, np.sqrt(0.99), -0.1), (1.0, 0.0, 0.0))


def small_volume(stored: StoredOrder, direction: tuple | None = None) -> CTVolume:
    grid = Geometry((4, 5, 6), (2.5, 0.75, 0.7), (-31.25, 12.5, -400.1))
    if direction is not None:
        grid = Geometry(grid.shape, grid.spacing_mm, grid.origin_mm, direction)
    return CTVolume(np.zeros(grid.shape, np.int16), grid, stored=stored)


def speckled(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 3, shape).astype(np.uint8)


def physical_points(path: Path, label: int) -> np.ndarray:
    image = sitk.ReadImage(str(path))
    indices = np.argwhere(sitk.GetArrayFromImage(image) == label)[:, ::-1]
    return np.array([image.TransformIndexToPhysicalPoint(i) for i in indices.tolist()])


def in_order(points: np.ndarray) -> np.ndarray:
    points = np.round(points, 2)
    return points[np.lexsort(points.T)]


@pytest.mark.parametrize("flipped", FLIPS)
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("direction", [None, TILTED])
def test_every_labelled_voxel_lies_at_the_same_point_of_the_patient(tmp_path, flipped, axes, direction):
    volume = small_volume(StoredOrder(axes, flipped), direction)
    labels = speckled(volume.hu.shape)
    write_mask(tmp_path / "m.nii.gz", labels, volume)
    for label in (1, 2):
        expected = volume.geometry.to_patient(np.argwhere(labels == label))
        np.testing.assert_allclose(
            in_order(physical_points(tmp_path / "m.nii.gz", label)), in_order(expected), atol=0.011
        )


@pytest.mark.parametrize("flipped", FLIPS)
def test_voxels_lie_in_the_order_of_the_series(tmp_path, flipped):
    stored = StoredOrder((0, 1, 2), flipped)
    volume = small_volume(stored)
    labels = speckled(volume.hu.shape)
    write_mask(tmp_path / "m.nii.gz", labels, volume)
    image = sitk.ReadImage(str(tmp_path / "m.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), stored.to_stored(labels))
    assert image.GetPixelID() == sitk.sitkUInt8


@pytest.mark.parametrize("flipped", FLIPS)
def test_a_corrected_mask_comes_back_in_canonical_order(tmp_path, flipped):
    volume = small_volume(StoredOrder((0, 1, 2), flipped))
    labels = speckled(volume.hu.shape)
    write_mask(tmp_path / "m.nii.gz", labels, volume)
    found = read_lung_mask(tmp_path / "m.nii.gz", volume)
    np.testing.assert_array_equal(found, labels)
    assert found.dtype == np.uint8


def test_a_mask_saved_as_floating_point_is_read(tmp_path):
    volume = small_volume(StoredOrder())
    labels = speckled(volume.hu.shape)
    write_mask(tmp_path / "m.nii.gz", labels, volume)
    image = sitk.Cast(sitk.ReadImage(str(tmp_path / "m.nii.gz")), sitk.sitkFloat32)
    sitk.WriteImage(image, str(tmp_path / "f.nii"))
    np.testing.assert_array_equal(read_lung_mask(tmp_path / "f.nii", volume), labels)


def test_the_same_mask_gives_the_same_bytes(tmp_path):
    volume = small_volume(StoredOrder())
    labels = speckled(volume.hu.shape)
    for name in ("a", "b"):
        write_mask(tmp_path / f"{name}.nii.gz", labels, volume)
    written = (tmp_path / "a.nii.gz").read_bytes()
    assert written == (tmp_path / "b.nii.gz").read_bytes()
    assert written[4:8] == bytes(4)  # gzip's modification time


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda i: i.SetSpacing((0.7, 0.85, 2.5)), "0.85"),
        (lambda i: i.SetOrigin((-31.25, 12.5, -399.5)), "-399.5"),
        (lambda i: i.SetDirection((1, 0, 0, 0, -1, 0, 0, 0, 1)), "(0, -1, 0)"),
    ],
)
def test_a_mask_on_another_grid_is_refused_with_both_grids_named(tmp_path, change, told):
    volume = small_volume(StoredOrder())
    write_mask(tmp_path / "m.nii.gz", speckled(volume.hu.shape), volume)
    image = sitk.ReadImage(str(tmp_path / "m.nii.gz"))
    change(image)
    sitk.WriteImage(image, str(tmp_path / "moved.nii.gz"))
    with pytest.raises(UsageError) as refusal:
        read_lung_mask(tmp_path / "moved.nii.gz", volume)
    assert told in str(refusal.value)
    assert "spacing (0.7, 0.75, 2.5) mm, origin (-31.25, 12.5, -400.1) mm" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_single_slice_still_shows_a_wrong_spacing(tmp_path):
    grid = Geometry((1, 5, 6), (2.5, 0.75, 0.7))
    other = Geometry((1, 5, 6), (5.0, 0.75, 0.7))
    write_mask(tmp_path / "m.nii.gz", np.ones(grid.shape, np.uint8), CTVolume(np.zeros(grid.shape, np.int16), grid))
    with pytest.raises(UsageError, match="another grid"):
        read_lung_mask(tmp_path / "m.nii.gz", CTVolume(np.zeros(grid.shape, np.int16), other))


def test_a_mask_of_another_size_is_refused(tmp_path):
    volume = small_volume(StoredOrder())
    sitk.WriteImage(sitk.Image(6, 5, 3, sitk.sitkUInt8), str(tmp_path / "m.nii.gz"))
    with pytest.raises(UsageError, match=r"size 6x5x3.*size 6x5x4"):
        read_lung_mask(tmp_path / "m.nii.gz", volume)


@pytest.mark.parametrize(("label", "told"), [(3, "labels 3;"), (255, "labels 255;"), (0, "holds no lung")])
def test_only_right_and_left_lung_are_labels(tmp_path, label, told):
    volume = small_volume(StoredOrder())
    write_mask(tmp_path / "m.nii.gz", np.full(volume.hu.shape, label, np.uint8), volume)
    with pytest.raises(UsageError, match=told):
        read_lung_mask(tmp_path / "m.nii.gz", volume)


def test_a_half_label_is_refused_and_not_rounded(tmp_path):
    volume = small_volume(StoredOrder())
    write_mask(tmp_path / "m.nii.gz", speckled(volume.hu.shape), volume)
    image = sitk.Cast(sitk.ReadImage(str(tmp_path / "m.nii.gz")), sitk.sitkFloat32) * 0.5
    sitk.WriteImage(image, str(tmp_path / "h.nii"))
    with pytest.raises(UsageError, match=r"0\.5"):
        read_lung_mask(tmp_path / "h.nii", volume)


def test_a_missing_or_unreadable_mask_is_named(tmp_path):
    volume = small_volume(StoredOrder())
    with pytest.raises(UsageError, match="no lung mask"):
        read_lung_mask(tmp_path / "none.nii.gz", volume)
    (tmp_path / "text.nii").write_text("not an image")
    with pytest.raises(UsageError, match="cannot be read as an image"):
        read_lung_mask(tmp_path / "text.nii", volume)


def test_a_mask_with_several_values_per_voxel_is_refused(tmp_path):
    volume = small_volume(StoredOrder())
    sitk.WriteImage(sitk.Image([6, 5, 4], sitk.sitkVectorUInt8, 3), str(tmp_path / "rgb.nii.gz"))
    with pytest.raises(UsageError, match="3 values per voxel"):
        read_lung_mask(tmp_path / "rgb.nii.gz", volume)


def test_a_truncated_file_does_not_count_as_written(tmp_path, monkeypatch):
    volume = small_volume(StoredOrder())
    monkeypatch.setattr(sitk, "WriteImage", lambda image, path, **_: Path(path).write_bytes(b"\x1f\x8b half"))
    with pytest.raises(OSError, match="disk full"):
        write_mask(tmp_path / "m.nii.gz", speckled(volume.hu.shape), volume)
