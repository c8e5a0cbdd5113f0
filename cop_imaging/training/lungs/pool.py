"""The samples of a folder on the device that trains, and random views of them made ahead."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from cop_imaging.training.lungs.views import Stored, View, view_of

__all__ = ["Samples", "views_ahead"]

MADE = 0.35
"""Share of made chests among the views."""
CENTRE, CENTRE_SHARE = ("t08", "t09", "t10", "t11", "t13", "t15"), 0.5
"""Scans of the centre that has most of them are shown half as often as the others."""


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


def views_ahead(pool: Samples, steps: range, batch: int, seed: int, makers: int = 1) -> Iterator[list[View]]:
    """The views of each step; those of the next ones are made, on streams of their own, while this one is learned."""
    gpu = pool.device.type == "cuda"
    reader = torch.cuda.current_stream() if gpu else None
    own = threading.local()

    def made(step: int) -> list[View]:
        rng = np.random.default_rng([seed, step])
        if gpu and not hasattr(own, "stream"):
            own.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream = own.stream if gpu else None
        with torch.cuda.stream(stream):
            views = [view_of(pool.draw(rng), rng) for _ in range(batch)]
        if stream and reader:
            stream.synchronize()
            for tensor in (tensor for view in views for tensor in view):
                tensor.record_stream(reader)
        return views

    with ThreadPoolExecutor(makers) as ahead:
        waiting = deque(ahead.submit(made, step) for step in steps[: makers + 1])
        for step in steps:
            views = waiting.popleft().result()
            if step + makers + 1 < steps.stop:
                waiting.append(ahead.submit(made, step + makers + 1))
            yield views
