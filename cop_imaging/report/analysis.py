"""What ``analyze`` returns: the whole result of one series, arrays included, so that it can draw and write itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cop_imaging.core import Anatomy, CTVolume, FeatureVector, Finding, Likelihood, Report, Scene

__all__ = ["Analysis"]


@dataclass(frozen=True, eq=False)
class Analysis:
    """The result of one series with its arrays; ``report`` alone is what a batch keeps."""

    volume: CTVolume
    anatomy: Anatomy
    scene: Scene
    findings: tuple[Finding, ...]
    vector: FeatureVector
    likelihood: Likelihood | None
    report: Report
    mask_signs: tuple[str, ...] = ()
    """Names of the signs that mark voxels: they get a mask file even where they could not be assessed."""

    def save(self, folder: Path | str, *, masks: bool = False, overwrite: bool = False) -> Path:
        """Write the result files into ``folder``; see ``write_report``."""
        from cop_imaging.report.write import write_report

        return write_report(self, Path(folder), masks=masks, overwrite=overwrite)

    def keep(self, folder: Path | str, level: Literal["features", "report", "masks"]) -> Path:
        """Write what a run over an archive keeps of the series; see ``write_kept``."""
        from cop_imaging.report.write import write_kept

        return write_kept(self, Path(folder), level)

    def row(self) -> dict[str, float | None]:
        """The numbers of the result by name, as a table of many results has them: see ``row_columns``."""
        from cop_imaging.report.row import row_of

        return row_of(self.vector, self.likelihood)

    def _repr_html_(self) -> str:
        """The summary that a notebook shows."""
        from cop_imaging.report.html import summary_html
        from cop_imaging.report.pictures import draw_pictures

        return summary_html(self.report, draw_pictures(self))

    def __repr__(self) -> str:
        p = "" if self.likelihood is None else f", p(OP) {self.likelihood.op.p:.2f}"
        return f"Analysis(case {self.report.case}, {self.report.status}{p})"
