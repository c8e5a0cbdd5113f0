"""What the stored weights expect and what they answer: the model's own declaration."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["Group", "Input", "ModelSchema"]


class Input(BaseModel):
    """One measured number that the model reads, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Dotted feature name."""
    group: str
    transform: Literal["log1p", "log_ratio", "linear"]
    """``log1p``: ln(1 + x / scale); ``log_ratio``: ln of x held between scale and 1 / scale; ``linear``: x / scale."""
    scale: float = 1.0
    optional: bool = False
    """Undefined where the sign's mask is empty; the model has a bit for it."""
    mean: float = 0.0
    """Of the transformed values in training."""
    sd: float = 1.0
    low: float = float("-inf")
    """Smallest value that the model knows, on the transformed scale."""
    high: float = float("inf")


class Group(BaseModel):
    """Inputs that are explained, and missed, together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    sign: str
    """The sign whose assessable bit decides whether the group is known."""


class ModelSchema(BaseModel):
    """Everything about a stored model that is not a weight."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    seed: int
    inputs: tuple[Input, ...]
    groups: tuple[Group, ...]
    classes: tuple[str, ...]
    """The first is organizing pneumonia of any cause; the others are diseases without their share of it."""
    prior: dict[str, float]
    """Default share of each disease."""
    op_fraction: dict[str, float]
    """Share of each disease's cases whose CT is an organizing-pneumonia pattern."""
    temperature: float
    """The evidence is divided by it."""
    distance_limit: float
    """Mahalanobis distance beyond which a case is unlike those in training."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs in order."""
        return tuple(i.name for i in self.inputs)
