import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.ingest import kernel_class

ORDER = ["soft", "medium", "sharp"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("STANDARD", "soft"),
        ("SOFT", "soft"),
        ("DETAIL", "medium"),
        ("LUNG", "sharp"),
        ("BONEPLUS", "sharp"),
        ("B30f", "soft"),
        ("B40f", "soft"),
        ("B50f", "medium"),
        ("B70f", "sharp"),
        ("I26f", "soft"),
        ("I70f", "sharp"),
        ("Br40d", "soft"),
        ("Bl57d", "sharp"),
        ("Br64", "sharp"),
        ("Qr40", "soft"),
        ("B", "soft"),
        ("C", "soft"),
        ("UB", "soft"),
        ("L", "sharp"),
        ("YA", "sharp"),
        ("FC08", "soft"),
        ("FC18-H", "soft"),
        ("FC52", "sharp"),
        ("FC86", "sharp"),
        (" lung ", "sharp"),
        ("EXPERIMENTAL7", None),
        ("FC99", None),
        ("", None),
        (None, None),
    ],
)
def test_vendor_names_tell_how_sharp_a_kernel_is(name, expected):
    assert kernel_class(name) == expected


@given(family=st.sampled_from(["B{}f", "I{}f", "Br{}d", "Qr{}"]), low=st.integers(10, 98), more=st.integers(1, 40))
def test_a_higher_number_is_never_softer(family, low, more):
    soft, sharp = (kernel_class(family.format(n)) for n in (low, min(low + more, 99)))
    assert ORDER.index(soft) <= ORDER.index(sharp)


@given(st.text(max_size=20))
def test_any_text_has_a_class_or_none(name):
    assert kernel_class(name) in {*ORDER, None}
