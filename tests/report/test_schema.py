"""report.json: valid by its own schema, the same report when read again, without NaN."""

import json

import jsonschema
import pytest
from pydantic import ValidationError

from cop_imaging.core import Report
from cop_imaging.report import report_json, report_json_schema
from cop_imaging.report.schema import rounded


def test_the_written_report_fits_its_schema(analysis, refused):
    validator = jsonschema.Draft202012Validator(report_json_schema())
    validator.check_schema(report_json_schema())
    for report in (analysis.report, refused.report):
        validator.validate(json.loads(report_json(report)))


def test_the_schema_refuses_what_is_no_report(analysis):
    data = json.loads(report_json(analysis.report))
    validator = jsonschema.Draft202012Validator(report_json_schema())
    for broken in (
        {**data, "patient": "x"},
        {**data, "status": "fine"},
        {k: v for k, v in data.items() if k != "case"},
    ):
        assert not validator.is_valid(broken)


def test_a_report_read_again_is_equal_and_writes_the_same_text(analysis):
    text = report_json(analysis.report)
    again = Report.model_validate_json(text)
    assert again == rounded(analysis.report)
    assert report_json(again) == text


def test_rounding_keeps_nine_digits_and_the_sum_of_contributions(analysis):
    data = json.loads(report_json(analysis.report))
    assert data["provenance"]["timings_s"] == {"anatomy": 1.23456789, "signs": 0.3}
    assert data["likelihood"]["op"]["p"] == pytest.approx(analysis.report.likelihood.op.p, rel=1e-8)


def test_missing_numbers_are_null_and_never_nan(analysis):
    findings = analysis.report.findings
    nan = findings[0].measures[0].model_copy(update={"value": float("nan"), "high": float("inf")})
    first = findings[0].model_copy(update={"measures": (nan, *findings[0].measures[1:])})
    report = analysis.report.model_copy(update={"findings": (first, *findings[1:])})
    text = report_json(report)
    assert "NaN" not in text
    assert "Infinity" not in text
    measure = json.loads(text)["findings"][0]["measures"][0]
    assert (measure["value"], measure["high"]) == (None, None)


def test_a_number_that_must_be_there_may_not_be_nan(analysis):
    anatomy = analysis.report.anatomy.model_copy(update={"mask_trust": float("nan")})
    with pytest.raises(ValidationError, match="mask_trust"):
        report_json(analysis.report.model_copy(update={"anatomy": anatomy}))


def test_keys_come_in_the_order_of_the_model(analysis):
    data = json.loads(report_json(analysis.report))
    assert list(data) == list(Report.model_fields)
    assert list(data["features"]) == list(analysis.vector.schema.names)
