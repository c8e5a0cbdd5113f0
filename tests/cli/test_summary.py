"""What the terminal shows of a report."""

from cop_imaging.cli.summary import summary_lines
from cop_imaging.core import Acquisition, Issue, Likelihood, Measure, Presence, Probability, Report, Severity, Status
from cop_imaging.core.report import RESEARCH_USE, AnatomySummary, FindingSummary, Provenance

ANATOMY = AnatomySummary(
    lung_volume_ml=4200.0,
    right_volume_ml=2300.0,
    left_volume_ml=1900.0,
    airway_volume_ml=60.0,
    vessel_volume_ml=150.0,
    recovered_ml=0.0,
    uncertain_ml=0.0,
    effusion_ml=None,
    mask_trust=1.0,
    right_to_left=1.2,
    mask_given=False,
)
PROVENANCE = Provenance(
    versions={},
    input_sha256="a" * 64,
    config_sha256="b" * 64,
    config_changes={},
    model_sha256=None,
    feature_schema="1",
    created="2025-01-01T00:00:00Z",
    timings_s={},
)
LIKELIHOOD = Likelihood(
    status="ok",
    op=Probability(p=0.834, low=0.701, high=0.912),
    prior={"OP": 0.2},
    differential=(),
    contributions=(),
    out_of_distribution=False,
)


def finding(sign: str, title: str, presence: Presence, score: float | None, volume_ml: float | None) -> FindingSummary:
    measure = Measure(name=f"{sign}.volume_ml", value=volume_ml, unit="ml")
    return FindingSummary(
        sign=sign, title=title, presence=presence, score=score, reason="", measures=(measure,), lesions=()
    )


def report(**fields) -> Report:
    known = {
        "status": Status.OK,
        "case": "case-1",
        "acquisition": Acquisition(),
        "issues": (),
        "anatomy": ANATOMY,
        "findings": (
            finding("lungs", "Lung volume", Presence.PRESENT, 1.0, 4200.0),
            finding("ground_glass", "Ground-glass opacity", Presence.PRESENT, 0.91, 123.45),
            finding("bands", "Parenchymal bands", Presence.ABSENT, 0.1, 0.0),
            finding("nodules", "Nodules", Presence.NOT_ASSESSABLE, None, None),
        ),
        "features": {},
        "likelihood": LIKELIHOOD,
        "methods": "",
        "provenance": PROVENANCE,
    }
    return Report(**(known | fields))


def test_status_likelihood_lungs_present_signs_and_the_note_on_use_in_this_order():
    assert summary_lines(report()) == [
        "status: ok",
        "likelihood of an organizing-pneumonia pattern: 0.83 (band 0.70 to 0.91)",
        "lungs: 4200 ml (right 2300, left 1900)",
        "present: Ground-glass opacity, score 0.91, 123.5 ml",
        RESEARCH_USE,
    ]


def test_a_scan_that_cannot_be_assessed_gets_no_number_and_is_told_why():
    issue = Issue(code="slices.gap", severity=Severity.ERROR, message="slices 40-60 are missing")
    lines = summary_lines(report(status=Status.NOT_ASSESSABLE, likelihood=None, issues=(issue,), findings=()))
    assert lines[:3] == [
        "status: not assessable",
        "likelihood of an organizing-pneumonia pattern: not given",
        "error: slices 40-60 are missing",
    ]


def test_volumes_in_a_doubtful_lung_mask_are_said_to_be_lower_bounds():
    findings = tuple(f.model_copy(update={"lower_bounds": True}) for f in report().findings)
    assert "present: Ground-glass opacity, score 0.91, at least 123.5 ml" in summary_lines(report(findings=findings))


def test_a_scan_unlike_what_the_model_knows_is_told_beside_the_number():
    unlike = LIKELIHOOD.model_copy(update={"out_of_distribution": True})
    assert "outside what the model was trained on" in summary_lines(report(likelihood=unlike))[1]


def test_remarks_that_change_nothing_are_left_to_the_report():
    issue = Issue(code="contrast.given", severity=Severity.INFO, message="contrast was given")
    assert not [line for line in summary_lines(report(issues=(issue,))) if "contrast" in line]
