"""Training of the lung network: resumable, on a GPU when there is one, in hours on two processor cores."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cop_imaging.anatomy.lung_net import LungNet
from cop_imaging.anatomy.lung_windows import windows
from cop_imaging.core.arrays import Float32Array, UInt8Array
from cop_imaging.training.lungs.augment import augmented
from cop_imaging.training.lungs.samples import IGNORED
from cop_imaging.training.lungs.store import load

__all__ = ["loss_of", "train"]

LEARNING_RATE, WEIGHT_DECAY, WARM_UP = 2e-3, 1e-3, 100
KEPT = 0.997
"""Share of the running mean of the weights that a step keeps."""
MADE = 0.5
"""Share of made chests among the samples."""
DENSE_WEIGHT, FLUID_WEIGHT = 4.0, 2.0
SAVE_EVERY = 50
CENTRE_SHARE = 0.5
"""How often scans of the centre that has most of them are taken beside the others."""


def train(
    samples: Path, state: Path, *, steps: int, seed: int = 3, threads: int = 1, centre: tuple[str, ...] = (),
    tell: Callable[[str], None] = print,
) -> Path:  # fmt: skip
    """Train up to ``steps`` and return the file of the state; an existing state is taken up where it was.

    Parameters
    ----------
    samples : folder
        May grow meanwhile.
    centre : tuple of str
        Beginnings of the names of scans that come from one place.
    """
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    net = LungNet().to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    mean = LungNet().to(device)
    mean.load_state_dict(net.state_dict())
    optimizer = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    step, curve = 0, []
    if state.exists():
        old = torch.load(state, weights_only=True, map_location=device)
        net.load_state_dict(old["net"])
        mean.load_state_dict(old["mean"])
        optimizer.load_state_dict(old["optimizer"])
        step, curve = int(old["step"]), list(old["curve"])
    recent: list[dict[str, float]] = []
    begun = time.monotonic()
    while step < steps:
        rng = np.random.default_rng([seed, step])
        hu, label, dense = augmented(load(chosen(samples, centre, rng)), rng)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min((step + 1) / WARM_UP, 0.5 + 0.5 * np.cos(np.pi * step / steps) + 1e-3)
        x = windows(hu).to(device, memory_format=torch.channels_last_3d)
        with torch.autocast(device.type, torch.bfloat16):
            scores = net(x)
        loss, figures = loss_of(scores.float()[0], label, dense)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimizer.step()
        share = min(KEPT, (step + 1) / (step + 20))
        with torch.no_grad():
            for a, b in zip(mean.parameters(), net.parameters(), strict=True):
                a.lerp_(b, 1.0 - share)
        step += 1
        recent.append(figures)
        if step % SAVE_EVERY == 0 or step == steps:
            row = {k: float(np.nanmean([r.get(k, np.nan) for r in recent])) for k in recent[-1] | recent[0]}
            curve.append({"step": step, **row})
            recent = []
            save({"net": net.state_dict(), "mean": mean.state_dict(), "optimizer": optimizer.state_dict(),
                  "step": step, "curve": curve}, state)  # fmt: skip
            figures_text = " ".join(f"{k} {v:.3f}" for k, v in row.items())
            tell(f"step {step} {figures_text} {(time.monotonic() - begun) / SAVE_EVERY:.2f} s/step")
            begun = time.monotonic()
    return state


def save(state: dict[str, Any], path: Path) -> None:
    """Write the state whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    torch.save(state, part)
    os.replace(part, path)


def chosen(samples: Path, centre: tuple[str, ...], rng: np.random.Generator) -> Path:
    """A file: made or inserted, the scans equally often but for those of one centre."""
    names = sorted(p.name for p in samples.glob("*.npz"))
    made = [n for n in names if n.startswith("made-")]
    scans: dict[str, list[str]] = {}
    for n in names:
        if not n.startswith("made-"):
            scans.setdefault(n.rsplit("-", 1)[0], []).append(n)
    if not scans or (made and rng.random() < MADE):
        return samples / made[int(rng.integers(len(made)))]
    keys = sorted(scans)
    share = np.array([CENTRE_SHARE if centre and k.startswith(centre) else 1.0 for k in keys])
    own = scans[keys[int(rng.choice(len(keys), p=share / share.sum()))]]
    return samples / own[int(rng.integers(len(own)))]


def loss_of(
    scores: torch.Tensor, label: UInt8Array, dense: Float32Array
) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross-entropy that weighs airless lung and fluid, and soft Dice of every class.

    Parameters
    ----------
    scores : float32 (5, z, y, x)
    label : uint8 [z, y, x]
    dense : float32 [z, y, x]
    """
    known = torch.from_numpy((label != IGNORED).astype(np.float32)).to(scores.device)
    target = torch.from_numpy(np.where(label == IGNORED, 0, label).astype(np.int64)).to(scores.device)
    airless = torch.from_numpy(dense).to(scores.device) * ((target == 1) | (target == 2))
    weight = known * (1.0 + DENSE_WEIGHT * airless + FLUID_WEIGHT * (target == 3))
    entropy = functional.cross_entropy(scores[None], target[None], reduction="none")[0]
    p = torch.softmax(scores, dim=0) * known
    truth = functional.one_hot(target, len(scores)).movedim(-1, 0) * known
    both = (p * truth).sum(dim=(1, 2, 3))
    total = (p.sum(dim=(1, 2, 3)) + truth.sum(dim=(1, 2, 3))).clamp(min=1.0)
    present = truth.sum(dim=(1, 2, 3)) > 20
    present[0] = False
    dice = 2.0 * both / total
    loss = (entropy * weight).sum() / weight.sum() + (1.0 - dice[present]).mean()
    figures = {"loss": float(loss.detach())}
    with torch.no_grad():
        lung = p[1] + p[2]
        if float(airless.sum()) > 100:
            figures["bite"] = float((lung * airless).sum() / airless.sum())
        for n, name in ((1, "right"), (3, "fluid"), (4, "airways")):
            if bool(present[n]):
                figures[name] = float(dice[n])
    return loss, figures
