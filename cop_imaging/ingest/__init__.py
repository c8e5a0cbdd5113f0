"""From files to one CT volume in Hounsfield units, or a refusal that says why."""

from cop_imaging.ingest.config import IngestConfig
from cop_imaging.ingest.files import SeriesFiles, find_series
from cop_imaging.ingest.kernels import kernel_class
from cop_imaging.ingest.read import read_series

__all__ = ["IngestConfig", "SeriesFiles", "find_series", "kernel_class", "read_series"]
