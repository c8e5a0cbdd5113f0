"""The small torch networks that learn what the numpy classifier runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from cop_imaging.classifier.encode import encode
from cop_imaging.classifier.schema import ModelSchema
from cop_imaging.core.arrays import BoolArray, Float64Array, Int32Array

__all__ = ["HIDDEN", "Network", "exported", "reproducible_torch", "train_network"]

HIDDEN = 32
BATCH = 1024
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 1e-4
PARTIAL = 0.5
"""Share of the cases of a batch of which the network sees only a random subset of the groups: it learns to answer
when signs are not assessable, and what each group adds."""
UNDEFINED = 0.02
"""Share of optional numbers withheld as undefined though the mask is not empty."""


class Network(nn.Module):
    """Two hidden layers; the output for a case of which nothing is known is subtracted, so the prior stands there."""

    nothing: torch.Tensor

    def __init__(self, schema: ModelSchema) -> None:
        super().__init__()
        values = np.full((1, len(schema.inputs)), np.nan)
        nothing = encode(schema, values, np.zeros((1, len(schema.groups)), dtype=bool))
        self.layers = nn.Sequential(
            nn.Linear(nothing.shape[1], HIDDEN),
            nn.Tanh(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.Tanh(),
            nn.Linear(HIDDEN, len(schema.classes)),
        )
        self.register_buffer("nothing", torch.tensor(nothing, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, classes) log-likelihood ratios, up to a constant per case."""
        out: torch.Tensor = self.layers(x) - self.layers(self.nothing)
        return out


@contextmanager
def reproducible_torch() -> Iterator[None]:
    """The same numbers on every run: one thread, deterministic algorithms only; the settings come back afterwards."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)


@reproducible_torch()
def train_network(
    schema: ModelSchema,
    values: Float64Array,
    known: BoolArray,
    labels: Int32Array,
    class_prior: Float64Array,
    *,
    rng: np.random.Generator,
    epochs: int,
) -> Network:
    """Fit one member to cases (n, k) by cross-entropy, with Adam and a cosine schedule.

    ``class_prior`` (classes,) is the mixture that the cases were drawn from: the network learns what the measures add
    to it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        network = Network(schema)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = epochs * (len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=max(steps, 1))
    prior = torch.tensor(np.log(class_prior), dtype=torch.float32)
    target = torch.tensor(labels, dtype=torch.long)
    for _ in range(epochs):
        x = torch.tensor(_thinned(schema, values, known, rng), dtype=torch.float32)
        order = torch.tensor(rng.permutation(len(labels)))
        for batch in order[: len(order) // BATCH * BATCH].reshape(-1, BATCH):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(network(x[batch]) + prior, target[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return network


def _thinned(schema: ModelSchema, values: Float64Array, known: BoolArray, rng: np.random.Generator) -> Float64Array:
    """Encoded cases with groups and single numbers withheld at random."""
    n, groups = known.shape
    partial = rng.random((n, 1)) < PARTIAL
    kept = rng.random((n, groups)) < rng.random((n, 1))
    optional = np.array([i.optional for i in schema.inputs])
    withheld = (rng.random(values.shape) < UNDEFINED) & optional
    return encode(schema, np.where(withheld, np.nan, values), known & (kept | ~partial))


def exported(networks: list[Network]) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """The members' weights as the classifier's arrays, ``w`` (m, in, out) and ``b`` (m, 1, out) by layer."""
    out = {}
    for number, position in enumerate((0, 2, 4), start=1):
        layers = [layer for network in networks if isinstance(layer := network.layers[position], nn.Linear)]
        out[f"w{number}"] = np.stack([layer.weight.detach().numpy().T for layer in layers]).astype(np.float32)
        out[f"b{number}"] = np.stack([layer.bias.detach().numpy()[None] for layer in layers]).astype(np.float32)
    return out
