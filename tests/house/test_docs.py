"""The documentation names what the code has: codes, fields, commands, exit codes, files."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from cop_imaging import errors
from cop_imaging.cli import faults
from cop_imaging.cli.main import app
from cop_imaging.core import Issue, Report
from cop_imaging.core.likelihood import Contribution, DiseaseProbability, Likelihood, Probability
from cop_imaging.core.quality import ScanQuality
from cop_imaging.core.report import AnatomySummary, FindingSummary, Provenance
from cop_imaging.core.volume import Acquisition

CHECKOUT = Path(__file__).parents[2]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md")), CHECKOUT / "docs" / "signs" / "README.md"]
OUTPUTS = CHECKOUT / "docs" / "outputs.md"
MODELS: tuple[type[BaseModel], ...] = (
    *(Report, Acquisition, ScanQuality, Issue, AnatomySummary, FindingSummary, Provenance),
    *(Likelihood, Probability, DiseaseProbability, Contribution),
)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def strings_below(node: ast.AST) -> Iterator[str]:
    yield from (n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str))


CODE_AT = {"Kind": 1, "Killed": 0, "failed": 1}
"""Which argument is a code, where it is not named: of a kind of image, of a death, of an attempt that failed."""


def codes_in_the_source() -> set[str]:
    """Every text that is given as ``code=``, is the default of ``code``, or is a code by its place."""
    found: set[str] = set()
    for path in (CHECKOUT / "cop_imaging").rglob("*.py"):
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.Call):
                found.update(*(strings_below(k.value) for k in node.keywords if k.arg == "code"))
                called = node.func.id if isinstance(node.func, ast.Name) else ""
                if called in CODE_AT:
                    found.update(strings_below(node.args[CODE_AT[called]]))
            elif isinstance(node, ast.FunctionDef):
                pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                found.update(*(strings_below(default) for arg, default in pairs if arg.arg == "code" and default))
    return found


def test_the_documented_codes_are_those_in_the_source():
    section = text_of(OUTPUTS).partition("## Codes")[2]
    documented = {code for row in re.findall(r"^\| (`.*?) \|", section, re.M) for code in re.findall(r"`(.+?)`", row)}
    assert documented == codes_in_the_source()
    assert len(documented) > 30


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_of_the_report_is_documented(model):
    named = set(re.findall(r"`(\w+)`", text_of(OUTPUTS)))
    assert [name for name in model.model_fields if name not in named] == []


def test_every_exit_code_is_documented():
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.CopImagingError)]
    codes = {c.exit_code for c in classes} | {0, faults.SOME_FAILED, faults.INTERRUPTED, faults.BROKEN_PIPE}
    table = text_of(CHECKOUT / "README.md").partition("| exit code |")[2].partition("\n\n")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.M)} == codes


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_to_files(page):
    targets = [t for t in re.findall(r"\]\(([^)#]+)[^)]*\)", text_of(page)) if "://" not in t]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_in_the_text_exist(page):
    commands = typer.main.get_command(app).commands
    called = re.findall(r"cop-imaging ([a-z]+)([^`\n#|]*)", re.sub(r"\\\n\s*", " ", text_of(page)))
    assert [name for name, _ in called if name not in commands] == []
    for name, rest in called:
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert [option for option in re.findall(r"--[a-z]+(?:-[a-z]+)*", rest) if option not in known] == [], name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_in_the_text_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", text_of(CHECKOUT / "Makefile"), re.M))
    assert set(re.findall(r"(?:^ {4}|`)make ([a-z-]+)", text_of(page), re.M)) <= targets


def test_the_figures_in_the_readme_are_those_of_the_stored_model():
    readme = text_of(CHECKOUT / "README.md")
    folder = CHECKOUT / "models" / "op_likelihood"
    found, schema = (json.loads(text_of(folder / name)) for name in ("evaluation.json", "schema.json"))
    auroc, calibration, leakage = found["auroc_op_against"], found["calibration"], found["leakage"]
    shuffled = leakage["shuffled_labels"]
    rows = {
        "organizing pneumonia against consolidating mimics, AUROC": f"{auroc['consolidating_mimics']['value']:.2f}",
        "against all other classes, AUROC": f"{auroc['all_others']['value']:.2f}",
        "calibration slope; expected calibration error": f"{calibration['calibration_slope']['value']:.2f}; "
        f"{calibration['expected_calibration_error']['value']:.3f}",
        "best single measure alone, AUROC": f"{leakage['highest_alone']:.2f} against all other classes",
        f"trained on shuffled labels, mean AUROC of {len(shuffled)} networks": f"{sum(shuffled) / len(shuffled):.2f}",
    }
    assert [name for name, value in rows.items() if f"| {name} | {value} |" not in readme] == []
    words = f"{len(schema['inputs'])} of the measures into probabilities of {len(schema['classes'])} classes"
    assert words in " ".join(readme.split())
