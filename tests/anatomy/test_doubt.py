"""When a lung mask is doubted, and why."""

from __future__ import annotations

import numpy as np
import pytest

from cop_imaging.anatomy import AnatomyConfig
from cop_imaging.anatomy.doubt import doubt_of, mask_issues
from cop_imaging.anatomy.doubt_config import DoubtConfig
from cop_imaging.anatomy.lungs import WholeLungs
from cop_imaging.core import CTVolume, Doubt, Geometry, Issue, Severity
from cop_imaging.core.issue import EVERY_SIGN

WORK = Geometry((40, 60, 80), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
LUNG = np.s_[6:34, 10:50, 8:40]


def doubt(**fields):
    known = {"expected_dice": 0.98, "unclear": 0.03, "disputed": 0.05, "watery": 0.01}
    return Doubt(**(known | fields))


LIMITS = DoubtConfig()
TOO_MUCH, TURNED = LIMITS.most_unclear * 1.01, LIMITS.most_unclear_turned * 1.01
CODES = {"lungs.doubtful": Severity.WARNING, "lungs.unusable": Severity.ERROR, "lungs.not_recognised": Severity.WARNING}


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({}, []),
        ({"expected_dice": None, "unclear": None, "disputed": None, "watery": None}, []),
        ({"unclear": TOO_MUCH}, ["lungs.doubtful"]),
        ({"turned": True, "unclear": TURNED}, ["lungs.doubtful"]),
        ({"expected_dice": 0.85}, ["lungs.doubtful"]),
        ({"disputed": LIMITS.most_disputed * 1.01}, ["lungs.doubtful"]),
        ({"watery": LIMITS.most_watery * 1.01}, ["lungs.doubtful"]),
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
        "far off",
        "bitten",
        "drowned",
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


def test_every_reason_of_a_doubt_is_said():
    (issue,) = mask_issues(doubt(unclear=0.123, disputed=0.4, watery=0.21, expected_dice=0.85), AnatomyConfig())
    for words in ("12 % of the lungs' volume", "0.85 only", "21 % of the airless lung in it", "as much as 40 %"):
        assert words in issue.message


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
