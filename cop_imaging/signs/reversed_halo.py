"""Reversed halo (atoll): a core of ground glass inside a rim of consolidation, measured as an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cop_imaging.config import Section, quantity
from cop_imaging.core.arrays import BoolArray, Float64Array, Int32Array
from cop_imaging.core.finding import Feature, Finding, Lesion, Reliability, measures_from, not_assessable
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.distribution import distribution_features, distribution_of
from cop_imaging.signs.halo_candidates import candidate_centres
from cop_imaging.signs.intervals import Span, spans
from cop_imaging.signs.lesions import best_slice, lesions_of_labels
from cop_imaging.signs.presence import POSSIBLE_SCORE, PRESENT_SCORE, presence_of
from cop_imaging.signs.reliability import by_thickness
from cop_imaging.signs.rings import Ring, cast_rays, circle_directions, sphere_directions, star_mask

__all__ = ["Halo", "ReversedHalo", "ReversedHaloConfig", "measure_ring"]

SPHERE_RAYS = 200
CIRCLE_RAYS = 120
CENTRING_STEPS = 3
LEAST_APART_MM = 10.0


class ReversedHaloConfig(Section):
    """Limits of the reversed halo."""

    rim_hu: float = quantity(
        -350.0,
        low=-450.0,
        high=-150.0,
        unit="HU",
        means="density above which a ray is inside the rim",
        source="rim of consolidation; a rim of 3 mm keeps about two thirds of its contrast after blurring",
    )
    rim_hu_range: tuple[float, float] = quantity(
        (-400.0, -250.0),
        unit="HU",
        means="tried range of that limit, from which the interval comes",
        source="range of lower bounds of consolidation in use",
    )
    contrast_hu: float = quantity(
        150.0,
        low=50.0,
        high=500.0,
        unit="HU",
        means="least density of the rim above the core",
        source="core at least 150 HU below the rim; estimate",
    )
    above_aerated_hu: float = quantity(
        60.0,
        low=0.0,
        high=200.0,
        unit="HU",
        means="least density of the core above aerated lung",
        source="core is ground glass, not spared lung; estimate",
    )
    air_hu: float = quantity(
        -900.0,
        low=-980.0,
        high=-850.0,
        unit="HU",
        means="density below which the core holds air",
        source="cavity; gas below -900 HU",
    )
    air_share: float = quantity(
        0.25,
        low=0.0,
        high=1.0,
        unit="1",
        means="share of the core that is air from which the ring is a cavity",
        source="estimate",
    )
    rim_mm: tuple[float, float] = quantity(
        (2.0, 15.0), unit="mm", means="thickness of the rim", source="at least 2 mm; above 10-15 mm look-alikes"
    )
    core_least_mm: float = quantity(
        8.0,
        low=2.0,
        high=20.0,
        unit="mm",
        means="smallest diameter of the core",
        source="centre of 8 to 80 mm; Kim 2003",
    )
    outer_mm: tuple[float, float] = quantity(
        (10.0, 80.0), unit="mm", means="outer diameter", source="centre of 8 to 80 mm; Kim 2003, Marchiori 2012"
    )
    coverage_deg: float = quantity(
        270.0,
        low=180.0,
        high=360.0,
        unit="degrees",
        means="angle of the rim in the best plane of a reversed halo",
        source="ring or at least three quarters of a circle; Hansell 2008",
    )
    crescent_deg: float = quantity(
        180.0,
        low=90.0,
        high=270.0,
        unit="degrees",
        means="angle from which a crescent is possible",
        source="crescent of 180-270 degrees; estimate",
    )
    sphere_share: float = quantity(
        0.6,
        low=0.3,
        high=1.0,
        unit="1",
        means="share of all directions that the rim covers",
        source="50 to 60 % of the sphere; estimate",
    )
    spread: float = quantity(
        0.35,
        low=0.1,
        high=1.0,
        unit="1",
        means="largest SD over mean of the radius of core and of outer border",
        source="round to oval: an ellipsoid with axes 1:2 has 0.3; estimate",
    )
    pleura_share: float = quantity(
        0.6,
        low=0.2,
        high=1.0,
        unit="1",
        means="largest share of the rim that is bounded by pleura",
        source="not all pleura-bounded; estimate",
    )
    thickness_mm: float = quantity(
        3.0, low=1.0, high=5.0, unit="mm", means="slice thickness up to which it is measured well", source="3 mm"
    )


LOOK_ALIKES = (
    "cavity",
    "spared_lung",
    "low_contrast",
    "thick_rim",
    "small_core",
    "open_ring",
    "not_round",
    "pleura_bounded",
)

FEATURES = (
    *distribution_features("reversed_halo", "reversed halo, rim and core"),
    Feature("reversed_halo.count", "1", "rings that pass every test"),
    Feature("reversed_halo.possible_count", "1", "crescents of 180-270 degrees that pass the other tests"),
    Feature("reversed_halo.best_outer_diameter_mm", "mm", "outer diameter of the clearest ring"),
    Feature("reversed_halo.best_core_diameter_mm", "mm", "diameter of its core"),
    Feature("reversed_halo.best_rim_mm", "mm", "median thickness of its rim"),
    Feature("reversed_halo.best_coverage_deg", "degrees", "angle of its rim in the best plane", high=360.0),
    Feature("reversed_halo.best_sphere_share", "1", "share of all directions that its rim covers", high=1.0),
    Feature("reversed_halo.best_contrast_hu", "HU", "median density of its rim above its core"),
    *(
        Feature(f"reversed_halo.{name}_count", "1", f"candidates taken for: {name.replace('_', ' ')}")
        for name in LOOK_ALIKES
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class Halo:
    """One measured ring."""

    verdict: str
    """``halo``, ``crescent`` or the name of a look-alike."""
    score: float
    centre: Float64Array
    """Index (z, y, x) on the scene's crop."""
    outer_mm: float
    core_mm: float
    rim_mm: float
    rim_p10_mm: float
    rim_p90_mm: float
    coverage_deg: float
    sphere_share: float
    contrast_hu: float
    radius_by_ray_mm: Float64Array


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
        weight, reason = self.reliability(scene.acquisition)
        if weight == 0.0 or earlier["consolidation"].mask is None:
            return not_assessable(self, reason or "consolidation could not be assessed")
        c = self.config
        centres = candidate_centres(
            scene, rim_hu=c.rim_hu, above_aerated_hu=c.above_aerated_hu, longest_mm=c.outer_mm[1] / 2
        )
        centred = [_recentred(scene, p, c) for p in centres]
        rings = _distinct([measure_ring(scene, p, c.rim_hu, c) for p in centred], np.array(scene.geometry.spacing_mm))
        named = [r for r in rings if r.verdict in ("halo", "crescent")]
        labels: Int32Array = np.zeros(scene.lungs.shape, dtype=np.int32)
        kept: list[Halo] = []
        for ring in named:
            star = star_mask(
                scene.geometry.shape, scene.geometry, ring.centre, sphere_directions(SPHERE_RAYS), ring.radius_by_ray_mm
            )
            mine = star & (scene.lungs > 0) & (labels == 0)
            if mine.any():  # a ring that lies wholly inside a clearer one is that ring
                kept.append(ring)
                labels[mine] = len(kept)
        rings = [r for r in rings if r not in named or r in kept]
        named = kept
        mask = labels > 0
        score = max((r.score for r in named), default=0.0)
        lesions = tuple(
            _with_ring(lesion, r)
            for lesion, r in zip(lesions_of_labels(labels, len(named), scene), named, strict=False)
        )
        return Finding(
            sign=self.name,
            presence=presence_of(score),
            score=score,
            features=self.features,
            measures=measures_from(self.features, self._values(scene, mask, rings, named)),
            reason=reason,
            mask=mask,
            lesions=lesions,
            best_z=round(float(named[0].centre[0])) if named else best_slice(mask),
        )

    def _values(self, scene: Scene, mask: BoolArray, rings: list[Halo], named: list[Halo]) -> dict[str, Span]:
        """All measures; those of the best ring span the tried range of the rim's limit."""
        c = self.config
        count = {verdict: sum(r.verdict == verdict for r in rings) for verdict in ("halo", "crescent", *LOOK_ALIKES)}
        table = distribution_of(self.name, mask, scene, smallest_patch_ml=0.0)
        table |= {"reversed_halo.count": float(count["halo"]), "reversed_halo.possible_count": float(count["crescent"])}
        table |= {f"reversed_halo.{name}_count": float(count[name]) for name in LOOK_ALIKES}
        best = named[0] if named else None
        moved = [measure_ring(scene, best.centre, limit, c) for limit in c.rim_hu_range] if best else []
        return spans(table, []) | spans(_best(best), [_best(r) for r in moved])


