"""The stored default configuration says what holds."""

from cop_imaging.config import asset_path, load_config, to_toml
from cop_imaging.pipeline import Config


def test_the_stored_defaults_are_the_defaults_in_force():
    text = asset_path("configs", "default.toml").read_text(encoding="utf-8")
    assert text == to_toml(Config()), "write configs/default.toml again: cop-imaging config > configs/default.toml"


def test_the_stored_defaults_read_back_as_the_defaults():
    assert load_config(Config, asset_path("configs", "default.toml")) == Config()
