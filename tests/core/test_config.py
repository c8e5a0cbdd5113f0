"""Configuration: closed, checked, told by name, and the same value again when written and read."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.config import Section, asset_path, changes, digest, load_config, quantity, to_toml
from cop_imaging.errors import ConfigError


class GroundGlass(Section):
    """Limits of ground glass."""

    low_hu: float = quantity(-700.0, means="lower limit", unit="HU", source="glossary", low=-900, high=-500)
    smallest_ml: float = quantity(0.2, means="smallest component", unit="ml", source="glossary", low=0)
    low_hu_range: tuple[float, float] = quantity((-750.0, -600.0), means="tried range", unit="HU", source="glossary")
    shells_mm: tuple[float, ...] = quantity((5.0, 10.0), means="depth shells", unit="mm", source="glossary")


class Series(Section):
    """What is taken for one series."""

    fewest_slices: int = quantity(20, means="fewest slices", unit="1", source="practice", low=3)
    kernel: str = quantity("any", means="kernel to prefer", unit="", source="practice")
    bridge: bool = quantity(False, means="bridge gaps", unit="", source="practice")


class Settings(Section):
    """Everything."""

    series: Series = Series()
    ground_glass: GroundGlass = GroundGlass()


def test_without_file_and_overrides_the_defaults_hold():
    assert load_config(Settings) == Settings()


def test_an_override_wins_over_the_file_and_the_file_over_the_default(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text("[ground_glass]\nlow_hu = -650\nsmallest_ml = 0.5\n", encoding="utf-8")
    settings = load_config(Settings, file, ["ground_glass.low_hu=-600"])
    assert settings.ground_glass.low_hu == -600
    assert settings.ground_glass.smallest_ml == 0.5
    assert settings.series == Series()


def test_overrides_of_one_section_add_up_and_the_last_one_wins():
    settings = load_config(
        Settings, overrides=["ground_glass.low_hu=-600", "ground_glass.smallest_ml=1", "ground_glass.low_hu=-610"]
    )
    assert (settings.ground_glass.low_hu, settings.ground_glass.smallest_ml) == (-610, 1)


@pytest.mark.parametrize("upper", ["-750", "-800", "nan"])
def test_a_range_that_does_not_ascend_is_refused_by_name(upper):
    with pytest.raises(ConfigError, match=r"ground_glass\.low_hu_range .* lower to its upper end"):
        load_config(Settings, overrides=[f"ground_glass.low_hu_range=[-750, {upper}]"])


@pytest.mark.parametrize(
    ("override", "section", "field", "value"),
    [
        ("series.fewest_slices=12", "series", "fewest_slices", 12),
        ("series.bridge = true", "series", "bridge", True),
        ("series.kernel=B40f", "series", "kernel", "B40f"),
        ('series.kernel="B40f"', "series", "kernel", "B40f"),
        ("ground_glass.shells_mm=[3, 6.5]", "ground_glass", "shells_mm", (3.0, 6.5)),
    ],
)
def test_an_override_is_read_as_toml_or_else_as_text(override, section, field, value):
    assert getattr(getattr(load_config(Settings, overrides=[override]), section), field) == value


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("ground_glass.low_hou=-600", "ground_glass.low_hu"),
        ("groundglass.low_hu=-600", "ground_glass.low_hu"),
        ("series.fewest_slice=12", "series.fewest_slices"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_valid_one(override, nearest):
    with pytest.raises(ConfigError, match=f"did you mean '{nearest}'"):
        load_config(Settings, overrides=[override])


def test_an_unknown_key_in_a_file_is_refused_with_the_file_named(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text("[ground_glass]\nlow = -650\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"study\.toml.*'ground_glass\.low'.*'ground_glass\.low_hu'"):
        load_config(Settings, file)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("ground_glass.low_hu=-300", r"ground_glass\.low_hu.*-300.*less than or equal to -500.*HU"),
        ("series.fewest_slices=2", r"series\.fewest_slices.*greater than or equal to 3"),
        ("series.fewest_slices=many", r"series\.fewest_slices.*'many'"),
        ("ground_glass=5", "is a section"),
        ("ground_glass.low_hu.deep=5", "is a value, not a section"),
        ("ground_glass.low_hu", "wants section.field=value"),
    ],
)
def test_a_value_out_of_range_or_of_the_wrong_kind_is_refused_by_name(override, told):
    with pytest.raises(ConfigError, match=told):
        load_config(Settings, overrides=[override])


def test_a_file_that_is_not_there_or_not_toml_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(Settings, tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[ground_glass\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(Settings, broken)


def test_a_section_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="frozen"):
        Settings().ground_glass.low_hu = -600


limits_hu = st.floats(-900, -500)


@given(limits_hu, limits_hu)
def test_the_digest_changes_when_and_only_when_a_value_changes(one, other):
    def of(low_hu: float) -> str:
        return digest(Settings(ground_glass=GroundGlass(low_hu=low_hu)))

    assert (of(one) == of(other)) == (one == other)


def test_only_what_differs_from_the_defaults_is_listed():
    settings = load_config(Settings, overrides=["ground_glass.low_hu=-600", "series.fewest_slices=20"])
    assert changes(settings) == {"ground_glass.low_hu": "-600.0"}
    assert changes(Settings()) == {}


@given(
    low_hu=limits_hu,
    shells_mm=st.lists(st.floats(0, 50), max_size=4).map(tuple),
    kernel=st.text(st.characters(codec="utf-8"), max_size=12),
    bridge=st.booleans(),
)
def test_a_configuration_written_as_toml_reads_back_as_the_same_value(
    tmp_path_factory, low_hu, shells_mm, kernel, bridge
):
    settings = Settings(
        series=Series(kernel=kernel, bridge=bridge), ground_glass=GroundGlass(low_hu=low_hu, shells_mm=shells_mm)
    )
    file = tmp_path_factory.mktemp("toml") / "settings.toml"
    file.write_text(to_toml(settings), encoding="utf-8", newline="\n")
    assert load_config(Settings, file) == settings


def test_the_toml_explains_every_field():
    text = to_toml(Settings())
    assert tomllib.loads(text)["ground_glass"]["low_hu"] == -700.0
    assert "# lower limit [HU], range -900 to -500; source: glossary" in text
    assert "# Limits of ground glass." in text


def test_an_asset_that_is_not_shipped_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"configs/none\.toml"):
        asset_path("configs", "none.toml")
