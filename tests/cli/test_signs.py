"""The catalogue on the command line: a list, one sign with all that is known of it, and the pages."""

import json

import pytest
from typer.testing import CliRunner

from cop_imaging.cli.main import app
from cop_imaging.cli.sign_pages import limits_of, sign_pages
from cop_imaging.signs import SIGNS
from cop_imaging.signs.catalogue import Catalogue, load_catalogue


def call(*arguments: str):
    return CliRunner().invoke(app, ["signs", *map(str, arguments)], env={"COLUMNS": "140"})


def test_the_list_names_every_sign_in_reading_order():
    lines = call().stdout.splitlines()
    names = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    assert names[:-1] == [sign.name for sign in SIGNS]
    assert all(any(sign.title in line for line in lines) for sign in SIGNS)


@pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: sign.name)
def test_one_sign_tells_its_measures_with_units_and_its_limits_with_sources(sign):
    lines = call(sign.name).stdout.splitlines()
    assert lines[0] == f"{sign.title} ({sign.name})"
    for feature in sign.features:
        assert any(line.split()[:2] == [feature.name, feature.unit] for line in lines)
    limits = limits_of(sign)
    for name, about in [] if limits is None else type(limits).model_fields.items():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert about.json_schema_extra["source"] in line
    for alike in load_catalogue().of(sign.name).look_alikes:
        assert any(alike.name in line and alike.told_by in line for line in lines)


def test_a_misspelt_sign_is_refused_with_the_nearest_name():
    result = call("reverse_halo")
    assert result.exit_code == 2
    assert "did you mean 'reversed_halo'" in result.stderr


def test_the_list_as_json_is_what_the_signs_declare():
    listed = json.loads(call("--json").stdout)
    assert [sign["name"] for sign in listed] == [sign.name for sign in SIGNS]
    assert [f["name"] for sign in listed for f in sign["features"]] == [f.name for s in SIGNS for f in s.features]
    assert json.loads(call("consolidation", "--json").stdout) == [s for s in listed if s["name"] == "consolidation"]


def test_pages_are_written_where_they_are_wanted(tmp_path):
    assert call("--pages", tmp_path / "pages").exit_code == 0
    assert {p.name for p in (tmp_path / "pages").iterdir()} == {"README.md", *(f"{s.name}.md" for s in SIGNS)}


def test_pages_that_cannot_be_written_are_told_in_one_line(tmp_path):
    (tmp_path / "pages").write_text("")
    result = call("--pages", tmp_path / "pages")
    assert result.exit_code == 8
    assert result.stderr.count("\n") == 1


def test_a_sign_of_which_nothing_else_is_known_still_gets_its_page():
    page = sign_pages(SIGNS, Catalogue(signs={}, findings={}))["consolidation.md"]
    assert "None stated." in page
    assert "consolidation.volume_ml" in page


def test_text_in_a_table_cannot_break_it():
    data = {"signs": {"consolidation": {"look_alikes": [{"name": "a|b\nc", "told_by": "d"}]}}, "findings": {}}
    assert "| a\\|b c | d |" in sign_pages(SIGNS, Catalogue.model_validate(data))["consolidation.md"]
