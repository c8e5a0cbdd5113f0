"""Whether stated intervals hold: ``python -m benchmarks.sign_intervals --first 71201 --count 4``.

Chests are drawn as for ``benchmarks.sign_presence`` and each is scanned again and again: slices of 0.7, 1, 1.5 and
2.5 mm, three kernels, three doses. One of them is varied at a time, the others are those of the reference (1 mm, soft
kernel, full dose), and some scans draw all three at random. Chest, lesions and truth stay the same; motion is left
out. What is kept of a chest is one file in the folder, written after each scan, so that a stopped run goes on.

Every extent of a scan (of the lungs, by side, zone and depth) has an interval of its own. Two readings are counted:

- it holds the true extent, of the drawn mask in the true lungs on the reference's grid;
- it holds the extent that was measured in the reference scan.

Counted are extents where truth, reference or scan is at least 0.5 % (of signs without extents the volume from 5 mL):
an interval from 0 to 0 in a lung that has nothing is no success. The target is 90 %.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.density_signs import true_masks
from benchmarks.sign_presence import GRID, HEALTHY, MASKS, anatomy_of, drawn_case
from cop_imaging.core.arrays import BoolArray
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import CTVolume
from cop_imaging.scene import build_scene
from cop_imaging.signs import observe
from cop_imaging.signs.distribution import distribution_of
from cop_imaging.synth.case import CaseSpec, stream
from cop_imaging.synth.diseases.emphysema import with_emphysema
from cop_imaging.synth.diseases.knowledge import load_knowledge
from cop_imaging.synth.diseases.rendering import draw_lesions
from cop_imaging.synth.ground import ground_of
from cop_imaging.synth.lesions.lesion import Lesion
from cop_imaging.synth.phantom import Phantom, patient_of
from cop_imaging.synth.render import ChestModel, Drawn, draw, model_of
from cop_imaging.synth.scan_draw import NOISE_HU, expected_noise_hu
from cop_imaging.synth.scanner import ScannerSpec, acquisition_of, scan

SIGNS = (
    "consolidation",
    "ground_glass",
    "reversed_halo",
    "honeycombing",
    "reticulation",
    "crazy_paving",
    "mosaic_attenuation",
    "emphysema",
    "perilobular",
    "bands",
)
LEAST_PERCENT, LEAST_ML = 0.5, 5.0
TARGET = 0.90
PIXEL_MM = 1.2
STEPS_MM = (0.7, 1.0, 1.5, 2.5)
DOSES_MAS = (30.0, 120.0, 240.0)

Kernel = Literal["soft", "medium", "sharp"]
KERNELS: tuple[Kernel, ...] = ("soft", "medium", "sharp")
Span = list[float | None]
"""Value, low, high."""
Kept = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a chest is scanned."""

    step_mm: float = 1.0
    kernel: Kernel = "soft"
    mas: float = 120.0

    @property
    def name(self) -> str:
        """What it is called in files and tables."""
        return f"{self.step_mm:g} mm {self.kernel} {self.mas:g} mAs"

    @property
    def geometry(self) -> Geometry:
        """The whole chest in slices as thick as they are far apart."""
        return GRID.resampled((self.step_mm, PIXEL_MM, PIXEL_MM))

    def scanner(self, phase: Literal["none", "pulmonary", "arterial", "venous"]) -> ScannerSpec:
        """A scanner with that protocol, with the noise that its dose gives."""
        spec = ScannerSpec(
            kernel=self.kernel,
            thickness_mm=self.step_mm,
            step_mm=self.step_mm,
            mas=self.mas,
            contrast_phase=phase,
        )
        return spec.model_copy(update={"noise_hu": float(np.clip(expected_noise_hu(spec), *NOISE_HU))})


REFERENCE = Protocol()
VARIED = (
    *(Protocol(step_mm=step) for step in STEPS_MM if step != REFERENCE.step_mm),
    *(Protocol(kernel=kernel) for kernel in KERNELS if kernel != REFERENCE.kernel),
    *(Protocol(mas=mas) for mas in DOSES_MAS if mas != REFERENCE.mas),
)


def protocols(seed: int, mixed: int) -> tuple[Protocol, ...]:
    """The reference, one for each thing that is varied, and some with all of them drawn."""
    rng = np.random.default_rng([seed, 3])
    drawn = (
        Protocol(STEPS_MM[int(rng.integers(4))], KERNELS[int(rng.integers(3))], DOSES_MAS[int(rng.integers(3))])
        for _ in range(mixed)
    )
    rest = sorted({*VARIED, *drawn} - {REFERENCE}, key=lambda p: (p.step_mm != REFERENCE.step_mm, p.step_mm, p.name))
    return (REFERENCE, *rest)


