"""The exit codes are a contract with scripts that call the program."""

import pytest

from cop_imaging import errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError, 2),
        (errors.SeriesError, 3),
        (errors.ConfigError, 4),
        (errors.ModelError, 5),
        (errors.SourceError, 7),
        (errors.OutputError, 8),
    ],
)
def test_every_error_has_the_exit_code_of_the_contract(error, code):
    assert error("what was found").exit_code == code


def test_a_missing_library_is_told_with_its_install_line():
    error = errors.MissingExtra("train", "training a model")
    assert error.exit_code == 2
    assert "pip install 'cop-imaging[train]'" in str(error)


def test_a_series_error_carries_the_reason_as_a_code():
    assert errors.SeriesError("two slices are no volume", code="slices.too_few").code == "slices.too_few"


def test_every_public_error_can_be_caught_by_its_root():
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.CopImagingError)
