"""Samples on disk: one file each, made once; a call that was stopped goes on where it was."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from cop_imaging.ingest import read_series
from cop_imaging.training.lungs.samples import Sample, Scan, inserted_sample, made_sample, scan_of

__all__ = ["load", "make_samples", "names_of"]


def names_of(folder: Path, kind: str) -> list[Path]:
    """Files of a kind, ``made`` or the name of a scan."""
    return sorted(folder.glob(f"{kind}-*.npz"))


def load(path: Path) -> Sample:
    """A stored sample."""
    with np.load(path) as z:
        return Sample(z["hu"], z["label"], np.unpackbits(z["dense"], count=z["hu"].size).reshape(z["hu"].shape) > 0,
                      tuple(str(n) for n in z["families"]))  # fmt: skip


def save(sample: Sample, path: Path) -> None:
    """Store a sample whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("wb") as file:
        np.savez_compressed(
            file, hu=sample.hu, label=sample.label, dense=np.packbits(sample.dense), families=np.array(sample.families)
        )
    os.replace(part, path)


def make_samples(
    folder: Path,
    seeds: Iterable[int],
    scans: list[Path],
    *,
    made: bool = True,
    without: tuple[str, ...] = (),
    other_shapes: bool = False,
) -> Iterator[Path]:
    """For every seed a made chest and a disease in one of the scans in turn; yields what is there, old or new."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        if made:
            path = folder / f"made-{seed:05d}.npz"
            if not path.exists():
                save(made_sample(seed, without=without), path)
            yield path
        if scans:
            source = scans[seed % len(scans)]
            path = folder / f"{source.name.split('.')[0]}-{seed:05d}.npz"
            if not path.exists():
                scan = measured(source, folder)
                save(inserted_sample(scan, seed, without=without, other_shapes=other_shapes), path)
            yield path


def measured(source: Path, folder: Path) -> Scan:
    """A scan segmented and measured, from the folder when that was done before."""
    cache = folder / f"{source.name.split('.')[0]}.scan"
    if cache.exists():
        scan: Scan = pickle.loads(cache.read_bytes())
        return scan
    scan = scan_of(read_series(source))
    part = cache.with_name(f".{cache.name}.{os.getpid()}")
    part.write_bytes(pickle.dumps(scan))
    os.replace(part, cache)
    return scan
