"""The commands end to end on what users get wrong, and on what they look up."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cop_imaging.cli.main import app
from cop_imaging.config import load_config
from cop_imaging.pipeline import Config


def call(*arguments: str | Path):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def files_below(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


def test_a_misspelt_setting_is_refused_with_the_nearest_name(tmp_path):
    section, field = next(
        (name, next(iter(info.annotation.model_fields)))
        for name, info in Config.model_fields.items()
        if name == "anatomy"
    )
    result = call("analyze", tmp_path, "--out", tmp_path / "out", "--set", f"{section}.{field}x=1")
    assert result.exit_code == 4
    assert f"did you mean '{section}.{field}'" in result.stderr
    assert files_below(tmp_path) == []


def test_results_that_are_there_are_not_overwritten_unasked(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.json").write_text("{}")
    result = call("analyze", tmp_path / "no-such-series", "--out", out)
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr
    assert (out / "report.json").read_text() == "{}"


def test_a_file_where_the_results_should_go_is_told_before_any_work(tmp_path):
    (tmp_path / "out").write_text("")
    assert call("analyze", tmp_path / "no-such-series", "--out", tmp_path / "out").exit_code == 8


@pytest.mark.parametrize("command", ["analyze", "batch"])
def test_an_empty_folder_is_no_series(tmp_path, command):
    (tmp_path / "empty").mkdir()
    result = call(command, tmp_path / "empty", "--out", tmp_path / "out", "--quiet")
    assert result.exit_code == 3
    assert result.stderr.startswith("cop-imaging: error: ")
    assert result.stderr.count("\n") == 1
    # The record of a run may lie there, and no plan: the next call looks again.
    assert {p.name for p in files_below(tmp_path)} <= {"ledger.sqlite", ".lock.sqlite"}


def test_a_text_file_with_the_name_of_a_slice_is_no_series(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "slice.dcm").write_text("not a slice")
    result = call("analyze", tmp_path / "in", "--out", tmp_path / "out", "--quiet")
    assert result.exit_code == 3
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_not_there_is_told_in_one_line(tmp_path):
    result = call("analyze", tmp_path / "no-such-series", "--out", tmp_path / "out", "--quiet")
    assert result.exit_code in (2, 3, 7)
    assert "no-such-series" in result.stderr
    assert result.stderr.count("\n") == 1


def test_no_thread_at_all_is_a_wrong_call(tmp_path):
    assert call("analyze", tmp_path, "--out", tmp_path / "out", "--threads", "0").exit_code == 2


def test_the_schema_is_json_and_knows_the_report():
    assert "likelihood" in json.loads(call("schema").stdout)["properties"]


def test_the_printed_settings_are_a_valid_file_for_config(tmp_path):
    file = tmp_path / "all.toml"
    file.write_text(call("config").stdout, encoding="utf-8")
    assert load_config(Config, file) == Config()


def test_the_versions_are_told():
    lines = call("--version").stdout.splitlines()
    assert lines[0].startswith("cop-imaging ")
    assert any(line.startswith("numpy ") for line in lines)