def _recentred(scene: Scene, centre: Float64Array, config: ReversedHaloConfig) -> Float64Array:
    """The middle of the core around ``centre``: the mean of where rays meet the rim, found by a few steps."""
    directions = sphere_directions(SPHERE_RAYS)
    spacing = np.array(scene.geometry.spacing_mm)
    for _ in range(CENTRING_STEPS):
        ring = _cast(scene, centre, directions, config.rim_hu, config)
        met = np.isfinite(ring.core_mm)
        if met.sum() < SPHERE_RAYS // 2:
            break
        centre = centre + (directions[met] * ring.core_mm[met, None]).mean(axis=0) / spacing
    return centre


def _cast(
    scene: Scene, centre: Float64Array, directions: Float64Array, rim_hu: float, config: ReversedHaloConfig
) -> Ring:
    return cast_rays(
        scene.smooth_hu,
        scene.lungs,
        scene.geometry,
        centre,
        directions,
        rim_hu=rim_hu,
        longest_mm=config.outer_mm[1] / 2 + config.rim_mm[1],
        thickness_mm=config.rim_mm,
        air_hu=config.air_hu,
    )


def measure_ring(scene: Scene, centre: Float64Array, rim_hu: float, config: ReversedHaloConfig) -> Halo:
    """Measure the ring around ``centre`` (index z, y, x on the crop) and name what it is."""
    sphere = _cast(scene, centre, sphere_directions(SPHERE_RAYS), rim_hu, config)
    planes = [_cast(scene, centre, circle, rim_hu, config) for circle in circle_directions(CIRCLE_RAYS)]
    coverage = 360.0 * max(float(p.covered.mean()) for p in planes)
    met = sphere.covered
    if met.sum() < SPHERE_RAYS // 10:
        return Halo(
            "open_ring", 0.0, centre, 0.0, 0.0, 0.0, 0.0, 0.0, coverage, float(met.mean()), 0.0, np.zeros(SPHERE_RAYS)
        )
    thickness = sphere.outer_mm[met] - sphere.core_mm[met]
    outer = 2.0 * float(np.median(sphere.outer_mm[met]))
    core_hu, rim = float(np.nanmedian(sphere.core_hu[met])), float(np.nanmedian(sphere.rim_hu[met]))
    share = float(met.mean())
    verdict = _verdict(sphere, core_hu, rim, outer, coverage, share, scene.aerated_mode_hu, config)
    closed = 1.0 - np.exp(-3.0 * max(coverage / 360.0 - 0.5, 0.0) / 0.5)
    clear = min((rim - core_hu) / (2.0 * config.contrast_hu), 1.0)
    strength = 0.5 * float(closed) + 0.5 * float(clear)
    base = {"halo": PRESENT_SCORE, "crescent": POSSIBLE_SCORE}.get(verdict, 0.0)
    return Halo(
        verdict=verdict,
        score=base + strength / 3.0 * 0.999 if base else 0.0,
        centre=centre,
        outer_mm=outer,
        core_mm=2.0 * float(np.median(sphere.core_mm[met])),
        rim_mm=float(np.median(thickness)),
        rim_p10_mm=float(np.percentile(thickness, 10)),
        rim_p90_mm=float(np.percentile(thickness, 90)),
        coverage_deg=coverage,
        sphere_share=share,
        contrast_hu=rim - core_hu,
        radius_by_ray_mm=np.where(
            met, sphere.outer_mm, np.minimum(sphere.core_mm, float(np.median(sphere.core_mm[met])))
        ),
    )


