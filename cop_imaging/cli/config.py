"""``cop-imaging config``: the settings in force as commented TOML."""

from __future__ import annotations

from cop_imaging.cli.faults import guarded
from cop_imaging.cli.options import ConfigOption, SetOption

__all__ = ["config"]


@guarded
def config(path: ConfigOption = None, overrides: SetOption = None) -> None:
    """Print the settings in force as TOML.

    Meaning, unit, range and source stand beside every field; the output is a valid file for --config.
    """
    from cop_imaging.config import load_config, to_toml
    from cop_imaging.pipeline import Config

    print(to_toml(load_config(Config, path, overrides or ())), end="")
