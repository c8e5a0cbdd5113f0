"""Does the doubt flag catch bad lung masks? ``python -m benchmarks.lung_doubt CHESTS... --rows ROWS.jsonl [--fit]``.

Masks the chests of ``benchmarks.hard_chests``, a line of numbers each; those that have a line are left alone. A mask is
bad when its Dice is below 0.93, or when it keeps less than 0.7 of the airless lung in pieces of 5 mL and more at the
lung's border. What ingestion says of the orientation is asked first, as for every series. The flags are counted anew
from the numbers with the limits in force: ``--fit`` looks for better ones, on other chests than those that are shown.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.stats import beta

from benchmarks.hard_chests import Chest, load
from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.anatomy.doubt import mask_issues
from cop_imaging.anatomy.doubt_config import DoubtConfig
from cop_imaging.core.anatomy import Doubt
from cop_imaging.core.arrays import BoolArray, UInt8Array
from cop_imaging.core.grid import components
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.quality import QualityConfig, assess
from cop_imaging.training.lungs.samples import GRID_MM, IGNORED

QUICK = AnatomyConfig(method="network", work_spacing_mm=3.0)
"""The chests lie on cubes of 3.5 mm: a finer grid shows nothing more."""
LEAST_DICE, LEAST_KEPT, LEAST_ML = 0.93, 0.7, 5.0
FEW_FALSE_ALARMS = 0.08
"""Share of good masks that may be doubted when limits are looked for: below what is wanted, for chance."""
VOXEL_ML = GRID_MM**3 / 1000.0
WITHOUT: dict[str, dict[str, float]] = {
    "by unclear volume alone": {"least_expected": 0.0, "most_disputed": 10.0, "most_watery": 1.0, "most_silent": 1.0},
    "without the look for bronchi": {"most_silent": 1.0},
    "by the other numbers alone": {"most_unclear": 1.0, "most_unclear_turned": 1.0},
}
"""Limits that are lifted to see what the rest is worth."""
Row = dict[str, object]


def masked(path: Path) -> Row:
    """One chest: what it is, how good its mask is, and every number of doubt."""
    chest = load(path)
    row: Row = {"seed": int(path.stem), "kind": chest.kind, "details": chest.details}
    _, said = assess(chest.volume, QualityConfig())
    volume = replace(chest.volume, issues=said)
    row["said"] = [f"{issue.code} {issue.severity.value}" for issue in said]
    try:
        found = segment(volume, QUICK)
    except SeriesError as error:
        return row | {"refused": error.code}
    return (
        row | compared(chest, found.lungs) | {"doubt": asdict(found.doubt)} | {"codes": [i.code for i in found.issues]}
    )


def compared(chest: Chest, got: UInt8Array) -> Row:
    """Dice where the truth is known, share of airless lung kept, and share of lung under the other side's name."""
    known, truth = chest.lungs != IGNORED, (chest.lungs > 0) & (chest.lungs != IGNORED)
    mask = (got > 0) & known
    pieces = at_border(chest.airless & truth, truth)
    swapped = ((chest.lungs == 1) & (got == 2)) | ((chest.lungs == 2) & (got == 1))
    lungs = max(int(truth.sum()), 1)
    return {
        "dice": float(2 * (mask & truth).sum() / max(int(mask.sum() + truth.sum()), 1)),
        "airless_ml": float(pieces.sum()) * VOXEL_ML,
        "kept": float((mask & pieces).sum() / pieces.sum()) if pieces.any() else None,
        "swapped": float(swapped.sum() / lungs),
    }


def at_border(airless: BoolArray, lungs: BoolArray) -> BoolArray:
    """Pieces of airless lung of 5 mL and more that touch the lungs' border."""
    labels, n = components(airless)
    border = lungs & ~ndimage.binary_erosion(lungs)
    large = np.bincount(labels.ravel(), minlength=n + 1) * VOXEL_ML >= LEAST_ML
    wanted = large & np.isin(np.arange(n + 1), labels[border])
    wanted[0] = False
    out: BoolArray = wanted[labels]
    return out


def bad(row: Row) -> bool:
    """Whether the mask should have been doubted."""
    return row["dice"] < LEAST_DICE or (row["kept"] is not None and row["kept"] < LEAST_KEPT)  # type: ignore[operator]


def doubted(row: Row, limits: DoubtConfig, *, alone: bool = False) -> bool:
    """Whether it was, with these limits; ``alone`` leaves out what ingestion says."""
    names = {f.name for f in fields(Doubt)}
    numbers = {k: v for k, v in row["doubt"].items() if k in names}  # type: ignore[attr-defined]
    doubt = Doubt(**numbers)
    return bool(
        mask_issues(replace(doubt, turned=doubt.turned and not alone), QUICK.model_copy(update={"doubt": limits}))
    )


