"""``python -m cop_imaging.training.lungs samples|train|evaluate|store``: from chests to the lung network's weights."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cop_imaging.errors import CopImagingError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; the exit code is that of the error, if there is one."""
    given = parser().parse_args(arguments)
    try:
        {"samples": samples, "train": train, "evaluate": evaluate, "store": store}[given.command](given)
    except CopImagingError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def parser() -> argparse.ArgumentParser:
    """The commands and what they take."""
    out = argparse.ArgumentParser(prog="python -m cop_imaging.training.lungs", description=__doc__)
    commands = out.add_subparsers(dest="command", required=True)
    make = commands.add_parser("samples", help="make chests and put disease into scans; goes on where it was")
    make.add_argument("folder", type=Path)
    make.add_argument("--scans", type=Path, nargs="*", default=[], help="series or volumes without disease")
    make.add_argument("--first", type=int, default=0, help="first seed")
    make.add_argument("--count", type=int, default=200)
    make.add_argument("--every", type=int, default=1, help="only each n-th seed, so that several can share the work")
    make.add_argument("--without", nargs="*", default=[], help="families of disease that are kept for validation")
    make.add_argument("--no-made", action="store_true", help="only insertions")
    make.add_argument("--other-shapes", action="store_true", help="insert shapes that training never sees")
    learn = commands.add_parser("train", help="train, on a GPU when there is one; goes on from the state")
    learn.add_argument("folder", type=Path, help="of samples; it may grow meanwhile")
    learn.add_argument("--state", type=Path, required=True, help="file that is written every now and then")
    learn.add_argument("--begin-with", type=Path, help="state whose weights a new training begins with")
    learn.add_argument("--steps", type=int, default=15_000)
    learn.add_argument("--batch", type=int, default=4, help="views in a step")
    learn.add_argument("--rate", type=float, help="highest learning rate")
    learn.add_argument("--seed", type=int, default=3)
    learn.add_argument("--minutes", type=float, help="stop after this time")
    learn.add_argument("--keep-statistics", action="store_true", help="for small batches at the end of a training")
    measure = commands.add_parser("evaluate", help="figures on samples that were not trained on, as JSON")
    measure.add_argument("samples", type=Path, nargs="+", help="files")
    measure.add_argument("--network", type=Path, help="folder (default: the one that travels along)")
    measure.add_argument("--classical", action="store_true", help="the classical method instead")
    keep = commands.add_parser("store", help="write the trained weights with their card")
    keep.add_argument("--state", type=Path, required=True)
    keep.add_argument("--earlier", type=Path, help="a state that the training began with, to lie between the two")
    keep.add_argument("--share", type=float, default=1.0, help="share of the later weights then (default 1)")
    keep.add_argument("--figures", type=Path, required=True, help="JSON with samples, training and groups of figures")
    keep.add_argument("--out", type=Path, required=True)
    return out


def samples(given: argparse.Namespace) -> None:
    """Make samples."""
    from cop_imaging.training.lungs.store import make_samples

    options = {"made": not given.no_made, "without": tuple(given.without), "other_shapes": given.other_shapes}
    seeds = range(given.first, given.first + given.count, given.every)
    for path in make_samples(given.folder, seeds, given.scans, **options):
        tell(path.name)


def train(given: argparse.Namespace) -> None:
    """Train."""
    from cop_imaging.training.lungs.loop import LEARNING_RATE, train_lungs

    train_lungs(
        given.folder,
        given.state,
        steps=given.steps,
        batch=given.batch,
        seed=given.seed,
        minutes=given.minutes,
        rate=given.rate or LEARNING_RATE,
        statistics=not given.keep_statistics,
        begin_with=given.begin_with,
        tell=tell,
    )


def evaluate(given: argparse.Namespace) -> None:
    """Measure."""
    from cop_imaging.anatomy.lung_network import load_lung_network
    from cop_imaging.training.lungs.evaluate import by_classical, by_network, evaluate_lungs

    find = by_classical if given.classical else by_network(load_lung_network(given.network))
    sys.stdout.write(json.dumps(evaluate_lungs(given.samples, find), indent=1) + "\n")


def store(given: argparse.Namespace) -> None:
    """Write the network's folder."""
    from cop_imaging.training.lungs.keep import store_network
    from cop_imaging.training.lungs.loop import trained

    weights, curve = trained(given.state, earlier=given.earlier, share=given.share)
    store_network(weights, curve, json.loads(given.figures.read_text(encoding="utf-8")), given.out)


def tell(line: str) -> None:
    """Progress, to standard error."""
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
