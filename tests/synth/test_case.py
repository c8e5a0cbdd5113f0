"""Cases follow the tables, and nothing but what is ill in them tells the diagnosis."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from cop_imaging.errors import UsageError
from cop_imaging.synth.case import CaseSpec, draw_case, draw_disease
from cop_imaging.synth.diseases import load_knowledge, mean_table, rates_from

EACH = 330
"""Draws of each of the 16 diseases: 5,280 in all."""


@pytest.fixture(scope="module")
def knowledge():
    return load_knowledge()


@pytest.fixture(scope="module")
def cases(knowledge):
    # Every case has its own seed: in a cohort no seed occurs twice.
    return [
        draw_case(disease, 16 * n + k, knowledge=knowledge)
        for n in range(EACH)
        for k, disease in enumerate(knowledge.diseases)
    ]


def columns(sections):
    """Every field of drawn settings as numbers: words become one column each."""
    rows = [section.model_dump() for section in sections]
    out = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        if any(isinstance(v, str) for v in values):
            out += [[float(v == word) for v in values] for word in sorted({str(v) for v in values})[1:]]
        else:
            out.append([-1.0 if v is None else float(v) for v in values])
    table = np.array(out).T
    return table[:, table.std(axis=0) > 0]


MODELS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300)),
    "tree": DecisionTreeClassifier(max_depth=5, min_samples_leaf=25, random_state=0),
}


def skill(model, values, truth, folds=5):
    """Cross-validated AUROC and its standard error under chance (Hanley and McNeil 1982)."""
    split = StratifiedKFold(folds, shuffle=True, random_state=0)
    p = cross_val_predict(model, values, truth, cv=split, method="predict_proba")[:, 1]
    with_it, without = truth.sum(), (~truth).sum()
    return roc_auc_score(truth, p), np.sqrt((with_it + without + 1) / (12.0 * with_it * without))


@pytest.mark.parametrize("part", ["scanner", "body"])
def test_neither_scanner_nor_body_tells_whether_the_pattern_is_organizing_pneumonia(cases, part):
    values = columns([getattr(case, part) for case in cases])
    truth = np.array([case.op for case in cases])
    for name, model in MODELS.items():
        area, error = skill(model, values, truth)
        assert area + 1.96 * error < 0.55, f"{name}: {area:.3f}"
    # Against shuffled labels the truth is nothing special.
    model, rng = MODELS["logistic regression"], np.random.default_rng(1)
    area, _ = skill(model, values, truth)
    shuffled = [skill(model, values, rng.permutation(truth), folds=3)[0] for _ in range(19)]
    assert area < max(shuffled)


@pytest.mark.parametrize("part", ["scanner", "body"])
def test_neither_scanner_nor_body_tells_one_disease_from_the_others(cases, knowledge, part):
    values = columns([getattr(case, part) for case in cases])
    names = np.array([case.disease for case in cases])
    drawn = [skill(MODELS["logistic regression"], values, names == d, folds=3) for d in knowledge.diseases]
    area, error = np.mean([a for a, _ in drawn]), np.mean([e for _, e in drawn]) / np.sqrt(len(drawn))
    assert area + 1.96 * error < 0.55


def test_body_and_scanner_of_a_seed_are_the_same_whatever_the_disease(knowledge):
    one, *others = (draw_case(d, 77, knowledge=knowledge) for d in knowledge.diseases)
    assert all((other.body, other.scanner) == (one.body, one.scanner) for other in others)
    assert draw_case("COP", 78, knowledge=knowledge).scanner != one.scanner


def test_blood_is_as_bright_as_the_phase_of_the_scan_makes_it(cases):
    for case in cases[:400]:
        bright = max(case.body.blood_hu, case.body.pulmonary_hu or 0.0) > 80.0
        assert bright == (case.scanner.contrast_phase != "none")


def test_findings_are_as_frequent_as_the_tables_say(cases, knowledge):
    table = mean_table(knowledge)
    rates = rates_from(table, knowledge)
    q = knowledge.op_fraction[:, None]
    expected = q * (knowledge.subtype_share @ rates.op) + (1 - q) * rates.other
    for d, disease in enumerate(knowledge.diseases):
        own = [case for case in cases if case.disease == disease]
        share = np.array([np.mean([f in case.findings for case in own]) for f in knowledge.findings])
        error = 4.5 * np.sqrt(expected[d] * (1 - expected[d]) / len(own)) + 1e-9
        assert (np.abs(share - expected[d]) < error).all(), disease
        # But for rates that organizing pneumonia alone would exceed, this is the table itself.
        assert np.isclose(expected[d], table[d], atol=0.08).mean() > 0.9, disease


@pytest.mark.parametrize("finding", ["consolidation", "ground_glass", "reticulation"])
def test_extents_have_the_quantiles_of_the_tables(cases, knowledge, finding):
    row, column = knowledge.disease("COP"), knowledge.extents.index(finding)
    extents = np.array([case.extents[finding] for case in cases if case.op and case.has(finding)])
    assert len(extents) > 80
    for p, quantile in zip((0.1, 0.5, 0.9), knowledge.extent_quantiles[row, column], strict=True):
        assert abs((extents < quantile).mean() - p) < 4.0 * np.sqrt(p * (1 - p) / len(extents))


def test_an_extent_is_given_for_present_findings_and_no_others(cases, knowledge):
    for case in cases:
        assert set(case.extents) == set(case.findings) & set(knowledge.extents)
        assert all(value <= 85.0 for name, value in case.extents.items() if name != "pleural_effusion")


def test_organizing_pneumonia_and_its_forms_are_as_frequent_as_the_tables_say(cases, knowledge):
    for d, disease in enumerate(knowledge.diseases):
        share, q = np.mean([case.op for case in cases if case.disease == disease]), knowledge.op_fraction[d]
        assert abs(share - q) <= 4.0 * np.sqrt(q * (1 - q) / EACH)
    forms = [case.subtype for case in cases if case.op]
    for name, share in zip(knowledge.subtypes, knowledge.subtype_share, strict=True):
        assert abs(np.mean([form == name for form in forms]) - share) < 4.0 * np.sqrt(share * (1 - share) / len(forms))
    assert all((case.subtype is not None) == case.op == (case.label == "OP") for case in cases)


def test_context_is_as_frequent_as_the_tables_say(cases, knowledge):
    own = [case for case in cases if case.disease == "CEP"]
    for item, rate in knowledge.context["CEP"].items():
        share = np.mean([case.context[item] for case in own])
        assert abs(share - rate) < 4.5 * np.sqrt(rate * (1 - rate) / len(own)), item


def test_a_case_comes_back_from_json_as_it_was(cases):
    for case in cases[:64]:
        assert CaseSpec.model_validate_json(case.model_dump_json()) == case


def test_the_same_seed_draws_the_same_case(cases, knowledge):
    assert draw_case(cases[5].disease, cases[5].seed) == cases[5]
    assert draw_disease(12, knowledge) == draw_disease(12, knowledge)


def test_diseases_are_drawn_by_prevalence_or_evenly_among_some(knowledge):
    drawn = [draw_disease(seed, knowledge) for seed in range(2000)]
    share = knowledge.prevalence[knowledge.disease("COP")]
    assert abs(drawn.count("COP") / 2000 - share) < 4.0 * np.sqrt(share * (1 - share) / 2000)
    two = [draw_disease(seed, knowledge, ("COP", "CEP")) for seed in range(1000)]
    assert set(two) == {"COP", "CEP"}
    assert abs(two.count("COP") - 500) < 65


def test_an_unknown_disease_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match=r"no disease 'FLU'.*NORMAL, COP"):
        draw_case("FLU", 1)
