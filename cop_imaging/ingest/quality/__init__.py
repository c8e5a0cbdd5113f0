"""What is measured of a scan itself: densities, noise, sharpness, field, breath, motion and orientation."""

from cop_imaging.ingest.quality.assess import assess
from cop_imaging.ingest.quality.config import QualityConfig

__all__ = ["QualityConfig", "assess"]
