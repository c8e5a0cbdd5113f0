"""Whether lungs are there at all, and whether an end or a side of them lies outside the scan."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cop_imaging.core.issue import Issue, Severity
from cop_imaging.ingest.quality.coarse import ROOM_AIR_HU, CoarseView
from cop_imaging.ingest.quality.config import QualityConfig

__all__ = ["coverage", "coverage_issues"]


def coverage(view: CoarseView, config: QualityConfig) -> dict[str, bool | None]:
    """``apex_cut``, ``base_cut`` and ``side_cut``; None without lungs."""
    if view.lung_ml < config.no_lungs_ml:
        return {"apex_cut": None, "base_cut": None, "side_cut": None}
    pixel_mm2 = view.geometry.spacing_mm[1] * view.geometry.spacing_mm[2]
    # The trachea runs out of every scan of the chest: what is left of gas does not count.
    lung = view.lungs & (view.hu > ROOM_AIR_HU)
    ends = [float(np.count_nonzero(ndimage.binary_opening(lung[z]))) * pixel_mm2 for z in (0, -1)]
    return {
        "apex_cut": ends[1] > config.cut_mm2,
        "base_cut": ends[0] > config.cut_mm2,
        "side_cut": side_ml(view) > config.side_cut_ml,
    }


def side_ml(view: CoarseView) -> float:
    """Volume in mL of lung in the outermost blocks of the scanned field."""
    outside = np.pad(~view.valid, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    rim = ndimage.binary_dilation(outside, np.ones((1, 3, 3), dtype=bool))[:, 1:-1, 1:-1] & view.valid
    return float(np.count_nonzero(view.lungs & rim)) * view.geometry.voxel_ml


def coverage_issues(view: CoarseView, found: dict[str, bool | None], config: QualityConfig) -> tuple[Issue, ...]:
    """``coverage.no_lungs`` (an error) or ``coverage.partial``, with what is cut."""
    if view.lung_ml < config.no_lungs_ml:
        return (
            Issue(
                code="coverage.no_lungs",
                severity=Severity.ERROR,
                # Without a capital and a full stop: it becomes the text of a refusal.
                message=f"only {view.lung_ml:.0f} mL of air-filled lung are in the scan (at least "
                f"{config.no_lungs_ml:.0f} mL are needed): no chest, or no lung that holds air",
                measured=round(view.lung_ml, 1),
                limit=config.no_lungs_ml,
            ),
        )
    names = {"apex_cut": "the apices", "base_cut": "the bases", "side_cut": "a side"}
    cut = [name for key, name in names.items() if found[key]]
    if not cut:
        return ()
    return (
        Issue(
            code="coverage.partial",
            severity=Severity.WARNING,
            message=f"Lung runs out of the scan at {' and '.join(cut)}: volumes and shares are those of the part seen.",
            affects=("lungs", "likelihood"),
        ),
    )
