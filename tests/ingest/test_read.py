import gzip
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from cop_imaging.core import Severity, Status, status_of
from cop_imaging.errors import SeriesError
from cop_imaging.ingest import IngestConfig, SeriesFiles, find_series
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.read import read_volume

X, Y, Z = np.eye(3)
IN_PLANE = [
    (tuple(s * a), tuple(t * b)) for a, b in ((X, Y), (Y, X)) for s, t in itertools.product((1.0, -1.0), repeat=2)
]
COUNTING = [lambda n: n + 1, lambda n: 100 - n]
ORDERS = [(row, column, number) for (row, column), number in itertools.product(IN_PLANE, COUNTING)]


def where_the_voxels_are(geometry):
    return geometry.to_patient(np.stack(np.indices(geometry.shape), axis=-1))


def codes(volume):
    return [issue.code for issue in volume.issues]


def refusal(source, **config):
    with pytest.raises(SeriesError) as caught:
        read_volume(source, IngestConfig(geometry=GeometryConfig(**config)))
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(("row", "column", "number"), ORDERS)
def test_every_voxel_holds_what_lies_at_its_place_in_the_patient(write, body, row, column, number):
    volume = read_volume(write(row=row, column=column, number=number))
    np.testing.assert_array_equal(volume.hu, body(where_the_voxels_are(volume.geometry)))


@pytest.mark.parametrize(("row", "column", "number"), ORDERS)
def test_index_order_is_to_the_head_the_back_and_the_left(write, row, column, number):
    geometry = read_volume(write(row=row, column=column, number=number)).geometry
    np.testing.assert_allclose(geometry.direction, [Z, Y, X], atol=1e-12)


