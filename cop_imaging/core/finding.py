"""What one sign found: presence, score, mask, lesions and measures with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition

__all__ = [
    "Feature",
    "Finding",
    "Lesion",
    "Measure",
    "Presence",
    "Reliability",
    "Sign",
    "measures_from",
    "not_assessable",
]

Reliability = float
"""1 the scan suits the sign, 0.5 with caution, 0 not assessable."""


class Presence(StrEnum):
    """Whether a sign is there."""

    ABSENT = "absent"
    """Looked for, not there: the value 0 is true."""
    POSSIBLE = "possible"
    PRESENT = "present"
    NOT_ASSESSABLE = "not_assessable"
    """Could not look: values are missing and the reason is given."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One declared number of a sign: a column of the feature vector."""

    name: str
    """Dotted: sign, then measure with its unit, for example ``consolidation.volume_ml``."""
    unit: str
    """``ml``, ``mm``, ``percent``, ``HU``, ``degrees``, quotients of them (``mm/ml``), ``1`` (a ratio or a count)."""
    means: str
    """What the number means in the field's terms."""
    low: float | None = 0.0
    """Smallest possible value, None when unbounded."""
    high: float | None = None


class Measure(BaseModel):
    """A value with the interval that it spans as the sign's limits move over their tried range.

    That of a volume or extent also holds half a voxel along the border of the mask inside the lungs, and zero unless
    the sign is present.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float | None
    """None could not be measured, or is undefined because the mask is empty."""
    low: float | None = None
    high: float | None = None
    unit: str


class Lesion(BaseModel):
    """One connected component of a sign, so that it can be found in a viewer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    volume_ml: float
    centre_mm: tuple[float, float, float]
    """LPS position (x, y, z) of the voxel of the lesion that lies nearest to its centroid."""
    depth_mm: float
    """Smallest distance from the costal pleura."""
    z_mm: float
    """Position along z of the slice in which the lesion is largest."""
    instance_number: int | None = None
    """InstanceNumber of that slice."""
    sop_instance_uid: str | None = None
    """Only on request: it identifies a study."""
    side: Literal["right", "left"]
    zone: Literal["upper", "middle", "lower"]
    mean_hu: float
    details: dict[str, float | str | None] = {}
    """What only this sign knows of its lesions (for example the rim thickness of a reversed halo)."""


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """The answer of one sign; the measures are checked against the sign's declared features."""

    sign: str
    presence: Presence
    score: float | None
    """0-1, monotone in how clearly the sign is there; None when not assessable."""
    features: tuple[Feature, ...]
    measures: tuple[Measure, ...]
    reason: str = ""
    mask: BoolArray | None = None
    """bool on the scene's crop; None for a sign without a mask or one that could not be assessed."""
    lesions: tuple[Lesion, ...] = ()
    best_z: int | None = None
    """Index in the crop of the slice that shows the sign best."""
    lower_bounds: bool = False
    """Volumes and extents are lower bounds: lung, and the sign with it, may be missing from the mask."""

    def __post_init__(self) -> None:
        declared = [f.name for f in self.features]
        given = [m.name for m in self.measures]
        if declared != given:
            odd = sorted(set(declared) ^ set(given)) or given
            raise ValueError(f"{self.sign}: measures and declared features differ in {odd}")

    def measure(self, name: str) -> Measure:
        """The measure of that dotted name.

        Raises
        ------
        KeyError
            If the sign declares no such feature.
        """
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(name)


@runtime_checkable
class Sign(Protocol):
    """One radiological sign: what it needs, when it can be trusted, what it measures."""

    @property
    def name(self) -> str:
        """Name in snake case, for example ``ground_glass``."""
        ...

    @property
    def title(self) -> str:
        """The field's term, for example "Ground-glass opacity"."""
        ...

    @property
    def definition(self) -> str:
        """One sentence after the Fleischner glossary, with the operational limits."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the findings that it wants to see first."""
        ...

    @property
    def features(self) -> tuple[Feature, ...]:
        """The declared features in column order."""
        ...

    @property
    def has_mask(self) -> bool:
        """Whether the sign marks voxels."""
        ...

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan suits the sign, and why."""
        ...

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Look for the sign in a scene whose scan suits it; ``earlier`` holds the findings named in ``needs``."""
        ...


def not_assessable(sign: Sign, reason: str) -> Finding:
    """The finding of a sign that could not be looked for: every value missing, never zero."""
    return Finding(
        sign=sign.name,
        presence=Presence.NOT_ASSESSABLE,
        score=None,
        features=sign.features,
        measures=tuple(Measure(name=f.name, value=None, unit=f.unit) for f in sign.features),
        reason=reason,
    )


def measures_from(
    features: Sequence[Feature], values: Mapping[str, tuple[float | None, float | None, float | None]]
) -> tuple[Measure, ...]:
    """Measures in the declared order from ``{name: (value, low, high)}``; a missing or extra name raises KeyError."""
    extra = set(values) - {f.name for f in features}
    if extra:
        raise KeyError(f"measured but not declared: {sorted(extra)}")
    out = []
    for feature in features:
        value, low, high = values[feature.name]
        out.append(Measure(name=feature.name, value=value, low=low, high=high, unit=feature.unit))
    return tuple(out)
