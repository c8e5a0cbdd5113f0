"""A finding is checked against the features that its sign declares."""

import pytest

from cop_imaging.core import Feature, Finding, Measure, Presence, not_assessable
from cop_imaging.core.finding import measures_from

VOLUME = Feature("ground_glass.volume_ml", "ml", "volume of ground glass")
EXTENT = Feature("ground_glass.extent_percent", "percent", "share of both lungs", high=100.0)


class GroundGlass:
    """As much of a sign as a finding needs."""

    name = "ground_glass"
    title = "Ground-glass opacity"
    definition = "Hazy lung in which vessels stay visible."
    needs = ()
    features = (VOLUME, EXTENT)
    has_mask = True


def finding(*measures: Measure) -> Finding:
    return Finding("ground_glass", Presence.PRESENT, 0.9, (VOLUME, EXTENT), measures)


def test_a_finding_gives_its_measures_by_name():
    found = finding(
        Measure(name=VOLUME.name, value=120.0, low=90.0, high=150.0, unit="ml"),
        Measure(name=EXTENT.name, value=3.0, unit="percent"),
    )
    assert found.measure("ground_glass.volume_ml").value == 120.0
    with pytest.raises(KeyError, match="volume_l"):
        found.measure("ground_glass.volume_l")


def test_a_misspelt_measure_fails_at_once_by_name():
    with pytest.raises(ValueError, match=r"ground_glass\.volume_mL"):
        finding(
            Measure(name="ground_glass.volume_mL", value=120.0, unit="ml"),
            Measure(name=EXTENT.name, value=3.0, unit="percent"),
        )


def test_a_forgotten_measure_fails_at_once_by_name():
    with pytest.raises(ValueError, match=r"ground_glass\.extent_percent"):
        finding(Measure(name=VOLUME.name, value=120.0, unit="ml"))


def test_measures_out_of_the_declared_order_are_refused():
    with pytest.raises(ValueError, match="differ"):
        finding(
            Measure(name=EXTENT.name, value=3.0, unit="percent"),
            Measure(name=VOLUME.name, value=120.0, unit="ml"),
        )


def test_a_sign_that_could_not_be_looked_for_has_no_values_rather_than_zeros():
    found = not_assessable(GroundGlass(), "slices of 8 mm")
    assert found.presence is Presence.NOT_ASSESSABLE
    assert found.score is None
    assert [m.value for m in found.measures] == [None, None]
    assert found.reason == "slices of 8 mm"


def test_values_become_measures_in_the_declared_order_with_declared_units():
    values = {EXTENT.name: (3.0, 2.0, 4.0), VOLUME.name: (120.0, None, None)}
    volume, extent = measures_from((VOLUME, EXTENT), values)
    assert (volume.name, volume.value, volume.unit) == (VOLUME.name, 120.0, "ml")
    assert (extent.low, extent.high, extent.unit) == (2.0, 4.0, "percent")


def test_an_undeclared_value_is_refused_by_name():
    with pytest.raises(KeyError, match="volume_l"):
        measures_from((VOLUME,), {VOLUME.name: (1.0, None, None), "ground_glass.volume_l": (0.1, None, None)})
