"""Reversed halo (atoll): a core of ground glass inside a rim of consolidation, measured as an object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float64Array, Int16Array
from cop_imaging.core.finding import Feature, Finding, Lesion, Reliability, not_assessable
from cop_imaging.core.geometry import Box
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.distribution import distribution_features, distribution_of
from cop_imaging.signs.halo.candidates import CoarseLung, candidate_places, coarse_lung
from cop_imaging.signs.halo.limits import ReversedHaloConfig
from cop_imaging.signs.halo.nodules import nodules_with_halo
from cop_imaging.signs.halo.ring import Ring, centred, measure_ring
from cop_imaging.signs.halo.verdict import LOOK_ALIKES, Verdict, among_cells, verdict_of
from cop_imaging.signs.intervals import Span, spans
from cop_imaging.signs.lesions import lesions_of_labels
from cop_imaging.signs.presence import seen
from cop_imaging.signs.reliability import by_thickness
from cop_imaging.signs.shapes.rings import SPHERE_RAYS, sphere_directions, star_mask

__all__ = ["ReversedHalo", "ReversedHaloConfig"]

DENSER_HU = -280.0
"""A second limit at which rims are looked for: around dense haze."""
LEAST_APART_MM = 5.0
CORE_PART = 0.9
"""Part of a core's radius within which another place is taken for the same core."""
REAL = ("halo", "crescent")
VAGUE = ("broken_ring", "spared_lung", "vessel_loop")
BEST = {
    "outer_diameter_mm": Feature("", "mm", "outer diameter of the clearest ring"),
    "core_diameter_mm": Feature("", "mm", "diameter of its core"),
    "rim_mm": Feature("", "mm", "median thickness of its rim"),
    "rim_p10_mm": Feature("", "mm", "thickness that a tenth of its rim stays below"),
    "rim_p90_mm": Feature("", "mm", "thickness that nine tenths of its rim stay below"),
    "coverage_deg": Feature("", "degrees", "angle of its rim in the best plane", high=360.0),
    "sphere_share": Feature("", "1", "share of all directions that its rim covers", high=1.0),
    "contrast_hu": Feature("", "HU", "median density of its rim above its core"),
}

FEATURES = (
    *distribution_features("reversed_halo", "reversed halo, rim and core"),
    Feature("reversed_halo.count", "1", "rings that pass every test"),
    Feature("reversed_halo.possible_count", "1", "crescents of 180-270 degrees that pass the other tests"),
    *(Feature(f"reversed_halo.best_{n}", f.unit, f.means, high=f.high) for n, f in BEST.items()),
    *(Feature(f"reversed_halo.{n}_count", "1", f"look-alikes: {means}") for n, means in LOOK_ALIKES.items()),
)

Named = tuple[Ring, Verdict]


