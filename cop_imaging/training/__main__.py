"""``python -m cop_imaging.training train|evaluate``: make the model, or measure it again."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cop_imaging.errors import CopImagingError
from cop_imaging.progress import Progress, Stage
from cop_imaging.training.train import evaluate_model, train_model

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the two commands; the exit code is that of the error, if there is one."""
    parser = argparse.ArgumentParser(prog="python -m cop_imaging.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train, evaluate and store a model")
    train.add_argument("--out", type=Path, default=Path("models/op_likelihood"), help="folder of the model")
    train.add_argument("--seed", type=int, default=7)
    again = commands.add_parser("evaluate", help="measure a stored model again and write the figures as JSON")
    again.add_argument("--model", type=Path, help="folder of the model (default: the one that travels along)")
    again.add_argument("--seed", type=int, help="other draws than those of the model card")
    given = parser.parse_args(arguments)
    try:
        if given.command == "train":
            folder = train_model(given.out, given.seed, progress=Progress(_tell))
            sys.stdout.write(f"{folder}\n")
        else:
            sys.stdout.write(json.dumps(evaluate_model(given.model, seed=given.seed)[1], indent=1) + "\n")
    except CopImagingError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _tell(stage: Stage) -> None:
    if stage.seconds is None:
        sys.stderr.write(f"{stage.title}\n")


if __name__ == "__main__":
    sys.exit(main())
