"""Chests that are hard to mask, made once and stored: ``python -m benchmarks.hard_chests FOLDER --first 95001``.

Two chests share a body and its disease: the even seed has them as they are, the odd one adds strong noise, a cut field
of view, a header that lies about the position, a body that is rolled or bent, or two of these. Three bodies in ten have
a white lung, a huge effusion, or both. One in four is a real scan that the lung network was not trained on, with
lesions put in (``COP_IMAGING_REAL_CT``). All lie on cubes of 3.5 mm; each is one file ``SEED.npz``, and those that are
there are left alone.

``--bodies`` takes stored chests, or samples of the lung network, for bodies, and raises one side of the diaphragm too;
with ``--step 2`` an odd first seed gives only changed ones.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from cop_imaging.core.arrays import AnyArray, BoolArray, Int16Array, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import resample
from cop_imaging.core.volume import AIR_HU, CTVolume
from cop_imaging.ingest import read_series
from cop_imaging.synth.case import draw_case, stream
from cop_imaging.synth.ground import ground_of
from cop_imaging.synth.insertion import insert
from cop_imaging.synth.lesions.effusion import draw_effusion
from cop_imaging.synth.lesions.lesion import Lesion
from cop_imaging.synth.phantom import scanned
from cop_imaging.synth.render import model_of
from cop_imaging.synth.terrain import Terrain
from cop_imaging.training.lungs.disease import draw_disease, lobar, patchy, side_of, white_out
from cop_imaging.training.lungs.fluid import without_air_in_fluid
from cop_imaging.training.lungs.samples import GRID, GRID_MM, IGNORED, Scan, airless, labels, made_chest, scan_of
from cop_imaging.training.lungs.store import load as load_sample

__all__ = ["LEFT_OUT", "Chest", "load", "make"]

LEFT_OUT = ("t04_4dct_woman_arms_up", "t12_large_man_noncontrast", "t14_woman_contrast_b40")
"""Real scans that the lung network was not trained on."""
SEVERE = ("white", "fluid", "white and fluid")
CHANGES = ("noise", "cut", "turned", "rolled", "mixed", "mixed")
RAISED = ("raised", "raised")
MIXED = ("noise", "cut", "rolled")
SEVERE_SHARE, REAL_SHARE = 0.3, 0.25
CHANGED_HU = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Chest:
    """One chest and its truth, all [z, y, x] on cubes of 3.5 mm.

    Parameters
    ----------
    hu : int16
    lungs : uint8
        0 outside, 1 right, 2 left, 255 not known.
    airless : bool
        Lung without air.
    valid : bool
        Inside the scanned field.
    kind, details : str
        What makes it hard.
    """

    hu: Int16Array
    lungs: UInt8Array
    airless: BoolArray
    valid: BoolArray
    kind: str
    details: str

    @property
    def volume(self) -> CTVolume:
        """What the scanner would give."""
        geometry = Geometry(self.hu.shape, (GRID_MM,) * 3, (0.0, 0.0, 0.0))  # type: ignore[arg-type]
        return CTVolume(self.hu, geometry, None if self.valid.all() else self.valid)

    def over(self, change: Callable[[AnyArray, float], AnyArray]) -> Chest:
        """Every array changed alike, given with the value of what was not scanned."""
        return replace(
            self,
            hu=change(self.hu, AIR_HU),
            lungs=change(self.lungs, 0),
            airless=change(self.airless, 0),
            valid=change(self.valid, 0),
        )


def load(path: Path) -> Chest:
    """A stored chest."""
    with np.load(path) as file:
        masks = {
            n: np.unpackbits(file[n], count=file["hu"].size).reshape(file["hu"].shape) > 0 for n in ("airless", "valid")
        }
        return Chest(
            file["hu"], file["lungs"], masks["airless"], masks["valid"], str(file["kind"]), str(file["details"])
        )


def store(path: Path, chest: Chest) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(
            file, hu=chest.hu, lungs=chest.lungs, kind=chest.kind, details=chest.details,
            airless=np.packbits(chest.airless), valid=np.packbits(chest.valid),
        )  # fmt: skip
    part.rename(path)


def make(seed: int, bodies: Sequence[Path] = ()) -> Chest:
    """The chest of a seed: a body as it is, or made hard."""
    chest = of_file(bodies[seed // 2 % len(bodies)]) if bodies else body(seed // 2)
    if seed % 2 == 0:
        return chest
    rng = np.random.default_rng([seed, 32])
    changes = (*CHANGES, *RAISED) if bodies else CHANGES
    kind = changes[int(rng.integers(len(changes)))]
    for step in rng.choice(MIXED, 2, replace=False) if kind == "mixed" else (kind,):
        chest = STEPS[str(step)](chest, rng)
    return replace(chest, kind=kind)


@lru_cache(maxsize=1)
def body(number: int) -> Chest:
    """A chest with its disease: made, or lesions in a real scan."""
    rng = np.random.default_rng([number, 31])
    root = os.environ.get("COP_IMAGING_REAL_CT")
    kind = SEVERE[int(rng.integers(len(SEVERE)))] if rng.random() < SEVERE_SHARE else "ordinary"
    if rng.random() < REAL_SHARE and root:
        return real_chest(Path(root), number, kind, rng)
    if kind == "ordinary":
        phantom, names = made_chest(number)
    else:
        case = draw_case("NORMAL", number).with_slices(GRID.spacing_mm[0])
        model = model_of(case.body, stream(number, "model"))
        names, lesions = disease(kind, ground_of(model).terrain, rng)
        phantom = scanned(model, GRID, lesions, case.scanner, stream(number, "noise"))
    return known(phantom.volume.hu, dict(phantom.truth), kind, " ".join(names))


def of_file(path: Path) -> Chest:
    """A stored chest, or a sample of the lung network's own."""
    if "-" not in path.stem:
        return load(path)
    sample = load_sample(path)
    lungs = np.where(np.isin(sample.label, (1, 2, IGNORED)), sample.label, 0).astype(np.uint8)
    everywhere = np.ones(lungs.shape, dtype=bool)
    return Chest(sample.hu, lungs, sample.dense, everywhere, "ordinary", f"{path.stem} {' '.join(sample.families)}")


