"""The stored default configuration and its tables say what holds."""

from pathlib import Path

from cop_imaging.cli.config import markdown
from cop_imaging.config import asset_path, load_config, to_toml
from cop_imaging.pipeline import Config


def test_the_stored_defaults_are_the_defaults_in_force():
    text = asset_path("configs", "default.toml").read_text(encoding="utf-8")
    assert text == to_toml(Config()), "write configs/default.toml again: make defaults"


def test_the_documented_defaults_are_the_defaults_in_force():
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert text == markdown(Config()), "write docs/configuration.md again: make defaults"


def test_every_setting_states_unit_and_source():
    rows = [line.split(" | ") for line in markdown(Config()).splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert [row[0] for row in rows if len(row) != 6 or not row[2].strip() or not row[5].strip(" |")] == []


def test_the_stored_defaults_read_back_as_the_defaults():
    assert load_config(Config, asset_path("configs", "default.toml")) == Config()
