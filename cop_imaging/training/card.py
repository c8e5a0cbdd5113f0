"""The model card: what the model is, what it learned from, how well it does, and what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from cop_imaging.classifier.schema import ModelSchema
from cop_imaging.core.report import RESEARCH_USE

__all__ = ["card"]

CARD = """\
# Likelihood of an organizing-pneumonia pattern

{research}

## What it is

{members} small neural networks (two hidden layers of {hidden}) that turn {inputs} measured numbers of a chest CT into
the probability of an organizing-pneumonia (OP) pattern of any cause and a differential of {others} other classes. Their
mean is the answer, their spread a part of its band. The prior is a replaceable vector: the networks hold only what the
measures add to it. One temperature ({temperature:.2f}) divides all evidence. Seed {seed}.

## What it learned from

Cases drawn at feature level from the tables in `models/knowledge`: published rates of findings by disease, and
estimates where nothing is published (most rows are estimates that may be wrong by a factor of two). **No patient data
and no images.** Every network saw its own redraw of the tables from their Beta distributions. Findings depend on each
other through latent severities; absent signs get the false volumes that the program measures on healthy made chests
(`false_volumes.csv` says on how many); other findings (reticulation, honeycombing, masses, atelectasis beside
effusions) appear as the consolidation or ground glass that they would measure as; signs are missing at random.

## How well it does on such cases

{cases} held-out cases from {worlds} unseen redraws of the tables, seed {evaluation_seed}; in brackets 95 % intervals
from a bootstrap over redraws and cases. These figures say how well the model has learned the tables, not how well it
does in patients.

| OP against | AUROC |
| --- | --- |
{areas}

The second row is the task; fibrotic disease and normal lungs are easily told apart from OP. It says that the tables
were learned, not that patients are told apart: nothing here was validated on patients.

| calibration of p(OP) | |
| --- | --- |
{calibration}

Could the skill be fake? The best single feature alone reaches an AUROC of {alone:.2f}; {shuffles} networks
trained on shuffled labels {shuffled:.2f} on average ({least:.2f} to {most:.2f}); height, inspiration and the
number of signs that could not be assessed {nuisance}.

| cases drawn under other assumptions | AUROC against consolidating mimics | calibration slope |
| --- | --- | --- |
{shifted}

## What is not known

- Performance in patients: there was no labelled CT to measure it on. Probabilities are rankings until it is measured.
- Whether the program's measures fall where the tables put a reader's findings; the translation is estimated.
- Nodules, bands, perilobular opacity, reticulation, honeycombing, air bronchograms and nodes are not measured; a
  disease that shows itself by them is told apart only by how it looks as consolidation and ground glass.
- Fungal infection, tuberculosis, infarction, aspiration, radiation injury and oedema are not classes.
- Cryptogenic and secondary OP look alike on CT; the model does not tell them apart.

## Files

`weights.safetensors` (float32), `schema.json` (inputs, transforms, groups, classes, prior, limits), `evaluation.json`
(all figures), `SHA256SUMS`.
"""

AGAINST = {
    "all_others": "all other classes",
    "consolidating_mimics": "consolidating mimics (infection, eosinophilic, tumour, lymphoma, vasculitis, DAD, drug)",
    "fibrotic": "fibrotic disease",
    "normal": "normal lungs",
}


def card(schema: ModelSchema, figures: Mapping[str, Any], *, members: int, hidden: int) -> str:
    """The card as Markdown, from the declaration and ``evaluate``'s figures."""
    leakage = figures["leakage"]
    return CARD.format(
        research=RESEARCH_USE,
        members=members,
        hidden=hidden,
        inputs=len(schema.inputs),
        others=len(schema.classes) - 1,
        temperature=schema.temperature,
        seed=schema.seed,
        cases=figures["cases"],
        worlds=figures["worlds"],
        evaluation_seed=figures["seed"],
        areas="\n".join(f"| {AGAINST[k]} | {_interval(v)} |" for k, v in figures["auroc_op_against"].items()),
        calibration="\n".join(
            f"| {k.replace('_', ' ')} | {_interval(v, 3)} |" for k, v in figures["calibration"].items()
        ),
        alone=leakage["highest_alone"],
        shuffles=len(leakage["shuffled_labels"]),
        shuffled=fmean(leakage["shuffled_labels"]),
        least=min(leakage["shuffled_labels"]),
        most=max(leakage["shuffled_labels"]),
        nuisance=", ".join(f"{v:.2f}" for v in leakage["nuisance_alone"].values()),
        shifted="\n".join(
            f"| {k.replace('_', ' ')} | {v['auroc_against_mimics']:.2f} | {v['calibration_slope']:.2f} |"
            for k, v in figures["shifted_cohorts"].items()
        ),
    )


def _interval(figure: Mapping[str, float], digits: int = 2) -> str:
    value, low, high = (f"{figure[k]:.{digits}f}" for k in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
