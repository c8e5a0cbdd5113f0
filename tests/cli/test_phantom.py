"""The phantom commands: cases to try the program with, one or many."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cop_imaging.cli.main import app
from cop_imaging.synth.cohort import CaseOutcome


def call(*arguments: str | Path):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def asked(monkeypatch):
    """What the writer of cases is asked for; making one takes seconds and is tested where it is made."""
    calls = []
    monkeypatch.setattr("cop_imaging.synth.write_case", lambda case, folder, **o: calls.append((case, folder, o)))
    return calls


def test_the_case_that_is_asked_for_is_written(asked, tmp_path):
    result = call("phantom", "--out", tmp_path / "new", "--seed", "7", "--disease", "CEP", "--step", "2.5")
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'new'}\n")
    [(case, folder, options)] = asked
    assert (case.disease, case.seed, case.scanner.step_mm) == ("CEP", 7, 2.5)
    assert (folder, options) == (tmp_path / "new", {"matrix": 512})


def test_cryptogenic_organizing_pneumonia_is_the_default(asked, tmp_path):
    call("phantom", "--out", tmp_path / "new")
    assert (asked[0][0].disease, asked[0][0].seed) == ("COP", 0)


def test_a_folder_with_files_is_refused_before_anything_is_drawn(asked, tmp_path):
    (tmp_path / "scan.dcm").write_text("a scan")
    result = call("phantom", "--out", tmp_path)
    assert result.exit_code == 2
    assert asked == []
    assert [p.name for p in tmp_path.iterdir()] == ["scan.dcm"]


def test_an_unknown_disease_is_refused_with_those_there_are(asked, tmp_path):
    result = call("phantom", "--out", tmp_path / "new", "--disease", "FLU")
    assert result.exit_code == 2
    assert "VIRAL" in result.stderr
    assert asked == []


def test_the_list_names_every_disease_and_lesion():
    result = call("phantom", "--list")
    assert result.exit_code == 0
    for word in ("COP", "AIP_DAD", "Sarcoidosis", "reversed_halo", "perilobular", "effusion"):
        assert word in result.stdout
    assert result.stdout.count("Cryptogenic") == 1


def test_many_cases_are_told_one_by_one_and_a_failed_one_shows(monkeypatch, tmp_path):
    def write(folder, cases, *, matrix, jobs, tell):
        outcomes = tuple(
            CaseOutcome(f"case-{case.seed}", "failed" if case.seed == 6 else "written", 1.0, "no space")
            for case in cases
        )
        for n, outcome in enumerate(outcomes):
            tell(n + 1, len(outcomes), outcome)
        assert (folder, matrix, jobs) == (tmp_path / "many", 128, 2)
        return outcomes

    monkeypatch.setattr("cop_imaging.synth.cohort.write_cases", write)
    options = ("--cases", 2, "--seed", 5, "--matrix", 128, "--jobs", 2)
    result = call("phantoms", "--out", tmp_path / "many", *options)
    assert result.exit_code == 6
    assert result.stdout == f"2 cases: 1 written, 0 kept, 1 failed\n{tmp_path / 'many' / 'cases.csv'}\n"
    assert "[2/2] case-6 failed: no space" in result.stderr
    assert call("phantoms", "--out", tmp_path / "many", *options, "--quiet").stderr == ""
