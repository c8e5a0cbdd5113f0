"""From a chest CT series to measured signs of organizing pneumonia and a calibrated likelihood. For research use.

>>> import cop_imaging as cop
>>> analysis = cop.analyze("series_folder")          # doctest: +SKIP
>>> analysis.report.likelihood.op.p                  # doctest: +SKIP

The same line stage by stage: ``read_series``, ``segment``, ``build_scene``, ``observe``, ``vectorize``, ``predict``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cop_imaging.anatomy import segment
    from cop_imaging.classifier import load_model, predict
    from cop_imaging.core import CTVolume, FeatureVector, Finding, Geometry, Likelihood, Presence, Report, Status
    from cop_imaging.errors import CopImagingError, SeriesError
    from cop_imaging.ingest import find_series, read_series
    from cop_imaging.pipeline import Config, analyze
    from cop_imaging.report import Analysis, report_json_schema, write_report
    from cop_imaging.scene import build_scene
    from cop_imaging.signs import SIGNS, observe, vectorize

__all__ = [
    "SIGNS",
    "Analysis",
    "CTVolume",
    "Config",
    "CopImagingError",
    "FeatureVector",
    "Finding",
    "Geometry",
    "Likelihood",
    "Presence",
    "Report",
    "SeriesError",
    "Status",
    "analyze",
    "build_scene",
    "find_series",
    "load_model",
    "observe",
    "predict",
    "read_series",
    "report_json_schema",
    "segment",
    "vectorize",
    "write_report",
]

_HOMES = {
    "anatomy": ("segment",),
    "classifier": ("load_model", "predict"),
    "core": ("CTVolume", "FeatureVector", "Finding", "Geometry", "Likelihood", "Presence", "Report", "Status"),
    "errors": ("CopImagingError", "SeriesError"),
    "ingest": ("find_series", "read_series"),
    "pipeline": ("Config", "analyze"),
    "report": ("Analysis", "report_json_schema", "write_report"),
    "scene": ("build_scene",),
    "signs": ("SIGNS", "observe", "vectorize"),
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: the command line answers --help without numpy.
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"cop_imaging.{home}"), name)
    raise AttributeError(f"module 'cop_imaging' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