@dataclass(slots=True, eq=False)
class Chest:
    """One drawn anatomy with its disease."""

    case: CaseSpec
    model: ChestModel
    lesions: tuple[Lesion, ...]
    drawn: tuple[float, Drawn] | None = None
    """The distance of the slices that were drawn last, and these."""

    @classmethod
    def of(cls, case: CaseSpec) -> Chest:
        """The chest of a case."""
        model = with_emphysema(model_of(case.body, stream(case.seed, "model")), case)
        return cls(case, model, draw_lesions(case, ground_of(model)))

    def scan(self, protocol: Protocol) -> Phantom:
        """The same chest by a protocol; each scan has noise of its own."""
        geometry = protocol.geometry
        if self.drawn is None or self.drawn[0] != protocol.step_mm:
            self.drawn = (protocol.step_mm, draw(self.model, geometry, self.lesions, thickness_mm=protocol.step_mm))
        drawn = self.drawn[1]
        rng = np.random.default_rng([self.case.seed, 4, round(10 * protocol.step_mm), round(protocol.mas)])
        scanner = protocol.scanner(self.case.scanner.contrast_phase)
        hu, valid = scan(drawn.hu, geometry, rng, scanner, drawn_mm=drawn.width_mm)
        acquisition = acquisition_of(scanner, geometry, patient_of(self.model.spec))
        return Phantom(
            CTVolume(hu, geometry, valid, acquisition), {"lungs": drawn.lungs, **drawn.masks}, tuple(self.lesions)
        )


def wanted(name: str) -> bool:
    """Whether a measure is an extent, or the volume of a sign that gives none."""
    sign, _, what = name.partition(".")
    return (what.startswith("extent_") and what.endswith("percent")) or (sign == "bands" and what == "volume_ml")


def true_extents(phantom: Phantom, scene: Scene) -> dict[str, float]:
    """Extents of the drawn masks in the true lungs."""
    density = true_masks(phantom)
    nothing: BoolArray = np.zeros(phantom.volume.hu.shape, dtype=bool)
    out: dict[str, float] = {}
    for sign in SIGNS:
        mask = density.get(sign, nothing)
        if sign not in density:
            for name in MASKS[sign]:
                mask = mask | phantom.truth.get(name, nothing)
        table = distribution_of(sign, np.asarray(mask)[scene.box], scene, smallest_patch_ml=0.0)
        out |= {name: float(value) for name, value in table.items() if wanted(name) and value is not None}
        if sign == "bands":
            out["bands.volume_ml"] = float(table["bands.volume_ml"] or 0.0)
    return out


def scene_of(phantom: Phantom, lungs: str) -> Scene | None:
    """The scene of a scan with the true lungs or the program's own; None where it sees none."""
    anatomy = anatomy_of(phantom.volume, phantom.truth, lungs)
    return None if anatomy is None else build_scene(phantom.volume, anatomy)


def measured(scene: Scene) -> dict[str, Span]:
    """Every extent with its interval."""
    return {m.name: [m.value, m.low, m.high] for f in observe(scene, names=SIGNS) for m in f.measures if wanted(m.name)}


def measure_chest(seed: int, lungs: str, mixed: int, file: Path) -> Kept:
    """Truth and all scans of a chest, from its file as far as they are there."""
    kept: Kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"seed": seed, "scans": {}}
    left = [p for p in protocols(seed, mixed) if p.name not in kept["scans"]]
    if not left:
        return kept
    case = drawn_case(seed, load_knowledge())
    chest = Chest.of(case)
    kept |= {"disease": case.disease, "findings": list(case.findings)}
    for protocol in left:
        phantom = chest.scan(protocol)
        if protocol == REFERENCE:
            true_scene = scene_of(phantom, "true")
            assert true_scene is not None
            kept["true"] = true_extents(phantom, true_scene)
        scene = true_scene if protocol == REFERENCE and lungs == "true" else scene_of(phantom, lungs)
        kept["scans"][protocol.name] = {} if scene is None else measured(scene)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(kept), encoding="utf-8")
        part.replace(file)
        print(f"{seed} {case.disease} {protocol.name}", flush=True)
    return kept


