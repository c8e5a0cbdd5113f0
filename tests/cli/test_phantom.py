"""The phantom command: a series to try the program with."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cop_imaging.cli.main import app


def call(*arguments: str | Path):
    return CliRunner().invoke(app, ["phantom", *map(str, arguments)])


@pytest.fixture
def asked(monkeypatch):
    """What the writer of samples is asked for; drawing one takes seconds and is tested where it is made."""
    calls = []
    monkeypatch.setattr("cop_imaging.synth.write_sample", lambda folder, **options: calls.append((folder, options)))
    return calls


def test_the_phantom_that_is_asked_for_is_written(asked, tmp_path):
    result = call("--out", tmp_path / "new", "--seed", "7", "--kind", "healthy", "--truth")
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'new'}\n")
    assert asked == [(tmp_path / "new", {"seed": 7, "kind": "healthy", "truth": True})]


def test_organizing_pneumonia_without_truth_is_the_default(asked, tmp_path):
    call("--out", tmp_path / "new")
    assert asked[0][1] == {"seed": 0, "kind": "organizing_pneumonia", "truth": False}


def test_a_folder_with_files_is_refused_before_anything_is_drawn(asked, tmp_path):
    (tmp_path / "scan.dcm").write_text("a scan")
    result = call("--out", tmp_path)
    assert result.exit_code == 2
    assert asked == []
    assert [p.name for p in tmp_path.iterdir()] == ["scan.dcm"]


def test_an_unknown_kind_is_refused_with_the_kinds_there_are(asked, tmp_path):
    result = call("--out", tmp_path / "new", "--kind", "sarcoidosis")
    assert result.exit_code == 2
    assert "organizing_pneumonia" in result.stderr
