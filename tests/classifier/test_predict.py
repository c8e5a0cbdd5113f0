"""The likelihood answers as a careful reader would expect, and its numbers add up."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import logit

from cop_imaging.classifier import ClassifierConfig, predict
from cop_imaging.classifier.measures import measurement_draws, read_measures
from cop_imaging.errors import ConfigError, ModelError

EMPTY = float("nan")


def test_a_normal_chest_has_a_few_percent_at_most(scan, model, normal):
    found = predict(scan(normal), model)
    assert found.op.p < 0.05
    assert found.differential[0].disease == "NORMAL"


def test_patchy_bilateral_peripheral_consolidation_raises_the_prior_well(scan, model, normal, patchy):
    found = predict(scan(patchy), model)
    prior = sum(found.prior[d] * model.schema.op_fraction[d] for d in found.prior)
    assert 0.1 < prior < 0.25
    assert found.op.p > 0.5
    assert found.differential[0].disease == "OP"


def test_the_more_patchy_peripheral_consolidation_the_likelier(scan, model, normal, patchy):
    steps = []
    for part in (0.0, 0.3, 0.6, 1.0):
        between = {
            n: normal[n] + part * (patchy[n] - normal[n]) if np.isfinite(normal[n]) else normal[n] for n in normal
        }
        steps.append(predict(scan(between), model).op.p)
    assert steps == sorted(steps)
    assert steps[-1] > 20 * steps[0]


def test_a_reversed_halo_raises_the_likelihood(scan, model, patchy, halo):
    without, with_one = predict(scan(patchy), model), predict(scan(patchy | halo), model)
    assert logit(with_one.op.p) - logit(without.op.p) > 1
    gain = {c.name: c.log_odds for c in with_one.contributions}
    assert gain["reversed_halo"] > 1


def test_one_sided_lobar_consolidation_reads_as_bacterial_pneumonia(scan, model, patchy):
    lobar = patchy | {
        "consolidation.bilateral_index": 0.0,
        "consolidation.patch_count": 2.0,
        "consolidation.largest_share": 0.95,
        "consolidation.zones_hit": 2.0,
        "consolidation.peripheral_to_central": 1.0,
        "ground_glass.bilateral_index": 0.1,
        "ground_glass.extent_percent": 3.0,
    }
    found = predict(scan(lobar), model)
    assert found.op.p < 0.2
    assert found.differential[0].disease == "CAP"


def test_upper_peripheral_consolidation_brings_eosinophilic_pneumonia_forward(scan, model, patchy):
    upper = patchy | {"consolidation.lower_to_upper": 0.35, "ground_glass.lower_to_upper": 0.4}
    share = {d.disease: d.p for d in predict(scan(patchy), model).differential}
    share_upper = {d.disease: d.p for d in predict(scan(upper), model).differential}
    assert share_upper["CEP"] > 2 * share["CEP"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    measured=st.fixed_dictionaries(
        {
            "consolidation.extent_percent": st.floats(0, 40),
            "ground_glass.extent_percent": st.floats(0, 60),
            "consolidation.peripheral_to_central": st.floats(0.1, 10),
            "consolidation.bilateral_index": st.floats(0, 1),
            "reversed_halo.count": st.integers(1, 3).map(float),
        }
    ),
    blind=st.sets(st.sampled_from(["lungs", "consolidation", "reversed_halo"])),
)
def test_numbers_add_up_whatever_was_measured(scan, model, patchy, measured, blind):
    halo = {"reversed_halo.best_outer_diameter_mm": 28.0, "reversed_halo.best_rim_mm": 5.0}
    found = predict(scan(patchy | halo | measured, blind=tuple(blind), width=0.2), model)
    assert sum(d.p for d in found.differential) == pytest.approx(1, abs=1e-9)
    assert sum(c.log_odds for c in found.contributions) == pytest.approx(logit(found.op.p), abs=1e-9)
    assert found.op.low <= found.op.p <= found.op.high
    assert next(d.p for d in found.differential if d.disease == "OP") == pytest.approx(found.op.p, abs=1e-9)
    seen = {name.partition(".")[0] for c in found.contributions for name in c.features}
    assert seen == {"lungs", "consolidation", "ground_glass", "reversed_halo"} - blind


def test_the_prior_contributes_its_own_log_odds(scan, model, patchy):
    found = predict(scan(patchy), model)
    prior = sum(found.prior[d] * model.schema.op_fraction[d] for d in found.prior)
    assert found.contributions[0].name == "prior"
    assert found.contributions[0].log_odds == pytest.approx(logit(prior), abs=1e-9)


def test_another_prior_works_by_bayes_rule(scan, model, patchy):
    one = replace(model, weights={name: array[:1] for name, array in model.weights.items()})
    prior = dict.fromkeys(model.schema.prior, 1 / 16)
    before, after = predict(scan(patchy), one), predict(scan(patchy), one, prior=prior)
    p = {d.disease: d.p for d in before.differential}
    fraction = model.schema.op_fraction
    ratio = {
        d: (prior[d] / before.prior[d])
        if d != "OP"
        else sum(prior[k] * fraction[k] for k in prior) / sum(before.prior[k] * fraction[k] for k in prior)
        for d in p
    }
    total = sum(p[d] * ratio[d] for d in p)
    for row in after.differential:
        assert row.p == pytest.approx(p[row.disease] * ratio[row.disease] / total, abs=1e-9)
    assert after.prior == pytest.approx(prior)


def test_a_disease_excluded_by_the_prior_stays_excluded(scan, model, patchy):
    prior = dict(model.schema.prior) | {"CEP": 0.0}
    found = predict(scan(patchy), model, prior=prior)
    assert {d.disease: d.p for d in found.differential}["CEP"] == 0
    assert sum(c.log_odds for c in found.contributions) == pytest.approx(logit(found.op.p), abs=1e-9)


@pytest.mark.parametrize(
    "change",
    [{"CAT": 0.1}, {"COP": -0.1}, {"COP": float("nan")}, dict.fromkeys(["COP"], 0.0)],
    ids=["unknown", "negative", "not a number", "no organizing pneumonia"],
)
def test_a_prior_that_makes_no_sense_is_refused(scan, model, patchy, change):
    prior = dict(model.schema.prior) | change
    if change == {"COP": 0.0}:
        prior = dict.fromkeys(prior, 0.0) | {"CEP": 1.0}
    with pytest.raises(ConfigError):
        predict(scan(patchy), model, prior=prior)


def test_not_assessable_is_not_zero(scan, model, normal):
    """A sign that could not be looked for argues neither for nor against; one that is absent argues against."""
    absent = normal | {
        name: EMPTY
        for name in normal
        if name.startswith("consolidation") and not name.endswith(("percent", "patch_count", "zones_hit"))
    }
    absent |= {"consolidation.extent_percent": 0.0, "consolidation.patch_count": 0.0, "consolidation.zones_hit": 0.0}
    looked, blind = predict(scan(absent), model), predict(scan(absent, blind=("consolidation",)), model)
    assert looked.op.p < 0.5 * blind.op.p
    assert {c.name for c in looked.contributions} - {c.name for c in blind.contributions} == {
        "consolidation",
        "consolidation_pattern",
    }


def test_a_likelihood_without_a_sign_is_limited_and_says_why(scan, model, patchy):
    found = predict(scan(patchy, blind=("ground_glass",)), model)
    assert found.status == "limited"
    assert "ground glass" in found.reason
    assert predict(scan(patchy), model).status == "ok"
    assert predict(scan(patchy), model, limited=True).status == "limited"


def test_no_likelihood_is_given_without_both_density_signs(scan, model, patchy):
    vector = scan(patchy, blind=("consolidation", "ground_glass"))
    assert predict(vector, model) is None
    assert predict(vector, model, ClassifierConfig(least_density_signs=0)) is not None
    assert predict(scan(patchy, blind=("ground_glass",)), model, ClassifierConfig(least_density_signs=2)) is None


def test_the_order_of_the_vector_has_no_effect(scan, model, patchy):
    turned = dict(reversed(list(patchy.items()))) | {"bands.count": 3.0}
    assert predict(scan(turned), model) == predict(scan(patchy), model)


def test_a_vector_without_a_needed_feature_is_refused_by_name(scan, model, patchy):
    del patchy["consolidation.bilateral_index"]
    with pytest.raises(ModelError, match=r"consolidation\.bilateral_index"):
        predict(scan(patchy), model)


def test_a_wider_measurement_widens_the_band(scan, model, patchy):
    narrow, wide = predict(scan(patchy), model), predict(scan(patchy, width=0.4), model)
    assert wide.op.high - wide.op.low > narrow.op.high - narrow.op.low > 0
    assert wide.op.p == narrow.op.p


def test_where_there_may_be_nothing_of_a_sign_the_band_reaches_what_nothing_of_it_gives(scan, model, patchy):
    pattern = {name: EMPTY for name in patchy if name.startswith("consolidation.")}
    none = patchy | pattern | dict.fromkeys(("consolidation.patch_count", "consolidation.zones_hit"), 0.0)
    none["consolidation.extent_percent"] = 0.0
    sure = scan(patchy)
    extent = list(patchy).index("consolidation.extent_percent")
    bare = replace(sure, low=np.where(np.arange(len(patchy)) == extent, 0.0, sure.low))
    draws = measurement_draws(read_measures(bare, model.schema), model.schema)[0]
    absent = read_measures(scan(none), model.schema).values
    assert any(np.array_equal(draw, absent, equal_nan=True) for draw in draws)
    without = draws[:, [i.name for i in model.schema.inputs].index("consolidation.extent_percent")] == 0.0
    assert all(np.array_equal(draw, absent, equal_nan=True) for draw in draws[without])
    assert predict(bare, model).op.low < predict(sure, model).op.low


def test_tempered_evidence_stays_nearer_to_the_prior(scan, model, patchy):
    full, half = predict(scan(patchy), model), predict(scan(patchy), model, ClassifierConfig(evidence_weight=0.5))
    prior = full.contributions[0].log_odds
    assert prior < logit(half.op.p) < logit(full.op.p)


def test_measures_outside_the_training_range_are_flagged(scan, model, patchy):
    assert not predict(scan(patchy), model).out_of_distribution
    assert predict(scan(patchy | {"lungs.volume_ml": 40_000.0}), model).out_of_distribution


def test_measures_that_are_each_usual_but_together_unheard_of_are_flagged(scan, model, patchy):
    odd = patchy | {
        "consolidation.peripheral_to_central": 9.0,
        "ground_glass.peripheral_to_central": 0.15,
        "consolidation.lower_to_upper": 15.0,
        "ground_glass.lower_to_upper": 0.1,
        "consolidation.bilateral_index": 1.0,
        "ground_glass.bilateral_index": 0.0,
        "consolidation.peribronchovascular_ratio": 4.0,
        "ground_glass.peribronchovascular_ratio": 0.4,
    }
    for name, value in odd.items():
        assert not predict(scan(patchy | {name: value}), model).out_of_distribution
    assert predict(scan(odd), model).out_of_distribution


def test_the_same_vector_gives_the_same_answer(scan, model, patchy):
    assert (
        predict(scan(patchy, width=0.1), model).model_dump_json()
        == predict(scan(patchy, width=0.1), model).model_dump_json()
    )


def test_every_class_has_a_title(scan, model, patchy):
    found = predict(scan(patchy), model)
    assert len({d.title for d in found.differential}) == len(model.schema.classes) == 16
    assert np.isclose(sum(found.prior.values()), 1)
