"""Training of the lung network: resumable, on a GPU when there is one, in hours on two processor cores."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from cop_imaging.anatomy.lung_network.forward import CLASSES
from cop_imaging.core.arrays import Float32Array
from cop_imaging.training.lungs.network import WIDTHS, TorchLungs, exported
from cop_imaging.training.lungs.pool import Samples, views_ahead
from cop_imaging.training.lungs.views import View, channels

__all__ = ["LEARNING_RATE", "Training", "loss_of", "train_lungs", "trained"]

LEARNING_RATE, WEIGHT_DECAY, WARM_UP = 2.5e-3, 1e-3, 60
KEPT = 0.998
"""Share of the running mean of the weights that a step keeps."""
AIRLESS_WEIGHT, FLUID_WEIGHT = 4.0, 2.0
VIEW_MAKERS = 8
"""Threads that make views on a GPU, which waits for their small operations; on processors they only share the cores."""
UNKNOWN = 255
LONGEST_GRADIENT = 2.0


def train_lungs(
    samples: Path,
    state: Path,
    *,
    steps: int,
    batch: int = 2,
    seed: int = 3,
    minutes: float | None = None,
    rate: float = LEARNING_RATE,
    statistics: bool = True,
    begin_with: Path | None = None,
    save_every: int = 100,
    widths: tuple[int, ...] = WIDTHS,
    tell: Callable[[str], None] | None = None,
) -> tuple[TorchLungs, list[dict[str, float]]]:
    """Train up to ``steps`` and return the running mean of the networks and the training curve.

    Goes on from the file ``state`` when it exists: the learning rate then follows the new number of steps.

    Parameters
    ----------
    samples : folder
        Of ``make_samples``; it may grow meanwhile.
    minutes : float, optional
        Stop after this time, at a state that can be gone on with.
    rate : float
        Highest learning rate.
    statistics : bool
        Learn the normalisation's statistics too; without it they stay as they are, for small batches at the end.
    begin_with : file, optional
        State of an earlier training whose mean network a new one begins with, at step 0 and with a new optimiser.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    training = Training.begun(seed, widths, device)
    if state.exists():
        training.take_up(state)
    elif begin_with is not None:
        training.begin_with(begin_with)
    for module in training.network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.train(statistics)
    pool = Samples(samples, device)
    end = np.inf if minutes is None else time.monotonic() + 60.0 * minutes
    recent, told = [], time.monotonic()
    makers = VIEW_MAKERS if device.type == "cuda" else 1
    for views in views_ahead(pool, range(training.step, steps), batch, seed, makers):
        part = min((training.step + 1) / WARM_UP, 0.5 + 0.5 * float(np.cos(np.pi * training.step / steps)) + 1e-3)
        recent.append(training.learn(views, rate * part))
        late = time.monotonic() > end
        if training.step % save_every == 0 or training.step == steps or late:
            training.curve.append({"step": float(training.step), **averaged(recent)})
            training.save(state)
            if tell:
                row = " ".join(f"{name} {value:.3f}" for name, value in training.curve[-1].items())
                tell(f"{row} files {pool.refresh()} {(time.monotonic() - told) / len(recent):.3f} s/step")
            recent, told = [], time.monotonic()
        if late:
            break
    return training.mean, training.curve


def trained(
    state: Path, widths: tuple[int, ...] = WIDTHS, *, earlier: Path | None = None, share: float = 1.0
) -> tuple[dict[str, Float32Array], list[dict[str, float]]]:
    """The weights that prediction reads, from the running mean of a saved state, and the training curve.

    Parameters
    ----------
    earlier : file, optional
        A state that this training began with: the weights lie between the two, with ``share`` of the later one, number
        by number and with the normalisation multiplied in.
    """
    training = Training.begun(0, widths, torch.device("cpu"))
    training.take_up(state)
    weights = exported(training.mean)
    if earlier is not None:
        before = Training.begun(0, widths, torch.device("cpu"))
        before.take_up(earlier)
        weights = {name: old + share * (weights[name] - old) for name, old in exported(before.mean).items()}
    return weights, training.curve


