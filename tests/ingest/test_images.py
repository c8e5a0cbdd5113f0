"""NIfTI, NRRD and MetaImage: onto the points of the patient, or refused with what is missing."""

import itertools
import re
import struct
import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from cop_imaging.core import AIR_HU
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.density_config import DensityConfig
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.images import is_image, read_image
from cop_imaging.ingest.read import read_volume

SHAPE, SPACING = (36, 30, 32), (3.0, 5.0, 4.0)
ORDERS = [
    (order, flips) for order in itertools.permutations(range(3)) for flips in itertools.product((False, True), repeat=3)
]


def image_of(body, order=(0, 1, 2), flips=(False, False, False), dtype=np.int16):
    """The body on a grid whose axes run in any order and direction; a left-handed one as well."""
    axes = np.eye(3)[[2, 1, 0]]
    start = -(np.array(SHAPE) - 1) / 2 * SPACING
    index = np.stack(np.indices(SHAPE), axis=-1)
    points = (index * SPACING + start) @ axes
    values = body(points).transpose(order)
    direction = axes[list(order)]
    spacing = np.array(SPACING)[list(order)]
    origin = start @ axes
    for axis, flip in enumerate(flips):
        if flip:
            origin = origin + direction[axis] * spacing[axis] * (values.shape[axis] - 1)
            direction[axis] *= -1
            values = np.flip(values, axis)
    image = sitk.GetImageFromArray(np.ascontiguousarray(values).astype(dtype))
    image.SetSpacing([float(s) for s in spacing[::-1]])
    image.SetOrigin([float(v) for v in origin])
    image.SetDirection([float(v) for v in direction[::-1].T.ravel()])
    return image


def written(image, path):
    sitk.WriteImage(image, str(path))
    return path


def refusal(path):
    with pytest.raises(SeriesError) as caught:
        read_image(path, GeometryConfig(), DensityConfig())
    return caught.value.code


def edited(path, old, new):
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize(("order", "flips"), ORDERS)
def test_every_order_of_axes_is_read_onto_the_same_points(ending, order, flips, tmp_path, body):
    volume = read_volume(written(image_of(body, order, flips), tmp_path / f"x{ending}"))
    assert volume.geometry.spacing_mm == pytest.approx(SPACING, rel=1e-6)
    assert np.diag(np.array(volume.geometry.direction)[::-1]).min() > 0.999
    points = volume.geometry.to_patient(np.stack(np.indices(volume.hu.shape), axis=-1))
    np.testing.assert_array_equal(volume.hu, body(np.round(points, 3)))


def test_floats_are_rounded_and_what_is_no_number_was_not_scanned(tmp_path, body):
    image = image_of(body, dtype=np.float32)
    values = sitk.GetArrayFromImage(image) + 0.4
    values[:, :3] = np.nan
    values[:, 4, 4] = 1e9
    other = sitk.GetImageFromArray(values)
    other.CopyInformation(image)
    volume = read_volume(written(other, tmp_path / "x.nii.gz"))
    assert volume.hu.dtype == np.int16
    assert not volume.valid[:, :3].any()
    assert volume.valid[:, 3:].all()
    assert (volume.hu[~volume.valid] == AIR_HU).all()
    assert volume.hu.max() == np.iinfo(np.int16).max


def test_the_acquisition_is_unknown_and_that_is_said(tmp_path, body):
    volume = read_volume(written(image_of(body), tmp_path / "x.nrrd"))
    assert volume.acquisition.source_format == "NRRD"
    assert (volume.acquisition.kernel, volume.acquisition.slice_thickness_mm) == (None, None)
    assert "header.missing" in [i.code for i in volume.issues]


def test_a_nifti_without_orientation_is_refused(tmp_path, body):
    path = written(image_of(body), tmp_path / "x.nii")
    data = bytearray(path.read_bytes())
    data[252:256] = struct.pack("<2h", 0, 0)
    path.write_bytes(data)
    assert refusal(path) == "geometry.missing"


def test_a_sheared_nifti_is_refused(tmp_path, body):
    path = written(image_of(body), tmp_path / "x.nii")
    data = bytearray(path.read_bytes())
    data[252:256] = struct.pack("<2h", 0, 1)
    (value,) = struct.unpack_from("<f", data, 280)
    struct.pack_into("<f", data, 284, 0.2 * value)
    path.write_bytes(data)
    assert refusal(path) == "geometry.inconsistent"


def test_a_nifti_whose_two_orientations_disagree_is_refused(tmp_path, body):
    path = written(image_of(body), tmp_path / "x.nii")
    data = bytearray(path.read_bytes())
    assert min(struct.unpack_from("<2h", data, 252)) > 0
    read_image(path, GeometryConfig(), DensityConfig())
    (handed,) = struct.unpack_from("<f", data, 76)
    struct.pack_into("<f", data, 76, -handed)
    path.write_bytes(data)
    assert refusal(path) == "geometry.inconsistent"


