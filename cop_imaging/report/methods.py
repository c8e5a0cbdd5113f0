"""The methods paragraph: the limits in force in sentences that can be cited, made from the configuration itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from cop_imaging.report.wording import plain_name

__all__ = ["Setting", "methods_paragraph", "settings"]

Setting = tuple[Any, str, str]
"""Value, unit and meaning of one configuration field."""

CLAUSES = (
    ("Smoothing before densities were held against limits", r"smooth|psf|point_spread|fwhm"),
    ("Consolidation", r"(^|\.)consolidation\.|consolidation_\w*hu"),
    ("Ground-glass opacity", r"(^|\.)ground_glass\.|ground_glass_\w*hu"),
    ("Reversed halo", r"(^|\.)reversed_halo\."),
    ("Smallest volumes that count", r"(^|[._])(min|smallest|least)[._]?\w*ml$"),
)
"""Lead of each sentence and the dotted names that belong to it; a field is told once, by the first that fits."""

CHECKS = "ingest."
"""What the checks on the scan itself go by is no method of the signs, whatever it is called."""

OPENING = (
    "Signs of organizing pneumonia were measured on the CT series with cop-imaging{version} (research use only). "
    "Lungs, airways and vessels were segmented, and signs were looked for in the lungs after the definitions of the "
    "Fleischner Society glossary."
)
OTHERS = (
    "The other signs ({signs}) were measured within their documented limits; every setting that differs from its "
    "default is stated with this report."
)
CLOSING = (
    "Extents are shares of the lung volume; intervals span the values that a measure takes as its limits move over "
    "their tried range and the border of its mask inside the lungs by half a voxel; those of volumes and extents begin "
    "at zero where the sign is not clearly present. What could not be assessed is given as missing, not as zero."
)


def methods_paragraph(config: BaseModel | Mapping[str, Setting], *, version: str = "") -> str:
    """One paragraph that names the limits in force.

    Parameters
    ----------
    config : pydantic model or mapping
        The assembled configuration, or ``{dotted name: (value, unit, meaning)}``. A limit that it does not hold is
        left out; nothing is assumed.
    version : str
        Version of the program.
    """
    known = dict(settings(config)) if isinstance(config, BaseModel) else dict(config)
    sentences = [OPENING.format(version=f" {version}" if version else "")]
    told = {name for name in known if name.startswith(CHECKS)}
    for lead, pattern in CLAUSES:
        names = [name for name in known if name not in told and re.search(pattern, name)]
        told.update(names)
        sections = {name.rpartition(".")[0] for name in names}
        phrases = [_phrase(name, *known[name], sectioned=len(sections) > 1 or lead == CLAUSES[-1][0]) for name in names]
        if phrases:
            sentences.append(f"{lead}: {'; '.join(phrases)}.")
    others = {name.split(".")[1] for name in known if name.startswith("signs.") and name not in told}
    if others:
        listed = dict.fromkeys(name.split(".")[1] for name in known if name.startswith("signs."))
        sentences.append(OTHERS.format(signs=", ".join(plain_name(name) for name in listed if name in others)))
    return " ".join([*sentences, CLOSING])


def settings(config: BaseModel, prefix: str = "") -> Iterator[tuple[str, Setting]]:
    """Every field of ``config`` as dotted name with value, unit and meaning, sections opened."""
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            yield from settings(value, f"{prefix}{name}.")
            continue
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        yield f"{prefix}{name}", (value, str(extra.get("unit", "")), field.description or "")


def _phrase(name: str, value: Any, unit: str, means: str, *, sectioned: bool) -> str:
    section = plain_name(name.rpartition(".")[0].rpartition(".")[2]) if sectioned else ""
    words = means.strip().rstrip(".") or plain_name(name.rpartition(".")[2])
    shown = "" if unit in ("", "1") else "%" if unit == "percent" else unit
    return f"{section}{', ' if section else ''}{words} {_value(value)}{' ' + shown if shown else ''}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:g}".replace("-", "\N{MINUS SIGN}")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value(item)}" for key, item in value.items())
    if isinstance(value, tuple | list):
        return " to ".join(map(_value, value)) if len(value) == 2 else ", ".join(map(_value, value))
    return "not set" if value is None else str(value)
