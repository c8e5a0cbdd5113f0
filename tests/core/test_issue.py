"""The one rule that turns issues into a status."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.core import Issue, Severity, Status, status_of

RANK = {Status.OK: 0, Status.LIMITED: 1, Status.NOT_ASSESSABLE: 2}

issues = st.builds(
    Issue,
    code=st.just("slices.thick"),
    severity=st.sampled_from(Severity),
    message=st.just("the slices are 5 mm thick"),
    affects=st.sampled_from(((), ("reticulation",))),
)


def test_a_scan_without_issues_is_ok():
    assert status_of(()) is Status.OK


@pytest.mark.parametrize(
    ("severity", "affects", "status"),
    [
        (Severity.INFO, (), Status.OK),
        (Severity.INFO, ("nodules",), Status.OK),
        (Severity.WARNING, (), Status.OK),
        (Severity.WARNING, ("nodules",), Status.LIMITED),
        (Severity.ERROR, (), Status.NOT_ASSESSABLE),
        (Severity.ERROR, ("lungs",), Status.NOT_ASSESSABLE),
    ],
)
def test_one_issue_decides_by_its_severity_and_by_what_it_affects(severity, affects, status):
    assert status_of([Issue(code="a.b", severity=severity, message="found", affects=affects)]) is status


@given(st.lists(issues, max_size=5), issues)
def test_a_further_issue_never_improves_the_status(before, another):
    assert RANK[status_of([*before, another])] >= RANK[status_of(before)]


@given(st.lists(issues, max_size=4))
def test_the_order_of_issues_does_not_matter(found):
    assert len({status_of(order) for order in itertools.permutations(found)}) == 1
