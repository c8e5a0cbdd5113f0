"""Chests with exact or nearly exact lungs on the network's grid: made ones, and scans with lesions put in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.core.arrays import AnyArray, BoolArray, Int16Array, UInt8Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import dilated, resample, smoothed
from cop_imaging.core.volume import CTVolume
from cop_imaging.synth.case import draw_case, stream
from cop_imaging.synth.diseases.emphysema import with_emphysema
from cop_imaging.synth.diseases.rendering import draw_lesions
from cop_imaging.synth.ground import ground_of
from cop_imaging.synth.insertion import ScanModel, insert, model_scan, terrain_of_scan
from cop_imaging.synth.phantom import Phantom, scanned
from cop_imaging.synth.render import model_of
from cop_imaging.synth.terrain import Terrain
from cop_imaging.training.lungs.disease import draw_disease
from cop_imaging.training.lungs.fluid import AIRWAY, EFFUSION, IGNORED, without_air_in_fluid
from cop_imaging.training.lungs.other_shapes import draw_other_shapes

__all__ = [
    "GRID",
    "GRID_MM",
    "IGNORED",
    "Sample",
    "Scan",
    "airless",
    "inserted_sample",
    "made_chest",
    "made_sample",
    "scan_of",
]

GRID_MM = 3.5
GRID = Geometry((100, 94, 124), (GRID_MM,) * 3, (-215.0, -160.0, -205.0))
"""A whole made chest: room for the shoulders and the upper abdomen."""
BELOW_MM, ABOVE_MM = (10.0, 80.0), (10.0, 50.0)
"""How far a made scan goes on beyond the lungs, where no grid is asked for."""
DISEASES = ("COP", "CAP", "CEP", "AIP_DAD", "NSIP", "UIP", "ADENO", "LYMPHOMA", "VIRAL")
WITH_DISEASE, UNTOUCHED = 0.5, 0.1
RAISED, RAISED_MM = 0.15, (20.0, 60.0)
"""How often one half of the diaphragm is raised, and how far: rarer in people, but masks fail on it."""
DENSE_HU = -350.0
"""Density of the untouched lung from which its mask is not held to be sure."""
SHELL_MM = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One chest on cubes of 3.5 mm, all [z, y, x].

    Parameters
    ----------
    hu : int16
    label : uint8
        0 outside, 1 right, 2 left lung, 3 effusion, 4 trachea and main bronchi, 255 not known.
    dense : bool
        Airless lung.
    families : tuple of names
        What was drawn.
    """

    hu: Int16Array
    label: UInt8Array
    dense: BoolArray
    families: tuple[str, ...]


def made_chest(
    seed: int, grid: Geometry | None = None, *, without: tuple[str, ...] = (), raised: float = 0.0
) -> tuple[Phantom, tuple[str, ...]]:
    """A made chest; half of them with a disease's own lesions, the others with what masks fail on.

    ``raised`` is the share of chests one half of whose diaphragm stands too high.
    """
    rng = np.random.default_rng([seed, 11])
    names: tuple[str, ...]
    case = draw_case(DISEASES[int(rng.integers(len(DISEASES)))], seed)
    chance = np.random.default_rng([seed, 14])
    if chance.random() < raised:
        side = ("left_dome_mm", "right_dome_mm")[int(chance.integers(2))]
        body = case.body.model_copy(update={side: round(float(chance.uniform(*RAISED_MM)), 1)})
        case = case.model_copy(update={"body": body})
    model = with_emphysema(model_of(case.body, stream(case.seed, "model")), case)
    ground = ground_of(model)
    if rng.random() < WITH_DISEASE and not without:
        names, lesions = (case.disease,), tuple(draw_lesions(case, ground))
    else:
        names, lesions = draw_disease(ground.terrain, rng, without=without)
    if grid is None:
        heights = ground.terrain.points_mm[:, 2]
        low, high = heights.min() - rng.uniform(*BELOW_MM), heights.max() + rng.uniform(*ABOVE_MM)
        grid = replace(
            GRID,
            shape=(round((high - low) / GRID_MM), *GRID.shape[1:]),
            origin_mm=(*GRID.origin_mm[:2], float(low)),
        )
    case = case.with_slices(grid.spacing_mm[0])
    return scanned(model, grid, lesions, case.scanner, stream(case.seed, "noise")), names


def made_sample(seed: int, *, without: tuple[str, ...] = ()) -> Sample:
    """A made chest on the network's grid."""
    phantom, names = made_chest(seed, without=without, raised=RAISED)
    truth = phantom.truth
    label = labels(truth["lungs"], truth["effusion"], truth["airways"])
    return Sample(*without_air_in_fluid(phantom.volume.hu, label), airless(truth), ("made", *names))


def airless(truth: Mapping[str, AnyArray]) -> BoolArray:
    """Lung without air."""
    dense = truth["consolidation"] | truth.get("mass", False) | truth.get("atelectasis", False)
    out: BoolArray = dense & (truth["lungs"] > 0)
    return out


def labels(lungs: UInt8Array, effusion: BoolArray, airways: BoolArray) -> UInt8Array:
    """Classes of the network."""
    out = lungs.astype(np.uint8)
    out[(airways > 0) & (out == 0)] = AIRWAY
    out[effusion > 0] = EFFUSION
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A real scan without lesions of ours, measured once for many insertions.

    Parameters
    ----------
    unsure : bool [z, y, x]
        Where its lung mask may be wrong: dense tissue in it or beside it that is held for lung by its place alone.
    """

    volume: CTVolume
    lungs: UInt8Array
    airways: BoolArray
    unsure: BoolArray
    model: ScanModel
    terrain: Terrain


def scan_of(volume: CTVolume, config: AnatomyConfig | None = None) -> Scan:
    """Segment a scan by the classical method and measure it."""
    anatomy = segment(volume, config or AnatomyConfig(method="classical"))
    lungs = anatomy.lungs
    inside = lungs > 0
    soft = smoothed(volume.hu, volume.geometry, 2.0) > DENSE_HU
    # The mask's own rim is dense by partial volume and is sure.
    deep = ndimage.binary_erosion(inside, iterations=2)
    unsure = anatomy.uncertain | dilated(soft & deep, volume.geometry, SHELL_MM) & soft
    return Scan(
        volume,
        lungs,
        anatomy.airways,
        unsure,
        model_scan(volume, lungs),
        terrain_of_scan(lungs, volume.geometry, anatomy.airways),
    )


def inserted_sample(scan: Scan, seed: int, *, without: tuple[str, ...] = (), other_shapes: bool = False) -> Sample:
    """A scan with drawn disease; one in ten is left as it was."""
    rng = np.random.default_rng([seed, 12])
    if other_shapes:
        names, lesions = draw_other_shapes(scan.terrain, rng)
    else:
        names, lesions = draw_disease(scan.terrain, rng, without=without)
    if rng.random() < UNTOUCHED:
        names, lesions = ("untouched",), ()
    result = insert(scan.volume, scan.lungs, lesions, seed=seed, airways=scan.airways, model=scan.model)
    truth, full = result.truth, scan.volume.geometry
    label = labels(truth["lungs"], truth["effusion"], truth["airways"])
    changed = np.abs(result.volume.hu.astype(np.int32) - scan.volume.hu) > 60
    label[scan.unsure & ~changed] = IGNORED
    work = full.resampled((GRID_MM,) * 3)
    hu = resample(result.volume.hu, full, work, antialias=True)
    return Sample(
        *without_air_in_fluid(hu, resample(label, full, work, method="nearest")),
        resample(airless(truth), full, work, method="nearest"),
        ("inserted", *names),
    )
