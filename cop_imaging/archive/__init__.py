"""Where series come from: folders, and archives that are asked over a network."""

from cop_imaging.archive.config import ArchiveAccess
from cop_imaging.archive.credentials import Credentials
from cop_imaging.archive.dicomweb import DicomWebSource
from cop_imaging.archive.dimse import DimseSource
from cop_imaging.archive.folder import FolderSource
from cop_imaging.archive.query import Query
from cop_imaging.archive.source import Source

__all__ = ["ArchiveAccess", "Credentials", "DicomWebSource", "DimseSource", "FolderSource", "Query", "Source"]
