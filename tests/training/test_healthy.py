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


def vector_with(**values: float) -> FeatureVector:
    schema = schema_of(SIGNS)
    numbers = np.full(len(schema.features), np.nan)
    for name, value in values.items():
        numbers[schema.names.index(name.replace("__", "."))] = value
    none = np.full_like(numbers, np.nan)
    return FeatureVector(schema, numbers, none, none, {}, dict.fromkeys(schema.signs, True))


def test_measuring_healthy_chests_rewrites_the_table_of_false_volumes(tmp_path, monkeypatch):
    seen = []

    def measured(seed: int) -> FeatureVector:
        seen.append(seed)
        return vector_with(
            consolidation__volume_ml=0.1,
            ground_glass__volume_ml=10.0 + seed,
            reversed_halo__count=0.0,
        )

    monkeypatch.setattr(healthy, "healthy_vector", measured)
    healthy.measure_healthy(12, 5, tmp_path)
    assert seen == list(range(5, 17))
    rows = {r["sign"]: r for r in csv.DictReader(io.StringIO((tmp_path / healthy.TABLE).read_text()))}
    assert float(rows["ground_glass"]["p50"]) == pytest.approx(20.5, abs=0.1)
    assert float(rows["ground_glass"]["p10"]) <= 2.0  # made chests vary less than people
    assert float(rows["ground_glass"]["p90"]) >= 30.0
    assert "12" in rows["ground_glass"]["note"]
    assert not list(tmp_path.glob("*.partial"))


def test_training_leaves_the_settings_of_torch_as_they_were():
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with reproducible_torch():
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
