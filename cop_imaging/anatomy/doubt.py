"""How far a lung mask may be trusted: what the network's own probabilities and the image say of it."""

from __future__ import annotations

import numpy as np

from cop_imaging.anatomy.config import AnatomyConfig
from cop_imaging.anatomy.doubt_config import DoubtConfig
from cop_imaging.anatomy.evidence import Evidence
from cop_imaging.anatomy.lungs import WholeLungs
from cop_imaging.core.anatomy import LEFT, RIGHT, Doubt
from cop_imaging.core.arrays import BoolArray, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.issue import EVERY_SIGN, Issue, Severity
from cop_imaging.core.volume import CTVolume

__all__ = ["doubt_of", "mask_issues"]

EDGE_CONTACT_MM2 = 400.0
"""Lung area on the first or last slice, or at the sides of the scanned field, from which the lungs are cut off."""
REACH_MM = 2.0
"""How near to what was not scanned lung lies at the sides: the mask may end a voxel before it."""
TRUST_SCALE_ML = 400.0


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
        disputed=evidence.disputed if evidence else None,
        watery=evidence.watery if evidence else None,
        silent=evidence.silent if evidence else None,
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


def reasons(doubt: Doubt, config: DoubtConfig) -> list[tuple[str, float, float]]:
    """Why the mask is doubtful: in words, what was measured, and its limit."""
    out = []
    expected, unclear, disputed, watery = doubt.expected_dice, doubt.unclear, doubt.disputed, doubt.watery
    most_unclear = config.most_unclear_turned if doubt.turned else config.most_unclear
    if unclear is not None and unclear > most_unclear:
        where = " in a body that lies the other way round than stated" if doubt.turned else ""
        words = f"the network expects to name {100.0 * unclear:.0f} % of the lungs' volume wrongly{where}"
        out.append((words, unclear, most_unclear))
    if expected is not None and expected < config.least_expected:
        words = f"the network expects it to agree with the lungs by {expected:.2f} only (Dice)"
        out.append((words, expected, config.least_expected))
    if watery is not None and watery > config.most_watery:
        words = f"{100.0 * watery:.0f} % of the airless lung in it may be pleural fluid"
        out.append((words, watery, config.most_watery))
    if doubt.silent is not None and doubt.silent > config.most_silent:
        words = "much of the airless lung in it shows no bronchus and may be pleural fluid"
        out.append((words, doubt.silent, config.most_silent))
    if disputed is not None and disputed > config.most_disputed:
        words = f"as much as {100.0 * disputed:.0f} % of the airless lung may have been left out or be fluid"
        out.append((words, disputed, config.most_disputed))
    return out


def mask_issues(doubt: Doubt, config: AnatomyConfig) -> list[Issue]:
    """``lungs.unusable`` or ``lungs.doubtful``, and ``lungs.not_recognised``."""
    if doubt.given:
        return []
    issues = []
    unknown = doubt.unseen > config.most_unseen
    expected, doubts = doubt.expected_dice, reasons(doubt, config.doubt)
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
    elif doubts:
        _, measured, limit = doubts[0]
        issues.append(
            Issue(
                code="lungs.doubtful",
                severity=Severity.WARNING,
                message=f"The lung mask is doubtful: {'; '.join(words for words, _, _ in doubts)}. Look at the mask, "
                "and take extents for lower bounds.",
                affects=("lungs", EVERY_SIGN, "likelihood"),
                lower_bounds=(EVERY_SIGN,),
                measured=round(measured, 3),
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
