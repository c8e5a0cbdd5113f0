"""The catalogue speaks of signs and findings that exist, and leaves none of them out."""

import re

import pytest
from pydantic import ValidationError

from cop_imaging.signs import SIGNS
from cop_imaging.signs.catalogue import Catalogue, ImageFinding, load_catalogue
from cop_imaging.synth.diseases import load_knowledge

SHAPES = {"RadLex": r"RID\d+", "SNOMED CT": r"\d{6,18}", "HPO": r"HP:\d{7}", "DICOM": r"\d{6}"}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def test_every_sign_of_the_disease_tables_has_look_alikes_and_every_entry_its_sign(catalogue):
    signs, findings = {sign.name for sign in SIGNS}, set(load_knowledge().findings)
    assert [name for name in signs & findings if not catalogue.of(name).look_alikes] == []
    assert set(catalogue.signs) <= signs | findings


def test_every_image_finding_is_a_sign_or_is_stated_or_has_a_reason(catalogue):
    findings = set(load_knowledge().findings)
    signs = {sign.name for sign in SIGNS}
    assert findings - signs == set(catalogue.findings)


def test_measures_that_state_a_finding_are_measured(catalogue):
    measured = {feature.name for sign in SIGNS for feature in sign.features}
    assert [m for f in catalogue.findings.values() for m in f.measures if m not in measured] == []


def test_codes_have_the_shape_of_their_system_and_name_one_sign_each(catalogue):
    codes = [code for entry in catalogue.signs.values() for code in entry.codes]
    assert [code for code in codes if not re.fullmatch(SHAPES[code.system], code.code)] == []
    assert len({(code.system, code.code) for code in codes}) == len(codes)


def test_what_was_shown_names_a_figure_and_a_command_that_exists(catalogue):
    shown = [one for entry in catalogue.signs.values() for one in entry.shown]
    assert [one for one in shown if not re.search(r"\d", one.figure)] == []
    assert [
        one
        for one in shown
        if not re.match(r"(python -m benchmarks\.\w+|make [a-z-]+|cop-imaging [a-z]+)", one.command)
    ] == []


@pytest.mark.parametrize(
    "data", [{}, {"how": "so"}, {"measures": ("a.b",)}, {"measures": ("a.b",), "how": "so", "reason": "no"}]
)
def test_a_finding_is_either_measured_or_given_a_reason(data):
    with pytest.raises(ValidationError):
        ImageFinding.model_validate(data)


def test_a_sign_without_an_entry_has_an_empty_one(catalogue):
    assert catalogue.of("no_such_sign").codes == ()
