"""Training gives what prediction runs, the same every time, and stores it whole."""

import json

import numpy as np
import pytest
import torch

from cop_imaging.classifier import load_model
from cop_imaging.classifier.encode import encode
from cop_imaging.classifier.model import class_logs, evidence
from cop_imaging.classifier.prior import class_prior
from cop_imaging.errors import OutputError
from cop_imaging.synth.diseases.knowledge import load_knowledge
from cop_imaging.training.__main__ import main
from cop_imaging.training.cohort import draw_cohort
from cop_imaging.training.evaluate import EvaluationConfig
from cop_imaging.training.fit import FitConfig, fit_model, read_cohort
from cop_imaging.training.train import train_model

SMALL = FitConfig(members=2, cases=3000, epochs=2, held_out_worlds=2, cases_per_world=500)
QUICK = EvaluationConfig(worlds=4, cases_per_world=300, repeats=10)


@pytest.fixture(scope="module")
def knowledge():
    return load_knowledge()


@pytest.fixture(scope="module")
def fit(knowledge):
    return fit_model(knowledge, 1, SMALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return train_model(tmp_path_factory.mktemp("trained") / "model", 1, fit=SMALL, evaluation=QUICK)


def test_numpy_and_torch_agree(knowledge, fit):
    model, networks = fit
    cohort = draw_cohort(500, np.random.default_rng(9), knowledge)
    values, known, _ = read_cohort(model.schema, cohort, knowledge)
    encoded = encode(model.schema, values, known)
    prior = class_prior(model.schema, model.schema.prior)
    mine = np.exp(class_logs(evidence(model, encoded), prior))
    with torch.no_grad():
        x = torch.tensor(encoded, dtype=torch.float32)
        logs = torch.stack([n(x) for n in networks]) / model.schema.temperature + torch.tensor(np.log(prior))
        theirs = torch.softmax(logs, dim=-1).numpy()
    assert np.abs(mine - theirs).max() < 1e-5


def test_of_a_case_of_which_nothing_is_known_the_prior_remains(fit):
    model, _ = fit
    schema = model.schema
    nothing = encode(schema, np.full((1, len(schema.inputs)), np.nan), np.zeros((1, len(schema.groups)), dtype=bool))
    prior = class_prior(schema, schema.prior)
    assert np.exp(class_logs(evidence(model, nothing), prior))[:, 0] == pytest.approx(np.stack([prior, prior]))


def test_the_same_seed_gives_the_same_weights(knowledge, fit):
    again, _ = fit_model(knowledge, 1, SMALL)
    assert all(np.array_equal(fit[0].weights[name], again.weights[name]) for name in again.weights)
    assert again.schema == fit[0].schema


def test_members_learned_from_different_worlds_differ(fit):
    assert not np.allclose(fit[0].weights["w3"][0], fit[0].weights["w3"][1])


def test_a_stored_model_reads_back_as_it_was_trained(folder, fit):
    stored = load_model(folder)
    assert stored.schema == fit[0].schema
    assert all(np.array_equal(stored.weights[name], fit[0].weights[name]) for name in fit[0].weights)


def test_the_card_says_what_the_model_is_made_of(folder):
    card = (folder / "card.md").read_text()
    assert "No patient data" in card
    assert "For research use only" in card
    figures = json.loads((folder / "evaluation.json").read_text())
    area = figures["auroc_op_against"]["consolidating_mimics"]
    assert f"{area['value']:.2f} ({area['low']:.2f} to {area['high']:.2f})" in card


def test_a_folder_with_something_else_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("keep")
    with pytest.raises(OutputError, match="not a model"):
        train_model(tmp_path, 1, fit=SMALL, evaluation=QUICK)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_missing_model_ends_the_command_with_its_own_code(tmp_path, capsys):
    assert main(["evaluate", "--model", str(tmp_path / "nowhere")]) == 5
    assert "incomplete" in capsys.readouterr().err