def _verdict(
    ring: Ring,
    core_hu: float,
    rim_hu: float,
    outer_mm: float,
    coverage_deg: float,
    share: float,
    aerated_hu: float,
    c: ReversedHaloConfig,
) -> str:
    """Name of the ring: every look-alike has the test that tells it apart."""
    met = ring.covered
    air = float(ring.core_air[met].mean())
    finite = np.isfinite(ring.core_mm)
    too_thick = np.where(finite, ring.outer_mm, 0.0) - np.where(finite, ring.core_mm, 0.0) > c.rim_mm[1]
    spread = max(float(r[met].std() / max(r[met].mean(), 1e-6)) for r in (ring.core_mm, ring.outer_mm))
    tests = (
        ("cavity", air > c.air_share or core_hu < c.air_hu),
        ("spared_lung", core_hu < aerated_hu + c.above_aerated_hu),
        ("low_contrast", rim_hu - core_hu < c.contrast_hu),
        ("thick_rim", float(too_thick.mean()) > 1.0 - c.sphere_share),
        ("small_core", 2.0 * float(np.median(ring.core_mm[met])) < c.core_least_mm),
        ("not_round", spread > c.spread or not c.outer_mm[0] <= outer_mm <= c.outer_mm[1]),
        ("pleura_bounded", float(ring.at_pleura[met].mean()) > c.pleura_share),
        ("open_ring", coverage_deg < c.crescent_deg or share < c.sphere_share * c.crescent_deg / c.coverage_deg),
    )
    for name, failed in tests:
        if failed:
            return name
    return "halo" if coverage_deg >= c.coverage_deg and share >= c.sphere_share else "crescent"


