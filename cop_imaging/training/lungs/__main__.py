"""``python -m cop_imaging.training.lungs samples|train|evaluate``: from chests to the lung network's weights."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cop_imaging.training.lungs.store import make_samples

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m cop_imaging.training.lungs", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    samples = commands.add_parser("samples", help="make chests and put disease into scans; goes on where it was")
    samples.add_argument("folder", type=Path)
    samples.add_argument("--scans", type=Path, nargs="*", default=[], help="series or volumes without disease")
    samples.add_argument("--first", type=int, default=0, help="first seed")
    samples.add_argument("--count", type=int, default=200)
    samples.add_argument("--every", type=int, default=1, help="only each n-th seed, so that several can share the work")
    samples.add_argument("--without", nargs="*", default=[], help="families of disease that are kept for validation")
    samples.add_argument("--no-made", action="store_true", help="only insertions")
    samples.add_argument("--other-shapes", action="store_true", help="insert shapes that training never sees")
    given = parser.parse_args(arguments)
    if given.command == "samples":
        seeds = range(given.first, given.first + given.count, given.every)
        for path in make_samples(
            given.folder,
            seeds,
            given.scans,
            made=not given.no_made,
            without=tuple(given.without),
            other_shapes=given.other_shapes,
        ):
            sys.stderr.write(f"{path.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
