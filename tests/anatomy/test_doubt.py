"""When a lung mask is doubted, and why."""

from __future__ import annotations

import numpy as np
import pytest

from cop_imaging.anatomy import AnatomyConfig
from cop_imaging.anatomy.doubt import doubt_of, mask_issues, weigh_mask
from cop_imaging.anatomy.doubt_config import DoubtConfig
from cop_imaging.anatomy.lung_network import CLASSES, LungLogits
from cop_imaging.anatomy.lungs import WholeLungs
from cop_imaging.core import CTVolume, Doubt, Geometry, Issue, Severity
from cop_imaging.core.issue import EVERY_SIGN

WORK = Geometry((40, 60, 80), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
GRID = WORK.resampled((4.0, 4.0, 4.0))
LUNG, SEEN = np.s_[6:34, 10:50, 8:40], np.s_[3:17, 5:25, 4:20]
HALF = np.s_[6:34, 10:50, 8:24]


def evidence(strength=6.0, mask=None):
    """A lung that the network sees with some strength, and a mask of it, whole when left out."""
    logits = np.zeros((len(CLASSES), *GRID.shape), dtype=np.float32)
    logits[0] = strength
    logits[0][SEEN], logits[1][SEEN] = 0.0, strength
    if mask is None:
        mask = np.zeros(WORK.shape, dtype=bool)
        mask[LUNG] = True
    return weigh_mask(LungLogits(logits, GRID), mask, np.ones(WORK.shape, dtype=bool), WORK)


def half():
    """A mask that leaves out half of the lung."""
    mask = np.zeros(WORK.shape, dtype=bool)
    mask[LUNG] = True
    mask[HALF] = False
    return mask


def test_a_mask_that_is_what_a_sure_network_sees_is_expected_to_be_right():
    found = evidence(strength=9.0)
    assert found.expected_dice > 0.98
    assert found.unclear < 0.01


def test_a_mask_that_leaves_out_half_of_what_a_sure_network_sees_is_expected_to():
    assert evidence(strength=9.0, mask=half()).expected_dice == pytest.approx(2.0 * 0.5 / 1.5, abs=0.03)


def test_the_less_sure_the_network_the_more_is_unclear_and_the_less_is_expected():
    found = [evidence(strength=s) for s in (6.0, 4.0, 3.0, 2.0)]
    unclear, expected = [f.unclear for f in found], [f.expected_dice for f in found]
    assert unclear == sorted(unclear)
    assert expected == sorted(expected, reverse=True)


def test_what_lies_outside_the_body_makes_nothing_unclear():
    logits = np.zeros((len(CLASSES), *GRID.shape), dtype=np.float32)
    nothing = np.zeros(WORK.shape, dtype=bool)
    found = weigh_mask(LungLogits(logits, GRID), half(), nothing, WORK)
    assert found.unclear == 0.0


def doubt(**fields):
    known = {"expected_dice": 0.98, "unclear": 0.03}
    return Doubt(**(known | fields))


LIMITS = DoubtConfig()
TOO_MUCH, TURNED = LIMITS.most_unclear * 1.01, LIMITS.most_unclear_turned * 1.01
CODES = {"lungs.doubtful": Severity.WARNING, "lungs.unusable": Severity.ERROR, "lungs.not_recognised": Severity.WARNING}


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({}, []),
        ({"expected_dice": None, "unclear": None}, []),
        ({"unclear": TOO_MUCH}, ["lungs.doubtful"]),
        ({"turned": True, "unclear": TURNED}, ["lungs.doubtful"]),
        ({"turned": True}, []),
        ({"unclear": TURNED}, []),
        ({"expected_dice": 0.5, "unclear": TOO_MUCH}, ["lungs.unusable"]),
        ({"expected_dice": 0.5, "unclear": TOO_MUCH, "given": True}, []),
        ({"expected_dice": 0.5, "unclear": TOO_MUCH, "unseen": 0.9}, ["lungs.doubtful", "lungs.not_recognised"]),
    ],
    ids=[
        "sure",
        "classical",
        "unsure",
        "turned and unsure",
        "turned",
        "less unsure",
        "hopeless",
        "handed in",
        "density",
    ],
)
def test_each_doubt_has_its_issue(fields, codes):
    issues = mask_issues(doubt(**fields), AnatomyConfig())
    assert [issue.code for issue in issues] == codes
    for issue in issues:
        assert issue.severity is CODES[issue.code]
        assert EVERY_SIGN in issue.affects
        assert (issue.spoils if issue.severity is Severity.ERROR else issue.lower_bounds) == (EVERY_SIGN,)


def test_the_doubt_is_said_with_its_number_and_its_limit():
    (issue,) = mask_issues(doubt(unclear=0.123, turned=True), AnatomyConfig())
    assert "12 % of the lungs' volume" in issue.message
    assert "the other way round" in issue.message
    assert (issue.measured, issue.limit) == (0.123, LIMITS.most_unclear_turned)


@pytest.mark.parametrize(
    ("severity", "code", "turned"),
    [
        (Severity.ERROR, "geometry.mirrored", True),
        (Severity.WARNING, "geometry.mirrored", False),
        (Severity.ERROR, "slices.missing", False),
    ],
)
def test_only_a_body_that_surely_lies_the_wrong_way_round_is_turned(severity, code, turned):
    found = doubt_about(lungs(), issues=(Issue(code=code, severity=severity, message=""),))
    assert found.turned is turned
    assert found.expected_dice is None


def lungs(where=LUNG):
    labels = np.zeros(WORK.shape, dtype=np.uint8)
    labels[where] = 1
    return labels


def doubt_about(labels, **scan):
    """The doubt about a mask that was found without the network."""
    nothing = np.zeros(WORK.shape, dtype=bool)
    volume = CTVolume(np.zeros(WORK.shape, dtype=np.int16), WORK, **scan)
    return doubt_of(labels, WholeLungs(labels, nothing, nothing), None, volume, WORK, AnatomyConfig(), given=False)


@pytest.mark.parametrize("where", [np.s_[6:34, :50, 8:40], np.s_[6:34, 10:, 8:40], np.s_[6:34, 10:50, :40],
                                   np.s_[6:34, 10:50, 8:]], ids=["front", "back", "right", "left"])  # fmt: skip
def test_lungs_at_a_side_of_the_image_are_cut_off_there(where):
    found = doubt_about(lungs(where))
    assert found.touches_sides
    assert not found.touches_top
    assert not found.touches_bottom


@pytest.mark.parametrize(("radius_mm", "cut"), [(20.0, True), (55.0, False)])
def test_a_round_field_cuts_the_lungs_that_it_does_not_hold(radius_mm, cut):
    y, x = np.indices(WORK.shape[1:])
    seen = np.hypot(y - 30, x - 24) * WORK.spacing_mm[1] <= radius_mm
    valid = np.broadcast_to(seen, WORK.shape).copy()
    assert doubt_about(np.where(valid, lungs(), 0).astype(np.uint8), valid=valid).touches_sides is cut
    assert not doubt_about(lungs()).touches_sides
