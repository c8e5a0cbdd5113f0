import pytest

from cop_imaging.core import Acquisition
from cop_imaging.ingest.acquisition import age_years
from cop_imaging.ingest.read import read_volume


def test_the_headers_fill_the_acquisition(write):
    def full(header, n):
        header.PatientSize, header.PatientWeight, header.Exposure = "1.72", "70", "85"
        header.ContrastBolusAgent = "some agent"
        header.ConvolutionKernel = ["Br40d", "3"]

    assert read_volume(write(edit=full)).acquisition == Acquisition(
        manufacturer="Maker",
        scanner="Model 1",
        kernel="Br40d",
        kernel_class="soft",
        kvp=120.0,
        exposure_mas=85.0,
        slice_thickness_mm=3.0,
        slice_step_mm=3.0,
        pixel_spacing_mm=(5.0, 6.0),
        rows=32,
        columns=30,
        slice_count=40,
        patient_position="HFS",
        contrast=True,
        transfer_syntax="Explicit VR Little Endian",
        sex="F",
        age_years=45.0,
        height_m=1.72,
        weight_kg=70.0,
    )


def test_what_the_headers_do_not_give_is_named_once(write):
    def bare(header, n):
        for name in ("ConvolutionKernel", "KVP", "SliceThickness", "PatientAge"):
            delattr(header, name)
        header.PatientSex = ""

    volume = read_volume(write(edit=bare))
    (issue,) = volume.issues
    assert (issue.code, issue.severity, issue.affects) == ("header.missing", "info", ())
    assert issue.message == "The headers do not give: kernel, tube voltage, slice thickness, sex, age."
    assert volume.acquisition.slice_thickness_mm is None
    assert volume.acquisition.slice_step_mm == 3.0


@pytest.mark.parametrize(
    ("element", "value", "field"),
    [
        ("KVP", "0", "kvp"),
        ("PatientSize", "172", "height_m"),
        ("PatientWeight", "0", "weight_kg"),
        ("PatientSex", "X", "sex"),
        ("PatientPosition", "UP", "patient_position"),
        ("PatientAge", "000Y", "age_years"),
    ],
)
def test_values_that_make_no_sense_are_missing(write, element, value, field):
    assert getattr(read_volume(write(edit=lambda h, n: setattr(h, element, value))).acquisition, field) is None


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("045Y", 45.0),
        ("018M", 1.5),
        ("052W", 1.0),
        ("090D", 0.25),
        ("45", None),
        ("", None),
        (None, None),
        ("999Y", None),
    ],
)
def test_an_age_is_given_in_years(text, years):
    assert age_years(text) == years


@pytest.mark.parametrize(("agent", "contrast"), [("Iohexol", True), ("NONE", False), ("", None)])
def test_contrast_is_known_only_when_the_header_says_so(write, agent, contrast):
    folder = write(edit=lambda h, n: setattr(h, "ContrastBolusAgent", agent))
    assert read_volume(folder).acquisition.contrast is contrast
