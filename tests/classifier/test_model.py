"""A stored model is read whole and unchanged, or not at all."""

import shutil
import subprocess
import sys

import pytest

from cop_imaging.classifier import load_model
from cop_imaging.classifier.model import DIGESTS, SCHEMA, WEIGHTS
from cop_imaging.config import asset_path
from cop_imaging.errors import ModelError


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(asset_path("models", "op_likelihood"), tmp_path / "model")


@pytest.mark.parametrize("name", [WEIGHTS, SCHEMA, "card.md", "evaluation.json"])
def test_a_changed_file_is_refused_by_name(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ModelError, match=name):
        load_model(copy)


@pytest.mark.parametrize("name", [WEIGHTS, SCHEMA, DIGESTS])
def test_a_missing_file_is_refused(copy, name):
    (copy / name).unlink()
    with pytest.raises(ModelError, match="incomplete"):
        load_model(copy)


@pytest.mark.parametrize("name", [WEIGHTS, SCHEMA])
def test_a_file_that_no_digest_covers_is_refused(copy, name):
    lines = (copy / DIGESTS).read_text().splitlines()
    (copy / DIGESTS).write_text("\n".join(line for line in lines if not line.endswith(name)))
    with pytest.raises(ModelError, match="does not match"):
        load_model(copy)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError):
        load_model(tmp_path / "nowhere")


def test_the_digest_names_the_model(copy):
    assert load_model(copy).digest == load_model().digest != ""


def test_prediction_needs_no_torch():
    code = "import sys, cop_imaging.classifier as c; c.load_model(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
