"""``python -m cop_imaging.training evaluate|measure-healthy``: measure the model again, or what it stands on.

Training itself is ``cop-imaging train``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cop_imaging.errors import CopImagingError
from cop_imaging.training.healthy import measure_healthy
from cop_imaging.training.train import evaluate_model

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the two commands; the exit code is that of the error, if there is one."""
    parser = argparse.ArgumentParser(prog="python -m cop_imaging.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    healthy = commands.add_parser("measure-healthy", help="replace the false volumes by what healthy chests show")
    healthy.add_argument("--count", type=int, default=14, help="number of chests, at least 10 (about 20 s each)")
    healthy.add_argument("--seed", type=int, default=100, help="seed of the first chest")
    healthy.add_argument("--out", type=Path, help="folder of the knowledge tables (default: the checkout's)")
    again = commands.add_parser("evaluate", help="measure a stored model again and write the figures as JSON")
    again.add_argument("--model", type=Path, help="folder of the model (default: the one that travels along)")
    again.add_argument("--seed", type=int, help="other draws than those of the model card")
    given = parser.parse_args(arguments)
    try:
        if given.command == "measure-healthy":
            measure_healthy(given.count, given.seed, given.out, tell=_tell)
        else:
            sys.stdout.write(json.dumps(evaluate_model(given.model, seed=given.seed)[1], indent=1) + "\n")
    except CopImagingError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
