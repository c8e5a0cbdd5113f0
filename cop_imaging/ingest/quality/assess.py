"""What can be measured of a scan itself, and what follows from it for the signs."""

from __future__ import annotations

from cop_imaging.core.issue import Issue, Severity
from cop_imaging.core.quality import ScanQuality
from cop_imaging.core.volume import CTVolume
from cop_imaging.ingest.quality.artefacts import arm_issues, arms_down, metal, metal_issues
from cop_imaging.ingest.quality.coarse import coarse_view
from cop_imaging.ingest.quality.config import QualityConfig
from cop_imaging.ingest.quality.continuity import continuity_issues, implausible_slices
from cop_imaging.ingest.quality.contrast import blood_density, contrast_issues
from cop_imaging.ingest.quality.coverage import coverage, coverage_issues
from cop_imaging.ingest.quality.densities import densities, density_issues, expiration_issues, lung_density
from cop_imaging.ingest.quality.motion import motion_issues, motion_percent
from cop_imaging.ingest.quality.noise import measure_noise, noise_issues
from cop_imaging.ingest.quality.orientation import orientation, orientation_issues

__all__ = ["assess"]


def assess(volume: CTVolume, config: QualityConfig) -> tuple[ScanQuality, tuple[Issue, ...]]:
    """Densities, noise, kernel, contrast, breath, motion, coverage, artefacts and orientation of a scan.

    Parameters
    ----------
    volume : CTVolume
        Canonical; it is only read.
    config : QualityConfig
        Limits.

    Returns
    -------
    ScanQuality
        None for what could not be measured.
    tuple of Issue
        In the order of the checks. ``coverage.no_lungs``, ``geometry.mirrored`` (when sure) and
        ``pixels.implausible`` are errors, and without lungs nothing else is remarked on but densities and noise.
    """
    view = coarse_view(volume, config)
    hu, noise = densities(view), measure_noise(volume, view, config)
    covered, blood = coverage(view, config), blood_density(view)
    seen = None if blood is None else blood > config.contrast_hu
    known: dict[str, float | None] = {
        **hu,
        "noise_hu": noise.sd_hu,
        "noise_smoothed_hu": noise.smoothed_hu,
        "noise_correlation": noise.correlation,
        "noise_per_mm": noise.per_mm,
        "lung_ml": view.lung_ml,
    }
    issues = (*density_issues(hu, seen, config), *noise_issues(noise, config), *coverage_issues(view, covered, config))
    if any(issue.severity is Severity.ERROR for issue in issues):
        return _quality(known, kernel_class=noise.kernel_class), issues

    lung = lung_density(view)
    moved, arms = motion_percent(volume, view, config), arms_down(view)
    metal_ml, away_mm = metal(volume, view, config)
    known |= {"blood_hu": blood, "lung_hu": lung, "motion_percent": moved, "metal_ml": metal_ml}
    issues += (
        *contrast_issues(seen, blood, volume.acquisition.contrast, config),
        *expiration_issues(lung, config),
        *motion_issues(moved, config),
        *arm_issues(arms),
        *metal_issues(metal_ml, away_mm, config, contrast=bool(seen)),
        *orientation_issues(orientation(view), config),
        *continuity_issues(volume, implausible_slices(volume, config), config),
    )
    return _quality(known, kernel_class=noise.kernel_class, contrast=seen, arms_down=arms, **covered), issues


def _quality(known: dict[str, float | None], *, kernel_class: str | None, **flags: bool | None) -> ScanQuality:
    """The record, with values to four digits: more would be noise."""
    rounded = {name: None if value is None else float(f"{value:.4g}") for name, value in known.items()}
    return ScanQuality.model_validate({**rounded, "kernel_class": kernel_class, **flags})
