"""How a command ends: one line on stderr and an exit code that scripts can rely on."""

import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from cop_imaging import errors
from cop_imaging.cli.faults import guarded


def command_that_raises(error: BaseException) -> typer.Typer:
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.command()
    @guarded
    def fail() -> None:
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("out/demo already holds results"), 2),
        (errors.SeriesError("2 slices are no volume"), 3),
        (errors.ConfigError("there is no key 'x'"), 4),
        (errors.ModelError("the weights are damaged"), 5),
        (errors.SourceError("the archive refuses"), 7),
        (errors.OutputError("no space"), 8),
    ],
)
def test_an_error_on_purpose_is_one_line_and_its_exit_code(error, code):
    result = CliRunner().invoke(command_that_raises(error), [])
    assert result.exit_code == code
    assert result.stderr == f"cop-imaging: error: {error}\n"
    assert result.stdout == ""


def test_a_message_of_several_lines_becomes_one():
    result = CliRunner().invoke(command_that_raises(errors.SeriesError("slices 4-9\n  are missing")), [])
    assert result.stderr == "cop-imaging: error: slices 4-9 are missing\n"


def test_a_bug_says_so_names_the_way_to_the_traceback_and_keeps_its_text_to_itself():
    result = CliRunner().invoke(command_that_raises(KeyError("DOE^JANE")), [])
    assert result.exit_code == 1
    assert "KeyError" in result.stderr
    assert "a bug in cop-imaging" in result.stderr
    assert "--traceback" in result.stderr
    assert "DOE" not in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("error", [KeyError("x"), errors.SeriesError("no volume")])
def test_a_traceback_is_shown_when_it_is_asked_for(error):
    result = CliRunner().invoke(command_that_raises(error), ["--traceback"])
    assert "Traceback (most recent call last)" in result.stderr
    assert "in fail" in result.stderr


def test_an_interruption_ends_with_130():
    result = CliRunner().invoke(command_that_raises(KeyboardInterrupt()), [])
    assert (result.exit_code, result.stderr) == (130, "cop-imaging: interrupted\n")


def test_too_little_memory_is_not_called_a_bug():
    result = CliRunner().invoke(command_that_raises(MemoryError()), [])
    assert result.exit_code == 1
    assert "not enough memory" in result.stderr


def test_an_exit_of_a_command_is_left_as_it_is():
    assert CliRunner().invoke(command_that_raises(typer.Exit(6)), []).exit_code == 6


def test_a_reader_that_goes_away_is_no_error():
    code = (
        "import typer; from cop_imaging.cli.faults import guarded\n"
        "app = typer.Typer()\n"
        "@app.command()\n@guarded\ndef talk() -> None:\n    print('x' * 1_000_000)\n"
        "app()"
    )
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (run.returncode, run.stderr) == (141, "")


def test_an_option_that_is_not_there_is_a_wrong_call():
    result = CliRunner().invoke(command_that_raises(typer.Exit(0)), ["--no-such-option"])
    assert result.exit_code == 2
    assert "--no-such-option" in result.stderr
