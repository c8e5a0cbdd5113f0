"""Body, airways, lungs and vessels of a chest CT."""

from cop_imaging.anatomy.config import AnatomyConfig
from cop_imaging.anatomy.segment import segment

__all__ = ["AnatomyConfig", "segment"]