@dataclass(slots=True, eq=False)
class Training:
    """Network, running mean of its weights, optimiser, steps done and the curve so far."""

    network: TorchLungs
    mean: TorchLungs
    optimiser: torch.optim.Optimizer
    step: int
    curve: list[dict[str, float]]

    @classmethod
    def begun(cls, seed: int, widths: tuple[int, ...], device: torch.device) -> Training:
        """From random weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = TorchLungs(widths)
        network = network.to(device)
        if device.type == "cuda":
            network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        mean = deepcopy(network).eval()
        fused = device.type == "cuda"
        optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=fused)
        return cls(network, mean, optimiser, 0, [])

    def take_up(self, state: Path) -> None:
        """Go on from a saved state."""
        old = torch.load(state, weights_only=True, map_location=next(self.network.parameters()).device)
        self.network.load_state_dict(old["network"])
        self.mean.load_state_dict(old["mean"])
        if old["optimiser"] is not None:
            self.optimiser.load_state_dict(old["optimiser"])
        self.step, self.curve = int(old["step"]), list(old["curve"])

    def begin_with(self, state: Path) -> None:
        """Begin anew with the mean network of a saved state."""
        old = torch.load(state, weights_only=True, map_location=next(self.network.parameters()).device)
        self.network.load_state_dict(old["mean"])
        self.mean.load_state_dict(old["mean"])

    def save(self, path: Path) -> None:
        """Write the state whole or not at all."""
        part = path.with_name(f".{path.name}.part")
        state = {"network": self.network.state_dict(), "mean": self.mean.state_dict(), "step": self.step}
        torch.save({**state, "optimiser": self.optimiser.state_dict(), "curve": self.curve}, part)
        os.replace(part, path)

    def learn(self, views: list[View], rate: float) -> dict[str, torch.Tensor]:
        """One step; what was seen on it, by name."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        hu, label, dense = (torch.stack([view[n] for view in views]) for n in range(3))
        # On a processor half precision takes half the time, but the statistics learned with it are at times no number.
        learns = any(m.training for m in self.network.modules() if isinstance(m, torch.nn.BatchNorm3d))
        with torch.autocast(hu.device.type, torch.bfloat16, enabled=hu.is_cuda or not learns):
            logits = self.network(channels(hu))
        loss, figures = loss_of(logits.float(), label, dense)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        length = torch.nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
        self.step += 1
        if torch.isfinite(length):
            self.optimiser.step()
            running_mean(self.mean, self.network, min(KEPT, self.step / (self.step + 19)))
        else:  # the normalisation's statistics have suffered too
            self.network.load_state_dict(self.mean.state_dict())
        return figures


def loss_of(
    logits: torch.Tensor, label: torch.Tensor, dense: torch.Tensor
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Cross-entropy that weighs airless lung and fluid, and one minus the classes' soft Dice.

    Parameters
    ----------
    logits : float32 (n, 5, z, y, x)
    label : uint8 (n, z, y, x)
        255 where nothing is known.
    dense : bool (n, z, y, x)
    """
    known = (label != UNKNOWN).float()
    target = torch.where(label == UNKNOWN, 0, label).long()
    lung = (target == 1) | (target == 2)
    weight = known * (1.0 + AIRLESS_WEIGHT * (dense & lung) + FLUID_WEIGHT * (target == 3))
    entropy = functional.cross_entropy(logits, target, reduction="none")
    shares = torch.softmax(logits, dim=1) * known[:, None]
    dices, figures = [], {}
    for number in range(1, len(CLASSES)):
        truth, found = (target == number).float() * known, shares[:, number]
        dice = (2.0 * (truth * found).sum() + 50.0) / (truth.sum() + found.sum() + 50.0)
        dices.append(dice)
        figures[CLASSES[number].split()[0]] = dice.detach()
    loss = (entropy * weight).sum() / weight.sum() + 1.0 - torch.stack(dices).mean()
    airless = (dense & lung).float() * known
    kept = ((shares[:, 1] + shares[:, 2]) * airless).sum().detach()
    bite = torch.where(airless.sum() > 100.0, kept / airless.sum().clamp(min=1.0), torch.nan)
    return loss, {"loss": loss.detach(), "airless": bite, **figures}


@torch.no_grad()
def running_mean(mean: TorchLungs, network: TorchLungs, kept: float) -> None:
    """Move the mean's weights and statistics towards the network's."""
    ours, theirs = list(mean.state_dict().values()), list(network.state_dict().values())
    torch._foreach_lerp_(
        [a for a in ours if a.is_floating_point()], [b for b in theirs if b.is_floating_point()], 1.0 - kept
    )


def averaged(rows: list[dict[str, torch.Tensor]]) -> dict[str, float]:
    """Means by name, without what was undefined."""
    return {k: float(torch.stack([r[k] for r in rows]).nanmean()) for k in rows[0]}
