"""Reversed haloes found, and look-alikes told apart: ``python -m benchmarks.reversed_halo --first 73000 --count 60``.

Every scan is one lung with two reversed haloes and four look-alikes at places, sizes and densities of their own, by
another kernel, noise and slice thickness each (``halo_chests``); kinds take turns, so that 60 scans show each of the
twelve look-alikes 20 times. Lungs and airways are the true ones; with ``--own`` the whole chest is made on pixels of
1.4 mm and the program finds them itself. ``--folder`` keeps what was found, one file a scan, and goes on from there.

Targets: sensitivity at least 0.85 at no more than 0.25 false rings a scan, rim thickness within 1 mm, no more than
10 % of any look-alike called a reversed halo.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.halo_chests import LOOK_ALIKES, Planted, made_scan
from cop_imaging.anatomy import segment
from cop_imaging.core.finding import Finding
from cop_imaging.core.scene import Scene
from cop_imaging.errors import CopImagingError
from cop_imaging.scene import build_scene
from cop_imaging.signs import observe
from cop_imaging.synth.phantom import Phantom

Row = dict[str, Any]
HALO, CRESCENT = "reversed halo", "crescent, possible"
SIZES_MM = ((10.0, 20.0), (20.0, 35.0), (35.0, 80.0))


def scene_of(phantom: Phantom, *, own: bool) -> Scene:
    """The scene with the program's own lungs and airways, or with the true ones."""
    if own:
        return build_scene(phantom.volume, segment(phantom.volume))
    anatomy = segment(phantom.volume, lungs=np.array(phantom.truth["lungs"]))
    # The tree cannot be followed from a trachea that lies outside the grid.
    return build_scene(phantom.volume, replace(anatomy, airways=np.array(phantom.truth["airways"])))


def rows_of(seed: int, finding: Finding, planted: Sequence[Planted]) -> list[Row]:
    """One row for every planted object, with what it was taken for, and one for every ring where nothing was."""
    rows: list[Row] = []
    calls: dict[int, list[Row]] = {}
    for lesion in finding.lesions:
        call = dict(lesion.details) | {"at": [round(c, 1) for c in lesion.centre_mm]}
        away = [float(np.linalg.norm(p.centre_mm - lesion.centre_mm)) / p.radius_mm for p in planted]
        nearest = int(np.argmin(away)) if away else -1
        if away and away[nearest] <= 1.0:
            calls.setdefault(nearest, []).append(call)
        else:
            rows.append({"seed": seed, "kind": "nothing", "called": call["kind"], "call": call})
    for n, p in enumerate(planted):
        # A lesion is what its clearest ring is: the finding has haloes first.
        mine = sorted(calls.get(n, []), key=lambda c: (c["kind"] != HALO, c["kind"] != CRESCENT))
        row = {
            "kind": p.kind,
            "outer_mm": p.outer_mm,
            "rim_mm": p.rim_mm,
            "coverage_deg": p.coverage_deg,
            "faint": p.faint,
            "centre_mm": [round(float(c), 1) for c in p.centre_mm],
        }
        extra = sum(c["kind"] in (HALO, CRESCENT) for c in mine[1:])
        called = mine[0]["kind"] if mine else "not seen"
        rows.append({"seed": seed, **row, "called": called, "call": mine[0] if mine else None, "more": extra})
    return rows


def one(seed: int, own: bool, folder: Path | None) -> list[Row]:
    """The rows of one scan, from the folder where they are kept."""
    kept = folder / f"{seed}{'_own' if own else ''}.json" if folder else None
    if kept and kept.exists():
        rows: list[Row] = json.loads(kept.read_text(encoding="utf-8"))
        return rows
    phantom, planted = made_scan(seed, whole=own)
    try:
        (*_, finding) = observe(scene_of(phantom, own=own), names=("reversed_halo",))
        rows = rows_of(seed, finding, planted)
    except CopImagingError as error:
        print(f"{seed}: {error}")
        return []
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(rows), encoding="utf-8")
    return rows


def report(rows: Sequence[Row], scans: int) -> None:
    """Print the table, figure beside target."""
    halo = [r for r in rows if r["kind"] == "reversed_halo"]
    seen = [r for r in halo if r["called"] in (HALO, CRESCENT)]
    wrong = [r for r in rows if r["kind"] not in ("reversed_halo", "crescent")]
    false = sum(r["called"] == HALO for r in wrong)
    more = sum(r["called"] == CRESCENT for r in wrong) + sum(r.get("more", 0) for r in rows)
    present = sum(r["called"] == HALO for r in halo)
    print(f"{scans} scans, {len(halo)} reversed haloes")
    print(f"sensitivity, present             {present / max(len(halo), 1):.3f}   (target 0.85)")
    print(f"sensitivity, present or possible {len(seen) / max(len(halo), 1):.3f}")
    print(f"false rings a scan, present      {false / max(scans, 1):.3f}   (target 0.25; look-alikes are in)")
    print(f"   possible or a second ring     {more / max(scans, 1):.3f}")
    nothing = sum(r["kind"] == "nothing" and r["called"] == HALO for r in rows)
    print(f"   where nothing was planted     {nothing / max(scans, 1):.3f}")
    for name, key in (("rim thickness", "rim_mm"), ("outer diameter", "outer_mm")):
        measured = {"rim_mm": "rim_mm", "outer_mm": "outer_diameter_mm"}[key]
        error = np.array([r["call"][measured] - r[key] for r in seen])
        if error.size:
            print(
                f"{name}: bias {error.mean():+.2f} mm, mean absolute error {np.abs(error).mean():.2f} mm, "
                f"within 1 mm {100 * np.mean(np.abs(error) <= 1.0):.0f} %"
            )
    for low, high in SIZES_MM:
        part = [r for r in halo if low <= r["outer_mm"] < high]
        print(f"   {low:.0f}-{high:.0f} mm: {_share(part)}")
    print(f"   rim of -250 HU: {_share([r for r in halo if r['faint']])}")
    print(f"   broken, 285-340 degrees: {_share([r for r in halo if r['coverage_deg'] < 360.0])}")
    print(f"crescents of 190-250 degrees, present or possible: {_share([r for r in rows if r['kind'] == 'crescent'])}")
    print(f"{'look-alike':24}{'n':>4}{'called a halo':>15}{'possible':>10}   taken for")
    for kind in LOOK_ALIKES:
        part = [r for r in rows if r["kind"] == kind]
        names = Counter(str(r["called"]).replace("no reversed halo: ", "") for r in part)
        percent = 100 * names[HALO] / max(len(part), 1)
        rest = ", ".join(f"{n} {k}" for n, k in names.most_common(4) if n not in (HALO, CRESCENT))
        print(f"{kind:24}{len(part):4}{percent:13.0f} %{names[CRESCENT]:10}   {rest}")


def _share(part: Sequence[Row]) -> str:
    found = sum(r["called"] in (HALO, CRESCENT) for r in part)
    return f"{found} of {len(part)}"


def main() -> None:
    """Make, look, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=73000)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--own", action="store_true", help="whole chests with the program's own lungs")
    asked = parser.parse_args()
    rows: list[Row] = []
    for seed in range(asked.first, asked.first + asked.count):
        rows += one(seed, asked.own, asked.folder)
    report(rows, len({r["seed"] for r in rows}))


if __name__ == "__main__":
    main()
