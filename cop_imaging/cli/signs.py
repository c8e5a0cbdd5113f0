"""``cop-imaging signs``: the catalogue of signs and what each one measures."""

from __future__ import annotations

import difflib
import json
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cop_imaging.cli.faults import guarded

if TYPE_CHECKING:
    from cop_imaging.config import Section
    from cop_imaging.core.finding import Sign
    from cop_imaging.signs.catalogue import Entry

__all__ = ["signs"]


@guarded
def signs(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="One sign, with everything that is known of it.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.", show_default=False)] = False,
    pages: Annotated[
        Path | None,
        typer.Option("--pages", metavar="DIR", help="Write one Markdown page for each sign.", show_default=False),
    ] = None,
) -> None:
    """List the signs, or show one: definition, measures, limits, look-alikes, codes."""
    from cop_imaging.signs import SIGNS
    from cop_imaging.signs.catalogue import load_catalogue

    catalogue = load_catalogue()
    if pages is not None:
        from cop_imaging.cli.sign_pages import write_pages

        write_pages(pages, SIGNS, catalogue)
        return
    chosen = SIGNS if name is None else (_called(name, SIGNS),)
    width = min(shutil.get_terminal_size().columns, 140)
    if as_json:
        print(json.dumps([_as_dict(sign, catalogue.of(sign.name)) for sign in chosen], indent=2, ensure_ascii=False))
    elif name is None:
        print("\n".join(_listed(SIGNS, width)))
    else:
        print("\n".join(_as_text(chosen[0], catalogue.of(name), width)))


def _called(name: str, signs: Sequence[Sign]) -> Sign:
    from cop_imaging.errors import UsageError

    for sign in signs:
        if sign.name == name:
            return sign
    near = difflib.get_close_matches(name, [sign.name for sign in signs], n=1, cutoff=0.0)
    raise UsageError(f"there is no sign {name!r}; did you mean {near[0]!r}? (cop-imaging signs lists all)")


def _as_dict(sign: Sign, entry: Entry) -> dict[str, object]:
    from cop_imaging.cli.sign_pages import limits_of

    features = [{"name": f.name, "unit": f.unit, "means": f.means, "low": f.low, "high": f.high} for f in sign.features]
    limits = limits_of(sign)
    return {
        "name": sign.name,
        "title": sign.title,
        "definition": sign.definition,
        "has_mask": sign.has_mask,
        "needs": list(sign.needs),
        "features": features,
        "limits": {} if limits is None else limits.model_dump(mode="json"),
        **entry.model_dump(mode="json"),
    }


def _listed(signs: Sequence[Sign], width: int) -> Iterator[str]:
    names = max(len(sign.name) for sign in signs)
    for sign in signs:
        yield f"{sign.name:{names}}  {sign.title}, {len(sign.features)} measures"
        yield from textwrap.wrap(
            sign.definition, width, initial_indent=" " * (names + 2), subsequent_indent=" " * (names + 2)
        )
    yield ""
    yield "cop-imaging signs NAME shows the measures, limits, look-alikes and codes of one."


def _as_text(sign: Sign, entry: Entry, width: int) -> Iterator[str]:
    from cop_imaging.cli.sign_pages import limits_of, reach

    yield f"{sign.title} ({sign.name})"
    yield from textwrap.wrap(sign.definition, width - 2, initial_indent="  ", subsequent_indent="  ")
    yield from _rows("Measures", [(f.name, f.unit, reach(f), f.means) for f in sign.features])
    limits = limits_of(sign)
    if limits is not None:
        yield from _rows(f"Limits (signs.{sign.name}, from cop-imaging config)", list(_limit_rows(limits)))
    yield from _rows("Look-alikes, and what tells them apart", [(a.name, a.told_by) for a in entry.look_alikes])
    yield from _rows("Codes", [(c.system, c.code, c.term) for c in entry.codes])
    yield from _rows("Shown on", [(s.figure, s.command) for s in entry.shown])


def _limit_rows(limits: Section) -> Iterator[tuple[str, ...]]:
    from cop_imaging.cli.config import setting_cells

    for name in type(limits).model_fields:
        field, means, unit, value, permitted, source = setting_cells(limits, name)
        yield field, value, unit, permitted, f"{means} [{source}]"


def _rows(head: str, rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """A table under its head, columns aligned; nothing where there is no row."""
    if not rows:
        return
    yield ""
    yield head
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [f"{cell:{w}}" for cell, w in zip(row, widths, strict=False)]
        yield "  " + "  ".join([*cells, row[-1]])