@pytest.mark.parametrize(
    ("sform", "spacing", "code"),
    [
        (0, 0.0, "source.damaged"),
        (0, -3.0, "source.damaged"),
        (0, float("nan"), "source.damaged"),
        (1, 6.0, "geometry.inconsistent"),
    ],
)
def test_a_nifti_spacing_that_cannot_be_is_refused(sform, spacing, code, tmp_path, body):
    path = written(image_of(body), tmp_path / "x.nii")
    data = bytearray(path.read_bytes())
    struct.pack_into("<h", data, 254, sform)
    struct.pack_into("<f", data, 88, spacing)
    path.write_bytes(data)
    assert refusal(path) == code


@pytest.mark.parametrize(
    ("place", "layout", "values", "code"),
    [
        (108, "<f", (0.0,), "source.damaged"),
        (344, "<4s", (b"ni1\0",), "source.damaged"),
        (344, "<4s", (b"\0\0\0\0",), "source.damaged"),
        (112, "<2f", (0.0, 20.0), "source.damaged"),
        (112, "<2f", (float("nan"), -40.0), "source.damaged"),
        (256, "<3f", (0.8, 0.8, 0.8), "source.damaged"),
        (268, "<f", (50.0,), "geometry.inconsistent"),
    ],
)
def test_a_nifti_header_that_contradicts_itself_is_refused(place, layout, values, code, tmp_path, body):
    path = written(image_of(body), tmp_path / "x.nii")
    data = bytearray(path.read_bytes())
    struct.pack_into(layout, data, place, *values)
    path.write_bytes(data)
    assert refusal(path) == code


@pytest.mark.parametrize(
    ("ending", "old", "new"),
    [
        (".nrrd", b"space directions: (4,0,0)", b"space directions: (4,1,0)"),
        (".mha", b"TransformMatrix = 1 0 0", b"TransformMatrix = 0.96 0.28 0"),
    ],
)
def test_a_sheared_volume_is_refused(ending, old, new, tmp_path, body):
    assert refusal(edited(written(image_of(body), tmp_path / f"x{ending}"), old, new)) == "geometry.inconsistent"


@pytest.mark.parametrize(
    ("ending", "old", "new"),
    [
        (".nrrd", b"space: left-posterior-superior", b"space: scanner-xyz"),
        (".nrrd", b"space: left-posterior-superior", b"space dimension: 3"),
        (".mha", b"TransformMatrix", b"Comment"),
        (".mha", b"ElementSpacing", b"Comment"),
        (".mha", b"Offset", b"Comment"),
        (".nrrd", b"space origin:", b"# origin:"),
    ],
)
def test_no_orientation_is_ever_assumed(ending, old, new, tmp_path, body):
    assert refusal(edited(written(image_of(body), tmp_path / f"x{ending}"), old, new)) == "geometry.missing"


ELSEWHERE = [
    (".mha", b"ElementDataFile = LOCAL", b"ElementDataFile = /etc/hosts"),
    (".mha", b"ElementDataFile = LOCAL", b" \tElementDataFile =/etc/hosts"),
    (".mha", b"ElementDataFile = LOCAL", b"ElementDataFile = LIST"),
    (".nrrd", b"encoding:", b"data file: /etc/hosts\nencoding:"),
    (".nrrd", b"encoding:", b"datafile:  /etc/hosts\nencoding:"),
    (".nrrd", b"encoding:", b"#" + b"x" * 70_000 + b"\nDATA FILE: /etc/hosts\nencoding:"),
]


@pytest.mark.parametrize(("ending", "old", "new"), ELSEWHERE)
def test_voxels_in_another_file_are_not_looked_for(ending, old, new, tmp_path, body):
    assert refusal(edited(written(image_of(body), tmp_path / f"x{ending}"), old, new)) == "source.unreadable"


@pytest.mark.parametrize(
    "line",
    [
        b"elementdatafile = /etc/hosts\nElementDataFile = LOCAL",
        b"Comment = a\rElementDataFile = /etc/hosts\nElementDataFile = LOCAL",
        b"Comment = a\0ElementDataFile = /etc/hosts\nElementDataFile = LOCAL",
        b"Comment = a\x0bb\nElementDataFile = LOCAL",
    ],
)
def test_a_header_that_two_parsers_would_read_differently_is_refused(line, tmp_path, body):
    path = edited(written(image_of(body), tmp_path / "x.mha"), b"ElementDataFile = LOCAL", line)
    assert refusal(path) == "source.damaged"


