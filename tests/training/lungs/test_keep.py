"""A network is written whole, with its card, and read back as it was but for half precision."""

import numpy as np
import pytest
import torch

from cop_imaging.anatomy.lung_network import load_lung_network
from cop_imaging.errors import OutputError
from cop_imaging.training.lungs.keep import store_network
from cop_imaging.training.lungs.network import TorchLungs, exported

FIGURES = {
    "samples": "Two samples.",
    "training": "Seed 3.",
    "groups": {"scans left out": {"network": {"samples": 4.0, "lung_dice": 0.971, "bite_recall": 0.9}}},
}
CURVE = [{"step": 100.0, "loss": 1.5, "airless": 0.4}, {"step": 200.0, "loss": 0.5, "airless": 0.8}]


@pytest.fixture
def weights():
    torch.manual_seed(0)
    return exported(TorchLungs((4, 4, 6, 6)))


def test_what_is_written_is_what_is_read(weights, tmp_path):
    folder = store_network(weights, CURVE, FIGURES, tmp_path / "network")
    network = load_lung_network(folder)
    assert set(network.weights) == set(weights)
    for name, array in weights.items():
        np.testing.assert_allclose(network.weights[name], array, rtol=1e-3, atol=1e-4)
    assert len(network.digest) == 64


def test_the_same_weights_give_the_same_bytes(weights, tmp_path):
    a, b = (store_network(weights, CURVE, FIGURES, tmp_path / name) for name in "ab")
    assert all((b / path.name).read_bytes() == path.read_bytes() for path in a.iterdir())


def test_the_card_shows_figures_curve_and_failures(weights, tmp_path):
    card = (store_network(weights, CURVE, FIGURES, tmp_path / "network") / "card.md").read_text()
    assert "| scans left out (4) | network | 0.971 | 0.900 | - |" in card
    assert "| 200 | 0.50 | 0.80 |" in card
    assert "Known failures" in card
    assert "not a medical device" in card.lower()


def test_a_network_is_replaced_but_another_folder_is_left_alone(weights, tmp_path):
    folder = store_network(weights, CURVE, FIGURES, tmp_path / "network")
    store_network(weights, CURVE[:1], FIGURES, folder)
    assert '"step": 200' not in (folder / "curve.json").read_text()
    other = tmp_path / "letters"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="not a network"):
        store_network(weights, CURVE, FIGURES, other)
    assert (other / "letter.txt").read_text() == "dear"
