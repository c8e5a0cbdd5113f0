"""Training of the lung network: resumable, on a GPU when there is one, in hours on two processor cores."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cop_imaging.anatomy.lung_network.forward import CLASSES
from cop_imaging.training.lungs.network import WIDTHS, TorchLungs
from cop_imaging.training.lungs.views import Stored, View, channels, view_of

__all__ = ["loss_of", "train_lungs"]

LEARNING_RATE, WEIGHT_DECAY, WARM_UP = 2.5e-3, 1e-3, 60
KEPT = 0.998
"""Share of the running mean of the weights that a step keeps."""
MADE = 0.45
"""Share of made chests among the views."""
CENTRE, CENTRE_SHARE = ("t08", "t09", "t10", "t11", "t13", "t15"), 0.5
"""Scans of the centre that has most of them are shown half as often as the others."""
AIRLESS_WEIGHT, FLUID_WEIGHT = 3.0, 1.5
UNKNOWN = 255


class Samples:
    """The samples of a folder on the device; files that appear later are taken up by ``refresh``."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.folder, self.device = folder, device
        self.stored: dict[str, dict[str, Stored]] = {}
        self.refresh()

    def refresh(self) -> int:
        """Read new files; how many there are now."""
        for path in sorted(self.folder.glob("*.npz")):
            kind = path.stem.rsplit("-", 1)[0]
            own = self.stored.setdefault(kind, {})
            if path.name not in own:
                own[path.name] = self.read(path)
        return sum(len(own) for own in self.stored.values())

    def read(self, path: Path) -> Stored:
        """One file."""
        with np.load(path) as z:
            hu, label = z["hu"], z["label"]
            dense = np.unpackbits(z["dense"], count=hu.size).reshape(hu.shape) > 0
        return Stored(*(torch.from_numpy(np.ascontiguousarray(a)).to(self.device) for a in (hu, label, dense)))

    def draw(self, rng: np.random.Generator) -> Stored:
        """A made chest or a scan, every scan equally often but for those of one centre."""
        scans = sorted(k for k in self.stored if k != "made")
        if not scans or ("made" in self.stored and rng.random() < MADE):
            kind = "made"
        else:
            share = np.array([CENTRE_SHARE if k.startswith(CENTRE) else 1.0 for k in scans])
            kind = scans[int(rng.choice(len(scans), p=share / share.sum()))]
        own = self.stored[kind]
        return own[sorted(own)[int(rng.integers(len(own)))]]


def train_lungs(
    samples: Path,
    state: Path,
    *,
    steps: int,
    batch: int = 2,
    seed: int = 3,
    minutes: float | None = None,
    save_every: int = 100,
    widths: tuple[int, ...] = WIDTHS,
    rate: float = LEARNING_RATE,
    tell: Callable[[str], None] | None = None,
) -> TorchLungs:
    """Train up to ``steps`` and return the running mean of the networks; goes on from ``state`` when it exists.

    Parameters
    ----------
    samples : folder
        Of ``make_samples``; it may grow meanwhile.
    minutes : float, optional
        Stop after this time, at a state that can be gone on with.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = True
    network = TorchLungs(widths).to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    mean = deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=WEIGHT_DECAY)
    step, curve = 0, []
    if state.exists():
        old = torch.load(state, weights_only=True, map_location=device)
        network.load_state_dict(old["network"])
        mean.load_state_dict(old["mean"])
        optimiser.load_state_dict(old["optimiser"])
        step, curve = int(old["step"]), list(old["curve"])
    pool = Samples(samples, device)
    begun, told, recent = time.monotonic(), time.monotonic(), []
    while step < steps and (minutes is None or time.monotonic() - begun < 60.0 * minutes):
        rng = np.random.default_rng([seed, step])
        views = [view_of(pool.draw(rng), rng) for _ in range(batch)]
        for group in optimiser.param_groups:
            group["lr"] = rate * min((step + 1) / WARM_UP, 0.5 + 0.5 * float(np.cos(np.pi * step / steps)) + 1e-3)
        recent.append(one_step(network, optimiser, views))
        running_mean(mean, network, min(KEPT, (step + 1) / (step + 20)))
        step += 1
        if step % save_every == 0 or step == steps:
            row = {"step": float(step), **averaged(recent)}
            curve.append(row)
            save(
                {
                    "network": network.state_dict(),
                    "mean": mean.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "step": step,
                    "curve": curve,
                },
                state,
            )
            if tell:
                took = (time.monotonic() - told) / len(recent)
                tell(" ".join(f"{k} {v:.3f}" for k, v in row.items()) + f" files {pool.refresh()} {took:.3f} s/step")
            recent, told = [], time.monotonic()
    return mean


def one_step(network: TorchLungs, optimiser: torch.optim.Optimizer, views: list[View]) -> dict[str, torch.Tensor]:
    """Learn from some views; what was seen on them, by name."""
    hu, label, dense = (torch.stack([getattr(v, name) for v in views]) for name in View._fields)
    with torch.autocast(hu.device.type, torch.bfloat16):
        logits = network(channels(hu).contiguous(memory_format=torch.channels_last_3d))
    loss, figures = loss_of(logits.float(), label, dense)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
    optimiser.step()
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
    torch._foreach_lerp_(  # type: ignore[attr-defined]
        [a for a in ours if a.is_floating_point()], [b for b in theirs if b.is_floating_point()], 1.0 - kept
    )


def averaged(rows: list[dict[str, torch.Tensor]]) -> dict[str, float]:
    """Means by name, without what was undefined."""
    return {k: float(torch.stack([r[k] for r in rows]).nanmean()) for k in rows[0]}


def save(state: dict[str, Any], path: Path) -> None:
    """Write the state whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    torch.save(state, part)
    os.replace(part, path)
