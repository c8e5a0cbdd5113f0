"""Where series come from: folders, and archives that are asked over a network."""

from cop_imaging.archive.folder import FolderSource
from cop_imaging.archive.source import Source

__all__ = ["FolderSource", "Source"]