@pytest.mark.parametrize(("row", "column", "number"), ORDERS)
def test_a_mask_goes_back_onto_the_very_grid_that_itk_reads(write, row, column, number):
    # Names count against the position in half of the orders: ITK must sort by position too.
    folder = write(row=row, column=column, number=number, name=lambda n: f"{number(n):04d}.dcm")
    volume = read_volume(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    grid = volume.stored.stored_geometry(volume.geometry)
    np.testing.assert_array_equal(volume.stored.to_stored(volume.hu), sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(grid.origin_mm, image.GetOrigin(), atol=1e-6)
    np.testing.assert_allclose(grid.spacing_mm, image.GetSpacing()[::-1], atol=1e-9)
    np.testing.assert_allclose(np.array(grid.direction)[::-1].T.ravel(), image.GetDirection(), atol=1e-9)


def test_a_mildly_oblique_series_keeps_its_obliquity(write, body):
    angle = np.radians(10.0)
    column = (0.0, np.cos(angle), np.sin(angle))
    volume = read_volume(write(column=column))
    np.testing.assert_allclose(volume.geometry.direction[1], column, atol=1e-8)
    np.testing.assert_array_equal(volume.hu, body(where_the_voxels_are(volume.geometry)))


def test_a_body_turned_within_the_plane_gets_three_different_axes(write, body):
    half = np.sqrt(0.5)
    volume = read_volume(write(row=(half, half, 0.0), column=(-half, half, 0.0)))
    assert sorted(volume.stored.axes) == [0, 1, 2]
    np.testing.assert_array_equal(volume.hu, body(where_the_voxels_are(volume.geometry)))


def test_names_numbers_and_threads_change_nothing(write):
    plain = read_volume(write("a"), threads=1)
    shuffled = write("b", name=lambda n: f"{(n * 17) % 40:02d}/x{(n * 11) % 40}", number=lambda n: (n * 7) % 40)
    other = read_volume(shuffled, threads=3)
    assert other.digest == plain.digest
    np.testing.assert_array_equal(other.hu, plain.hu)


def test_a_path_may_be_text(write):
    folder = write()
    assert read_volume(str(folder)).digest == read_volume(folder).digest


def test_the_order_on_disk_does_not_change_the_digest(write):
    flips = [(tuple(s * X), tuple(t * Y)) for s, t in itertools.product((1.0, -1.0), repeat=2)]
    digests = {read_volume(write(f"{n}", row=row, column=column)).digest for n, (row, column) in enumerate(flips)}
    assert len(digests) == 1


def test_each_z_index_names_the_slice_that_it_shows(write):
    # The normal points to the feet here: the stored order runs against z.
    volume = read_volume(write(column=(0, -1, 0), number=lambda n: 100 + n))
    assert volume.stored.flipped[0]
    assert [s.instance_number for s in volume.slices] == [139 - z for z in range(40)]


def test_everything_scanned_needs_no_mask_of_the_scanned_field(write):
    volume = read_volume(write())
    assert volume.valid is None
    assert volume.hu.dtype == np.int16
    assert not volume.hu.flags.writeable
    assert volume.issues == ()


def test_the_volume_knows_nobody(write):
    volume = read_volume(write(edit=lambda h, n: setattr(h, "PatientAge", "")))
    told = f"{volume.acquisition!r} {volume.issues!r}"
    for secret in ("Doe", "Jane", "SECRET", "1961", "Hospital", "2020"):
        assert secret not in told


def test_other_files_and_folders_below_are_no_obstacle(write):
    folder = write(name=lambda n: f"{'ab'[n % 2]}/deep/{n}")
    (folder / "notes.dcm").write_text("not an image")
    (folder / "empty").touch()
    (folder / "picture.png").write_bytes(bytes(range(256)) * 4)
    assert read_volume(folder).hu.shape == (40, 32, 30)


def test_the_series_with_most_axial_slices_is_read_and_the_others_are_named(write):
    write("study/a", count=40, uid="thin")
    write("study/b", count=30, step_mm=4.0, uid="thick")
    folder = write("study/c", count=60, row=(1, 0, 0), column=(0, 0, -1), uid="coronal").parent
    volume = read_volume(folder)
    assert volume.hu.shape[0] == 40
    (issue,) = volume.issues
    assert (issue.code, issue.measured) == ("series.mixed", 2.0)
    assert "30 slices of 32 x 30 pixels, 4 mm" in issue.message
    assert "1.2.826" not in issue.message


def test_localizers_and_screen_captures_are_left_out_and_counted(write):
    write("study", edit=lambda h, n: n != 0 or setattr(h, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    write("study/more", count=2, uid="2", edit=lambda h, n: setattr(h, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.7"))
    folder = write("study/pet", count=3, uid="3", edit=lambda h, n: setattr(h, "Modality", "PT")).parent
    volume = read_volume(folder)
    assert volume.hu.shape[0] == 39
    (issue,) = volume.issues
    assert (issue.code, issue.measured) == ("series.localizer_dropped", 6.0)
    assert "3 PT" in issue.message
    assert "2 screen capture" in issue.message


def test_one_series_of_a_listing_is_read_alone(write):
    write("study/a", uid="a")
    folder = write("study/b", uid="b", count=30).parent
    shapes = [read_volume(series).hu.shape[0] for series in find_series(folder)]
    assert shapes == [40, 30]


def test_a_listed_file_that_has_gone_is_named(write):
    folder = write()
    series = SeriesFiles(folder, (folder / "gone.dcm",), "k")
    assert refusal(series).code == "source.unreadable"


def test_copies_of_slices_are_read_once(write):
    once = read_volume(write("a"))
    write("b", name="first{}".format)
    twice = read_volume(write("b", name="again{}".format))
    assert twice.digest == once.digest
    assert [(i.code, i.measured) for i in twice.issues] == [("slices.duplicate", 40.0)]


def test_two_images_of_one_position_are_refused(write):
    write(name="phase1-{}".format)
    error = refusal(write(name="phase2-{}".format, repixel=lambda hu, n: hu + (20 if n == 17 else 0)))
    assert error.code == "slices.conflicting"
    assert "z = -7.5 mm" in str(error)


def test_a_damaged_file_beside_the_series_is_named(write):
    folder = write()
    whole = (folder / "IM0001.dcm").read_bytes()
    (folder / "broken.dcm").write_bytes(whole[:150])
    assert read_volume(folder).hu.shape[0] == 40


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda h, n: setattr(h, "Modality", "MR"), "series.not_ct"),
        (lambda h, n: setattr(h, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), "series.only_localizers"),
        (lambda h, n: setattr(h, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.7"), "series.secondary_capture"),
        (lambda h, n: setattr(h, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.2.1"), "source.damaged"),
        (lambda h, n: setattr(h, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.88.67"), "series.not_image"),
        (lambda h, n: delattr(h, "RescaleIntercept"), "hu.rescale_missing"),
        (lambda h, n: delattr(h, "ImagePositionPatient"), "geometry.missing"),
        (lambda h, n: setattr(h, "PixelSpacing", ["0", "0"]), "geometry.missing"),
        (lambda h, n: setattr(h, "ImageOrientationPatient", ["1", "0", "0", "1", "0", "0"]), "geometry.missing"),
        (lambda h, n: n == 5, "slices.single"),
        (lambda h, n: n < 19, "slices.too_few"),
        (lambda h, n: setattr(h, "Rows", 20000), "pixels.undecodable"),
    ],
)
def test_what_is_no_chest_ct_is_refused_by_its_reason(write, edit, code):
    assert refusal(write(edit=edit)).code == code


def test_headers_without_pixels_are_refused(write):
    folder = write()
    for path in folder.iterdir():
        data = path.read_bytes()
        path.write_bytes(data[: data.rindex(b"\xe0\x7f\x10\x00")])
    assert refusal(folder).code == "pixels.missing"


def test_a_source_that_is_no_folder_of_images_is_refused(write, tmp_path):
    folder = write()
    assert refusal(tmp_path / "nowhere").code == "source.missing"
    assert refusal(folder / "IM0001.dcm").code == "slices.single"
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty").code == "source.no_dicom"
    (tmp_path / "empty" / "text.dcm").write_text("hello")
    assert refusal(tmp_path / "empty").code == "source.no_dicom"


def test_thick_slices_limit_what_may_be_said(write):
    thick = read_volume(write("thick", step_mm=8.0, count=20))
    (issue,) = thick.issues
    assert (issue.code, issue.measured, issue.limit) == ("slices.thick", 8.0, 3.0)
    assert status_of(thick.issues) is Status.LIMITED
    exactly = read_volume(write("three", step_mm=3.0004))
    assert exactly.issues == ()


def test_gaps_between_slices_limit_what_may_be_said(write):
    volume = read_volume(write(step_mm=12.0, count=13, edit=lambda h, n: setattr(h, "SliceThickness", "3")))
    gap = volume.issues[0]
    assert (gap.code, gap.severity, gap.measured) == ("slices.not_contiguous", Severity.WARNING, 4.0)
    assert status_of(volume.issues) is Status.LIMITED
    assert not volume.acquisition.contiguous


def test_narrow_gaps_only_limit(write):
    volume = read_volume(write(step_mm=3.0, edit=lambda h, n: setattr(h, "SliceThickness", "1")))
    assert [(i.code, i.severity) for i in volume.issues] == [("slices.not_contiguous", Severity.WARNING)]


def test_overlapping_slices_are_fine(write):
    volume = read_volume(write(step_mm=2.0, count=60, edit=lambda h, n: setattr(h, "SliceThickness", "3")))
    assert volume.issues == ()


def test_an_irregular_header_is_remarked_on_without_its_text(write, capfd):
    folder = write()
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"1.2.826.0", b"1.2.Jane0"))
    volume = read_volume(folder)
    assert set(codes(volume)) <= {"header.irregular"}
    assert "Jane" not in f"{volume.issues!r}"
    assert "Jane" not in "".join(capfd.readouterr())


def packed_alone(path):
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


LOST = {
    "empty": lambda path: path.write_bytes(b""),
    "overwritten": lambda path: path.write_bytes(b"\0" * 5000),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "packed": lambda path: (
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes())),
        path.unlink(),
    ),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("what", LOST)
def test_slices_that_are_no_dicom_any_more_are_never_lost_silently(what, packed, write, tmp_path):
    folder = write()
    (folder / "report.txt").write_text("beside")
    for path in sorted(folder.iterdir())[-7:-1]:
        LOST[what](path)
    source = shutil.make_archive(str(tmp_path / "a"), "zip", folder) if packed else folder
    volume = read_volume(Path(source))
    assert volume.hu.shape[0] == 34
    (issue,) = (i for i in volume.issues if i.code == "slices.unreadable")
    assert issue.measured == 6.0
    assert "likelihood" in issue.affects
