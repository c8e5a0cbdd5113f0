"""The anatomy stage: from a CT volume to lungs, airways and vessels, or a typed refusal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cop_imaging.anatomy.aerated import aerated_lung, right_and_left
from cop_imaging.anatomy.airways import central_airways, full_airways, grow_airways, trachea_seed
from cop_imaging.anatomy.body import find_body
from cop_imaging.anatomy.config import AnatomyConfig
from cop_imaging.anatomy.doubt import doubt_of, mask_issues
from cop_imaging.anatomy.evidence import weigh_mask
from cop_imaging.anatomy.lung_network import LungLogits, load_lung_network, lung_logits
from cop_imaging.anatomy.lungs import WholeLungs, whole_lungs
from cop_imaging.anatomy.refine import CROP_MARGIN_MM, full_box, refine_lungs, to_full_grid
from cop_imaging.anatomy.seen_lungs import seen_lungs
from cop_imaging.anatomy.vessels import tube_filter, vessels_apart
from cop_imaging.core.anatomy import LEFT, RIGHT, Anatomy, Doubt, WorkGrid
from cop_imaging.core.arrays import BoolArray, Float32Array, Int16Array, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import bounding_box, dilated, resample, smoothed
from cop_imaging.core.issue import Issue, Severity
from cop_imaging.core.threads import side_by_side
from cop_imaging.core.volume import CTVolume
from cop_imaging.errors import SeriesError, UsageError

__all__ = ["segment"]

SMOOTH_MM = 1.0
VESSEL_RANGE_HU = (-1000.0, 100.0)


def segment(volume: CTVolume, config: AnatomyConfig | None = None, *, lungs: UInt8Array | None = None) -> Anatomy:
    """Body, airways, right and left lung and vessels of a chest CT.

    Parameters
    ----------
    volume : CTVolume
        The series, canonical [z, y, x].
    lungs : uint8 [z, y, x], optional
        A corrected lung mask (1 right, 2 left) that is taken as it is.

    Raises
    ------
    SeriesError
        ``coverage.no_lungs`` if there is too little aerated lung in view.
    UsageError
        If ``lungs`` has another shape or other labels.
    """
    config = config or AnatomyConfig()
    full = volume.geometry
    if lungs is not None and (lungs.shape != full.shape or not np.isin(np.unique(lungs), (0, RIGHT, LEFT)).all()):
        raise UsageError("a lung mask must have the volume's shape and hold 0, 1 (right lung) and 2 (left lung) only")
    work = full.resampled((config.work_spacing_mm,) * 3)
    coarse: Int16Array = resample(volume.hu, full, work, antialias=True)
    smooth = smoothed(coarse, work, SMOOTH_MM)
    body = find_body(coarse, work, config.body_hu)
    logits = lung_logits(coarse, work, load_lung_network()) if lungs is None and config.method == "network" else None
    del coarse
    if body.any():  # the air around the body costs time and holds nothing
        box = bounding_box(body, work, CROP_MARGIN_MM)
        work, smooth, body = work.crop(box), np.ascontiguousarray(smooth[box]), np.ascontiguousarray(body[box])
    air = (smooth < config.lung_hu) & body
    seed = trachea_seed(smooth, body, air, work, config.trachea_hu)
    airways = grow_airways(smooth, body, seed, work, config.airway_most_ml)
    excluded = dilated(central_airways(airways, work, config.main_bronchus_radius_mm), work, config.airway_wall_mm)
    if lungs is None:
        whole, labels = _find_lungs(volume, logits, smooth, body, excluded, work, config)
    else:
        labels = lungs.astype(np.uint8)
        given: UInt8Array = resample(lungs, full, work, method="nearest")
        nothing = np.zeros(work.shape, dtype=bool)
        whole = WholeLungs(given, nothing, nothing)
    if not labels.any() or not whole.lungs.any():
        raise SeriesError(
            "the lung mask is empty or holds too little: label right lung 1 and left lung 2", code="coverage.no_lungs"
        )
    (bronchi, tree), (grid, vessels) = side_by_side(
        lambda: full_airways(volume.hu, airways, labels, work, full, config.bronchi),
        lambda: _vessels(smooth, whole, labels, work, full, config),
    )
    effusion = None if whole.effusion is None else to_full_grid(whole.effusion, work, full) & (labels == 0)
    uncertain = to_full_grid(whole.uncertain, work, full) & (labels == 0)
    if whole.doubted is not None:  # its border too: it is dense by partial volume
        uncertain |= to_full_grid(dilated(whole.doubted, work, work.spacing_mm[0]), work, full) & (labels > 0)
    evidence = (
        None
        if logits is None
        else weigh_mask(logits, whole.lungs > 0, whole.effusion, body, smooth, work, config.evidence, config.fluid)
    )
    doubt = doubt_of(labels, whole, evidence, volume, work, config, given=lungs is not None)
    return Anatomy(
        geometry=full,
        lungs=labels,
        airways=bronchi,
        body=to_full_grid(body, work, full),
        vessels=vessels,
        uncertain=uncertain,
        effusion=effusion,
        work=grid,
        doubt=doubt,
        issues=tuple(_issues(doubt, bool(seed.any()), config)),
        airway_tree=tree,
    )


def _find_lungs(
    volume: CTVolume,
    logits: LungLogits | None,
    smooth: Float32Array,
    body: BoolArray,
    excluded: BoolArray,
    work: Geometry,
    config: AnatomyConfig,
) -> tuple[WholeLungs, UInt8Array]:
    """Whole lungs on the work grid and refined on the full grid."""
    aerated = aerated_lung(
        smooth,
        body,
        excluded,
        work,
        lung_hu=config.lung_hu,
        gas_hu=config.gas_hu,
        smallest_ml=config.smallest_part_ml,
    )
    aerated_ml = float(aerated.sum()) * work.voxel_ml
    if aerated_ml < config.smallest_lungs_ml:
        raise SeriesError(
            f"no lungs in view: {aerated_ml:.0f} mL of aerated lung found, at least {config.smallest_lungs_ml:.0f} mL "
            "needed; give a chest CT that covers the lungs",
            code="coverage.no_lungs",
        )
    whole = None
    if logits is not None:
        whole = seen_lungs(
            logits, smooth, body, aerated, excluded, work,
            lung_hu=config.lung_hu, smallest_ml=config.smallest_part_ml,
            config=config.seen, fluid_config=config.fluid, strays=config.strays,
        )  # fmt: skip
    if whole is None or whole.unseen > config.most_unseen:
        whole = _classical_lungs(whole, aerated, smooth, body, excluded, work, config)
    box = full_box(whole.lungs > 0, work, volume.geometry)
    local = volume.geometry.crop(box)
    soft = whole.recovered | ((smooth > config.lung_hu) & (whole.lungs > 0))
    labels = np.zeros(volume.geometry.shape, dtype=np.uint8)
    labels[box] = refine_lungs(
        whole.lungs, soft, volume.hu[box], work, local, lung_hu=config.lung_hu, excluded=excluded
    )
    return whole, labels


def _classical_lungs(
    seen: WholeLungs | None,
    aerated: BoolArray,
    smooth: Float32Array,
    body: BoolArray,
    excluded: BoolArray,
    work: Geometry,
    config: AnatomyConfig,
) -> WholeLungs:
    """Lungs by density, connection and the rib cage; ``seen`` is what the network gave, if it was asked."""
    middle_x = float(np.average(np.arange(body.shape[2]), weights=body.sum(axis=(0, 1))))
    sides = right_and_left(aerated, smooth, middle_x, work)
    whole = whole_lungs(sides, smooth, excluded, middle_x, work, config)
    return whole if seen is None else replace(whole, unseen=seen.unseen)


def _vessels(
    smooth: Float32Array, whole: WholeLungs, labels: UInt8Array, work: Geometry, full: Geometry, config: AnatomyConfig
) -> tuple[WorkGrid, BoolArray]:
    """Tube filter on the lung crop of the work grid, and vessels on the full grid."""
    inside = whole.lungs > 0
    box = bounding_box(inside, work, CROP_MARGIN_MM)
    local = work.crop(box)
    clipped = np.clip(smooth[box], *VESSEL_RANGE_HU)
    answer, radius = tube_filter(clipped, inside[box], local, config.vessel_scales_mm, config.vessel_contrast_hu)
    found = vessels_apart(answer, smooth[box], local, config.vessel_answer, config.vessels)
    vessels = to_full_grid(found, local, full)
    vessels &= labels > 0
    return WorkGrid(geometry=local, vesselness=answer, vessel_radius_mm=radius), vessels


def _issues(doubt: Doubt, trachea_found: bool, config: AnatomyConfig) -> list[Issue]:
    """What the anatomy found that changes what may be said."""
    issues = []
    ends = (("apex", doubt.touches_top), ("base", doubt.touches_bottom), ("side", doubt.touches_sides))
    cut = [name for name, hit in ends if hit]
    if cut:
        issues.append(
            Issue(
                code="coverage.partial",
                severity=Severity.WARNING,
                message=f"The lungs reach the edge of the scan ({' and '.join(cut)} cut off): volumes are lower "
                "bounds.",
                affects=("lungs", "likelihood"),
            )
        )
    ratio = doubt.right_to_left
    one_sided = not ratio  # also of a mask that was handed in: one label for both lungs spoils every side and depth
    beyond = ratio is not None and not config.trusted_ratio_low <= ratio <= config.trusted_ratio_high
    if one_sided or (beyond and not doubt.given):
        seen = "No left lung" if ratio is None else f"Right over left lung volume is {ratio:.2f}"
        issues.append(
            Issue(
                code="lungs.asymmetric",
                severity=Severity.WARNING,
                message=f"{seen}: look at the lung mask, part of a lung may be missing.",
                affects=("lungs", "consolidation", "ground_glass"),
                measured=ratio,
                limit=config.trusted_ratio_low if ratio is None or ratio < 1 else config.trusted_ratio_high,
            )
        )
    issues += mask_issues(doubt, config)
    if not trachea_found:
        issues.append(
            Issue(
                code="airways.not_found",
                severity=Severity.INFO,
                message="No trachea was found: airways may be part of the lung mask.",
            )
        )
    if doubt.uncertain_ml >= 1.0:
        issues.append(
            Issue(
                code="lungs.uncertain",
                severity=Severity.INFO,
                message=f"{doubt.uncertain_ml:.0f} mL of dense tissue beside the lungs may be fluid or lung: left out.",
                measured=doubt.uncertain_ml,
            )
        )
    return issues
