"""Series that are not what they seem: scans that take turns, lost parts, other quantities, other people's words."""

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from cop_imaging.errors import SeriesError
from cop_imaging.ingest.read import read_volume


def refusal(source):
    with pytest.raises(SeriesError) as caught:
        read_volume(source)
    return caught.value


@pytest.mark.parametrize(
    "kinds",
    [
        {"KVP": ("80", "140")},
        {"ImageType": (["ORIGINAL", "PRIMARY", "AXIAL"], ["DERIVED", "SECONDARY", "AXIAL"])},
        {"TemporalPositionIdentifier": ("1", "2")},
    ],
)
def test_scans_that_take_turns_from_slice_to_slice_are_never_blended(write, body, kinds):
    ((name, values),) = kinds.items()
    folder = write(
        count=80,
        step_mm=1.5,
        edit=lambda h, n: setattr(h, name, values[n % 2]),
        repixel=lambda hu, n: hu + 25 * (n % 2),
    )
    volume = read_volume(folder)
    assert volume.hu.shape[0] == 40
    assert "series.multiple_phases" in {i.code for i in volume.issues}
    truth = body(np.round(volume.geometry.to_patient(np.stack(np.indices(volume.hu.shape), axis=-1)), 6))
    assert len(np.unique(volume.hu - truth)) == 1


def test_one_change_of_voltage_along_a_stack_is_no_second_scan(write):
    volume = read_volume(write(edit=lambda h, n: setattr(h, "KVP", "120" if n < 20 else "100")))
    assert volume.hu.shape[0] == 40


def test_two_patients_that_share_a_series_uid_are_never_one_volume(write, body):
    def edit(header, n):
        header.PatientID = "SECRET-7" if n % 2 else "SECRET-8"

    volume = read_volume(write(count=80, step_mm=1.5, edit=edit, repixel=lambda hu, n: hu + 30 * (n % 2)))
    assert volume.hu.shape[0] == 40
    assert "series.mixed" in {i.code for i in volume.issues}


@pytest.mark.parametrize("kind", ["SUBTRACTION", "IODINE_MAP", "EFF_ATOMIC_NUM"])
def test_maps_of_another_quantity_are_no_hounsfield_units(write, kind):
    folder = write(edit=lambda h, n: setattr(h, "ImageType", ["DERIVED", "PRIMARY", "AXIAL", kind]))
    assert refusal(folder).code == "series.other_quantity"


def test_a_palette_is_no_measurement(write):
    folder = write(edit=lambda h, n: setattr(h, "PhotometricInterpretation", "PALETTE COLOR"))
    assert refusal(folder).code == "series.secondary_capture"


def test_a_modality_that_is_no_term_of_the_standard_is_not_repeated(write):
    error = refusal(write(edit=lambda h, n: setattr(h, "Modality", "DOE JANE")))
    assert error.code == "series.not_ct"
    assert "DOE" not in str(error).upper()


def test_slices_far_apart_that_do_not_say_how_thick_they_are_may_have_gaps(write):
    volume = read_volume(write(count=25, step_mm=10.0, edit=lambda h, n: delattr(h, "SliceThickness")))
    assert "slices.not_contiguous" in {i.code for i in volume.issues}
    assert not volume.acquisition.contiguous


def test_parts_of_a_multi_frame_image_that_are_lost_are_missed(write):
    folder = write()
    for path in folder.iterdir():
        d = dcmread(path)
        d.InConcatenationTotalNumber = 41
        d.SOPInstanceUID = generate_uid(entropy_srcs=[path.name])
        d.save_as(path)
    assert refusal(folder).code == "slices.missing"
