"""The train command: optional libraries, and what it passes on."""

import pytest
from typer.testing import CliRunner

from cop_imaging.cli.main import app


def call(*arguments):
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def test_without_torch_the_install_line_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("cop_imaging.cli.train.find_spec", lambda name: None)
    result = call("--out", tmp_path / "model")
    assert result.exit_code == 2
    assert "pip install 'cop-imaging[train]'" in result.stderr
    assert not (tmp_path / "model").exists()


def test_seed_and_folder_reach_the_training_and_the_folder_is_told(monkeypatch, tmp_path):
    pytest.importorskip("torch", reason="training needs torch")
    asked = []

    def train_model(out, seed, *, progress):
        asked.append((out, seed))
        return out

    monkeypatch.setattr("cop_imaging.training.train.train_model", train_model)
    result = call("--out", tmp_path / "model", "--seed", "11", "--quiet")
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'model'}\n")
    assert asked == [(tmp_path / "model", 11)]
