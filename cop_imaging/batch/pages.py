"""The pages of a run: what came out as a whole, and every lung mask to look through."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from cop_imaging.batch.overview import SHOWN, Overview
from cop_imaging.batch.reviews import Review

__all__ = ["mask_pages", "summary_page"]

BINS = 24
MASKS_PER_PAGE = 200
REVIEWED = "reviews.js"
"""What the table of reviews held when the pages were made."""
CHART_HEIGHT = 70.0


class Bar(NamedTuple):
    """One bar of a histogram, in the chart's own units."""

    height: float
    series: int
    low: float
    high: float


def summary_page(overview: Overview, path: Path, run: Path) -> None:
    """Write the page that shows a run as a whole; links are seen from the folder ``run``."""
    charts = [
        (name, len(values), _bars(values, 1.0 if name == "p_op" else None), float(np.median(values)))
        for name in SHOWN
        if (values := overview.values.get(name))
    ]
    slowest = [
        (seconds, key, _link(folder, key, "report.html", run) if reported else None)
        for seconds, key, folder, reported in sorted(overview.slowest, reverse=True)
    ]
    text = (
        _environment()
        .get_template("run.html.j2")
        .render(o=overview, charts=charts, slowest=slowest, chart_height=CHART_HEIGHT)
    )
    path.write_text(text, encoding="utf-8", newline="\n")


def mask_pages(overview: Overview, reviews: Mapping[str, Review], scratch: Path, run: Path) -> list[str]:
    """Write the pages of lung masks, the most doubtful first; their names below ``scratch``, as they are to lie in
    ``run``.

    They know what its table of reviews holds, so that a page that saves it loses nothing.
    """
    masks = sorted(overview.masks)
    pages = [masks[n : n + MASKS_PER_PAGE] for n in range(0, len(masks), MASKS_PER_PAGE)] or [[]]
    told = {key: (review.verdict, *review.written) for key, review in sorted(reviews.items())}
    text = json.dumps(told)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    # One file for all pages: they are as many as the masks are.
    script = f"window.reviewed = {json.dumps({'digest': digest})}; window.reviewed.table = {text};\n"
    (scratch / REVIEWED).write_text(script, encoding="utf-8", newline="\n")
    names = ["masks.html", *(f"masks/page-{n}.html" for n in range(2, len(pages) + 1))]
    if len(names) > 1:
        (scratch / "masks").mkdir()
    template = _environment().get_template("masks.html.j2")
    for name, page in zip(names, pages, strict=True):
        home = (run / name).parent
        shown = [
            (
                m,
                _link(m.run, m.key, "lungs.jpg", home),
                _link(m.run, m.key, "report.html", home) if m.reported else None,
            )
            for m in page
        ]
        links = [(n, os.path.relpath(run / other, home)) for n, other in enumerate(names, 1)]
        text = template.render(
            masks=shown,
            reviewed=os.path.relpath(run / REVIEWED, home),
            pages=links,
            here=names.index(name) + 1,
            research_use=overview.research_use,
        )
        (scratch / name).write_text(text, encoding="utf-8", newline="\n")
    return [*names, REVIEWED]


def _link(run: Path, key: str, name: str, home: Path) -> str:
    return quote(Path(os.path.relpath(run / "series" / key / name, home)).as_posix())


def _bars(values: Sequence[float], most_possible: float | None) -> list[Bar]:
    """Counts from nought to the largest value, or to the largest that is possible."""
    array = np.asarray(values, dtype=np.float64)
    counts, edges = np.histogram(array, bins=BINS, range=(min(0.0, array.min()), most_possible or array.max() or 1.0))
    most = max(1, int(counts.max()))
    return [
        Bar(CHART_HEIGHT * int(c) / most, int(c), float(a), float(b))
        for c, a, b in zip(counts, edges[:-1], edges[1:], strict=True)
    ]


def _environment() -> Environment:
    def number(value: Any) -> str:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"

    environment = Environment(
        loader=PackageLoader("cop_imaging.batch"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = number
    return environment
