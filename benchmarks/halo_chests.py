"""Lungs with reversed haloes and what only looks like one, made from a seed: where each lies and what it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cop_imaging.core.arrays import Float32Array, Float64Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.synth.ground import terrain_of_model
from cop_imaging.synth.lesions.bulla_ring import BullaRing
from cop_imaging.synth.lesions.cavity import Cavity
from cop_imaging.synth.lesions.consolidation import draw_consolidation
from cop_imaging.synth.lesions.focal_consolidation import FocalConsolidation
from cop_imaging.synth.lesions.fungal_ring import FungalRing
from cop_imaging.synth.lesions.ground_glass import draw_ground_glass
from cop_imaging.synth.lesions.halo_nodule import HaloNodule
from cop_imaging.synth.lesions.honeycombing import Honeycombing, packed
from cop_imaging.synth.lesions.infarct import Infarct
from cop_imaging.synth.lesions.lesion import Layer, Lesion, Place, Point, smoothstep
from cop_imaging.synth.lesions.perilobular import Perilobular
from cop_imaging.synth.lesions.reversed_halo import ReversedHalo
from cop_imaging.synth.lesions.traction_bronchiectasis import TractionBronchiectasis
from cop_imaging.synth.phantom import Phantom, make_phantom, thin_grid
from cop_imaging.synth.render import model_of
from cop_imaging.synth.scanner import ScannerSpec
from cop_imaging.synth.terrain import Terrain, Where
from cop_imaging.synth.typical import varied

__all__ = ["LOOK_ALIKES", "Planted", "made_scan"]

HALOES, LOOK_ALIKES_EACH = 2, 4
MARGIN_MM = 9.0
GAP_MM = 8.0
KERNELS = (("soft", 12.0), ("medium", 18.0), ("sharp", 32.0))
"""Kernel class and noise SD in soft tissue at 1.25 mm."""
SLICES_MM = (1.0, 1.25, 1.5, 2.0, 3.0)


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """One drawn object."""

    kind: str
    centre_mm: Float64Array
    """LPS point (x, y, z)."""
    radius_mm: float
    """Within this distance of its centre a found ring is this object."""
    outer_mm: float
    rim_mm: float
    coverage_deg: float
    faint: bool
    """Its rim is only about -250 HU."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A vessel bent to a closed circle."""

    centre_mm: Point
    normal: Point
    loop_mm: float
    """Radius of the circle."""
    vessel_mm: float
    """Radius of the vessel."""

    @property
    def reach_mm(self) -> float:
        return self.loop_mm + self.vessel_mm + 3.0

    def layers(self, place: Place) -> tuple[Layer, ...]:
        s = place.slab
        offset = [c - np.float32(o) for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True)]
        along = sum(o * np.float32(n) for o, n in zip(offset, self.normal, strict=True))
        square = sum(o * o for o in offset)
        across = np.sqrt(np.maximum(square - along * along, 0.0)) - np.float32(self.loop_mm)
        level: Float32Array = np.float32(self.vessel_mm) - np.sqrt(across * across + along * along)
        return (Layer(smoothstep(level, 1.0), 40.0),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        del place
        return {}


@dataclass(frozen=True, slots=True)
class Clearing:
    """Part of a consolidation that is ground glass again."""

    centre_mm: Point
    diameter_mm: float

    @property
    def reach_mm(self) -> float:
        return 0.5 * self.diameter_mm + 4.0

    def layers(self, place: Place) -> tuple[Layer, ...]:
        s = place.slab
        away = np.sqrt(sum((c - np.float32(o)) ** 2 for c, o in zip((s.x, s.y, s.z), self.centre_mm, strict=True)))
        level: Float32Array = np.float32(0.5 * self.diameter_mm) - away
        return (Layer(np.float32(0.95) * smoothstep(level, 3.0), -590.0, "ground_glass"),)

    def shapes(self, place: Place) -> dict[str, Float32Array]:
        del place
        return {}


Draw = Callable[[Point, float, Terrain, np.random.Generator], tuple[Lesion, ...]]


def seed_of(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def way_of(rng: np.random.Generator) -> Point:
    v = rng.standard_normal(3)
    x, y, z = v / np.linalg.norm(v)
    return float(x), float(y), float(z)


def moved(point: Point, way: Point, mm: float) -> Point:
    x, y, z = (p + mm * w for p, w in zip(point, way, strict=True))
    return x, y, z


def cavity(p: Point, size: float, _t: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    wall = min(float(rng.uniform(3.0, 10.0)), 0.3 * size)
    return (Cavity(p, size, wall, seed_of(rng), fluid_level=0.25 * float(rng.random() < 0.2)),)


def bulla(p: Point, size: float, _t: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    return (BullaRing(p, size, seed_of(rng), wall_mm=float(rng.uniform(0.5, 1.5))),)


def nodule(p: Point, size: float, _t: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    core = size * float(rng.uniform(0.4, 0.6))
    return (HaloNodule(p, core, 0.5 * (size - core), seed_of(rng), halo_fraction=float(rng.uniform(0.26, 0.4))),)


def fungal(p: Point, size: float, _t: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    rim = float(rng.uniform(11.0, 0.36 * size))
    return (FungalRing(p, size, rim, seed_of(rng), line_mm=float(rng.uniform(1.6, 2.6))),)


def infarct(p: Point, size: float, t: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    depth = float(t.depth_mm[np.argmin(((t.points_mm - np.array(p)) ** 2).sum(axis=1))])
    rim = float(rng.uniform(0.1, 0.16)) * size + 1.5
    return (Infarct(p, size, size * float(rng.uniform(0.55, 0.95)), seed_of(rng), depth, rim),)


def bronchiectasis(p: Point, size: float, _t: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    lumen, wall = 0.5 * float(rng.uniform(4.0, 12.0)), float(rng.uniform(1.0, 2.5))
    return (TractionBronchiectasis(p, way_of(rng), size, lumen, seed_of(rng), wall_mm=wall),)


def honeycomb(p: Point, size: float, t: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    away = np.linalg.norm(t.points_mm - np.array(p), axis=1)
    inside = (away < 0.5 * size) & (t.depth_mm < 18.0)
    return (Honeycombing(packed(t.points_mm[inside], rng, (1.9, 5.5)), seed_of(rng)),) if inside.sum() > 3 else ()


def between(p: Point, size: float, _t: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    one, gap = 0.45 * size, float(rng.uniform(12.0, 24.0))
    a, b = way_of(rng), way_of(rng)
    third = tuple(np.cross(a, b) / np.linalg.norm(np.cross(a, b)))
    ways = (a, tuple(-v for v in a), third) if rng.random() < 0.5 else (a, tuple(-v for v in a))
    return tuple(FocalConsolidation(moved(p, w, 0.5 * (one + gap)), one, seed_of(rng), haze_fraction=0.0) for w in ways)


def loop(p: Point, size: float, _t: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    return (Loop(p, way_of(rng), 0.5 * size - 2.0, float(rng.uniform(1.3, 2.6))),)


def perilobular(p: Point, size: float, _t: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    width = {"lobule_mm": float(rng.uniform(14.0, 22.0)), "band_mm": float(rng.uniform(2.1, 3.4))}
    return (Perilobular(p, 0.5 * size, 22.0, seed_of(rng), affected=0.8, closed=float(rng.uniform(0.7, 1.0)), **width),)


def cleared(p: Point, size: float, _t: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    hole = size * float(rng.uniform(0.2, 0.38))
    aside = float(rng.uniform(0.0, 0.12)) * size
    whole = FocalConsolidation(p, size, seed_of(rng), haze_fraction=0.2 * float(rng.random() < 0.5))
    return (whole, Clearing(moved(p, way_of(rng), aside), hole))


def solid(p: Point, size: float, _t: Terrain, rng: np.random.Generator) -> tuple[Lesion, ...]:
    return (FocalConsolidation(p, size, seed_of(rng), haze_fraction=0.25),)


LOOK_ALIKES: dict[str, tuple[Draw, tuple[float, float], tuple[float, float]]] = {
    "cavity": (cavity, (14.0, 50.0), (0.0, 60.0)),
    "fungal_ring": (fungal, (42.0, 70.0), (10.0, 60.0)),
    "halo_nodule": (nodule, (14.0, 40.0), (0.0, 60.0)),
    "honeycombing": (honeycomb, (30.0, 50.0), (0.0, 6.0)),
    "bulla": (bulla, (10.0, 40.0), (0.0, 60.0)),
    "infarct": (infarct, (22.0, 52.0), (0.0, 6.0)),
    "vessel_loop": (loop, (14.0, 34.0), (6.0, 60.0)),
    "cleared_consolidation": (cleared, (45.0, 70.0), (5.0, 60.0)),
    "bronchiectasis": (bronchiectasis, (14.0, 28.0), (6.0, 60.0)),
    "between_consolidations": (between, (45.0, 65.0), (5.0, 60.0)),
    "perilobular": (perilobular, (40.0, 60.0), (0.0, 6.0)),
    "solid_consolidation": (solid, (14.0, 50.0), (0.0, 60.0)),
}
"""How each kind is drawn, its size across and its depth below the pleura, in mm."""


def made_scan(seed: int, *, whole: bool = False) -> tuple[Phantom, list[Planted]]:
    """One lung (or, when ``whole``, both) with two reversed haloes and four look-alikes, and what lies where.

    Kinds take turns from seed to seed; every third lung has other consolidation and ground glass as well, and every
    second halo number is odd in one way: a crescent, a faint rim, or a place at the pleura.
    """
    spec = varied(seed)
    terrain = terrain_of_model(model_of(spec, np.random.default_rng([seed, 1])))
    rng = np.random.default_rng([seed, 6])
    side = "right" if seed % 2 else "left"
    own = terrain.points_mm[terrain.right == (side == "right")]
    where = Where(side=side)
    names = list(LOOK_ALIKES)
    turn = [names[(LOOK_ALIKES_EACH * seed + k) % len(names)] for k in range(LOOK_ALIKES_EACH)]
    lesions: list[Lesion] = []
    planted: list[Planted] = []
    # The widest are placed first, or they find no room.
    for kind in sorted(turn, key=lambda k: -LOOK_ALIKES[k][1][1]):
        draw, size_mm, depth_mm = LOOK_ALIKES[kind]
        for size in np.sort(rng.uniform(*size_mm, 2))[::-1]:
            point = terrain.draw(replace(where, depth_mm=depth_mm), rng, clear_of=kept_clear(planted, float(size)))
            drawn = draw(point, float(size), terrain, rng) if point else ()
            if point and drawn:
                lesions += drawn
                planted.append(Planted(kind, np.array(point), 0.5 * float(size) + 4.0, float(size), 0.0, 0.0, False))
                break
    for n in range(HALOES):
        halo = drawn_halo(terrain, where, rng, planted, odd=(seed + n) % 2 == 1)
        if halo is not None:
            lesions.append(halo[0])
            planted.append(halo[1])
    if seed % 3 == 0:
        taken = [(p.centre_mm, p.radius_mm) for p in planted]
        more = [*draw_consolidation(terrain, rng, where=where, target_ml=60.0)]
        more += draw_ground_glass(terrain, rng, where=where, target_ml=90.0)
        lesions = [m for m in more if clear(m, taken)] + lesions
    return scanned_lung(seed, spec, own, lesions, rng, whole), planted


def kept_clear(planted: Sequence[Planted], size_mm: float) -> list[tuple[Point, float]]:
    return [(tuple(p.centre_mm), p.radius_mm + 0.5 * size_mm + GAP_MM) for p in planted]  # type: ignore[misc]


def clear(lesion: Lesion, taken: Sequence[tuple[Float64Array, float]]) -> bool:
    return all(np.linalg.norm(np.array(lesion.centre_mm) - p) > r + lesion.reach_mm for p, r in taken)


def drawn_halo(
    terrain: Terrain, where: Where, rng: np.random.Generator, planted: Sequence[Planted], *, odd: bool
) -> tuple[Lesion, Planted] | None:
    """A halo of 10-76 mm; an odd one is a crescent of 190-250 degrees, faint, or cut by the lung's border.

    No more of a ring is cut off than leaves the sign by its definition.
    """
    terrain = replace(terrain, depth_mm=terrain.edge_mm)
    oddity = str(rng.choice(["crescent", "faint", "pleura"])) if odd else ""
    first = float(np.exp(rng.uniform(np.log(10.0), np.log(76.0))))
    for size in (first, 0.8 * first, 0.6 * first, 0.45 * first):
        if size < 10.0:
            break
        least = max(0.35 * size if oddity == "pleura" else 0.5 * size + 3.0, 2.0)
        most = max(0.5 * size, least + 6.0) if oddity == "pleura" else 100.0
        asked = replace(where, depth_mm=(min(least, 24.0), most))
        point = terrain.draw(asked, rng, clear_of=kept_clear(planted, size))
        if point is None:
            continue
        rim = float(np.clip(rng.normal(5.0, 2.2), 2.5, min(9.0, 0.25 * size)))
        coverage = 360.0
        if oddity == "crescent":
            coverage = float(rng.uniform(190.0, 250.0))
        elif oddity != "pleura" and rng.random() < 0.3:
            coverage = float(rng.uniform(285.0, 340.0))
        halo = ReversedHalo(
            point,
            size,
            rim,
            seed_of(rng),
            coverage_deg=coverage,
            gap_deg=float(rng.uniform(0.0, 360.0)),
            core_fraction=float(rng.uniform(0.24, 0.36)),
            rim_fraction=0.68 if oddity == "faint" else 0.95,
        )
        kind = "crescent" if oddity == "crescent" else "reversed_halo"
        return halo, Planted(kind, np.array(point), 0.5 * size, size, rim, coverage, oddity == "faint")
    return None


def scanned_lung(
    seed: int, spec: object, own: Float64Array, lesions: Sequence[Lesion], rng: np.random.Generator, whole: bool
) -> Phantom:
    """The scan of one lung, or of the whole chest, by a scanner of the seed's own."""
    kernel, noise = KERNELS[seed % len(KERNELS)]
    slices_mm = float(rng.choice(SLICES_MM))
    pixel = float(rng.uniform(0.85, 1.25))
    noise = noise * float(rng.uniform(0.7, 1.4) * np.sqrt(1.25 / slices_mm))
    scanner = ScannerSpec(kernel=kernel, noise_hu=noise, round_field=whole)
    if whole:
        base = thin_grid()
        geometry = base.resampled((slices_mm, base.spacing_mm[1], base.spacing_mm[2]))
    else:
        low, high = own.min(axis=0) - MARGIN_MM, own.max(axis=0) + MARGIN_MM
        spacing = (slices_mm, pixel, pixel)
        z, y, x = (int((h - n) / s) for n, h, s in zip(low[::-1], high[::-1], spacing, strict=True))
        geometry = Geometry((z, y, x), spacing, tuple(float(v) for v in low))  # type: ignore[arg-type]
    return make_phantom(seed, geometry=geometry, spec=spec, lesions=lesions, scanner=scanner)  # type: ignore[arg-type]
