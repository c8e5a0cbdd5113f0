"""A report in a few lines for the terminal; nothing in them identifies a patient."""

from __future__ import annotations

from cop_imaging.core.finding import Presence
from cop_imaging.core.issue import Severity
from cop_imaging.core.report import FindingSummary, Report

__all__ = ["summary_lines"]

LUNGS = "lungs"


def summary_lines(report: Report) -> list[str]:
    """Status, likelihood, what restricts it, the lungs, the signs that are there, and the note on its use."""
    lines = [f"status: {report.status.value.replace('_', ' ')}", _likelihood_line(report)]
    lines += [
        f"{issue.severity.value}: {issue.message}" for issue in report.issues if issue.severity is not Severity.INFO
    ]
    lungs = report.anatomy
    volumes_ml = (lungs.lung_volume_ml, lungs.right_volume_ml, lungs.left_volume_ml)
    if None in volumes_ml:
        lines += ["lungs: no volumes, there are gaps between slices"]
    else:
        lines += ["lungs: {:.0f} ml (right {:.0f}, left {:.0f})".format(*volumes_ml)]
    # The lungs are always there: as a sign they would say nothing more.
    shown = [f for f in report.findings if f.sign != LUNGS and f.presence in (Presence.PRESENT, Presence.POSSIBLE)]
    lines += [_sign_line(f) for f in shown]
    return [*lines, report.research_use]


def _likelihood_line(report: Report) -> str:
    likelihood = report.likelihood
    if likelihood is None:
        return "likelihood of an organizing-pneumonia pattern: not given"
    p = likelihood.op
    line = f"likelihood of an organizing-pneumonia pattern: {p.p:.2f} (band {p.low:.2f} to {p.high:.2f})"
    if likelihood.out_of_distribution:
        line += "; the measured values lie outside what the model was trained on"
    return line


def _sign_line(finding: FindingSummary) -> str:
    score = "" if finding.score is None else f", score {finding.score:.2f}"
    volume = next((m.value for m in finding.measures if m.name == f"{finding.sign}.volume_ml"), None)
    size = "" if volume is None else f", {'at least ' if finding.lower_bounds else ''}{volume:.1f} ml"
    return f"{finding.presence.value}: {finding.title}{score}{size}"
