"""``report.json``: its text and its JSON Schema, both from ``core.Report``."""

from __future__ import annotations

import json
import math
from typing import Any

from cop_imaging.core import Report

__all__ = ["SIGNIFICANT_DIGITS", "report_json", "report_json_schema", "rounded"]

SIGNIFICANT_DIGITS = 9
"""Enough that no measurement changes, few enough that the last bits of an addition order do not show."""


def report_json(report: Report) -> str:
    """``report`` as JSON text: keys in the order of the model, numbers with nine significant digits, NaN as null."""
    data = rounded(report).model_dump(mode="json")
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def rounded(report: Report) -> Report:
    """The report whose numbers are exactly those that ``report_json`` writes.

    Raises
    ------
    pydantic.ValidationError
        If a number that must be there is not finite.
    """
    return Report.model_validate(_plain(report.model_dump()))


def report_json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of ``report.json``."""
    schema = Report.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "cop-imaging report"}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return tuple(_plain(item) for item in value)
    return value