def share(rows: Sequence[Row], hit: Callable[[Row], bool]) -> str:
    """How many are hit, with the exact 95 % interval."""
    n, k = len(rows), sum(hit(r) for r in rows)
    low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    return f"{k} of {n} = {k / max(n, 1):.3f} ({low:.3f}-{high:.3f})"


def report(rows: Sequence[Row], limits: DoubtConfig) -> None:
    """Caught masks and false alarms."""
    refused = [r for r in rows if "refused" in r]
    masks = [r for r in rows if "refused" not in r]
    wrong, right = [r for r in masks if bad(r)], [r for r in masks if not bad(r)]
    lying = [r for r in masks if r["kind"] == "turned"]

    def hit(row: Row) -> bool:
        return doubted(row, limits)

    def hit_alone(row: Row) -> bool:
        return doubted(row, limits, alone=True)

    print(f"{len(rows)} chests, {len(refused)} refused for want of lungs, {len(wrong)} bad masks")
    print(f"bad masks doubted: {share(wrong, hit)}; without ingestion's word {share(wrong, hit_alone)}")
    print(f"  Dice below {LEAST_DICE}: {share([r for r in wrong if r['dice'] < LEAST_DICE], hit)}")  # type: ignore[operator]
    print(f"  only bitten: {share([r for r in wrong if r['dice'] >= LEAST_DICE], hit)}")  # type: ignore[operator]
    print(f"good masks doubted: {share(right, hit)}; without ingestion's word {share(right, hit_alone)}")
    for title, off in WITHOUT.items():
        fewer = limits.model_copy(update=off)

        def hit_fewer(row: Row, fewer: DoubtConfig = fewer) -> bool:
            return doubted(row, fewer)

        print(f"  {title}: bad {share(wrong, hit_fewer)}, good {share(right, hit_fewer)}")
    print(f"  but for headers that lie: {share([r for r in right if r not in lying], hit)}")
    print(f"headers that lie, named by ingestion: {share(lying, lambda r: bool(r['doubt']['turned']))}")  # type: ignore[index]
    useless = [r for r in masks if (r["doubt"]["expected_dice"] or 1.0) < limits.least_usable]  # type: ignore[index]
    print(f"called of no use: {len(useless)}, of which bad {share(useless, bad)}")
    for kind in sorted({str(r["kind"]) for r in rows}):
        mine = [r for r in masks if r["kind"] == kind]
        caught, false = share([r for r in mine if bad(r)], hit), share([r for r in mine if not bad(r)], hit)
        print(f"  {kind:16} {len(mine):3}: bad and doubted {caught}, good and doubted {false}")


def fitted(rows: Sequence[Row]) -> DoubtConfig:
    """Limits that catch most bad masks with few false alarms; to doubt a header that lies is no false alarm."""
    masks = [r for r in rows if "refused" not in r]
    wrong, right = [r for r in masks if bad(r)], [r for r in masks if not bad(r) and r["kind"] != "turned"]

    def worth(limits: DoubtConfig) -> tuple[bool, int, int]:
        caught, false = (sum(doubted(r, limits) for r in group) for group in (wrong, right))
        return false <= FEW_FALSE_ALARMS * len(right), caught, -false

    return max(candidates(), key=worth)


def candidates() -> Iterator[DoubtConfig]:
    """Round limits."""
    for unclear, turned, disputed, watery in itertools.product(
        np.arange(0.05, 0.085, 0.005), (0.7, 0.8, 0.9), (0.1, 0.12, 0.14, 0.16, 0.2), (0.03, 0.035, 0.04, 0.045, 0.05)
    ):
        yield DoubtConfig(
            most_unclear=round(unclear, 3),
            most_unclear_turned=round(turned * unclear, 3),
            most_disputed=disputed,
            most_watery=watery,
        )


def main() -> None:
    """Mask what has no line yet, then count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chests", type=Path, nargs="*", help="files of benchmarks.hard_chests")
    parser.add_argument("--rows", type=Path, required=True, help="file of JSON lines that is gone on with")
    parser.add_argument("--turn", default="0/1", help="I/N: of every N chests the I-th, for several processes")
    parser.add_argument("--fit", action="store_true", help="look for limits")
    arguments = parser.parse_args()
    known = {r["seed"] for r in rows_of(arguments.rows)}
    which, turns = (int(part) for part in arguments.turn.split("/"))
    for path in arguments.chests[which::turns]:
        if int(path.stem) not in known:
            line = json.dumps(masked(path)) + "\n"
            print(line[:160].rstrip(), flush=True)
            file = os.open(arguments.rows, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            os.write(file, line.encode())
            os.close(file)
    rows = rows_of(arguments.rows)
    limits = fitted(rows) if arguments.fit else DoubtConfig()
    print(limits)
    report(rows, limits)


def rows_of(path: Path) -> list[Row]:
    """Lines there are."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
