"""The healthy chest and the typical picture of organizing pneumonia, for tests and a first look."""

from __future__ import annotations

import numpy as np

from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.geometry import Geometry
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.ground import terrain_of_model
from cop_imaging.synth.lesions.consolidation import Consolidation
from cop_imaging.synth.lesions.ground_glass import GroundGlass
from cop_imaging.synth.lesions.lesion import Lesion, Point
from cop_imaging.synth.lesions.reversed_halo import ReversedHalo
from cop_imaging.synth.phantom import Phantom, make_phantom, thin_grid
from cop_imaging.synth.render import model_of
from cop_imaging.synth.scanner import ScannerSpec
from cop_imaging.synth.terrain import Terrain

__all__ = ["healthy_chest", "organizing_pneumonia_chest", "organizing_pneumonia_lesions", "varied"]


def varied(seed: int) -> ChestSpec:
    """A chest of its own size, fat, heart and breath."""
    rng = np.random.default_rng([seed, 3])
    return ChestSpec(
        size=round(float(rng.uniform(0.96, 1.03)), 3),
        inspiration=round(float(rng.uniform(0.88, 1.0)), 3),
        fat_mm=round(float(rng.uniform(9.0, 19.0)), 1),
        heart=round(float(rng.uniform(0.96, 1.06)), 3),
    )


def healthy_chest(
    seed: int, *, geometry: Geometry | None = None, spec: ChestSpec | None = None, scanner: ScannerSpec | None = None
) -> Phantom:
    """A chest without lesions, on the thin grid unless told otherwise; without ``spec`` the seed varies it."""
    return make_phantom(seed, geometry=geometry or thin_grid(), spec=spec or varied(seed), scanner=scanner)


def organizing_pneumonia_chest(
    seed: int, *, geometry: Geometry | None = None, spec: ChestSpec | None = None, scanner: ScannerSpec | None = None
) -> Phantom:
    """The typical picture: peripheral lower-zone consolidation on both sides, ground glass, one reversed halo."""
    spec = spec or varied(seed)
    terrain = terrain_of_model(model_of(spec, np.random.default_rng([seed, 1])))
    lesions = organizing_pneumonia_lesions(terrain, np.random.default_rng([seed, 4]))
    return make_phantom(seed, geometry=geometry or thin_grid(), spec=spec, lesions=lesions, scanner=scanner)


def organizing_pneumonia_lesions(terrain: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """4-7 patches of consolidation on both sides, mostly low and dorsal, ground glass around and apart, one atoll."""
    shallow, deep = between(terrain, 2.0, 9.0), between(terrain, 22.0, 45.0)
    height = terrain.height
    taken: list[tuple[Point, float]] = []

    def place(depth: BoolArray, reach_mm: float, right: bool, low: float, high: float) -> Point:
        """A site on one side between two heights that keeps clear of the lesions before it."""
        chosen = depth & (terrain.right == right) & (height > low) & (height < high)
        for centre, reach in taken:
            away = np.linalg.norm(terrain.points_mm - np.array(centre), axis=1)
            clear = chosen & (away > 0.85 * (reach + reach_mm))
            chosen = clear if clear.any() else chosen
        # Twice as often behind the middle of the chest as before it.
        weight = chosen * np.where(terrain.points_mm[:, 1] > 10.0, 2.0, 1.0)
        x, y, z = (float(v) for v in terrain.points_mm[rng.choice(len(weight), p=weight / weight.sum())])
        taken.append(((x, y, z), reach_mm))
        return x, y, z

    hazy: list[Lesion] = []
    dense: list[Lesion] = []
    outer = float(rng.uniform(28.0, 40.0))
    side = bool(rng.integers(2))
    halo = ReversedHalo(
        place(deep, 0.5 * outer + 16.0, side, 0.25, 0.75),
        outer,
        float(rng.uniform(4.5, 6.5)),
        int(rng.integers(2**31)),
    )
    for n in range(int(rng.integers(4, 8))):
        radius = float(rng.uniform(22.0, 38.0))
        low, high = (0.05, 0.5) if n < 4 else (0.45, 0.85)
        centre = place(shallow, radius, n % 2 == 0, low, high)
        depth = float(rng.uniform(0.6, 0.95)) * radius
        dense.append(Consolidation(centre, radius, depth, int(rng.integers(2**31))))
        if n % 2 == 0 or rng.random() < 0.4:
            hazy.append(GroundGlass(centre, radius + 13.0, depth + 10.0, int(rng.integers(2**31))))
    for right in (True, False):
        radius = float(rng.uniform(20.0, 30.0))
        hazy.append(
            GroundGlass(place(shallow, radius, right, 0.2, 0.9), radius, 0.8 * radius, int(rng.integers(2**31)))
        )
    return (*hazy, *dense, halo)


def between(terrain: Terrain, low_mm: float, high_mm: float) -> BoolArray:
    """Places whose depth below the pleura lies between two limits, clear of the mediastinum."""
    deep_enough = (terrain.depth_mm > low_mm) & (terrain.depth_mm < high_mm)
    out: BoolArray = deep_enough & (terrain.edge_mm > 0.5 * low_mm)
    return out
