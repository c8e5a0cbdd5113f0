"""The torch network and the numpy one are the same; a state is gone on with as if it had not been left."""

import numpy as np
import pytest
import torch

from cop_imaging.anatomy.lung_network.forward import channels as numpy_channels
from cop_imaging.anatomy.lung_network.forward import forward
from cop_imaging.training.lungs import loop, pool
from cop_imaging.training.lungs.network import TorchLungs, exported, fold, unfold
from cop_imaging.training.lungs.views import View, channels

TINY = (4, 4, 6, 6)


@pytest.fixture(autouse=True)
def one_thread():
    """Threads on grids this small wait for each other more than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def chest(shape=(16, 32, 32)):
    """A block of tissue with two dark lungs, an airless corner in one and fluid in the other; HU, label, airless."""
    hu, label = np.full(shape, -1000, dtype=np.int16), np.zeros(shape, dtype=np.uint8)
    hu[:, 4:28, 2:30] = 40
    label[2:14, 8:24, 4:14], label[2:14, 8:24, 18:28] = 1, 2
    dense = np.zeros(shape, dtype=bool)
    dense[2:8, 16:24, 4:14] = True
    hu[(label > 0) & ~dense] = -850
    label[2:8, 18:24, 18:28] = 3
    hu[label == 3] = 5
    return hu, label, dense


def view_of_chest():
    hu, label, dense = chest()
    return View(torch.tensor(hu).float(), torch.tensor(label), torch.tensor(dense))


def randomised(network):
    """Statistics and scales unlike those at the start."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_(0.0, 0.2)
            module.running_var.uniform_(0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
    return network.eval()


def test_numpy_and_torch_give_the_same_logits():
    network = randomised(TorchLungs(TINY))
    x = numpy_channels(chest()[0])
    with torch.no_grad():
        expected = network(torch.tensor(x)[None])[0].numpy()
    np.testing.assert_allclose(forward(exported(network), x), expected, atol=1e-4)


def test_both_see_the_same_channels():
    hu = np.linspace(-1024, 1500, 48).astype(np.int16).reshape(2, 4, 6)
    np.testing.assert_allclose(channels(torch.tensor(hu).float()).numpy(), numpy_channels(hu), atol=1e-6)


def test_unfolding_takes_folding_back():
    x = torch.arange(2 * 3 * 4 * 6 * 8).reshape(2, 3, 4, 6, 8)
    assert torch.equal(unfold(fold(x)), x)


def test_a_tiny_network_learns_one_chest_with_its_airless_lung_and_fluid():
    training = loop.Training.begun(0, (8, 8, 8, 8), torch.device("cpu"))
    for _ in range(90):
        training.learn([view_of_chest()], 1e-2)
    hu, label, dense = chest()
    found = forward(exported(training.network.eval()), numpy_channels(hu)).argmax(axis=0)
    assert (found[dense] == 1).mean() > 0.9
    for number in (1, 2, 3):
        assert (
            2 * ((found == number) & (label == number)).sum() / ((found == number).sum() + (label == number).sum())
            > 0.9
        )


def test_a_step_whose_gradient_is_no_number_is_forgotten():
    training = loop.Training.begun(0, TINY, torch.device("cpu"))
    training.learn([view_of_chest()], 1e-2)
    kept = {name: value.clone() for name, value in training.mean.state_dict().items()}
    broken = view_of_chest()
    broken.hu[10, 10, 10] = torch.nan
    training.learn([broken], 1e-2)
    for name, value in training.network.state_dict().items():
        assert torch.equal(value, kept[name])


def test_unknown_voxels_change_no_loss():
    logits = torch.randn(1, 5, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    label = torch.zeros(1, 8, 8, 8, dtype=torch.uint8)
    label[0, 2:6, 2:6, 2:6] = 1
    label[0, :2] = 255
    dense = torch.zeros(1, 8, 8, 8, dtype=torch.bool)
    other = logits.clone()
    other[:, :, :2] = 100.0 * torch.randn(1, 5, 2, 8, 8)
    assert torch.allclose(loop.loss_of(logits, label, dense)[0], loop.loss_of(other, label, dense)[0], atol=1e-5)


def test_missing_airless_lung_costs_more_than_missing_as_much_aerated_lung():
    label = torch.ones(1, 8, 8, 8, dtype=torch.uint8)
    label[:, :4] = 0
    dense = torch.zeros(1, 8, 8, 8, dtype=torch.bool)
    dense[:, 4:6] = True
    right = torch.nn.functional.one_hot(label.long(), 5).movedim(-1, 1).float() * 6.0
    bitten, pale = right.clone(), right.clone()
    bitten[:, :, 4:6], pale[:, :, 6:8] = right[:, :, :2], right[:, :, :2]
    assert loop.loss_of(bitten, label, dense)[0] > loop.loss_of(pale, label, dense)[0]


@pytest.fixture
def samples(tmp_path, monkeypatch):
    """A folder with two samples, whose views are the samples with noise."""
    folder = tmp_path / "samples"
    folder.mkdir()
    hu, label, dense = chest()
    for name in ("made-00001", "t01_scan-00001"):
        np.savez(folder / f"{name}.npz", hu=hu, label=label, dense=np.packbits(dense))

    def noisy(sample, rng):
        noise = torch.tensor(rng.normal(0.0, 20.0, sample.hu.shape).astype(np.float32))
        return View(sample.hu.float() + noise, sample.label, sample.dense)

    monkeypatch.setattr(pool, "view_of", noisy)
    return folder


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(samples, tmp_path):
    options = {"batch": 1, "save_every": 2, "widths": TINY}
    whole, _ = loop.train_lungs(samples, tmp_path / "whole.pt", steps=6, **options)
    loop.train_lungs(samples, tmp_path / "parts.pt", steps=6, minutes=0.0, **options)
    stopped = torch.load(tmp_path / "parts.pt", weights_only=True)
    assert stopped["step"] < 6
    parts, curve = loop.train_lungs(samples, tmp_path / "parts.pt", steps=6, **options)
    for a, b in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert curve[-1]["step"] == 6
    weights, _ = loop.trained(tmp_path / "parts.pt", TINY)
    assert all(np.array_equal(weights[name], array) for name, array in exported(whole).items())


def test_kept_statistics_do_not_move(samples, tmp_path):
    loop.train_lungs(samples, tmp_path / "a.pt", steps=2, batch=1, widths=TINY)
    before = torch.load(tmp_path / "a.pt", weights_only=True)["network"]
    loop.train_lungs(samples, tmp_path / "a.pt", steps=4, batch=1, widths=TINY, statistics=False)
    after = torch.load(tmp_path / "a.pt", weights_only=True)["network"]
    for name in before:
        if "running" in name:
            assert torch.equal(before[name], after[name])
    assert not torch.equal(before["classes.weight"], after["classes.weight"])


def test_a_new_training_begins_with_the_mean_of_another_at_its_first_step(samples, tmp_path):
    loop.train_lungs(samples, tmp_path / "a.pt", steps=3, batch=1, widths=TINY)
    mean, _ = loop.train_lungs(samples, tmp_path / "b.pt", steps=0, widths=TINY, begin_with=tmp_path / "a.pt")
    weights, _ = loop.trained(tmp_path / "a.pt", TINY)
    assert all(np.array_equal(weights[name], array) for name, array in exported(mean).items())
    _, curve = loop.train_lungs(samples, tmp_path / "b.pt", steps=2, widths=TINY, begin_with=tmp_path / "a.pt")
    assert [row["step"] for row in curve] == [2.0]


def test_views_made_by_several_threads_come_in_order_and_are_those_of_one(samples):
    chests = pool.Samples(samples, torch.device("cpu"))
    one, several = (list(pool.views_ahead(chests, range(3, 14), 2, 5, makers)) for makers in (1, 4))
    assert len(one) == len(several) == 11
    for a, b in zip(one, several, strict=True):
        assert all(torch.equal(x.hu, y.hu) for x, y in zip(a, b, strict=True))
