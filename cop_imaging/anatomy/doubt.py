"""How far a lung mask may be trusted: what the network's own probabilities and the image say of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.anatomy.config import AnatomyConfig
from cop_imaging.anatomy.doubt_config import DoubtConfig
from cop_imaging.anatomy.lung_network import LungLogits
from cop_imaging.anatomy.lungs import WholeLungs
from cop_imaging.core.anatomy import LEFT, RIGHT, Doubt
from cop_imaging.core.arrays import BoolArray, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import resample
from cop_imaging.core.issue import EVERY_SIGN, Issue, Severity
from cop_imaging.core.volume import CTVolume

__all__ = ["Evidence", "doubt_of", "mask_issues", "weigh_mask"]

EDGE_CONTACT_MM2 = 400.0
"""Lung area on the first or last slice, or at the sides of the scanned field, from which the lungs are cut off."""
REACH_MM = 2.0
"""How near to what was not scanned lung lies at the sides: the mask may end a voxel before it."""
TRUST_SCALE_ML = 400.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is to be expected of a mask, were the network's probabilities true."""

    expected_dice: float
    """Dice's coefficient of the mask and the lungs."""
    unclear: float
    """Volume inside the body that the likeliest class is wrong about, over the volume of the mask."""


def weigh_mask(logits: LungLogits, mask: BoolArray, body: BoolArray, work: Geometry) -> Evidence:
    """Hold a lung mask against the network's probabilities, on the network's grid.

    Parameters
    ----------
    logits : LungLogits
    mask, body : bool [z, y, x]
        Both lungs, and everything inside the skin, on the work grid.
    """
    grid = logits.geometry
    shares = np.exp(logits.logits - logits.logits.max(axis=0))
    shares /= shares.sum(axis=0)
    lung = shares[1] + shares[2]
    inside = resample(mask.astype(np.float32), work, grid, outside=0.0) > 0.5
    within = resample(body.astype(np.float32), work, grid, outside=0.0) > 0.5
    voxels = max(float(inside.sum()), 1.0)
    return Evidence(
        expected_dice=float(2.0 * lung[inside].sum() / (float(lung.sum()) + voxels)),
        unclear=float((1.0 - shares.max(axis=0))[within].sum()) / voxels,
    )


def doubt_of(
    labels: UInt8Array,
    whole: WholeLungs,
    evidence: Evidence | None,
    volume: CTVolume,
    work: Geometry,
    config: AnatomyConfig,
    *,
    given: bool,
) -> Doubt:
    """Numbers that say how far the mask may be trusted (SPEC of the lung mask: ratio, cut-off, unsure tissue).

    Parameters
    ----------
    labels : uint8 [z, y, x]
        The mask on the full grid.
    evidence : Evidence, optional
        Without the network there is none.
    volume : CTVolume
        What was scanned, and what ingestion remarked on it.
    """
    full = volume.geometry
    right, left = ((labels == side).sum() * full.voxel_ml for side in (RIGHT, LEFT))
    ratio = float(right / left) if left > 0 else None
    pixel_mm2 = full.spacing_mm[1] * full.spacing_mm[2]
    uncertain_ml = float(whole.uncertain.sum()) * work.voxel_ml
    plausible = ratio is not None and config.trusted_ratio_low <= ratio <= config.trusted_ratio_high
    trust = (1.0 if plausible else 0.5) * float(np.exp(-uncertain_ml / TRUST_SCALE_ML))
    expected = evidence.expected_dice if evidence else 1.0
    return Doubt(
        trust=1.0 if given else trust * expected,
        right_to_left=ratio,
        recovered_ml=float(whole.recovered.sum()) * work.voxel_ml,
        uncertain_ml=uncertain_ml,
        touches_top=bool((labels[-1] > 0).sum() * pixel_mm2 > EDGE_CONTACT_MM2),
        touches_bottom=bool((labels[0] > 0).sum() * pixel_mm2 > EDGE_CONTACT_MM2),
        touches_sides=bool(side_contact_mm2(labels > 0, volume.valid, full) > EDGE_CONTACT_MM2),
        unseen=whole.unseen,
        expected_dice=evidence.expected_dice if evidence else None,
        unclear=evidence.unclear if evidence else None,
        turned=any(i.code == "geometry.mirrored" and i.severity is Severity.ERROR for i in volume.issues),
        given=given,
    )


def side_contact_mm2(lungs: BoolArray, valid: BoolArray | None, geometry: Geometry) -> float:
    """Area over which lung borders, in the plane, on what was not scanned: the sides of the grid or a round field."""
    area_mm2 = 0.0
    for axis in (1, 2):
        reach = max(1, round(REACH_MM / geometry.spacing_mm[axis]))
        face_mm2 = geometry.voxel_ml * 1000.0 / geometry.spacing_mm[axis] / reach
        inner, outer, first, last = (
            (slice(None),) * axis + (s,)
            for s in (slice(None, -reach), slice(reach, None), slice(None, reach), slice(-reach, None))
        )
        hits = np.count_nonzero(lungs[first]) + np.count_nonzero(lungs[last])
        if valid is not None:
            hits += np.count_nonzero(lungs[inner] & ~valid[outer]) + np.count_nonzero(lungs[outer] & ~valid[inner])
        area_mm2 += hits * face_mm2
    return area_mm2


def most_unclear(doubt: Doubt, config: DoubtConfig) -> float:
    """The limit on ``Doubt.unclear``."""
    return config.most_unclear_turned if doubt.turned else config.most_unclear


def mask_issues(doubt: Doubt, config: AnatomyConfig) -> list[Issue]:
    """``lungs.unusable`` or ``lungs.doubtful``, and ``lungs.not_recognised``."""
    if doubt.given:
        return []
    issues = []
    unknown = doubt.unseen > config.most_unseen
    expected, unclear, limit = doubt.expected_dice, doubt.unclear, most_unclear(doubt, config.doubt)
    if expected is not None and expected < config.doubt.least_usable and not unknown:
        issues.append(
            Issue(
                code="lungs.unusable",
                severity=Severity.ERROR,
                message=f"The lung mask is of no use: the network expects it to agree with the lungs by {expected:.2f} "
                "only (Dice); look at it, and hand in a corrected one.",
                affects=("lungs", EVERY_SIGN, "likelihood"),
                spoils=(EVERY_SIGN,),
                measured=round(expected, 3),
                limit=config.doubt.least_usable,
            )
        )
    elif unclear is not None and unclear > limit:
        where = " in a body that lies the other way round than stated" if doubt.turned else ""
        issues.append(
            Issue(
                code="lungs.doubtful",
                severity=Severity.WARNING,
                message=f"The lung mask is doubtful: the network expects to name {100.0 * unclear:.0f} % of the lungs' "
                f"volume wrongly{where}; look at the mask, and take extents for lower bounds.",
                affects=("lungs", EVERY_SIGN, "likelihood"),
                lower_bounds=(EVERY_SIGN,),
                measured=round(unclear, 3),
                limit=limit,
            )
        )
    if unknown:
        issues.append(
            Issue(
                code="lungs.not_recognised",
                severity=Severity.WARNING,
                message=f"The network did not recognise {100.0 * doubt.unseen:.0f} % of the aerated lung: position or "
                "field of view may be unusual, and the lungs were found by density alone.",
                affects=("lungs", EVERY_SIGN),
                lower_bounds=(EVERY_SIGN,),
                measured=round(doubt.unseen, 3),
                limit=config.most_unseen,
            )
        )
    return issues
