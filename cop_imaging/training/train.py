"""Train, evaluate and store the model that the program uses."""

from __future__ import annotations

from pathlib import Path

from cop_imaging.classifier.model import Model, load_model
from cop_imaging.progress import Progress
from cop_imaging.synth.diseases.knowledge import load_knowledge
from cop_imaging.training.evaluate import EvaluationConfig, evaluate
from cop_imaging.training.fit import FitConfig, fit_model
from cop_imaging.training.store import store_model

__all__ = ["EVALUATION_SEED_STEP", "evaluate_model", "train_model"]

EVALUATION_SEED_STEP = 1_000_003
"""Added to the training's seed for the evaluation's own draws."""


def train_model(
    out: Path,
    seed: int = 7,
    *,
    fit: FitConfig | None = None,
    evaluation: EvaluationConfig | None = None,
    progress: Progress | None = None,
) -> Path:
    """Train on cases drawn from the tables, evaluate on unseen ones, and write the model into folder ``out``.

    The same seed gives the same weights on the same versions of numpy and torch.

    Raises
    ------
    OutputError
        If ``out`` cannot be written or holds something else.
    """
    progress = progress or Progress()
    knowledge = load_knowledge()
    model, _ = fit_model(knowledge, seed, fit, progress)
    with progress.stage("evaluate", "evaluate on unseen cases"):
        figures = evaluate(model, knowledge, seed + EVALUATION_SEED_STEP, evaluation)
    return store_model(model, figures, out)


def evaluate_model(
    path: Path | None = None, *, seed: int | None = None, evaluation: EvaluationConfig | None = None
) -> tuple[Model, dict[str, object]]:
    """The stored model in folder ``path`` and its figures, measured again (``seed`` None: on the stored draws).

    Raises
    ------
    ModelError
        If the model cannot be read.
    """
    model = load_model(path)
    seed = model.schema.seed + EVALUATION_SEED_STEP if seed is None else seed
    return model, evaluate(model, load_knowledge(), seed, evaluation)
