"""How likely an organizing-pneumonia pattern is, what argues for and against, and what else it could be."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["Contribution", "DiseaseProbability", "Likelihood", "Probability"]


class Probability(BaseModel):
    """A probability with its band (ensemble, evidence tables and measurement together)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    p: float
    low: float
    high: float


class DiseaseProbability(BaseModel):
    """One row of the differential; the rows sum to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    disease: str
    """Code of the disease table; ``OP`` is organizing pneumonia of any cause."""
    title: str
    p: float


class Contribution(BaseModel):
    """What one group of features adds to the log-odds of an organizing-pneumonia pattern."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """``prior``, or the name of a sign or feature group."""
    title: str
    log_odds: float
    features: dict[str, float | None] = {}
    """The measured values behind it."""


class Likelihood(BaseModel):
    """The classifier's answer. Contributions sum to the log-odds of ``op.p``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Literal["ok", "limited"]
    op: Probability
    cop: Probability | None = None
    """Cryptogenic organizing pneumonia; only when clinical context was given."""
    prior: dict[str, float]
    """Share of each disease that was assumed before looking."""
    differential: tuple[DiseaseProbability, ...]
    contributions: tuple[Contribution, ...]
    out_of_distribution: bool
    """The measured values lie outside what the model was trained on."""
    reason: str = ""