@dataclass(frozen=True)
class ReversedHalo:
    """Round ground glass ringed by a more or less complete rim of consolidation (Hansell 2008; Kim 2003)."""

    config: ReversedHaloConfig = field(default_factory=ReversedHaloConfig)
    name: str = "reversed_halo"
    title: str = "Reversed halo sign"
    needs: tuple[str, ...] = ("consolidation",)
    has_mask: bool = True
    features: tuple[Feature, ...] = FEATURES

    @property
    def definition(self) -> str:
        """The definition with the limits in force."""
        c = self.config
        return (
            f"Core of ground glass at least {c.contrast_hu:g} HU below a rim of consolidation of {c.rim_mm[0]:g} to "
            f"{c.rim_mm[1]:g} mm that covers at least {c.coverage_deg:g} degrees in the best plane and "
            f"{100 * c.sphere_share:g} % of all directions; outer diameter {c.outer_mm[0]:g} to {c.outer_mm[1]:g} mm."
        )

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """How far the scan's slices suit the sign."""
        return by_thickness(acquisition, self.config.thickness_mm, "the reversed halo", in_one_slice=False)

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Every ring with its numbers; look-alikes are counted by name."""
        if earlier["consolidation"].mask is None:
            return not_assessable(self, "consolidation could not be assessed")
        rings, labels = named_rings(scene, self.config)
        real = [r for r in rings if r[1].name in REAL]
        mask = (labels > 0) & (labels <= len(real))
        score = max((v.score for _, v in real), default=0.0)
        return seen(
            self,
            score,
            self._values(scene, mask, rings),
            mask,
            lesions=_lesions(rings, labels, scene),
            best_z=round(float(real[0][0].centre[0])) if real else None,
        )

    def _values(self, scene: Scene, mask: BoolArray, rings: Sequence[Named]) -> dict[str, Span]:
        """All measures; they span what the haloes and crescents become under the tried limits of the rim."""
        c = self.config
        names = [v.name for _, v in rings]
        table = distribution_of(self.name, mask, scene, smallest_patch_ml=0.0)
        table |= {f"reversed_halo.{n}_count": float(names.count(n)) for n in LOOK_ALIKES}
        table["reversed_halo.count"] = float(names.count("halo"))
        table["reversed_halo.possible_count"] = float(names.count("crescent"))
        real = [ring for ring, v in rings if v.name in REAL]
        tried = [(limit, 0.5) for limit in c.rim_hu_range] + [(c.rim_hu, share) for share in c.edge_share_range]
        moved = [self._moved(scene, real, rim_hu, share, table) for rim_hu, share in tried]
        return spans(table | _best(real[0] if real else None), moved)

    def _moved(
        self, scene: Scene, real: Sequence[Ring], rim_hu: float, edge_share: float, usual: Mapping[str, float | None]
    ) -> dict[str, float | None]:
        """The numbers under other limits of the rim: a ring that is then none takes no place."""
        if not real:
            return dict(usual) | _best(None)
        c = self.config.model_copy(update={"rim_hu": rim_hu})
        rings = [measure_ring(scene, ring.centre, c, rim_hu=rim_hu, edge_share=edge_share) for ring in real]
        mask = np.zeros(scene.lungs.shape, dtype=bool)
        for ring in rings:
            verdict = None if ring is None else verdict_of(ring, scene.aerated_mode_hu, c)
            if ring is not None and verdict is not None and verdict.name in REAL:
                box, ball = ball_of(ring, scene)
                mask[box] |= ball
        table = distribution_of(self.name, mask, scene, smallest_patch_ml=0.0)
        return dict(usual) | table | _best(rings[0])


def ball_of(ring: Ring, scene: Scene) -> tuple[Box, BoolArray]:
    """Core and rim of a ring inside the lungs: a box, and bool on it."""
    rays = sphere_directions(SPHERE_RAYS)
    return star_mask(scene.lungs, scene.geometry, ring.centre, rays, ring.radius_by_ray_mm)


def named_rings(scene: Scene, config: ReversedHaloConfig) -> tuple[list[Named], Int16Array]:
    """Every ring with its verdict, haloes first and clearest first, and the voxels of each, labelled 1..n."""
    coarse = coarse_lung(scene)
    named = []
    for ring in rings_in(scene, coarse, config):
        verdict = verdict_of(ring, scene.aerated_mode_hu, config)
        if verdict is not None:
            named.append((ring, verdict))
    spacing = np.array(scene.geometry.spacing_mm)
    anew = among_cells(named, spacing, config.honeycomb_apart_mm)
    named = [(ring, verdict) for (ring, _), verdict in zip(named, anew, strict=True)]
    named += [
        (nodule, Verdict("halo_nodule", f"{nodule.core_hu:.0f} HU inside {nodule.rim_hu:.0f} HU", 0.0))
        for nodule in nodules_with_halo(scene, coarse)
    ]
    labels: Int16Array = np.zeros(scene.lungs.shape, dtype=np.int16)
    kept: list[Named] = []
    for ring, verdict in sorted(named, key=_clearness):
        if any(_same(ring, other, spacing) for other, _ in kept):
            continue
        box, star = ball_of(ring, scene)
        mine = star & (labels[box] == 0)
        if mine.any():
            kept.append((ring, verdict))
            labels[box][mine] = len(kept)
    return kept, labels


def rings_in(scene: Scene, coarse: CoarseLung, config: ReversedHaloConfig) -> list[Ring]:
    """What is measured around every place that could be a core; a place inside a closed ring before it is that ring."""
    out: list[Ring] = []
    spacing = np.array(scene.geometry.spacing_mm)
    for places in candidate_places(
        scene, coarse, limits_hu=(config.rim_hu, DENSER_HU), longest_mm=config.outer_mm[1] / 2
    ):
        looked = 0
        for place in places.centres:
            if looked == places.most:
                break
            inside = (
                np.linalg.norm((r.centre - place) * spacing) < CORE_PART * r.core_mm / 2
                for r in out
                if r.sphere_share >= config.sphere_share
            )
            if any(inside):
                continue
            looked += 1
            ring = measure_ring(scene, centred(scene, place, config), config, rim_hu=config.rim_hu)
            if ring is not None:
                out.append(ring)
    return out


def _clearness(named: Named) -> tuple[float, bool, float]:
    """Haloes before look-alikes, a look-alike of its own shape before a mere gap in or between others."""
    ring, verdict = named
    return -verdict.score, verdict.name in VAGUE, -ring.sphere_share


def _same(ring: Ring, other: Ring, spacing_mm: Float64Array) -> bool:
    """A ring whose centre lies inside a clearer one is that ring."""
    apart = float(np.linalg.norm((ring.centre - other.centre) * spacing_mm))
    return apart < max(other.outer_mm / 2, LEAST_APART_MM)


def _best(ring: Ring | None) -> dict[str, float | None]:
    if ring is None:
        return {f"reversed_halo.best_{n}": None for n in BEST}
    return {f"reversed_halo.best_{n}": value for n, value in _numbers(ring).items()}


def _numbers(ring: Ring) -> dict[str, float]:
    return {
        "outer_diameter_mm": ring.outer_mm,
        "core_diameter_mm": ring.core_mm,
        "rim_mm": ring.rim_mm,
        "rim_p10_mm": ring.rim_p10_mm,
        "rim_p90_mm": ring.rim_p90_mm,
        "coverage_deg": ring.coverage_deg,
        "sphere_share": ring.sphere_share,
        "contrast_hu": ring.contrast_hu,
    }


def _lesions(rings: Sequence[Named], labels: Int16Array, scene: Scene) -> tuple[Lesion, ...]:
    """The rings as lesions: what each is, its numbers, and the test that told it."""
    kinds = {"halo": "reversed halo", "crescent": "crescent, possible"}
    kinds |= {n: f"no reversed halo: {means}" for n, means in LOOK_ALIKES.items()}
    rows = lesions_of_labels(labels, len(rings), scene)
    return tuple(
        lesion.model_copy(update={"details": {"kind": kinds[verdict.name], "told_by": verdict.test, **_numbers(ring)}})
        for lesion, (ring, verdict) in zip(rows, rings, strict=False)
    )
