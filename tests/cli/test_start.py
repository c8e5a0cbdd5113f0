"""The command line answers at once: nothing heavy is loaded before a command runs."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "numpy",
    "scipy",
    "pydicom",
    "SimpleITK",
    "pandas",
    "matplotlib",
    "torch",
    "skimage",
    "imagecodecs",
    "rich",
}


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after ``code``."""
    ask = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    run = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_assembling_the_command_line_loads_nothing_heavy():
    assert HEAVY & loaded_by("import cop_imaging.cli.main") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["analyze", "--help"], ["batch", "--help"]])
def test_help_loads_nothing_heavy(arguments):
    code = f"""
from cop_imaging.cli.main import app
try:
    app({arguments!r})
except SystemExit as end:
    assert end.code == 0
"""
    assert HEAVY & loaded_by(code) == set()
