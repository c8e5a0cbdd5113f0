import numpy as np
import pytest

from cop_imaging.errors import SeriesError
from cop_imaging.ingest import IngestConfig, read_series


def refusal(source):
    with pytest.raises(SeriesError) as caught:
        read_series(source)
    return caught.value


@pytest.mark.parametrize(("degrees", "code"), [(29.0, None), (31.0, "geometry.not_axial")])
def test_slices_are_axial_up_to_the_limit(write, degrees, code):
    angle = np.radians(degrees)
    # The other way round for the patient: the normal may point to the feet.
    folder = write(row=(-1, 0, 0), column=(0.0, np.cos(angle), np.sin(angle)), count=60)
    if code is None:
        assert read_series(folder).hu.shape[0] == 60
    else:
        assert refusal(folder).code == code


@pytest.mark.parametrize("plane", [((1, 0, 0), (0, 0, -1)), ((0, 1, 0), (0, 0, -1))])
def test_coronal_and_sagittal_reformats_are_refused_with_their_angle(write, plane):
    error = refusal(write(row=plane[0], column=plane[1]))
    assert error.code == "geometry.not_axial"
    assert "90 degrees" in str(error)


def test_a_few_slices_of_another_matrix_are_left_out_and_counted(write):
    def foreign(header, n):
        # Behind the last slice: nothing is missing when they go.
        if n >= 38:
            header.PixelSpacing = ["7", "7"]

    volume = read_series(write(edit=foreign))
    assert volume.hu.shape[0] == 38
    assert [(i.code, i.measured) for i in volume.issues] == [("slices.stray_dropped", 2.0)]


def test_a_series_of_two_stacks_is_refused(write):
    error = refusal(write(edit=lambda h, n: n % 2 or setattr(h, "PixelSpacing", ["7", "7"])))
    assert error.code == "geometry.inconsistent"
    assert "20, 20 slices" in str(error)


def test_rounded_cosines_are_one_orientation(write, body):
    def rounded(header, n):
        header.ImageOrientationPatient = ["1", "0", "0", "0", "1" if n % 2 else "0.9999", "0.0001"]

    assert read_series(write(edit=rounded)).hu.shape[0] == 40


@pytest.mark.parametrize(("degrees", "refused"), [(0.3, False), (0.7, True), (18.5, True), (-18.5, True)])
def test_a_tilted_gantry_is_refused_with_the_angle_between_stack_and_normal(write, degrees, refused):
    angle = np.radians(degrees)
    folder = write(stack=(0.0, np.tan(angle), 1.0), count=60)
    if refused:
        error = refusal(folder)
        assert error.code == "geometry.tilt"
        assert f"{abs(degrees):.1f} degrees" in str(error)
    else:
        assert read_series(folder).hu.shape[0] == 60


def test_the_angle_of_the_tilt_does_not_depend_on_where_the_gantry_leaned(write):
    angle = np.radians(10.0)
    # The normal leans, the table moves along z: the way in which scanners store a tilted scan.
    folder = write(column=(0.0, np.cos(angle), -np.sin(angle)), stack=(0, 0, 1), count=60)
    assert "10.0 degrees" in str(refusal(folder))


def test_a_slice_beside_the_others_is_refused(write):
    def aside(header, n):
        if n == 20:
            header.ImagePositionPatient[0] += 15.0

    error = refusal(write(edit=aside))
    assert error.code == "geometry.inconsistent"
    assert "15.0 mm beside" in str(error)


def test_the_limits_are_settings(write):
    folder = write(count=12)
    with pytest.raises(SeriesError, match="12 slices over 36 mm"):
        read_series(folder)
    config = IngestConfig(fewest_slices=10, shortest_mm=30.0)
    assert read_series(folder, config).hu.shape[0] == 12
