"""The wheel alone is enough: code, templates, weights and configuration travel in it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder into which the wheel is installed; its requirements come from the running environment."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    return folder


@pytest.fixture
def run(installed, tmp_path):
    """Run Python elsewhere with the installed wheel before everything else."""

    def call(*arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(installed)}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_the_wheel_carries_package_data_and_licence_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"cop_imaging"}
    assert {"cop_imaging/py.typed", "cop_imaging/configs/default.toml"} <= set(names)
    assert any(name.startswith("cop_imaging/models/") for name in names)
    assert any(name.startswith("cop_imaging/report/templates/") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]


def test_code_weights_and_configuration_come_from_inside_the_wheel(run, installed):
    code = (
        "import cop_imaging\nfrom cop_imaging.config import asset_path\n"
        "print(cop_imaging.__file__, asset_path('models'), asset_path('configs', 'default.toml'), sep='\\n')"
    )
    assert all(Path(line).is_relative_to(installed) for line in run("-c", code).splitlines())


def test_the_installed_program_tells_its_version_signs_and_schema(run):
    assert run("-m", "cop_imaging", "--version").startswith("cop-imaging ")
    assert {sign["name"] for sign in json.loads(run("-m", "cop_imaging", "signs", "--json"))} >= {"ground_glass"}
    assert json.loads(run("-m", "cop_imaging", "schema"))["properties"]["status"]


def test_the_installed_program_analyzes_the_sample_from_another_folder(run, tmp_path):
    sample = CHECKOUT / "data_samples" / "phantom_op"
    shown = run("-m", "cop_imaging", "analyze", str(sample), "--out", "result", "--quiet", "--threads", "1")
    assert shown.splitlines()[-1] == str(Path("result", "report.html"))
    report = json.loads((tmp_path / "result" / "report.json").read_text(encoding="utf-8"))
    assert report["likelihood"]["op"]["p"] > 0.5
