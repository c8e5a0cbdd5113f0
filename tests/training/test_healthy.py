"""What healthy made chests show becomes the false volumes of the knowledge tables."""

import csv
import io

import numpy as np
import pytest
import torch

from cop_imaging.core import FeatureVector
from cop_imaging.signs import SIGNS, schema_of
from cop_imaging.training import healthy
from cop_imaging.training.network import reproducible_torch

TABLE = (
    "number,state,median,log_sd,evidence,note\n"
    "peripheral_to_central,false,0.7,0.8,E,\n"
    "peripheral_to_central,neither,1.0,0.5,E,kept\n"
)


def vector_with(**values: float) -> FeatureVector:
    schema = schema_of(SIGNS)
    numbers = np.full(len(schema.features), np.nan)
    for name, value in values.items():
        numbers[schema.names.index(name.replace("__", "."))] = value
    none = np.full_like(numbers, np.nan)
    return FeatureVector(schema, numbers, none, none, {}, dict.fromkeys(schema.signs, True))


def test_the_false_rows_become_the_medians_of_what_was_measured_and_other_rows_stay():
    vectors = [vector_with(ground_glass__peripheral_to_central=x) for x in np.linspace(0.05, 0.15, 11)]
    rows = list(csv.DictReader(io.StringIO(healthy.false_distribution(TABLE, vectors, "chests"))))
    assert float(rows[0]["median"]) == pytest.approx(0.1)
    assert float(rows[0]["log_sd"]) >= healthy.LEAST_SPREAD
    assert rows[0]["evidence"] == "M"
    assert rows[1] == {
        "number": "peripheral_to_central",
        "state": "neither",
        "median": "1.0",
        "log_sd": "0.5",
        "evidence": "E",
        "note": "kept",
    }


def test_too_few_measured_values_leave_a_row_as_it_was():
    vectors = [vector_with(ground_glass__peripheral_to_central=0.1)] * 9
    assert healthy.false_distribution(TABLE, vectors, "chests") == TABLE


def test_measuring_healthy_chests_rewrites_both_tables(tmp_path, monkeypatch):
    (tmp_path / healthy.DISTRIBUTION).write_text(TABLE)
    seen = []

    def measured(seed: int) -> FeatureVector:
        seen.append(seed)
        return vector_with(
            consolidation__volume_ml=0.1,
            ground_glass__volume_ml=10.0 + seed,
            reversed_halo__count=0.0,
            ground_glass__peripheral_to_central=0.1,
        )

    monkeypatch.setattr(healthy, "healthy_vector", measured)
    healthy.measure_healthy(12, 5, tmp_path)
    assert seen == list(range(5, 17))
    rows = {r["sign"]: r for r in csv.DictReader(io.StringIO((tmp_path / healthy.VOLUMES).read_text()))}
    assert float(rows["ground_glass"]["p50"]) == pytest.approx(20.5, abs=0.1)
    assert "12" in rows["ground_glass"]["note"]
    assert not list(tmp_path.glob("*.partial"))


def test_training_leaves_the_settings_of_torch_as_they_were():
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with reproducible_torch():
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
