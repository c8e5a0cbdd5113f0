"""The pages of the catalogue: one Markdown page for each sign, made from the signs themselves, and their index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cop_imaging.cli.config import SETTINGS_HEAD, setting_row
from cop_imaging.config import Section

if TYPE_CHECKING:
    from cop_imaging.core.finding import Feature, Sign
    from cop_imaging.signs.catalogue import Catalogue, Entry

__all__ = ["INDEX", "limits_of", "reach", "sign_pages", "write_pages"]

INDEX = "README.md"

INDEX_HEAD = """# The signs

For research use only, not for diagnosis. Every page here is made from the program itself (`make signs`): what a sign
means, what is measured of it and in which unit, the limits in force with their sources, what looks alike, and on what
the measurement was shown. `cop-imaging signs NAME` prints the same. Pictures show made chests, no patients.

A sign is `absent`, `possible`, `present` or `not_assessable`; its score runs from 0 to 1 and is no probability. A value
that could not be measured is missing, never zero. The interval of a value is what it spans as the sign's limits move
over their tried range; that of a volume or extent also holds half a voxel along the border of the mask inside the
lungs, and zero unless the sign is present.
"""

FINDINGS_HEAD = """## Image findings of the disease tables

Every image finding of `models/knowledge/priors.csv`, and what states it here.
"""


def sign_pages(signs: Sequence[Sign], catalogue: Catalogue, pictured: Sequence[str] = ()) -> dict[str, str]:
    """The text of every page by its file name.

    Parameters
    ----------
    signs : sequence of signs
        In reading order.
    catalogue : Catalogue
        What is known of them beside their code.
    pictured : sequence of str
        Names of the signs that have a picture.
    """
    pages = {INDEX: _index(signs, catalogue)}
    for sign in signs:
        page = _page(sign, catalogue.of(sign.name), pictured=sign.name in pictured)
        pages[f"{sign.name}.md"] = "\n".join(page).strip() + "\n"
    return pages


def write_pages(folder: Path, signs: Sequence[Sign], catalogue: Catalogue) -> None:
    """Write every page into ``folder``.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    from cop_imaging.errors import OutputError
    from cop_imaging.synth.examples import EXAMPLES

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in sign_pages(signs, catalogue, tuple(EXAMPLES)).items():
            temporary = folder / f".{name}"
            temporary.write_text(text, encoding="utf-8", newline="\n")
            temporary.replace(folder / name)
    except OSError as error:
        raise OutputError(f"the pages cannot be written to {folder}: {error.strerror or error}") from error


def limits_of(sign: Sign) -> Section | None:
    """The limits in force of a sign, or None for one that has none."""
    limits = getattr(sign, "config", None)
    return limits if isinstance(limits, Section) else None


def reach(feature: Feature) -> str:
    """The values that a feature can take."""
    if feature.low is None and feature.high is None:
        return "any"
    if feature.high is None:
        return f"from {feature.low:g}"
    return f"to {feature.high:g}" if feature.low is None else f"{feature.low:g} to {feature.high:g}"


def _index(signs: Sequence[Sign], catalogue: Catalogue) -> str:
    lines = [INDEX_HEAD, "| sign | name | definition |", "| --- | --- | --- |"]
    lines += [f"| [{s.title}]({s.name}.md) | `{s.name}` | {_cell(s.definition)} |" for s in signs]
    lines += ["", FINDINGS_HEAD, "| finding | stated by |", "| --- | --- |"]
    lines += [f"| `{name}` | {stated} |" for name, stated in _findings(signs, catalogue)]
    return "\n".join(lines) + "\n"


def _findings(signs: Sequence[Sign], catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Each image finding of the disease tables, and the sign, measures or reason that answer for it."""
    from cop_imaging.synth.diseases import load_knowledge

    by_name = {sign.name: sign for sign in signs}
    for name in load_knowledge().findings:
        if name in by_name:
            yield name, f"the sign [{by_name[name].title}]({name}.md)"
        elif name in catalogue.findings:
            known = catalogue.findings[name]
            measures = ", ".join(f"`{m}`" for m in known.measures)
            yield name, f"{measures}: {_cell(known.how)}" if measures else f"not measured. {_cell(known.reason)}"
        else:
            yield name, "not measured yet"


def _page(sign: Sign, entry: Entry, *, pictured: bool) -> Iterator[str]:
    yield from (f"# {sign.title}", "", sign.definition, "")
    if pictured:
        yield f"![{sign.title} in a made chest](../images/signs/{sign.name}.jpg)"
        yield from (
            "",
            "A made chest, no patient: left the slice in the lung window, right the sign as the program marks it.",
            "",
        )
    if sign.needs:
        yield from ("It is looked for after " + ", ".join(f"[{n}]({n}.md)" for n in sign.needs) + ".", "")
    mask = "It marks voxels (`masks/" + sign.name + ".nii.gz`)." if sign.has_mask else "It marks no voxels."
    yield from (f"Name in results: `{sign.name}`. {mask}", "", "## Measures", "")
    yield from ("| measure | unit | values | means |", "| --- | --- | --- | --- |")
    yield from (f"| `{f.name}` | {f.unit} | {reach(f)} | {_cell(f.means)} |" for f in sign.features)
    yield from ("", "## Limits", "")
    limits = limits_of(sign)
    if limits is None:
        yield "It has no limits of its own."
    else:
        yield from (f"Settings of `signs.{sign.name}`, with their defaults and permitted ranges.", "", *SETTINGS_HEAD)
        yield from (setting_row(limits, field) for field in type(limits).model_fields)
    yield from _table("Look-alikes", ("look-alike", "told apart by"), [(a.name, a.told_by) for a in entry.look_alikes])
    yield from _table("Shown on", ("figure", "command"), [(s.figure, f"`{s.command}`") for s in entry.shown])
    yield from _table("Codes", ("system", "code", "term"), [(c.system, c.code, c.term) for c in entry.codes])


def _table(head: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield from ("", f"## {head}", "")
    if not rows:
        yield "None stated."
        return
    yield "| " + " | ".join(columns) + " |"
    yield "| " + " | ".join("---" for _ in columns) + " |"
    yield from ("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
