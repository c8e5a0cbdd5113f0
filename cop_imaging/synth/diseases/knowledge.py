"""The tables of published and estimated rates, as arrays."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cop_imaging.config import asset_path
from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.errors import ModelError

__all__ = ["Knowledge", "SeenAs", "load_knowledge"]

Row = dict[str, str]


@dataclass(frozen=True)
class SeenAs:
    """What the measurement of one sign makes of another finding."""

    finding: str
    sign: str
    unit: str
    """``share_of_extent`` (percent of lung), ``share_of_effusion`` (ml), ``percent_of_lung`` or ``ml``."""
    quantiles: tuple[float, float, float]
    """p10, p50, p90."""
    place: str
    """``own`` (where the case's disease is), ``basal``, ``focus`` or ``scattered``."""


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Everything cases are drawn from: D diseases, F findings, E extents, S forms of organizing pneumonia."""

    diseases: tuple[str, ...]
    findings: tuple[str, ...]
    extents: tuple[str, ...]
    subtypes: tuple[str, ...]
    alpha: Float64Array
    """(D, F) of Beta(alpha, beta) for P(finding present given disease)."""
    beta: Float64Array
    extent_quantiles: Float64Array
    """(D, E, 3): p10, p50, p90 in percent of lung (effusion: ml) given presence."""
    prevalence: Float64Array
    op_fraction: Float64Array
    """(D,): share of a disease's cases whose CT is an organizing-pneumonia pattern."""
    subtype_share: Float64Array
    forced: BoolArray
    """(S, F): the form decides this finding."""
    forced_value: BoolArray
    """(S, F): and this way."""
    false_volumes: dict[str, tuple[float, float, float]]
    seen_as: tuple[SeenAs, ...]
    states: dict[tuple[str, str], tuple[float, float]]
    """{(number, state): (median, spread)} of measured numbers."""
    halo: dict[tuple[str, str], tuple[float, float]]
    context: dict[str, dict[str, float]]
    """{disease: {item: P(item given disease)}} of what is known besides the image, without age and sex."""

    def finding(self, name: str) -> int:
        """Column of a finding."""
        return self.findings.index(name)

    def disease(self, code: str) -> int:
        """Row of a disease."""
        return self.diseases.index(code)


def load_knowledge(folder: Path | None = None) -> Knowledge:
    """Read the tables from ``folder`` (default: those that travel with the package).

    Raises
    ------
    ModelError
        If a table is missing or lacks a disease or finding.
    """
    folder = asset_path("models", "knowledge") if folder is None else folder
    try:
        return _assemble(folder)
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"the knowledge tables in {folder} cannot be used: {error}") from error


def _assemble(folder: Path) -> Knowledge:
    priors, extents = _rows(folder, "priors"), _rows(folder, "extents")
    shares = {r["disease"]: float(r["share"]) for r in _rows(folder, "prevalence")}
    fractions = {r["disease"]: float(r["op_fraction"]) for r in _rows(folder, "op_fraction")}
    diseases, findings = tuple(shares), tuple(dict.fromkeys(r["finding"] for r in priors))
    names = tuple(dict.fromkeys(r["finding"] for r in extents))
    rates = {(r["disease"], r["finding"]): (float(r["alpha"]), float(r["beta"])) for r in priors}
    sizes = {(r["disease"], r["finding"]): _quantiles(r) for r in extents}
    table = np.array([[rates[d, f] for f in findings] for d in diseases])
    subtypes = _rows(folder, "op_subtypes")
    present = np.array([[f in r["present"].split() for f in findings] for r in subtypes])
    absent = np.array([[f in r["absent"].split() for f in findings] for r in subtypes])
    prevalence = np.array([shares[d] for d in diseases])
    return Knowledge(
        diseases=diseases,
        findings=findings,
        extents=names,
        subtypes=tuple(r["subtype"] for r in subtypes),
        alpha=table[..., 0],
        beta=table[..., 1],
        extent_quantiles=np.array([[sizes[d, e] for e in names] for d in diseases]),
        prevalence=prevalence / prevalence.sum(),
        op_fraction=np.array([fractions[d] for d in diseases]),
        subtype_share=np.array([float(r["share"]) for r in subtypes]),
        forced=present | absent,
        forced_value=present,
        false_volumes={r["sign"]: _quantiles(r) for r in _rows(folder, "false_volumes")},
        seen_as=tuple(
            SeenAs(r["finding"], r["sign"], r["unit"], _quantiles(r), r["place"]) for r in _rows(folder, "seen_as")
        ),
        states=_states(_rows(folder, "measured_distribution")),
        halo=_states(_rows(folder, "reversed_halo_measured")),
        context=_context(_rows(folder, "clinical")),
    )


def _rows(folder: Path, name: str) -> list[Row]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _quantiles(row: Row) -> tuple[float, float, float]:
    return float(row["p10"]), float(row["p50"]), float(row["p90"])


def _context(rows: list[Row]) -> dict[str, dict[str, float]]:
    out: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["alpha"] and row["item"] != "male_fraction":
            alpha, beta = float(row["alpha"]), float(row["beta"])
            out.setdefault(row["disease"], {})[row["item"]] = alpha / (alpha + beta)
    return out


def _states(rows: list[Row]) -> dict[tuple[str, str], tuple[float, float]]:
    return {(r["number"], r["state"]): (float(r["median"]), float(r["log_sd"] or 0.0)) for r in rows}
