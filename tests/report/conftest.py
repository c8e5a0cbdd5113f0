"""A tiny analysis, built by hand from core types: two lungs, a ball of consolidation with a ground-glass rind."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cop_imaging.core import (
    Acquisition,
    Anatomy,
    AnatomySummary,
    Contribution,
    CTVolume,
    DiseaseProbability,
    Feature,
    FeatureSchema,
    FeatureVector,
    Finding,
    FindingSummary,
    Geometry,
    Issue,
    Lesion,
    Likelihood,
    Measure,
    Presence,
    Probability,
    Provenance,
    Report,
    Scene,
    Severity,
    SliceIdentity,
    Status,
    StoredOrder,
    WorkGrid,
)
from cop_imaging.report import Analysis

TITLES = {
    "consolidation": "Consolidation",
    "ground_glass": "Ground-glass opacity",
    "reversed_halo": "Reversed halo",
    "bands": "Bands",
    "lung_volume": "Lung volume",
}
GEOMETRY = Geometry(shape=(40, 64, 64), spacing_mm=(2.5, 1.5, 1.25), origin_mm=(-40.0, -50.0, -120.0))
BOX = (slice(4, 36), slice(8, 56), slice(6, 60))


def ball(centre: tuple[float, float, float], radius_mm: float) -> np.ndarray:
    z, y, x = np.indices(GEOMETRY.shape, dtype=np.float32)
    parts = [(a - c) * s for a, c, s in zip((z, y, x), centre, GEOMETRY.spacing_mm, strict=True)]
    return sum(p * p for p in parts) <= radius_mm**2


def volume(stored: StoredOrder, acquisition: Acquisition) -> tuple[CTVolume, Anatomy]:
    lungs = np.zeros(GEOMETRY.shape, np.uint8)
    lungs[5:35, 10:54, 8:28] = 1
    lungs[5:35, 10:54, 36:58] = 2
    hu = np.full(GEOMETRY.shape, 40, np.int16)
    hu[lungs > 0] = -850
    hu[ball((18, 40, 48), 11)] = -550
    hu[ball((18, 40, 48), 7)] = 30
    slices = tuple(SliceIdentity(instance_number=40 - z, sop_instance_uid=f"1.2.{z}") for z in range(40))
    airways = ball((30, 25, 32), 4)
    nothing = np.zeros(GEOMETRY.shape, bool)
    coarse = np.zeros((1, 1, 1), np.float32)
    work = WorkGrid(Geometry((1, 1, 1), (100.0, 96.0, 80.0)), coarse, coarse)
    anatomy = Anatomy(GEOMETRY, lungs, airways, hu > -2000, nothing.copy(), nothing.copy(), work)
    ct = CTVolume(hu, GEOMETRY, acquisition=acquisition, stored=stored, slices=slices, digest="d" * 64)
    return ct, anatomy


def zones(lungs: np.ndarray) -> np.ndarray:
    """Thirds of the height of each lung: upper, middle, lower of the right one, then of the left one."""
    third = np.clip(3 * (np.arange(lungs.shape[0])[::-1] - 1) // 30, 0, 2)[:, None, None]
    return np.where(lungs > 0, 1 + third + 3 * (lungs == 2), 0).astype(np.uint8)


def scene_of(ct: CTVolume, anatomy: Anatomy) -> Scene:
    return Scene(
        hu=ct.hu[BOX],
        geometry=GEOMETRY.crop(BOX),
        box=BOX,
        full_shape=GEOMETRY.shape,
        lungs=anatomy.lungs[BOX],
        airways=anatomy.airways[BOX],
        vessels=anatomy.vessels[BOX],
        uncertain=anatomy.uncertain[BOX],
        effusion=None,
        airway_tree=None,
        valid=None,
        acquisition=ct.acquisition,
        gravity=(0.0, 1.0, 0.0),
        slices=ct.slices[BOX[0]],
        noise_hu=12.0,
        aerated_mode_hu=-850.0,
        makers={
            "depth_mm": lambda scene: np.zeros(scene.hu.shape, np.float32),
            "zone": lambda scene: zones(scene.lungs),
        },
    )


def finding(sign: str, presence: Presence, mask: np.ndarray | None, best_z: int | None = None) -> Finding:
    tails = {
        "volume_ml": "ml",
        "extent_percent": "percent",
        "extent_right_percent": "percent",
        "extent_left_percent": "percent",
        "extent_upper_percent": "percent",
        "extent_lower_percent": "percent",
        "extent_0_5_mm_percent": "percent",
        "extent_over_30_mm_percent": "percent",
        "lower_to_upper": "1",
        "mean_hu": "HU",
        "count": "1",
    }
    features = tuple(
        Feature(f"{sign}.{t}", unit, f"{t} of {sign}", low=None if unit == "HU" else 0.0) for t, unit in tails.items()
    )
    ml = None if mask is None else float(mask.sum()) * GEOMETRY.voxel_ml
    none = presence is Presence.NOT_ASSESSABLE
    measures = [Measure(name=f"{sign}.volume_ml", value=ml, low=ml and 0.8 * ml, high=ml and 1.3 * ml, unit="ml")]
    for n, feature in enumerate(features[1:], start=1):
        value = None if none or feature.name.endswith("upper") else -40.5 if feature.unit == "HU" else n / 3
        spread = value is not None and feature.unit == "percent"
        measures.append(
            Measure(
                name=feature.name,
                value=value,
                low=value * 0.7 if spread else None,
                high=value * 1.6 if spread else None,
                unit=feature.unit,
            )
        )
    lesions = ()
    if presence is Presence.PRESENT and ml:
        lesions = (
            Lesion(
                volume_ml=ml, centre_mm=(20.0, 10.0, -75.0), depth_mm=0.0, z_mm=-75.0, instance_number=22,
                side="left", zone="middle", mean_hu=-12.3, details={"rim_mm": 3.4, "shape": "round"},
            ),
        )  # fmt: skip
    return Finding(
        sign=sign,
        presence=presence,
        score=None if none else {Presence.PRESENT: 0.93, Presence.POSSIBLE: 0.41}.get(presence, 0.02),
        features=features,
        measures=tuple(measures),
        reason="slices of 5 mm hide thin structures" if none else "",
        mask=mask,
        lesions=lesions,
        best_z=best_z,
    )


def findings_in(crop: tuple[slice, ...]) -> tuple[Finding, ...]:
    core, rind = ball((18, 40, 48), 7), ball((18, 40, 48), 11)
    return (
        finding("consolidation", Presence.PRESENT, core[crop], 14),
        finding("ground_glass", Presence.POSSIBLE, (rind & ~core)[crop]),
        finding("reversed_halo", Presence.ABSENT, np.zeros_like(core)[crop]),
        finding("bands", Presence.NOT_ASSESSABLE, None),
        finding("lung_volume", Presence.PRESENT, None),
    )


def vector_of(findings: tuple[Finding, ...]) -> FeatureVector:
    schema = FeatureSchema("1", tuple(f for x in findings for f in x.features), tuple(x.sign for x in findings))

    def column(name: str) -> np.ndarray:
        values = [getattr(m, name) for x in findings for m in x.measures]
        return np.array([np.nan if v is None else v for v in values], np.float64)

    return FeatureVector(
        schema,
        column("value"),
        column("low"),
        column("high"),
        scores={x.sign: x.score for x in findings},
        assessable={x.sign: x.presence is not Presence.NOT_ASSESSABLE for x in findings},
    )


def likelihood() -> Likelihood:
    terms = {
        "prior": ("Assumed before looking", -2.0),
        "consolidation": ("Consolidation", 2.4),
        "distribution": ("Distribution", 0.9),
        "fibrosis": ("Fibrosis signs", -0.6),
    }
    p = 1 / (1 + np.exp(-sum(v for _, v in terms.values())))
    rest = {
        "CAP": ("Bacterial pneumonia", 0.6),
        "CEP": ("Chronic eosinophilic pneumonia", 0.3),
        "NORMAL": ("None", 0.1),
    }
    return Likelihood(
        status="ok",
        op=Probability(p=p, low=0.45, high=0.82),
        prior={"COP": 0.1, "CAP": 0.2, "NORMAL": 0.7},
        differential=(
            DiseaseProbability(disease="OP", title="Organizing pneumonia, any cause", p=p),
            *(DiseaseProbability(disease=d, title=t, p=(1 - p) * s) for d, (t, s) in rest.items()),
        ),
        contributions=tuple(
            Contribution(name=n, title=t, log_odds=v, features={f"{n}.extent_percent": 1 / 3})
            for n, (t, v) in terms.items()
        ),
        out_of_distribution=False,
    )


def report_of(ct: CTVolume, vector: FeatureVector, findings: tuple[Finding, ...], answer: Likelihood | None) -> Report:
    thick = Issue(
        code="slices.thick", severity=Severity.WARNING, message="Slices are 2.5 mm thick; bands need 1.5 mm.",
        affects=("bands",), measured=2.5, limit=1.5,
    )  # fmt: skip
    return Report(
        status=Status.LIMITED,
        case="c0ffee123456",
        acquisition=ct.acquisition,
        issues=(thick, Issue(code="kernel.unknown", severity=Severity.INFO, message="The kernel is not known.")),
        anatomy=AnatomySummary(
            lung_volume_ml=5012.4, right_volume_ml=2700.0, left_volume_ml=2312.4, airway_volume_ml=61.2,
            vessel_volume_ml=180.0, recovered_ml=12.0, uncertain_ml=3.1, effusion_ml=0.0, mask_trust=0.93,
            right_to_left=1.168, mask_given=False,
        ),
        findings=tuple(FindingSummary.of(f, TITLES[f.sign]) for f in findings),
        features=vector.as_dict(),
        likelihood=answer,
        methods="Signs were measured as stated. Consolidation: lower limit −300 HU.",
        provenance=Provenance(
            versions={"cop-imaging": "0.1.0", "numpy": "2.0"}, input_sha256="d" * 64, config_sha256="c" * 64,
            config_changes={"signs.bands.min_mm": "3.0"}, model_sha256="e" * 64, feature_schema="f" * 64,
            created="2026-01-01T00:00:00Z", timings_s={"anatomy": 1.2345678901234, "signs": 0.1 + 0.2},
        ),
    )  # fmt: skip


def tiny_analysis(stored: StoredOrder | None = None, **acquisition: object) -> Analysis:
    facts = {"manufacturer": "Example", "kernel": "B40f", "slice_thickness_mm": 2.5, "slice_count": 40, "kvp": 120.0}
    ct, anatomy = volume(stored or StoredOrder(), Acquisition(**{**facts, **acquisition}))
    findings = findings_in(BOX)
    vector, answer = vector_of(findings), likelihood()
    report = report_of(ct, vector, findings, answer)
    signs = ("consolidation", "ground_glass", "reversed_halo", "bands")
    return Analysis(ct, anatomy, scene_of(ct, anatomy), findings, vector, answer, report, signs)


@pytest.fixture(scope="session")
def make_analysis() -> Callable[..., Analysis]:
    """Make the tiny analysis with another stored order or other header fields."""
    return tiny_analysis


@pytest.fixture(scope="session")
def analysis() -> Analysis:
    return tiny_analysis()


@pytest.fixture(scope="session")
def refused(analysis: Analysis) -> Analysis:
    """The same series, found not assessable."""
    error = Issue(code="lungs.none", severity=Severity.ERROR, message="No lungs were found.", affects=("lungs",))
    issues = (error, *analysis.report.issues)
    report = analysis.report.model_copy(update={"status": Status.NOT_ASSESSABLE, "likelihood": None, "issues": issues})
    return replace(analysis, likelihood=None, report=report)
