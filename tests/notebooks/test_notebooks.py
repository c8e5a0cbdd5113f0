"""The notebooks run from top to bottom as a newcomer runs them, and carry no output of their own."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from cop_imaging.signs import SIGNS
from cop_imaging.synth import CHESTS, EXAMPLES

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))


def notebook(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook(path).cells if cell.cell_type == "code"]


def test_the_notebooks_come_in_reading_order():
    assert [path.name for path in PATHS] == [
        "1_read_a_scan.ipynb",
        "2_look_at_the_signs.ipynb",
        "3_explore_an_archive.ipynb",
    ]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_no_output_is_stored(path):
    assert [cell.source for cell in code_cells(path) if cell.outputs or cell.execution_count is not None] == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_file_is_valid_and_names_no_machine(path):
    stored = notebook(path)
    nbformat.validate(stored)
    assert set(stored.metadata) == {"kernelspec", "language_info"}
    assert stored.metadata.kernelspec.name == "python3"
    assert "research use only" in stored.cells[0].source


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a notebook from top to bottom; the outputs of its code cells."""
    # The settings and the history of whoever runs the tests stay out of it.
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))

    def outputs(name: str) -> list[nbformat.NotebookNode]:
        ran = notebook(NOTEBOOKS / name)
        NotebookClient(ran, timeout=900, kernel_name="python3", resources={"metadata": {"path": NOTEBOOKS}}).execute()
        shown = [output for cell in ran.cells if cell.cell_type == "code" for output in cell.outputs]
        # On a machine where matplotlib has never run, it says that it looks for fonts.
        warned = [output.text for output in shown if output.get("name") == "stderr"]
        assert [text for text in warned if "font cache" not in text] == []
        return shown

    return outputs


def pictures(shown: list[nbformat.NotebookNode]) -> int:
    return sum("image/png" in output.get("data", {}) for output in shown)


def test_a_scan_is_read_to_its_report(run):
    shown = run("1_read_a_scan.ipynb")
    assert pictures(shown) >= 3
    assert any("report.json" in output.get("text", "") for output in shown)
    assert "organizing-pneumonia pattern" in shown[-1].data["text/html"]


def test_every_sign_is_shown_on_a_made_chest(run):
    shown = run("2_look_at_the_signs.ipynb")
    assert pictures(shown) == len(CHESTS)
    tables = "".join(output.get("data", {}).get("text/html", "") for output in shown)
    assert [sign.name for sign in SIGNS if sign.name in EXAMPLES and f"<th>{sign.name}</th>" not in tables] == []
    assert [sign.title for sign in SIGNS if f"<th>{sign.title}</th>" not in tables] == []


def test_an_archive_is_run_over_and_explored(run):
    shown = run("3_explore_an_archive.ipynb")
    text = "".join(output.get("text", "") for output in shown)
    assert "7 series: 5 analyzed, 0 kept, 2 refused" in text
    assert "7 series: 0 analyzed, 5 kept, 2 not tried again" in text
    assert "COP/before: " in text
    assert pictures(shown) == 3
    assert [output for output in shown if "image/jpeg" in output.get("data", {})] != []
    tables = "".join(output.get("data", {}).get("text/html", "") for output in shown)
    wanted = ("slices.missing", "source.damaged", "slices.thick")
    assert [words for words in wanted if words not in tables + text] == []
