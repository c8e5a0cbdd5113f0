"""One case before it is drawn: a disease with its findings, and a body and a scanner that know nothing of it."""

from __future__ import annotations

import zlib

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cop_imaging.errors import UsageError
from cop_imaging.synth.body import draw_chest
from cop_imaging.synth.chest_spec import ChestSpec
from cop_imaging.synth.diseases.findings import draw_findings
from cop_imaging.synth.diseases.knowledge import Knowledge, load_knowledge
from cop_imaging.synth.diseases.rates import Rates, mean_table, rates_from
from cop_imaging.synth.scan_draw import draw_blood_hu, draw_scanner
from cop_imaging.synth.scanner import ScannerSpec

__all__ = ["STREAMS", "CaseSpec", "draw_case", "stream"]

CORRELATION = 0.4
"""Between the findings of a block; an estimate."""
MOST_NOISE_HU = 130.0
LARGEST_PERCENT = 85.0
"""Largest extent of a case: the tail of the tables can reach beyond the lungs."""
STREAMS = {
    name: number
    for number, name in enumerate(
        ("model", "noise", "body", "scanner", "findings", "lesions", "context", "disease", "grid")
    )
}
"""What each generator of a case draws: one draw more for one never changes the others."""


class CaseSpec(BaseModel):
    """Everything that was drawn for a case but its lesions, which also depend on the shape of its lungs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    disease: str = Field(description="code of the disease, a row of priors.csv")
    seed: int = Field(ge=0)
    op: bool = Field(description="the CT is an organizing-pneumonia pattern")
    subtype: str | None = Field(description="form of organizing pneumonia")
    findings: tuple[str, ...] = Field(description="what a careful reader would report")
    extents: dict[str, float] = Field(description="percent of lung by finding that is present; pleural_effusion in mL")
    context: dict[str, bool] = Field(description="what is known besides the image, drawn by disease; no image shows it")
    body: ChestSpec
    scanner: ScannerSpec

    @property
    def label(self) -> str:
        """What a classifier should answer: ``OP`` whatever its cause, else the disease."""
        return "OP" if self.op else self.disease

    def has(self, *findings: str) -> bool:
        """Whether any of these findings is present."""
        return any(name in self.findings for name in findings)

    def asked_ml(self, finding: str, lung_ml: float) -> float:
        """Volume of a finding whose extent is given in percent of the lungs."""
        return self.extents[finding] / 100.0 * lung_ml

    def with_slices(self, step_mm: float) -> CaseSpec:
        """The same case in contiguous slices of that thickness, with the noise that the same dose then gives."""
        old = self.scanner.thickness_mm or step_mm
        noise = round(self.scanner.noise_hu * float(np.sqrt(old / step_mm)), 1)
        changed = {"thickness_mm": step_mm, "step_mm": step_mm, "noise_hu": min(noise, MOST_NOISE_HU)}
        return self.model_copy(update={"scanner": self.scanner.model_copy(update=changed)})


def stream(seed: int, name: str, disease: str = "", part: int = 0) -> np.random.Generator:
    """The generator of a seed for one purpose; for findings and lesions each disease has its own."""
    return np.random.default_rng([seed, STREAMS[name], zlib.crc32(disease.encode()), part])


def draw_case(disease: str, seed: int, *, knowledge: Knowledge | None = None, rates: Rates | None = None) -> CaseSpec:
    """Draw a case of a disease.

    Body and scanner of a seed are the same whatever the disease: only findings, extents and context depend on it. Age
    and sex show in the body, so that they are drawn with it; the tables' ages by disease are not used.

    Parameters
    ----------
    disease : str
        One of the 16 codes of ``models/knowledge/prevalence.csv``.
    knowledge : Knowledge, optional
        The tables, read once for many cases.
    rates : Rates, optional
        P(finding); the means of the Beta distributions unless given. ``rates_from(redrawn_table(knowledge, rng),
        knowledge)`` makes a world that the evidence does not rule out; over all worlds a finding of one case has the
        mean's probability.

    Raises
    ------
    UsageError
        If there is no such disease.
    """
    knowledge = knowledge or load_knowledge()
    if disease not in knowledge.diseases:
        raise UsageError(f"there is no disease {disease!r} in the tables; choose from {', '.join(knowledge.diseases)}")
    only = np.array([float(d == disease) for d in knowledge.diseases])
    drawn = draw_findings(
        1,
        stream(seed, "findings", disease),
        knowledge,
        rates or rates_from(mean_table(knowledge), knowledge),
        prevalence=only,
        correlation=CORRELATION,
    )
    subtype = int(drawn.subtype[0])
    chance = stream(seed, "context", disease)
    habits = stream(seed, "scanner")
    scanner = draw_scanner(habits)
    blood_hu = draw_blood_hu(habits, scanner)
    return CaseSpec(
        disease=disease,
        seed=seed,
        op=bool(drawn.op[0]),
        subtype=knowledge.subtypes[subtype] if subtype >= 0 else None,
        findings=tuple(name for name, there in zip(knowledge.findings, drawn.present[0], strict=True) if there),
        extents={
            name: round(float(value) if name == "pleural_effusion" else min(float(value), LARGEST_PERCENT), 4)
            for name, value in zip(knowledge.extents, drawn.extent[0], strict=True)
            if value > 0.0
        },
        context={item: bool(chance.random() < p) for item, p in knowledge.context[disease].items()},
        body=in_phase(draw_chest(stream(seed, "body")), scanner, blood_hu),
        scanner=scanner,
    )


def draw_disease(seed: int, knowledge: Knowledge, among: tuple[str, ...] = ()) -> str:
    """A disease by its share in the tables, or with equal chances ``among`` some."""
    rng = stream(seed, "disease")
    if among:
        return among[int(rng.integers(len(among)))]
    return knowledge.diseases[int(rng.choice(len(knowledge.diseases), p=knowledge.prevalence))]


def in_phase(body: ChestSpec, scanner: ScannerSpec, blood_hu: float) -> ChestSpec:
    """The body with blood and organs as the phase of the scan shows them; ``blood_hu`` is the brightest blood.

    Source: left and right heart differ before contrast medium is mixed; the shares are an estimate.
    """
    left, right, taken_up = {
        "none": (1.0, None, 0.0),
        "venous": (1.0, None, 0.8),
        "arterial": (1.0, 0.8, 0.2),
        "pulmonary": (0.6, 1.0, 0.05),
    }[scanner.contrast_phase]
    return body.model_copy(
        update={
            "blood_hu": round(left * blood_hu, 1),
            "pulmonary_hu": None if right is None else round(right * blood_hu, 1),
            "enhancement": taken_up,
        }
    )
