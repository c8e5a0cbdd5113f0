"""The things that flow through the program: frozen types, no input or output."""

from cop_imaging.core.anatomy import LEFT, RIGHT, Anatomy, Doubt, WorkGrid
from cop_imaging.core.finding import Feature, Finding, Lesion, Measure, Presence, Sign, not_assessable
from cop_imaging.core.geometry import Geometry, StoredOrder
from cop_imaging.core.issue import Issue, Severity, Status, status_of
from cop_imaging.core.likelihood import Contribution, DiseaseProbability, Likelihood, Probability
from cop_imaging.core.quality import ScanQuality
from cop_imaging.core.report import AnatomySummary, FindingSummary, Provenance, Report
from cop_imaging.core.scene import ZONES, Scene
from cop_imaging.core.vector import FeatureSchema, FeatureVector
from cop_imaging.core.volume import AIR_HU, Acquisition, CTVolume, SliceIdentity

__all__ = [
    "AIR_HU",
    "LEFT",
    "RIGHT",
    "ZONES",
    "Acquisition",
    "Anatomy",
    "AnatomySummary",
    "CTVolume",
    "Contribution",
    "DiseaseProbability",
    "Doubt",
    "Feature",
    "FeatureSchema",
    "FeatureVector",
    "Finding",
    "FindingSummary",
    "Geometry",
    "Issue",
    "Lesion",
    "Likelihood",
    "Measure",
    "Presence",
    "Probability",
    "Provenance",
    "Report",
    "ScanQuality",
    "Scene",
    "Severity",
    "Sign",
    "SliceIdentity",
    "Status",
    "StoredOrder",
    "WorkGrid",
    "not_assessable",
    "status_of",
]