@dataclass(frozen=True, slots=True)
class Case:
    """One extent of one scan, with its interval, beside the truth and the reference scan's."""

    seed: int
    protocol: str
    name: str
    value: float
    low: float
    high: float
    true: float
    reference: float

    @property
    def sign(self) -> str:
        """The sign whose extent it is."""
        return self.name.partition(".")[0]

    @property
    def whole(self) -> bool:
        """Of both lungs, not of a part."""
        return self.name.endswith((".extent_percent", ".volume_ml"))

    @property
    def holds_truth(self) -> bool:
        """Whether the true extent lies in the interval."""
        return self.low <= self.true <= self.high

    @property
    def holds_reference(self) -> bool:
        """Whether the reference scan's extent lies in the interval."""
        return self.low <= self.reference <= self.high


def cases_of(kept: Kept) -> Iterator[Case]:
    """All extents of a chest that count."""
    reference: Mapping[str, Span] = kept["scans"].get(REFERENCE.name, {})
    for protocol, spans in kept["scans"].items():
        for name, (value, low, high) in spans.items():
            at_reference = reference.get(name, [None])[0]
            true = kept["true"].get(name)
            if value is None or low is None or high is None or at_reference is None or true is None:
                continue
            least = LEAST_ML if name.endswith("_ml") else LEAST_PERCENT
            if max(value, true, at_reference) >= least:
                yield Case(kept["seed"], protocol, name, value, low, high, true, at_reference)


def shares(cases: Sequence[Case]) -> str:
    """How many, how often truth and reference are held, bias against both, and how wide the intervals are."""
    if not cases:
        return "   0"
    others = [c for c in cases if c.protocol != REFERENCE.name]
    held = float(np.mean([c.holds_truth for c in cases]))
    text = f"{len(cases):4d} truth {held:.2f}{bias([(c.value, c.true) for c in cases])}"
    if others:
        held = float(np.mean([c.holds_reference for c in others]))
        against = bias([(c.value, c.reference) for c in others])
        text += f", reference {held:.2f} of {len(others):4d}{against}"
    wide = float(np.median([(c.high - c.low) / c.value for c in cases if c.value > 0.0] or [0.0]))
    return f"{text}, median width {100 * wide:.0f} % of the value"


def bias(pairs: Sequence[tuple[float, float]]) -> str:
    """Sum of the first over the sum of the second, where there is something to compare with."""
    first, second = np.sum(pairs, axis=0)
    mean = second / len(pairs)
    return f" (bias {100 * (first / second - 1):+5.1f} %)" if mean > 0.1 * LEAST_PERCENT else " (none there)"


def report(chests: Sequence[Kept], missed: bool) -> bool:
    """Print the table; whether nine of ten intervals hold the truth."""
    cases = [c for kept in chests for c in cases_of(kept)]
    for title, whole in (("of both lungs", True), ("by side, zone and depth", False)):
        part = [c for c in cases if c.whole == whole]
        print(f"\nextents {title}: {shares(part)}")
        for sign in SIGNS:
            print(f"  {sign:<22} {shares([c for c in part if c.sign == sign])}")
    print("\nconsolidation and ground glass of both lungs, by protocol")
    density = [c for c in cases if c.whole and c.sign in ("consolidation", "ground_glass")]
    for name in dict.fromkeys(c.protocol for c in density):
        print(f"  {name:<22} {shares([c for c in density if c.protocol == name])}")
    if missed:
        print("\nintervals of both lungs that do not hold the truth")
        for c in cases:
            if c.whole and not c.holds_truth:
                print(
                    f"  {c.seed} {c.protocol:<22} {c.name:<34} {c.value:6.2f} [{c.low:.2f}, {c.high:.2f}], "
                    f"true {c.true:.2f}, reference {c.reference:.2f}"
                )
    held = float(np.mean([c.holds_truth for c in cases])) if cases else 0.0
    print(f"\nall extents: {shares(cases)}; target {TARGET}")
    return held >= TARGET


def main() -> None:
    """Scan, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, required=True, help="first seed; healthy ones are left out")
    parser.add_argument("--count", type=int, default=4, help="number of seeds")
    parser.add_argument("--mixed", type=int, default=1, help="scans of each chest with slices, kernel and dose drawn")
    parser.add_argument("--lungs", choices=("true", "own"), default="true", help="whose lungs")
    parser.add_argument("--folder", type=Path, default=Path("out/sign_intervals"), help="where the files are kept")
    parser.add_argument("--missed", action="store_true", help="list the intervals that do not hold the truth")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    knowledge = load_knowledge()
    seeds = [
        seed for seed in range(asked.first, asked.first + asked.count) if drawn_case(seed, knowledge).disease != HEALTHY
    ]
    chests = [
        measure_chest(seed, asked.lungs, asked.mixed, asked.folder / f"{seed}_{asked.lungs}.json") for seed in seeds
    ]
    if not report(chests, asked.missed):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
