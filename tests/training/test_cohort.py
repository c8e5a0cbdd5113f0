"""Drawn cohorts say what the tables say, with dependence, and nothing else tells the diagnosis."""

import numpy as np
import pytest
from scipy.stats import norm

from cop_imaging.signs.distribution import distribution_features
from cop_imaging.synth.diseases.findings import BLOCKS, draw_findings, from_quantiles
from cop_imaging.synth.diseases.knowledge import load_knowledge
from cop_imaging.synth.diseases.rates import EXCLUSIVE, mean_table, rates_from
from cop_imaging.training.cohort import draw_cohort
from cop_imaging.training.config import CohortConfig
from cop_imaging.training.declaration import INPUTS
from cop_imaging.training.measured import false_volume_ml
from cop_imaging.training.metrics import auroc

N = 60_000


@pytest.fixture(scope="module")
def knowledge():
    return load_knowledge()


@pytest.fixture(scope="module")
def cohort(knowledge):
    """Every disease as often as any other, so that each has thousands of cases."""
    even = np.full(len(knowledge.diseases), 1 / len(knowledge.diseases))
    return draw_cohort(N, np.random.default_rng(3), knowledge, prevalence=even)


def test_the_tables_are_complete(knowledge):
    assert len(knowledge.diseases) == 16
    assert len(knowledge.findings) == 32
    assert knowledge.prevalence.sum() == pytest.approx(1)
    assert knowledge.subtype_share.sum() == pytest.approx(1)
    assert knowledge.op_fraction[knowledge.disease("COP")] == 1
    assert knowledge.op_fraction[knowledge.disease("CEP")] == 0


def test_presence_rates_per_disease_are_those_of_the_table(knowledge, cohort):
    table = mean_table(knowledge)
    rates = rates_from(table, knowledge)
    q = knowledge.op_fraction[:, None]
    expected = q * (knowledge.subtype_share @ rates.op) + (1 - q) * rates.other
    # Where organizing pneumonia alone would explain more than a table row states, the row cannot be kept exactly.
    assert np.abs(expected - table).max() < 0.06
    assert (np.abs(expected - table) < 1e-9).mean() > 0.85
    for d in range(16):
        mine = cohort.findings.disease == d
        error = 5 * np.sqrt(np.maximum(expected[d] * (1 - expected[d]), 1e-3) / mine.sum())
        assert (np.abs(cohort.findings.present[mine].mean(axis=0) - expected[d]) < error).all()


def test_the_forms_of_organizing_pneumonia_give_the_row_of_cop(knowledge):
    table = mean_table(knowledge)
    mixed = knowledge.subtype_share @ rates_from(table, knowledge).op
    assert mixed == pytest.approx(table[knowledge.disease("COP")], abs=0.005)


def test_extents_given_presence_have_the_quantiles_of_the_table(knowledge, cohort):
    column = knowledge.extents.index("consolidation")
    extent = cohort.findings.extent[cohort.findings.op, column]
    measured = np.quantile(extent[extent > 0], [0.1, 0.5, 0.9])
    assert measured == pytest.approx(knowledge.extent_quantiles[knowledge.disease("COP"), column], rel=0.1)


def test_findings_of_a_block_share_a_latent_severity(knowledge):
    """Tetrachoric check: two findings at a rate of one half agree in 1/2 + arcsin(r)/pi of cases."""
    half = np.full_like(mean_table(knowledge), 0.5)
    rates = rates_from(half, knowledge)
    drawn = draw_findings(
        N, np.random.default_rng(5), knowledge, rates, prevalence=knowledge.prevalence, correlation=0.4
    )
    present = drawn.present[~drawn.op]

    def latent_correlation(one, other):
        agree = (present[:, knowledge.finding(one)] == present[:, knowledge.finding(other)]).mean()
        return np.sin(np.pi * (agree - 0.5))

    assert latent_correlation("consolidation", "air_bronchogram") == pytest.approx(0.4, abs=0.03)
    assert latent_correlation("reticulation", "honeycombing") == pytest.approx(0.4, abs=0.03)
    assert latent_correlation("patchy", "diffuse") == pytest.approx(-0.4, abs=0.03)
    assert latent_correlation("consolidation", "reticulation") == pytest.approx(0.0, abs=0.03)
    assert all(name in knowledge.findings for block in BLOCKS.values() for name in block)


def test_exclusive_findings_never_meet(knowledge, cohort):
    for first, second in EXCLUSIVE:
        present = cohort.findings.present
        assert not (present[:, knowledge.finding(first)] & present[:, knowledge.finding(second)]).any()


