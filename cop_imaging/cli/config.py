"""``cop-imaging config``: the settings in force as commented TOML, or the defaults as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cop_imaging.cli.faults import guarded
from cop_imaging.cli.options import ConfigOption, SetOption

if TYPE_CHECKING:
    from cop_imaging.config import Section

__all__ = ["SETTINGS_HEAD", "config", "markdown", "setting_cells", "setting_row"]

SETTINGS_HEAD = ("| field | means | unit | value | range | source |", "| --- | --- | --- | --- | --- | --- |")
"""Head of a table of settings."""

HEAD = """# Configuration

Every number that can change a result, with its unit, value, permitted range (inclusive) and source. "Estimate" means
that no published value was found. Change one with `--set section.field=value`, several with a TOML file that holds
only what differs: `--config FILE`. The report states every setting that differs from its default.

    cop-imaging config > settings.toml               # all settings as commented TOML
    cop-imaging analyze SERIES --out DIR --set signs.consolidation.smallest_ml=0.5
"""


@guarded
def config(
    path: ConfigOption = None,
    overrides: SetOption = None,
    tables: Annotated[
        bool, typer.Option("--markdown", help="Print tables for reading instead.", show_default=False)
    ] = False,
) -> None:
    """Print the settings in force as TOML.

    Meaning, unit, range and source stand beside every field; the output is a valid file for --config.
    """
    from cop_imaging.config import load_config, to_toml
    from cop_imaging.pipeline import Config

    settings = load_config(Config, path, overrides or ())
    print(markdown(settings) if tables else to_toml(settings), end="")


def markdown(settings: Section) -> str:
    """One Markdown table for each section: field, meaning, unit, value, range, source."""
    return "\n".join([HEAD, *_section(settings, "")]).strip() + "\n"


def _section(section: Section, name: str) -> Iterator[str]:
    fields = type(section).model_fields
    inner = {field: value for field, value in section if hasattr(type(value), "model_fields")}
    if len(inner) < len(fields):
        yield from (f"## `{name}`", "", (type(section).__doc__ or "").strip(), "")
        yield from SETTINGS_HEAD
        yield from (setting_row(section, field) for field in fields if field not in inner)
        yield ""
    for field, nested in inner.items():
        yield from _section(nested, f"{name}.{field}" if name else field)


def setting_row(section: Section, name: str) -> str:
    """One field of a section as a row under ``SETTINGS_HEAD``."""
    field, means, unit, value, limits, source = setting_cells(section, name)
    cells = (f"`{field}`", means, unit, f"`{value}`", limits, source)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def setting_cells(section: Section, name: str) -> tuple[str, str, str, str, str, str]:
    """Field, meaning, unit, value, permitted range and source of one field of a section."""
    about = type(section).model_fields[name]
    extra = about.json_schema_extra if isinstance(about.json_schema_extra, dict) else {}
    limits = [f"{getattr(c, end):g}" for end in ("ge", "le") for c in about.metadata if hasattr(c, end)]
    value = json.dumps(section.model_dump(mode="json")[name])
    unit, source = (str(extra.get(key) or "") for key in ("unit", "source"))
    return name, about.description or "", unit, value, " to ".join(limits), source
