"""What messages call a file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.ingest.naming import shown_name


@pytest.mark.parametrize(
    "name", ["IM0001.dcm", "I0000012", "CT000123", "slice_012.dcm", "1-034.dcm", "000017.dcm", "IMG0001", "image 7.ima"]
)
def test_a_name_that_only_counts_is_shown(name):
    assert shown_name(Path("somewhere", name), 1, 9) == name


@pytest.mark.parametrize(
    "name",
    [
        "DOE_JANE_19610203.dcm",
        "Doe^Jane",
        "1.2.840.113619.2.55.3.2831178503.dcm",
        "1961020312345678.dcm",
        "jane0001.dcm",
        "IM0001\x1b[31m",
        "IM0001.dcm\n",
        "",
    ],
)
def test_a_name_that_may_be_a_persons_is_replaced_by_its_place(name):
    assert shown_name(Path("x") / name if name else Path(), 17, 240) == "file 17 of 240"


@given(st.text(min_size=1, max_size=40).filter(lambda s: "/" not in s and "\0" not in s))
def test_what_is_shown_holds_no_control_characters_and_few_letters(name):
    shown = shown_name(Path("x", name), 3, 4)
    assert shown.isprintable()
    assert shown == "file 3 of 4" or sum(c.isalpha() for c in shown) <= 16
