"""Which stack is read, why, and how a user asks for another."""

import pytest

from cop_imaging.errors import SeriesError
from cop_imaging.ingest import IngestConfig, find_series
from cop_imaging.ingest.choice import ChoiceConfig
from cop_imaging.ingest.read import read_volume

WHOLE = {"count": 90, "step_mm": 2.5}


def tagged(**elements):
    return lambda h, n: [setattr(h, name, value) for name, value in elements.items()]


def chosen(folder, **options):
    """Kernel of the series that is read, and what is said of the choice."""
    volume = read_volume(folder, **options)
    return volume.acquisition, next(i.message for i in volume.issues if i.code == "series.mixed")


@pytest.mark.parametrize(
    ("better", "worse", "reason"),
    [
        ({}, {"count": 40}, "spans whole lungs"),
        ({}, {"edit": tagged(BodyPartExamined="HEAD")}, "spans whole lungs"),
        ({}, {"edit": tagged(ImageType=["DERIVED", "SECONDARY", "AXIAL"])}, "original"),
        ({}, {"edit": tagged(ImageType=["DERIVED", "SECONDARY", "MPR"])}, "original"),
        ({}, {"edit": tagged(LossyImageCompression="01")}, "loss"),
        ({}, {"edit": tagged(SliceThickness="1")}, "no gaps"),
        ({"count": 180, "step_mm": 1.25}, {}, "thinner (1.25 against 2.5 mm)"),
        ({"edit": tagged(ConvolutionKernel="B45f")}, {"edit": tagged(ConvolutionKernel="B70f")}, "kernel"),
        ({"count": 100}, {}, "longer"),
        ({"step_mm": 2.2, "count": 102}, {"count": 90}, "thinner (2.2 against 2.5 mm)"),
    ],
)
def test_the_rules_decide_in_their_order_and_the_reason_is_given(write, better, worse, reason):
    write("ct/a", uid="1", **{**WHOLE, **better})
    write("ct/b", uid="2", **{**WHOLE, **worse})
    folder = write("ct", uid="1", count=0)
    small = IngestConfig(choice=ChoiceConfig(chest_field_mm=150.0))
    acquisition, message = chosen(folder, config=small)
    assert reason in message
    assert acquisition.slice_count == {**WHOLE, **better}["count"]


def test_the_rules_are_the_users_to_order(write):
    write("ct/a", uid="1", count=180, step_mm=1.25, edit=tagged(ConvolutionKernel="B70f"))
    folder = write("ct/b", uid="2", edit=tagged(ConvolutionKernel="B30f"), **WHOLE).parent
    assert chosen(folder)[0].kernel == "B70f"
    config = IngestConfig(choice=ChoiceConfig(prefer=("kernel", "thin")))
    assert chosen(folder, config=config)[0].kernel == "B30f"


def test_a_series_is_asked_for_by_key_or_uid(write):
    write("ct/a", uid="1", **WHOLE)
    folder = write("ct/b", uid="2", count=40).parent
    other = next(s for s in find_series(folder) if s.folder.name == "b")
    assert read_volume(folder).acquisition.slice_count == 90
    assert read_volume(folder, series=other.key).acquisition.slice_count == 40
    with pytest.raises(SeriesError) as caught:
        read_volume(folder, series="1.2.3")
    assert caught.value.code == "series.not_found"
    assert other.key in str(caught.value)


def test_equals_are_told_apart_by_their_keys_alone(write):
    for n, name in enumerate("ab"):
        write(f"one/{name}", uid=str(n), **WHOLE)
        write(f"two/{'ba'[n]}", uid=str(n), **WHOLE)
    folders = [write(name, uid="0", count=0) for name in ("one", "two")]
    assert len({chosen(folder)[1] for folder in folders}) == 1


@pytest.mark.parametrize("kind", ["MIP", "MINIP", "VRT"])
def test_a_projection_is_never_measured_as_slices(write, kind):
    folder = write(edit=tagged(ImageType=["DERIVED", "SECONDARY", "AXIAL", kind]))
    with pytest.raises(SeriesError) as caught:
        read_volume(folder)
    assert caught.value.code == "series.projection"


def test_reformatted_slices_are_read_and_remarked_on(write):
    volume = read_volume(write(edit=tagged(ImageType=["DERIVED", "SECONDARY", "AXIAL", "MPR"])))
    assert "series.reformatted" in {issue.code for issue in volume.issues}
