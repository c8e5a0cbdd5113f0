"""The lung network runs with numpy alone; its layers are what they claim, its weights are read and checked once."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cop_imaging.anatomy.lung_network import CLASSES, LungNetwork, channels, load_lung_network, lung_logits
from cop_imaging.anatomy.lung_network.layers import conv, fold, mix, unfold
from cop_imaging.config import asset_path
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import resample
from cop_imaging.errors import ModelError
from cop_imaging.synth import coarse_grid, draw_case, make_case

RIGHT, LEFT, FLUID = 1, 2, 3
ASSET = asset_path("models", "lungs_network")


def dice(a, b):
    return 2.0 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def phantom():
    return make_case(draw_case("COP", 4242), coarse_grid())


@pytest.fixture(scope="module")
def labels(phantom):
    found = lung_logits(phantom.volume.hu, phantom.volume.geometry, load_lung_network())
    return on_full_grid(found, phantom.volume.geometry)


def on_full_grid(found, full):
    return resample(found.labels, found.geometry, full, method="nearest", outside=0)


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(*(st.integers(1, 7),) * 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 2**20),
)
def test_a_convolution_is_the_sum_of_correlations_with_zeros_outside(shape, channels_in, channels_out, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(channels_in, *shape)).astype(np.float32)
    weight = rng.normal(size=(channels_out, channels_in, 3, 3, 3)).astype(np.float32)
    bias = rng.normal(size=channels_out).astype(np.float32)
    expected = [
        bias[o] + sum(ndimage.correlate(x[i], weight[o, i], mode="constant") for i in range(channels_in))
        for o in range(channels_out)
    ]
    np.testing.assert_allclose(conv(x, weight, bias), expected, atol=1e-4)


def test_a_grid_larger_than_one_block_of_columns_has_no_seam():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 20, 21, 22)).astype(np.float32)
    weight, bias = rng.normal(size=(3, 2, 3, 3, 3)).astype(np.float32), np.zeros(3, dtype=np.float32)
    expected = [sum(ndimage.correlate(x[i], weight[o, i], mode="constant") for i in range(2)) for o in range(3)]
    np.testing.assert_allclose(conv(x, weight, bias), expected, atol=1e-4)


def test_unfolding_takes_folding_back_and_a_folded_block_stays_together():
    x = np.arange(2 * 4 * 6 * 8, dtype=np.float32).reshape(2, 4, 6, 8)
    np.testing.assert_array_equal(unfold(fold(x)), x)
    assert set(fold(x)[:8, 1, 2, 3]) == set(x[0, 2:4, 4:6, 6:8].ravel())


def test_mixing_acts_on_each_voxel_alone():
    x = np.random.default_rng(0).normal(size=(3, 2, 4, 5)).astype(np.float32)
    weight, bias = np.eye(3, dtype=np.float32)[[2, 0]], np.array([1.0, -1.0], dtype=np.float32)
    np.testing.assert_allclose(mix(x, weight, bias), x[[2, 0]] + bias[:, None, None, None])


def test_fluid_and_airless_lung_differ_more_in_the_soft_channel_and_bone_still_shows_in_the_wide_one():
    wide, soft = channels(np.array([[[10, 45, 300, 800]]], dtype=np.int16))[:, 0, 0]
    assert soft[1] - soft[0] > 5 * (wide[1] - wide[0])
    assert wide[3] > wide[2]


def test_the_weights_are_read_once_and_cannot_be_changed():
    network = load_lung_network()
    assert load_lung_network(ASSET) is network
    with pytest.raises(ValueError, match="read-only"):
        network.weights["classes.bias"][0] = 1.0


def test_changed_weights_are_refused(tmp_path):
    folder = shutil.copytree(ASSET, tmp_path / "network")
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=r"weights\.safetensors .* does not match"):
        load_lung_network(folder)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="incomplete"):
        load_lung_network(tmp_path / "nothing")


def test_the_network_is_small_enough_to_travel():
    assert (ASSET / "weights.safetensors").stat().st_size < 12e6
    assert sum(array.size for array in load_lung_network().weights.values()) < 3.5e6


def test_no_torch_is_loaded_to_run_it():
    code = (
        "import sys; from cop_imaging.anatomy.lung_network import load_lung_network; load_lung_network(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_lungs_of_a_chest_with_consolidation_are_found_each_on_its_side(phantom, labels):
    truth = phantom.truth["lungs"]
    assert dice(np.isin(labels, (RIGHT, LEFT)), truth > 0) > 0.95
    dense = phantom.truth["consolidation"] & (truth > 0)
    assert dense.any()
    assert np.isin(labels, (RIGHT, LEFT))[dense].mean() > 0.8
    both = np.isin(labels, (RIGHT, LEFT)) & (truth > 0)
    assert (labels[both] == truth[both]).mean() > 0.995
    assert (labels == FLUID).sum() * phantom.volume.geometry.voxel_ml < 30.0


def test_a_mirrored_chest_has_mirrored_lungs_with_sides_changed(phantom, labels):
    mirrored = np.ascontiguousarray(phantom.volume.hu[:, :, ::-1])
    found = lung_logits(mirrored, phantom.volume.geometry, load_lung_network())
    back = on_full_grid(found, phantom.volume.geometry)[:, :, ::-1]
    for side, other in ((RIGHT, LEFT), (LEFT, RIGHT)):
        # The cubes' borders fall elsewhere on the mirrored grid, by up to half of a voxel.
        assert dice(back == side, labels == other) > 0.95
        assert not ((back == side) & (labels == side)).any()


def test_logits_lie_on_cubes_around_the_body_and_do_not_change_from_run_to_run():
    weights = {name: array.copy() for name, array in load_lung_network().weights.items()}
    geometry = Geometry((20, 40, 50), (5.0, 4.0, 4.0), (-100.0, -80.0, 7.0))
    hu = np.full(geometry.shape, -1000, dtype=np.int16)
    hu[:, 8:32, 8:42] = 40
    first, second = (lung_logits(hu, geometry, LungNetwork(weights)) for _ in range(2))
    np.testing.assert_array_equal(first.logits, second.logits)
    assert first.logits.shape == (len(CLASSES), *first.geometry.shape)
    assert first.geometry.spacing_mm == (3.5, 3.5, 3.5)
    low, high = (
        first.geometry.to_patient((0.0, 0.0, 0.0)),
        first.geometry.to_patient(np.array(first.geometry.shape) - 1),
    )
    assert low[0] > -100.0 + 8 * 4.0 - 20.0
    assert high[0] < -100.0 + 42 * 4.0 + 20.0
