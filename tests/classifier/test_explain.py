"""Shapley values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.classifier.explain import shapley


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6))
def test_in_an_additive_game_everyone_gets_what_they_bring(gains):
    assert shapley(lambda members: members @ np.array(gains) + 3.0, len(gains)) == pytest.approx(gains, abs=1e-9)


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_values_sum_to_the_whole_gain(players, seed):
    worth = np.random.default_rng(seed).normal(size=2**players)
    weights = 1 << np.arange(players - 1, -1, -1)
    values = shapley(lambda members: worth[members @ weights], players)
    assert values.sum() == pytest.approx(worth[-1] - worth[0], abs=1e-9)


def test_what_only_two_together_achieve_is_shared_evenly():
    values = shapley(lambda members: (members[:, 0] & members[:, 1]).astype(float), 3)
    assert values == pytest.approx([0.5, 0.5, 0.0])


def test_without_players_there_is_nothing_to_share():
    assert shapley(lambda members: np.ones(len(members)), 0).shape == (0,)