def _distinct(rings: list[Halo], spacing_mm: Float64Array) -> list[Halo]:
    """Clearest first; a ring whose centre lies inside a clearer one is the same ring."""
    out: list[Halo] = []
    for ring in sorted(rings, key=lambda r: -r.score):
        apart = (
            np.linalg.norm((ring.centre - o.centre) * spacing_mm) > max(o.outer_mm, LEAST_APART_MM) / 2 for o in out
        )
        if all(apart):
            out.append(ring)
    return out


def _best(ring: Halo | None) -> dict[str, float | None]:
    names = ("outer_diameter_mm", "core_diameter_mm", "rim_mm", "coverage_deg", "sphere_share", "contrast_hu")
    values: tuple[float | None, ...] = (None,) * len(names)
    if ring is not None and ring.outer_mm > 0:
        values = (ring.outer_mm, ring.core_mm, ring.rim_mm, ring.coverage_deg, ring.sphere_share, ring.contrast_hu)
    return {f"reversed_halo.best_{name}": value for name, value in zip(names, values, strict=True)}


def _with_ring(lesion: Lesion, ring: Halo) -> Lesion:
    return lesion.model_copy(
        update={
            "details": {
                "kind": "reversed halo" if ring.verdict == "halo" else "crescent, possible",
                "outer_diameter_mm": ring.outer_mm,
                "core_diameter_mm": ring.core_mm,
                "rim_mm": ring.rim_mm,
                "rim_p10_mm": ring.rim_p10_mm,
                "rim_p90_mm": ring.rim_p90_mm,
                "coverage_deg": ring.coverage_deg,
                "sphere_share": ring.sphere_share,
                "contrast_hu": ring.contrast_hu,
            }
        }
    )