def known(hu: AnyArray, truth: dict[str, AnyArray], kind: str, details: str) -> Chest:
    """A chest whose truth is exact."""
    values, label = without_air_in_fluid(
        np.clip(np.rint(hu), AIR_HU, 3071).astype(np.int16), labels(truth["lungs"], truth["effusion"], truth["airways"])
    )
    lungs = np.where(np.isin(label, (1, 2)), label, 0).astype(np.uint8)
    return Chest(values, lungs, airless(truth), np.ones(hu.shape, dtype=bool), kind, details)


@lru_cache(maxsize=3)
def body_of(path: Path) -> Scan:
    """A real scan, measured once."""
    return scan_of(read_series(path))


def real_chest(root: Path, seed: int, kind: str, rng: np.random.Generator) -> Chest:
    """Lesions in a real scan; where its own mask is not sure, the truth is not known."""
    name = LEFT_OUT[int(rng.integers(len(LEFT_OUT)))]
    scan = body_of(root / "training_lungs" / f"{name}.nii.gz")
    names, lesions = disease(kind, scan.terrain, rng)
    put = insert(scan.volume, scan.lungs, lesions, seed=seed, airways=scan.airways, model=scan.model)
    full = scan.volume.geometry
    label = labels(put.truth["lungs"], put.truth["effusion"], put.truth["airways"])
    changed = np.abs(put.volume.hu.astype(np.int32) - scan.volume.hu) > CHANGED_HU
    label[scan.unsure & ~changed] = IGNORED
    work = full.resampled((GRID_MM,) * 3)
    hu, label = without_air_in_fluid(
        resample(put.volume.hu, full, work, antialias=True), resample(label, full, work, method="nearest")
    )
    lungs = np.where(np.isin(label, (1, 2, IGNORED)), label, 0).astype(np.uint8)
    dense: BoolArray = resample(airless(put.truth), full, work, method="nearest")
    return Chest(hu, lungs, dense, np.ones(hu.shape, dtype=bool), kind, f"{name} {' '.join(names)}")


def disease(kind: str, terrain: Terrain, rng: np.random.Generator) -> tuple[tuple[str, ...], tuple[Lesion, ...]]:
    """Ordinary disease, lobes and patches, a white lung, or a drowned one."""
    if kind == "ordinary":
        return draw_disease(terrain, rng)
    names, lesions = ["lobar", "patchy"], [*lobar(terrain, rng), *patchy(terrain, rng)]
    if "white" in kind:
        names, lesions = [*names, "white"], [*lesions, *white_out(terrain, rng)]
    if "fluid" in kind:
        names = [*names, "drowned"]
        lesions += draw_effusion(
            terrain, rng, target_ml=float(rng.uniform(800.0, 3500.0)), side=side_of(rng),  # type: ignore[arg-type]
            contrast=bool(rng.random() < 0.5),
        )  # fmt: skip
    return tuple(names), tuple(lesions)


def noisy(chest: Chest, rng: np.random.Generator) -> Chest:
    """Noise of 100 to 700 HU, grained more or less finely."""
    sd, grain = float(np.exp(rng.uniform(np.log(100.0), np.log(700.0)))), float(rng.uniform(0.0, 1.2))
    noise = ndimage.gaussian_filter(rng.normal(size=chest.hu.shape), grain)
    values = np.clip(np.rint(chest.hu + sd / noise.std() * noise), AIR_HU, 3071).astype(np.int16)
    return replace(chest, hu=values, details=f"{chest.details}, noise {sd:.0f} HU")