def test_absent_is_not_zero_but_what_a_healthy_chest_measures(knowledge, cohort):
    has = cohort.findings.present
    clear = ~has.any(axis=1, where=np.array([f not in {"normal_lung_volume"} for f in knowledge.findings]))
    volume = cohort.columns["ground_glass.volume_ml"][clear & cohort.assessable["ground_glass"]]
    low, median, high = np.quantile(volume, [0.1, 0.5, 0.9])
    # Measurement noise widens the drawn volumes a little.
    assert (median, high) == pytest.approx(knowledge.false_volumes["ground_glass"][1:], rel=0.35)
    assert 0 < low < median / 2
    assert (volume > 0).mean() > 0.9


def test_quantiles_are_kept_by_both_ways_of_drawing():
    u = norm.cdf([-1.2815515655446004, 0, 1.2815515655446004])
    assert from_quantiles(np.array([2.0, 8.0, 25.0]), u) == pytest.approx([2, 8, 25])
    assert false_volume_ml((0.0, 0.3, 1.5), u) == pytest.approx([0, 0.3, 1.5])


def test_distribution_findings_drive_the_measured_numbers(knowledge, cohort):
    def median(name, finding):
        has = cohort.findings.present[:, knowledge.finding(finding)]
        extensive = cohort.columns["consolidation.extent_percent"] > 3
        values = cohort.columns[f"consolidation.{name}"]
        return np.nanmedian(values[extensive & has]) / np.nanmedian(values[extensive & ~has])

    assert median("peripheral_to_central", "peripheral") > 1.5
    assert median("lower_to_upper", "lower_zone_predominant") > 1.5
    assert median("lower_to_upper", "upper_zone_predominant") < 0.6
    assert median("bilateral_index", "bilateral") > 3
    assert median("peribronchovascular_ratio", "peribronchovascular") > 1.3
    assert median("patch_count", "unilateral_single_focus") < 0.5
    assert median("subpleural_sparing", "subpleural_sparing") < 0.7


def test_measured_numbers_stay_inside_their_declared_range(cohort):
    for sign in ("consolidation", "ground_glass"):
        for feature in distribution_features(sign, sign):
            values = cohort.columns.get(feature.name, np.array([0.0]))
            assert np.nanmin(values) >= (feature.low if feature.low is not None else -np.inf)
            assert np.nanmax(values) <= (feature.high if feature.high is not None else np.inf)


def test_the_model_reads_declared_features_only():
    declared = {f.name for s in ("consolidation", "ground_glass", "reversed_halo") for f in distribution_features(s, s)}
    declared |= {"reversed_halo.count", "reversed_halo.possible_count", "lungs.volume_ml"}
    declared |= {"reversed_halo.best_outer_diameter_mm", "reversed_halo.best_rim_mm"}
    assert {i.name for i in INPUTS} <= declared


def test_an_empty_mask_has_extent_zero_and_undefined_ratios(cohort):
    looked = cohort.assessable["consolidation"]
    empty = looked & (cohort.columns["consolidation.volume_ml"] == 0)
    assert empty.sum() > 100
    assert np.isnan(cohort.columns["consolidation.bilateral_index"][empty]).all()
    assert (cohort.columns["consolidation.extent_percent"][empty] == 0).all()
    assert np.isnan(cohort.columns["consolidation.extent_percent"][~looked]).all()


def test_nuisance_does_not_know_the_diagnosis(cohort):
    op = cohort.findings.op
    blind = np.sum([~bit for bit in cohort.assessable.values()], axis=0)
    for nuisance in (
        cohort.body.height_cm,
        cohort.body.inspiration,
        cohort.body.male,
        cohort.body.right_fraction,
        blind,
    ):
        assert auroc(np.asarray(nuisance, dtype=float), op) == pytest.approx(0.5, abs=0.015)


def test_the_seed_decides_the_cohort(knowledge):
    one, same, other = (draw_cohort(500, np.random.default_rng(s), knowledge, redraw=True) for s in (1, 1, 2))
    assert all(np.array_equal(one.columns[n], same.columns[n], equal_nan=True) for n in one.columns)
    assert not np.array_equal(one.findings.present, other.findings.present)


def test_missing_signs_are_as_frequent_as_asked(knowledge):
    cohort = draw_cohort(20_000, np.random.default_rng(1), knowledge, config=CohortConfig(not_assessable=0.2))
    assert np.isnan(cohort.columns["ground_glass.extent_percent"]).mean() == pytest.approx(0.2, abs=0.015)
