"""Numbers read as people write them, and never say more than was measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.core import FindingSummary, Measure, Presence
from cop_imaging.report import wording

THIN = "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "ml", "—"),
        (0.0, "ml", "0.0"),
        (0.01, "percent", f"<{THIN}0.1"),
        (12.34, "percent", "12.3"),
        (2324.6, "ml", "2325"),
        (1234567.0, "ml", f"1{THIN}234{THIN}567"),
        (-0.2, "HU", f">{THIN}−1"),
        (-40.6, "HU", "−41"),
        (3.0, "1", "3"),
        (1.168, "1", "1.17"),
        (0.004, "1", f"<{THIN}0.01"),
    ],
)
def test_numbers_have_the_digits_their_unit_deserves(value, unit, text):
    assert wording.number(value, unit) == text


@given(st.floats(0, 1))
def test_a_probability_is_never_rounded_to_certainty(p):
    text = wording.percent(p).replace(THIN, "")
    assert text not in {"0%", "100%"}
    assert text.endswith("%")


@pytest.mark.parametrize(
    ("name", "unit", "text"),
    [
        ("consolidation.volume_ml", "ml", "volume"),
        ("consolidation.extent_percent", "percent", "extent"),
        ("consolidation.extent_0_5_mm_percent", "percent", f"extent 0–5{THIN}mm deep"),
        ("consolidation.extent_over_30_mm_percent", "percent", f"extent over 30{THIN}mm deep"),
        ("ground_glass.mean_hu", "HU", "mean"),
        ("reversed_halo.count", "1", "count"),
    ],
)
def test_a_measure_is_named_without_sign_and_unit(name, unit, text):
    assert wording.label(name, unit) == text


def test_an_interval_of_negative_values_is_not_a_row_of_dashes():
    measure = Measure(name="a.mean_hu", value=-40.0, low=-60.0, high=-20.0, unit="HU")
    assert wording.interval(measure) == "−60 to −20"


def test_a_measure_without_an_interval_shows_none():
    assert wording.interval(Measure(name="a.b", value=1.0, unit="1")) == ""
    assert wording.interval(Measure(name="a.b", value=1.0, low=0.5, unit="1")) == ""


def test_shells_and_zones_are_found_by_name(analysis):
    finding = analysis.report.findings[0]
    assert [name for name, _ in wording.shells(finding)] == [f"0–5{THIN}mm", f">{THIN}30{THIN}mm"]
    assert [name for name, _ in wording.zones(finding)] == ["Upper", "Lower", "Right lung", "Left lung"]


def test_the_headline_is_volume_extent_and_what_only_this_sign_has(analysis):
    names = [m.name for m in wording.headline(analysis.report.findings[0])]
    assert names == ["consolidation.volume_ml", "consolidation.extent_percent", "consolidation.count"]


def summary_with(lower_bounds):
    volume = Measure(name="bands.volume_ml", value=2.0, unit="ml")
    return FindingSummary(
        sign="bands", title="Bands", presence=Presence.PRESENT, score=1.0, reason="", measures=(volume,), lesions=(),
        lower_bounds=lower_bounds,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["bands.volume_ml", "bands.extent_percent", "bands.extent_over_30_mm_percent"])
def test_volumes_and_extents_in_a_doubtful_mask_read_as_lower_bounds(name):
    measure = Measure(name=name, value=2.0, unit="ml")
    assert wording.at_least(measure, summary_with(True)) == f"≥{THIN}"
    assert wording.at_least(measure, summary_with(False)) == ""


@pytest.mark.parametrize(
    "measure",
    [None, Measure(name="bands.volume_ml", value=None, unit="ml"), Measure(name="bands.mean_hu", value=1.0, unit="HU")],
    ids=["nothing", "not measured", "density"],
)
def test_what_has_no_size_is_no_lower_bound(measure):
    assert wording.at_least(measure, summary_with(True)) == ""