def cut(chest: Chest, rng: np.random.Generator) -> Chest:
    """A scan that ends early, or a field reconstructed around a part of the chest."""
    axis, share, low = int(rng.choice([0, 0, 1, 2, 3, 3])), float(rng.uniform(0.35, 0.65)), bool(rng.random() < 0.5)
    inside = np.argwhere(chest.lungs > 0)
    first, last = inside.min(axis=0), inside.max(axis=0)
    if axis < 3:
        at = round(first[axis] + share * (last[axis] - first[axis]))
        span = slice(None, at) if low else slice(int(first[axis] + last[axis] - at), None)
        keep = tuple(span if a == axis else slice(None) for a in range(3))
        name = ("slices", "depth", "width")[axis]
        return replace(
            chest.over(lambda a, _: np.ascontiguousarray(a[keep])),
            details=f"{chest.details}, {share:.2f} of the {name}",
        )
    radius = float(rng.uniform(55.0, 115.0)) / GRID_MM
    middle = first[1:] + rng.uniform(0.25, 0.75, 2) * (last - first)[1:]
    y, x = np.indices(chest.hu.shape[1:])
    seen = np.hypot(y - middle[0], x - middle[1]) <= radius
    field = replace(
        chest.over(lambda a, value: np.where(seen, a, np.asarray(value, a.dtype))), valid=chest.valid & seen
    )
    return replace(field, details=f"{chest.details}, field of {2.0 * radius * GRID_MM:.0f} mm")


def turned(chest: Chest, rng: np.random.Generator) -> Chest:
    """A header that lies about the position: the back where the front should be, or head and feet exchanged."""
    axes = ((1, 2), (0, 2), (0, 1))[int(rng.integers(3))]
    what = {(1, 2): "prone", (0, 2): "feet first", (0, 1): "feet first, prone"}[axes]
    return replace(
        chest.over(lambda a, _: np.ascontiguousarray(np.flip(a, axes))),
        details=f"{chest.details}, said wrongly: {what}",
    )


def rolled(chest: Chest, rng: np.random.Generator) -> Chest:
    """A body rolled about its long axis, or tilted, by 30 to 60 degrees."""
    plane = ((1, 2), (1, 2), (0, 1), (0, 2))[int(rng.integers(4))]
    degrees = float(rng.choice([-1.0, 1.0]) * rng.uniform(30.0, 60.0))

    def turn(array: AnyArray, value: float) -> AnyArray:
        order = 1 if array.dtype == np.int16 else 0
        kind = np.uint8 if array.dtype == np.bool_ else array.dtype
        return ndimage.rotate(array.astype(kind), degrees, plane, order=order, cval=value).astype(array.dtype)

    what = {(1, 2): "rolled", (0, 1): "bent", (0, 2): "leaning"}[plane]
    return replace(
        chest.over(turn),
        valid=turn(np.ones_like(chest.valid), 1),
        details=f"{chest.details}, {what} {degrees:.0f} degrees",
    )


def raised(chest: Chest, rng: np.random.Generator) -> Chest:
    """One side of the diaphragm pushed up by 40 to 110 mm, with the abdomen below it."""
    sides = [s for s in (1, 2) if (chest.lungs == s).any()]
    inside = np.argwhere(chest.lungs == sides[int(rng.integers(len(sides)))])
    low, top = np.percentile(inside[:, 0], (10.0, 99.0))
    rise = min(float(rng.uniform(40.0, 110.0)) / GRID_MM, 0.6 * (top - low))
    middle = np.argwhere(np.isin(chest.lungs, (1, 2)))[:, 2].mean()
    outward = np.sign(inside[:, 2].mean() - middle)
    z, y, x = np.indices(chest.hu.shape, dtype=np.float32)
    # Nothing moves in the middle, where the spine is; all of it 30 mm farther out.
    share = np.clip((outward * (x - middle) * GRID_MM - 5.0) / 25.0, 0.0, 1.0)
    at = low + rise * share
    from_z = np.where(z < at, z - rise * share, low + (z - at) * (top - low) / np.maximum(top - at, 1.0))
    from_z = np.where(z > top, z, from_z)

    def push(array: AnyArray, _: float) -> AnyArray:
        order = 1 if array.dtype == np.int16 else 0
        kind = np.uint8 if array.dtype == np.bool_ else array.dtype
        out = ndimage.map_coordinates(array.astype(kind), [from_z, y, x], order=order, mode="nearest")
        return out.astype(array.dtype)

    side = "right" if outward < 0 else "left"
    return replace(chest.over(push), details=f"{chest.details}, {side} diaphragm {rise * GRID_MM:.0f} mm up")


STEPS: dict[str, Callable[[Chest, np.random.Generator], Chest]] = {
    "noise": noisy, "cut": cut, "turned": turned, "rolled": rolled, "raised": raised,
}  # fmt: skip


def main() -> None:
    """Make and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", type=int, default=95_001)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--bodies", type=Path, nargs="*", default=[], help="stored chests or samples")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    last = arguments.first + arguments.count * arguments.step
    for seed in range(arguments.first, last, arguments.step):
        path = arguments.folder / f"{seed}.npz"
        if not path.exists():
            chest = make(seed, arguments.bodies)
            store(path, chest)
            print(seed, chest.kind, chest.details, flush=True)


if __name__ == "__main__":
    main()
