"""Limits of the ingest stage, one section for each question it asks."""

from __future__ import annotations

from cop_imaging.config import Section
from cop_imaging.ingest.archives import ArchiveConfig
from cop_imaging.ingest.choice import ChoiceConfig
from cop_imaging.ingest.density_config import DensityConfig
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.quality import QualityConfig

__all__ = ["IngestConfig"]


class IngestConfig(Section):
    """Which series can be one CT volume of the lungs, and what is remarked on."""

    archive: ArchiveConfig = ArchiveConfig()
    choice: ChoiceConfig = ChoiceConfig()
    geometry: GeometryConfig = GeometryConfig()
    density: DensityConfig = DensityConfig()
    quality: QualityConfig = QualityConfig()
