"""A made chest for every sign: small scans that show it, for pictures, tests and a first look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from cop_imaging.core.geometry import Geometry
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.ground import terrain_of_model
from cop_imaging.synth.lesions.airway_walls import draw_airway_walls
from cop_imaging.synth.lesions.band import draw_band, draw_subpleural_band
from cop_imaging.synth.lesions.cavity import Cavity
from cop_imaging.synth.lesions.centrilobular import draw_centrilobular
from cop_imaging.synth.lesions.consolidation import Consolidation
from cop_imaging.synth.lesions.crazy_paving import CrazyPaving
from cop_imaging.synth.lesions.effusion import draw_effusion
from cop_imaging.synth.lesions.ground_glass import GroundGlass
from cop_imaging.synth.lesions.honeycombing import draw_honeycombing
from cop_imaging.synth.lesions.lesion import Lesion, Point
from cop_imaging.synth.lesions.mass import Mass
from cop_imaging.synth.lesions.mosaic import Mosaic
from cop_imaging.synth.lesions.nodule import draw_nodule
from cop_imaging.synth.lesions.perilobular import Perilobular
from cop_imaging.synth.lesions.reticulation import Reticulation
from cop_imaging.synth.lesions.reversed_halo import ReversedHalo
from cop_imaging.synth.lesions.traction_bronchiectasis import draw_traction_bronchiectasis
from cop_imaging.synth.phantom import Phantom, scanned
from cop_imaging.synth.render import ChestModel, model_of
from cop_imaging.synth.scanner import ScannerSpec
from cop_imaging.synth.terrain import Terrain, Where

__all__ = ["CHESTS", "EXAMPLES", "Example", "example_chest", "example_chests"]

SEED = 19
LOWER = Geometry((60, 178, 224), (1.25, 1.2, 1.2), (-140.0, -100.0, -137.0))
"""Both lungs below the hila, 75 mm high."""
HILA = Geometry((112, 112, 208), (1.25, 1.2, 1.2), (-125.0, -40.0, -80.0))
"""Trachea, main bronchi and what lies around the hila."""
QUIET = ScannerSpec(thickness_mm=1.25, noise_hu=14.0, round_field=False)

Box = tuple[Point, Point]
RIGHT_BACK: Box = ((-135.0, 15.0, -125.0), (-15.0, 110.0, -75.0))
RIGHT_FRONT: Box = ((-135.0, -95.0, -125.0), (-15.0, 0.0, -75.0))
LEFT_BACK: Box = ((20.0, 15.0, -125.0), (125.0, 110.0, -75.0))
LEFT_FRONT: Box = ((20.0, -95.0, -125.0), (125.0, 0.0, -75.0))


@dataclass(frozen=True, slots=True)
class Example:
    """One made chest and the signs that it shows."""

    signs: Mapping[str, str]
    """Names of the signs, each with the name of its truth in the phantom."""
    geometry: Geometry
    lesions: Callable[[Terrain, np.random.Generator], list[Lesion]]
    spec: ChestSpec = field(default_factory=ChestSpec)


def example_chest(name: str) -> Phantom:
    """The chest of that name; the same bytes every time.

    Raises
    ------
    KeyError
        If there is no such chest.
    """
    return next(phantom for _, phantom in example_chests([name]))


def example_chests(names: Iterable[str] | None = None) -> Iterator[tuple[str, Phantom]]:
    """The named chests one after the other, or all, each made when it is asked for; bodies alike are made once."""
    grounds: dict[ChestSpec, tuple[ChestModel, Terrain]] = {}
    for name in CHESTS if names is None else names:
        example = CHESTS[name]
        if example.spec not in grounds:
            model = model_of(example.spec, np.random.default_rng([SEED, 1]))
            grounds[example.spec] = model, terrain_of_model(model)
        model, terrain = grounds[example.spec]
        lesions = example.lesions(terrain, np.random.default_rng([SEED, 5]))
        yield name, scanned(model, example.geometry, lesions, QUIET, np.random.default_rng([SEED, 2]))


def within(terrain: Terrain, box: Box) -> Terrain:
    """The part of the terrain inside a box: what is drawn on it stays there."""
    low, high = np.array(box[0]), np.array(box[1])
    inside = ((terrain.points_mm >= low) & (terrain.points_mm <= high)).all(axis=1)
    return replace(
        terrain,
        points_mm=terrain.points_mm[inside],
        depth_mm=terrain.depth_mm[inside],
        edge_mm=terrain.edge_mm[inside],
        lobe=terrain.lobe[inside],
        bundle_mm=terrain.bundle_mm[inside],
        lung_ml=terrain.lung_ml * float(inside.mean()),
    )


def site(terrain: Terrain, box: Box, depth_mm: float) -> Point:
    """The place in a box that lies at that depth below the pleura, as near to the middle of the box as may be."""
    part = within(terrain, box)
    middle = 0.5 * (np.array(box[0]) + np.array(box[1]))
    off = np.linalg.norm(part.points_mm - middle, axis=1) + 10.0 * np.abs(part.depth_mm - depth_mm)
    x, y, z = part.points_mm[int(np.argmin(off))]
    return float(x), float(y), float(z)


def organizing(terrain: Terrain, rng: np.random.Generator) -> list[Lesion]:
    """Consolidation with open bronchi, a reversed halo, perilobular opacity and bands."""
    bands = within(terrain, LEFT_FRONT)
    return [
        Consolidation(site(terrain, RIGHT_BACK, 18.0), 36.0, 45.0, 11),
        ReversedHalo(site(terrain, LEFT_BACK, 28.0), 36.0, 6.0, 12),
        Perilobular(site(terrain, RIGHT_FRONT, 4.0), 40.0, 26.0, 13, affected=0.8, closed=0.85),
        *draw_band(bands, rng, where=Where(), number=2),
        *draw_subpleural_band(bands, rng, where=Where(), number=1),
    ]


def fibrotic(terrain: Terrain, rng: np.random.Generator) -> list[Lesion]:
    """Reticulation, honeycombing, a net with traction bronchiectasis in it, and crazy paving."""
    net = site(terrain, LEFT_BACK, 8.0)
    return [
        Reticulation(site(terrain, RIGHT_FRONT, 4.0), 40.0, 24.0, 21),
        *draw_honeycombing(within(terrain, RIGHT_BACK), rng, where=Where(), target_ml=70.0),
        Reticulation(net, 45.0, 38.0, 22),
        *draw_traction_bronchiectasis(within(terrain, LEFT_BACK), rng, where=Where(), number=6, fibrosis=[(net, 40.0)]),
        CrazyPaving(site(terrain, LEFT_FRONT, 15.0), 34.0, 23),
    ]


def nodular(terrain: Terrain, rng: np.random.Generator) -> list[Lesion]:
    """Scattered small nodules, centrilobular nodules, a mass and a cavity."""
    return [
        *draw_nodule(within(terrain, RIGHT_FRONT), rng, where=Where(depth_mm=(5.0, 40.0)), number=14),
        *draw_centrilobular(within(terrain, LEFT_FRONT), rng, where=Where(), share=0.9, kind="solid"),
        Mass(site(terrain, LEFT_BACK, 25.0), 38.0, 31, spicules=24),
        Cavity(site(terrain, RIGHT_BACK, 28.0), 40.0, 7.0, 32),
    ]


def hazy(terrain: Terrain, rng: np.random.Generator) -> list[Lesion]:
    """Ground glass, a mosaic of dark lobules, and fluid."""
    return [
        GroundGlass(site(terrain, RIGHT_FRONT, 14.0), 36.0, 34.0, 41),
        Mosaic(site(terrain, ((20.0, -60.0, -125.0), (125.0, 90.0, -75.0)), 30.0), 60.0, 42, 0.45, loss=0.6, side=2),
        *draw_effusion(terrain, rng, target_ml=350.0, side="right"),
    ]


def smoker(terrain: Terrain, rng: np.random.Generator) -> list[Lesion]:
    """Bronchi with thick walls, some of them wide."""
    right = within(terrain, ((-100.0, -40.0, -75.0), (-15.0, 90.0, 50.0)))
    left = within(terrain, ((15.0, -40.0, -75.0), (100.0, 90.0, 50.0)))
    return [
        *draw_airway_walls(right, rng, where=Where(), share=0.5),
        *draw_airway_walls(left, rng, where=Where(), share=0.5, dilated=True),
    ]


CHESTS: Mapping[str, Example] = {
    "organizing": Example(
        {
            "consolidation": "consolidation",
            "air_bronchogram": "consolidation",
            "reversed_halo": "reversed_halo",
            "perilobular": "perilobular",
            "bands": "band",
        },
        LOWER,
        organizing,
    ),
    "hazy": Example(
        {"ground_glass": "ground_glass", "mosaic_attenuation": "mosaic", "pleural_effusion": "effusion"}, LOWER, hazy
    ),
    "fibrotic": Example(
        {
            "reticulation": "reticulation",
            "crazy_paving": "crazy_paving",
            "honeycombing": "honeycombing",
            "traction_bronchiectasis": "traction_bronchiectasis",
        },
        LOWER,
        fibrotic,
    ),
    "nodular": Example(
        {
            "small_nodules": "nodule",
            "centrilobular_nodules": "centrilobular_nodules",
            "large_nodule_or_mass": "mass",
            "cavity": "cavity",
        },
        LOWER,
        nodular,
    ),
    "smoker": Example(
        {
            "bronchial_wall_thickening": "wall_thickening",
            "bronchial_dilation": "bronchial_dilatation",
            "emphysema": "emphysema",
        },
        HILA,
        smoker,
        ChestSpec(emphysema=0.3),
    ),
}
"""Made chests by name, each with the signs that it shows."""

EXAMPLES: Mapping[str, str] = {sign: name for name, chest in CHESTS.items() for sign in chest.signs}
"""The chest that shows a sign, by the sign's name."""
