"""The pages of the signs are those that the program makes now, and their pictures are there."""

import re
from pathlib import Path

import pytest

from cop_imaging.cli.sign_pages import sign_pages
from cop_imaging.signs import SIGNS
from cop_imaging.signs.catalogue import load_catalogue
from cop_imaging.synth.diseases import load_knowledge
from cop_imaging.synth.examples import EXAMPLES

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sign_pages(SIGNS, load_catalogue(), tuple(EXAMPLES))


def test_there_is_a_page_for_every_sign_and_no_other():
    assert {p.name for p in (DOCS / "signs").iterdir()} == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_holds(name):
    assert (DOCS / "signs" / name).read_text(encoding="utf-8") == PAGES[name], "write docs/signs again: make signs"


@pytest.mark.parametrize("name", PAGES)
def test_links_and_pictures_lead_to_files(name):
    targets = re.findall(r"\]\(([^)#]+)\)", PAGES[name])
    assert [t for t in targets if not (DOCS / "signs" / t).exists()] == []


def test_pictures_are_small():
    sizes = {p.name: p.stat().st_size for p in (DOCS / "images" / "signs").iterdir()}
    assert {name: size for name, size in sizes.items() if size >= 60_000} == {}


def test_every_sign_of_the_disease_tables_is_shown_by_a_made_chest():
    signs = {sign.name for sign in SIGNS} & set(load_knowledge().findings)
    assert sorted(signs - set(EXAMPLES)) == []


def test_no_finding_is_left_without_an_answer():
    assert "not measured yet" not in PAGES["README.md"]
