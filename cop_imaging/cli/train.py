"""``cop-imaging train``: make the stored weights again."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from cop_imaging.cli.faults import guarded
from cop_imaging.cli.options import OutOption, QuietOption

__all__ = ["train"]


@guarded
def train(
    out: OutOption,
    *,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The same seed gives the same weights.")] = 7,
    quiet: QuietOption = False,
) -> None:
    """Train the likelihood model and evaluate it.

    The cases are drawn from published tables, no patient data is needed; DIR receives the weights and the model card.
    Needs the optional libraries of cop-imaging[train].
    """
    from cop_imaging.cli.stages import shown_stages
    from cop_imaging.errors import MissingExtra

    if find_spec("torch") is None:
        raise MissingExtra("train", "training a model")
    from cop_imaging.training.train import train_model

    with shown_stages(quiet=quiet) as progress:
        folder = train_model(out, seed, progress=progress)
    print(folder)
