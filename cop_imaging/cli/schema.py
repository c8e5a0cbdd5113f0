"""``cop-imaging schema``: the JSON Schema of ``report.json``."""

from __future__ import annotations

import json

from cop_imaging.cli.faults import guarded

__all__ = ["schema"]


@guarded
def schema() -> None:
    """Print the JSON Schema of report.json."""
    from cop_imaging.report import report_json_schema

    print(json.dumps(report_json_schema(), indent=2, ensure_ascii=False))
