"""``cop-imaging signs``: the catalogue of signs and what each one measures."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from cop_imaging.cli.faults import guarded

if TYPE_CHECKING:
    from cop_imaging.core.finding import Sign

__all__ = ["signs"]


@guarded
def signs(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.", show_default=False)] = False,
) -> None:
    """List the signs and the features that they measure."""
    from cop_imaging.signs import SIGNS

    if as_json:
        print(json.dumps([_as_dict(sign) for sign in SIGNS], indent=2, ensure_ascii=False))
        return
    width = min(shutil.get_terminal_size().columns, 140)
    print("\n\n".join(_as_text(sign, width) for sign in SIGNS))


def _as_dict(sign: Sign) -> dict[str, object]:
    features = [{"name": f.name, "unit": f.unit, "means": f.means, "low": f.low, "high": f.high} for f in sign.features]
    return {
        "name": sign.name,
        "title": sign.title,
        "definition": sign.definition,
        "has_mask": sign.has_mask,
        "needs": list(sign.needs),
        "features": features,
    }


def _as_text(sign: Sign, width: int) -> str:
    lines = [f"{sign.title} ({sign.name})", *textwrap.wrap(sign.definition, width - 2)]
    names = max((len(f.name) for f in sign.features), default=0)
    units = max((len(f.unit) for f in sign.features), default=0)
    rows = [f"{f.name:{names}}  {f.unit:{units}}  {f.means}" for f in sign.features]
    return "\n  ".join([*lines, *rows])
