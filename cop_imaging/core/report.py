"""The report as a value: everything but the arrays, and the one source of ``report.json`` and its JSON Schema."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from cop_imaging.core.finding import Finding, Lesion, Measure, Presence
from cop_imaging.core.issue import Issue, Status
from cop_imaging.core.likelihood import Likelihood
from cop_imaging.core.quality import ScanQuality
from cop_imaging.core.volume import Acquisition

__all__ = [
    "REPORT_SCHEMA_VERSION",
    "RESEARCH_USE",
    "AnatomySummary",
    "FindingSummary",
    "Provenance",
    "Report",
]

REPORT_SCHEMA_VERSION = "1.0"

RESEARCH_USE = (
    "For research use only. Not a medical device, not for diagnosis or treatment decisions. "
    "Organizing pneumonia is diagnosed by clinicians from imaging, context and, where needed, biopsy."
)


class AnatomySummary(BaseModel):
    """The lungs in numbers, and how far their mask may be trusted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lung_volume_ml: float | None
    """None, like every volume, when there are gaps between slices."""
    right_volume_ml: float | None
    left_volume_ml: float | None
    airway_volume_ml: float | None
    vessel_volume_ml: float | None
    recovered_ml: float | None
    """Dense lung brought back behind the threshold mask."""
    uncertain_ml: float | None
    """Tissue that might be lung and was left out."""
    effusion_ml: float | None
    """Pleural fluid; None when it was not looked for."""
    mask_trust: float
    right_to_left: float | None
    mask_given: bool
    """The lung mask was handed in."""


class FindingSummary(BaseModel):
    """A finding without its mask."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sign: str
    title: str
    presence: Presence
    score: float | None
    reason: str
    measures: tuple[Measure, ...]
    lesions: tuple[Lesion, ...]
    lower_bounds: bool = False
    """Volumes and extents are lower bounds: the lung mask is doubtful."""

    @classmethod
    def of(cls, finding: Finding, title: str) -> FindingSummary:
        """The summary of ``finding``."""
        return cls(
            sign=finding.sign,
            title=title,
            presence=finding.presence,
            score=finding.score,
            reason=finding.reason,
            measures=finding.measures,
            lesions=finding.lesions,
            lower_bounds=finding.lower_bounds,
        )


class Provenance(BaseModel):
    """What made this report: enough to make it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    versions: dict[str, str]
    """Package name to version, for everything that can change a number."""
    input_sha256: str
    config_sha256: str
    config_changes: dict[str, str]
    """Configuration fields that differ from the defaults."""
    model_sha256: str | None
    feature_schema: str
    lungs_sha256: str | None = None
    """Digest of a lung mask that was handed in."""
    created: str
    """ISO 8601 time, UTC."""
    timings_s: dict[str, float]
    """Seconds by stage."""


class Report(BaseModel):
    """The whole result of one series, without arrays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: str = REPORT_SCHEMA_VERSION
    research_use: str = RESEARCH_USE
    status: Status
    case: str
    """From the digest of the input, or a keyed hash of the patient identifier; never an identifier itself."""
    acquisition: Acquisition
    quality: ScanQuality = ScanQuality()
    """What was measured of the scan itself."""
    issues: tuple[Issue, ...]
    anatomy: AnatomySummary
    findings: tuple[FindingSummary, ...]
    features: dict[str, float | None]
    likelihood: Likelihood | None
    """None when the status is not assessable."""
    methods: str
    """One paragraph with the limits in force, to be cited."""
    provenance: Provenance

    def finding(self, sign: str) -> FindingSummary:
        """The finding of that sign.

        Raises
        ------
        KeyError
            If this version knows no such sign.
        """
        for finding in self.findings:
            if finding.sign == sign:
                return finding
        raise KeyError(sign)
