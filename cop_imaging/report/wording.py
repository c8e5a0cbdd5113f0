"""How numbers, measures and codes read in the HTML report."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cop_imaging.core import FindingSummary, Measure

__all__ = [
    "at_least",
    "detail",
    "headline",
    "interval",
    "label",
    "largest",
    "number",
    "pattern",
    "percent",
    "plain_name",
    "quantity",
    "shells",
    "signed",
    "spoken",
    "zones",
]

MINUS = "\N{MINUS SIGN}"
EN_DASH = "\N{EN DASH}"
SPACE = "\N{NARROW NO-BREAK SPACE}"
MISSING = "\N{EM DASH}"
AT_LEAST = "\N{GREATER-THAN OR EQUAL TO}"

UNITS = {"percent": "%", "1": "", "fraction": ""}
SUFFIXES = {"percent": "_percent", "mm": "_mm", "ml": "_ml", "HU": "_hu", "deg": "_deg"}
ZONES = (("upper", "Upper"), ("middle", "Middle"), ("lower", "Lower"), ("right", "Right lung"), ("left", "Left lung"))
PATTERN = (
    "patch_count",
    "largest_share",
    "patchiness",
    "zones_hit",
    "bilateral_index",
    "right_share",
    "lower_to_upper",
    "peripheral_to_central",
    "subpleural_sparing",
    "depth_median_mm",
    "peribronchovascular_ratio",
    "dorsal_to_ventral",
    "centroid_head_mm",
    "centroid_back_mm",
    "centroid_left_mm",
    "mean_hu",
)
"""Measures that every mask has and that the distribution section shows."""


def number(value: float | None, unit: str = "1") -> str:
    """``value`` with the digits that its unit deserves, a dash where it is missing."""
    if value is None:
        return MISSING
    if unit == "HU":
        digits = 0
    elif unit == "percent":
        digits = 1
    elif unit in ("ml", "mm"):
        digits = 1 if abs(value) < 100 else 0
    else:
        digits = 0 if float(value).is_integer() else 2
    smallest = 10.0**-digits
    if 0 < abs(value) <= smallest / 2:
        return f"<{SPACE}{smallest:.{digits}f}" if value > 0 else f">{SPACE}{MINUS}{smallest:.{digits}f}"
    text = f"{abs(value):.{digits}f}"
    if len(text) > 4 and digits == 0:
        text = f"{int(text):,}".replace(",", SPACE)
    return (MINUS if value < 0 else "") + text


def quantity(value: float | None, unit: str = "1") -> str:
    """``number`` with its unit."""
    shown = UNITS.get(unit, unit)
    return number(value, unit) + (f"{SPACE}{shown}" if shown and value is not None else "")


def interval(measure: Measure) -> str:
    """The measure's interval, or nothing where it has none or shows none."""
    if measure.low is None or measure.high is None:
        return ""
    low, high = number(measure.low, measure.unit), number(measure.high, measure.unit)
    if low == high == number(measure.value, measure.unit):
        return ""
    return f"{low}{' to ' if measure.low < 0 else EN_DASH}{high}"


def at_least(measure: Measure | None, finding: FindingSummary) -> str:
    """The mark before a volume or extent that is a lower bound, else nothing."""
    if measure is None or measure.value is None or not finding.lower_bounds:
        return ""
    tail = measure.name.partition(".")[2]
    return f"{AT_LEAST}{SPACE}" if tail.startswith("extent_") or tail == "volume_ml" else ""


def percent(p: float) -> str:
    """A probability as whole percent, never rounded to certainty."""
    if p < 0.01:
        return f"<{SPACE}1{SPACE}%"
    if p > 0.99:
        return f">{SPACE}99{SPACE}%"
    return f"{100 * p:.0f}{SPACE}%"


def signed(value: float) -> str:
    """Two decimals with the sign always shown."""
    text = f"{abs(value):.2f}"
    if not float(text):
        return text
    return (MINUS if value < 0 else "+") + text


def plain_name(code: str) -> str:
    """``ground_glass`` as "ground glass"."""
    return code.replace("_", " ").replace(".", " ").strip()


def label(name: str, unit: str = "1") -> str:
    """The words of a dotted measure name, without its sign and its unit."""
    tail = name.partition(".")[2] or name
    if shell := re.fullmatch(r"extent_(\d+)_(\d+)_mm_percent", tail):
        return f"extent {shell[1]}{EN_DASH}{shell[2]}{SPACE}mm deep"
    if over := re.fullmatch(r"extent_over_(\d+)_mm_percent", tail):
        return f"extent over {over[1]}{SPACE}mm deep"
    return plain_name(tail.removesuffix(SUFFIXES.get(unit, "")))


def spoken(name: str, unit: str = "1") -> str:
    """A dotted measure name in words, its sign first."""
    sign, dot, _ = name.partition(".")
    return f"{plain_name(sign)} {label(name, unit)}" if dot else label(name, unit)


def detail(key: str, value: float | str | None) -> str:
    """What a sign knows of one lesion, ``rim_mm`` 3.4 as "rim 3.4 mm"."""
    if isinstance(value, str):
        return f"{plain_name(key)} {value}"
    unit = next((unit for unit, suffix in SUFFIXES.items() if key.endswith(suffix)), "1")
    return f"{plain_name(key.removesuffix(SUFFIXES.get(unit, '')))} {quantity(value, unit)}"


def headline(finding: FindingSummary, own: int = 3) -> list[Measure]:
    """Volume, extent and the first ``own`` measured quantities that only this sign has."""
    by_tail = {m.name.partition(".")[2]: m for m in finding.measures}
    first = [by_tail[t] for t in ("volume_ml", "extent_percent") if t in by_tail and by_tail[t].value is not None]
    rest = [m for t, m in by_tail.items() if not t.startswith("extent_") and t not in PATTERN and m not in first]
    return first + [m for m in rest if m.value is not None][:own]


def shells(finding: FindingSummary) -> list[tuple[str, Measure]]:
    """Extent by depth below the costal pleura, from the pleura inwards."""
    found = []
    for measure in finding.measures:
        tail = measure.name.partition(".")[2]
        if shell := re.fullmatch(r"extent_(\d+)_(\d+)_mm_percent", tail):
            found.append((f"{shell[1]}{EN_DASH}{shell[2]}{SPACE}mm", measure))
        elif over := re.fullmatch(r"extent_over_(\d+)_mm_percent", tail):
            found.append((f">{SPACE}{over[1]}{SPACE}mm", measure))
    return found


def zones(finding: FindingSummary) -> list[tuple[str, Measure]]:
    """Extent by zone and side."""
    by_tail = {m.name.partition(".")[2]: m for m in finding.measures}
    keys = ((f"extent_{zone}_percent", title) for zone, title in ZONES)
    return [(title, by_tail[key]) for key, title in keys if key in by_tail]


def pattern(finding: FindingSummary) -> list[tuple[str, Measure]]:
    """Patches, sides, ratios and depth: what every mask has beside its extents."""
    by_tail = {m.name.partition(".")[2]: m for m in finding.measures}
    return [(_title(by_tail[tail]), by_tail[tail]) for tail in PATTERN if tail in by_tail]


def _title(measure: Measure) -> str:
    words = label(measure.name, measure.unit)
    unit = UNITS.get(measure.unit, measure.unit)
    return f"{words[:1].upper()}{words[1:]}" + (f", {unit}" if unit else "")


def largest(measures: Iterable[Measure]) -> float:
    """The largest value or interval end, at least 1: the full length of a bar."""
    ends = [v for m in measures for v in (m.value, m.high) if v is not None]
    return max([1.0, *ends])
