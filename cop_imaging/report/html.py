"""The report as one self-contained HTML page, and as a summary for a notebook."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cop_imaging.core import Contribution, FindingSummary, Lesion, Measure, Presence, Report, Severity
from cop_imaging.report import charts, wording
from cop_imaging.report import pictures as drawing
from cop_imaging.report.pictures import Pictures

__all__ = ["TRAINED_ON", "report_html", "summary_html"]

TRAINED_ON = (
    "The classifier learned from cases drawn at feature level from published tables of how often each sign occurs in "
    "each disease. It has seen no patient data. Its probabilities are calibrated for the assumed mixture of diseases "
    "and have not been validated on patients."
)

SIGNS_ABREAST = 3
"""Signs beside each other in a distribution table: as many as fit a printed page."""

VALUES_SHOWN = 3
"""Measured values named beside a contribution."""

LESIONS_SHOWN = 6
"""Rows of the lesion table for each sign; report.json holds all."""


TOLD_APART = "no "
"""How the kind of a lesion begins that resembles the sign and is none."""


def report_html(report: Report, pictures: Pictures | None = None, meanings: Mapping[str, str] | None = None) -> str:
    """The report as one HTML page that needs no other file, script or host.

    Parameters
    ----------
    report : Report
    pictures : Pictures, optional
        Without them the page has no slices.
    meanings : mapping, optional
        What each measure means, by its dotted name.
    """
    return _environment().get_template("report.html.j2").render(_view(report, pictures, meanings))


def summary_html(report: Report, pictures: Pictures | None = None) -> str:
    """Status, likelihood, findings and the contact sheet as an HTML fragment."""
    return _environment().get_template("summary.html.j2").render(_view(report, pictures, None))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cop_imaging.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("at_least", "detail", "interval", "label", "number", "percent", "plain_name", "quantity", "signed"):
        environment.filters[name] = getattr(wording, name)
    return environment


def _view(report: Report, pictures: Pictures | None, meanings: Mapping[str, str] | None) -> dict[str, Any]:
    """Everything that the templates show, in the order in which they show it."""
    by_presence = {p: [f for f in report.findings if f.presence is p] for p in Presence}
    found = by_presence[Presence.PRESENT] + by_presence[Presence.POSSIBLE]
    shown = pictures or Pictures()
    lesions = [(f, lesion) for f in found for lesion in _largest(f)]
    return {
        "report": report,
        "pictures": shown,
        "meanings": meanings or {},
        "trained_on": TRAINED_ON,
        "reasons": [i for i in report.issues if i.severity is not Severity.INFO and _counts(report, i.severity)],
        "found": found,
        "absent": by_presence[Presence.ABSENT],
        "not_assessable": by_presence[Presence.NOT_ASSESSABLE],
        "headlines": {f.sign: wording.headline(f) for f in report.findings},
        "charts": [(f, *_charts(f, shown)) for f in found if f.sign in drawing.CHARTED],
        "distribution": _distribution([f for f in found if f.sign in drawing.CHARTED]),
        "distribution_of_others": _distribution([f for f in found if f.sign not in drawing.CHARTED]),
        "lesions": lesions,
        "lesions_left_out": sum(len(f.lesions) for f in found) - len(lesions),
        "titles": {f.sign: f.title for f in report.findings},
        "line_styles": [(s, drawing.STYLES[s]) for s in drawing.STYLES if s in {f.sign for f in report.findings}],
        "lung_line": drawing.LUNG,
        "other_line": drawing.OTHER,
        **_likelihood_view(report),
    }


def _largest(finding: FindingSummary) -> list[Lesion]:
    """The largest lesions of a sign, without those that it tells apart as something else."""
    own = [n for n in finding.lesions if not str(n.details.get("kind", "")).startswith(TOLD_APART)]
    return sorted(own, key=lambda n: -n.volume_ml)[:LESIONS_SHOWN]


def _charts(finding: FindingSummary, pictures: Pictures) -> tuple[Markup, Markup]:
    """The depth profile and the zones of a sign; the zones only where its mask was there to be counted."""
    colour = drawing.STYLES[finding.sign].colour
    zones = charts.zone_chart(finding, pictures.zones.get(finding.sign, ()), colour)
    return charts.depth_chart(finding, colour), zones


def _counts(report: Report, severity: Severity) -> bool:
    """Remarks that decided the status: errors where there are any, else warnings."""
    errors = any(i.severity is Severity.ERROR for i in report.issues)
    return severity is Severity.ERROR or not errors


def _distribution(found: list[FindingSummary]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Tables of what the found signs share, each split into groups of signs that fit side by side."""
    share = (
        "Share of the lung there that shows the sign, in percent, drawn to one scale. "
        "In brackets and as thin line: interval."
    )
    tables = (
        ("Depth below the costal pleura", share, wording.shells),
        ("Zone and side", share, wording.zones),
        ("Pattern", "In brackets: interval.", wording.pattern),
    )
    drawn = []
    for name, about, rows_of in tables:
        rows = {f.sign: dict(rows_of(f)) for f in found if rows_of(f)}
        full = wording.largest(m for listed in rows.values() for m in listed.values()) if about == share else None
        shown = [f for f in found if f.sign in rows]
        groups = [shown[n : n + SIGNS_ABREAST] for n in range(0, len(shown), SIGNS_ABREAST)]
        if groups:
            drawn.append((name, about, [_group(group, rows, full) for group in groups]))
    return drawn


def _group(
    findings: list[FindingSummary], rows: Mapping[str, Mapping[str, Measure]], full: float | None
) -> dict[str, Any]:
    names = list(dict.fromkeys(name for f in findings for name in rows[f.sign]))
    table = [(name, [rows[f.sign].get(name) for f in findings]) for name in names]
    return {"findings": findings, "rows": table, "full": full}


def _likelihood_view(report: Report) -> dict[str, Any]:
    likelihood = report.likelihood
    if likelihood is None:
        return {"prior_op": None, "log_odds": None, "contributions": [], "measured": {}, "reach": 1.0}
    units = {m.name: m.unit for f in report.findings for m in f.measures}
    prior = next((c.log_odds for c in likelihood.contributions if c.name == "prior"), None)
    rest = sorted((c for c in likelihood.contributions if c.name != "prior"), key=lambda c: -abs(c.log_odds))
    first = [c for c in likelihood.contributions if c.name == "prior"]
    return {
        "prior_op": None if prior is None else 1.0 / (1.0 + math.exp(-prior)),
        "log_odds": sum(c.log_odds for c in likelihood.contributions),
        "contributions": first + rest,
        "measured": {c.name: _measured(c, units) for c in likelihood.contributions},
        "reach": max([1.0, *(abs(c.log_odds) for c in likelihood.contributions)]),
    }


def _measured(contribution: Contribution, units: Mapping[str, str]) -> list[str]:
    """The first values behind a contribution, in words."""
    return [
        f"{wording.spoken(name, units.get(name, '1'))} {wording.quantity(value, units.get(name, '1'))}"
        for name, value in list(contribution.features.items())[:VALUES_SHOWN]
    ]