@pytest.mark.parametrize(
    ("ending", "old", "new", "code"),
    [
        (".mha", b"TransformMatrix", b"TransformMatrix = -1 0 0 0 1 0 0 0 1\nTransformMatrix", "source.damaged"),
        (".mha", b"TransformMatrix", b"Rotation = -1 0 0 0 1 0 0 0 1\nTransformMatrix", "source.damaged"),
        (".mha", b"NDims", b"HeaderSize = 100\nNDims", "source.damaged"),
        (".mha", b"BinaryData = True", b"BinaryData = False", "source.damaged"),
        (".mha", b"NDims", b"ElementToIntensityFunctionSlope = 2\nNDims", "source.damaged"),
        (".mha", b"ObjectType = Image", b"ObjectType = Tube", "source.damaged"),
        (".mha", b"NDims", b"Modality = MET_MOD_MR\nNDims", "source.damaged"),
        (".mha", b"ElementSpacing = ", b"ElementSpacing = -", "source.damaged"),
        (".mha", b"NDims", b"DistanceUnits = cm\nNDims", "geometry.inconsistent"),
        (".nrrd", b"encoding:", b'space units: "cm" "cm" "cm"\nencoding:', "geometry.inconsistent"),
    ],
)
def test_fields_that_the_library_passes_over_are_never_passed_over(ending, old, new, code, tmp_path, body, capfd):
    assert refusal(edited(written(image_of(body), tmp_path / f"x{ending}"), old, new)) == code
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("short", [lambda raw: zlib.compress(raw)[:-100], lambda raw: zlib.compress(raw[:-2000])])
def test_a_packed_metaimage_with_too_few_voxels_is_refused_quietly(short, tmp_path, body, capfd):
    path = written(image_of(body), tmp_path / "x.mha")
    head, start = path.read_bytes().split(b"ElementDataFile = LOCAL\n")
    raw = zlib.decompress(start) if b"CompressedData = True" in head else start
    head = re.sub(rb"CompressedData(Size)? = .*\n", b"", head)

    def packed(data):
        size = b"CompressedData = True\nCompressedDataSize = %d\n" % len(data)
        path.write_bytes(head + size + b"ElementDataFile = LOCAL\n" + data)

    packed(zlib.compress(raw))
    read_image(path, GeometryConfig(), DensityConfig())
    packed(short(raw))
    assert refusal(path) == "source.damaged"
    assert "".join(capfd.readouterr()) == ""


def test_a_text_header_without_an_end_is_refused(tmp_path, body):
    path = tmp_path / "x.nrrd"
    path.write_bytes(b"NRRD0005\n" + b"# no end\n" * 200_000)
    assert refusal(path) == "source.damaged"


@pytest.mark.parametrize("ending", [".nii", ".nrrd", ".mha"])
def test_a_float_that_is_no_number_was_not_scanned_in_any_format(ending, tmp_path, body):
    image = image_of(body, dtype=np.float32)
    values = sitk.GetArrayFromImage(image)
    values[:, :1], values[:, 1:2], values[:, 2:3] = np.nan, np.inf, -np.inf
    other = sitk.GetImageFromArray(values)
    other.CopyInformation(image)
    volume = read_volume(written(other, tmp_path / f"x{ending}"))
    assert not volume.valid[:, :3].any()
    assert (volume.hu[:, :3] == AIR_HU).all()


def test_what_is_no_grey_volume_is_refused(tmp_path, body):
    image = image_of(body)
    assert refusal(written(sitk.Compose(image, image), tmp_path / "x.nrrd")) == "series.not_image"
    assert refusal(written(sitk.JoinSeries(image, image), tmp_path / "x.nii")) == "series.not_image"
    assert refusal(written(image[:, :, 3], tmp_path / "x.mha")) == "series.not_image"
    assert read_volume(written(sitk.JoinSeries(image), tmp_path / "y.nii")).hu.shape == SHAPE


def test_absurd_sizes_are_refused_before_memory_is_asked_for(tmp_path, body):
    path = written(image_of(body), tmp_path / "x.nii")
    data = bytearray(path.read_bytes())
    struct.pack_into("<3h", data, 42, 30000, 30000, 30000)
    path.write_bytes(data)
    assert refusal(path) == "source.too_large"


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("kept", [0, 30, 0.5])
def test_a_file_that_is_cut_off_is_refused_quietly(ending, kept, tmp_path, body, capfd):
    path = written(image_of(body), tmp_path / f"x{ending}")
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if kept < 1 else kept])
    assert refusal(path) == "source.damaged"
    assert "".join(capfd.readouterr()) == ""


def test_few_slices_and_slices_that_are_not_axial_are_no_chest(tmp_path, body):
    assert refusal(written(image_of(body)[:, :, :15], tmp_path / "x.nii")) == "slices.too_few"
    coronal = image_of(body)
    coronal.SetSpacing((2.0, 8.0, 2.0))
    assert refusal(written(coronal, tmp_path / "y.nii")) == "geometry.not_axial"


def test_a_mask_is_no_ct(tmp_path, body):
    mask = sitk.Cast(image_of(body) > -500, sitk.sitkInt16)
    with pytest.raises(SeriesError) as caught:
        read_volume(written(mask, tmp_path / "mask.nii.gz"))
    assert caught.value.code == "hu.offset"


def test_an_image_is_known_by_its_name(tmp_path):
    assert [is_image(tmp_path / n) for n in ("a.nii", "B.NII.GZ", "c.nrrd", "d.mha", "e.tar.gz", "f.dcm")] == [
        *[True] * 4,
        *[False] * 2,
    ]
