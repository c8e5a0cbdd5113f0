"""Is right ever taken for left? ``COP_IMAGING_REAL_CT=... python -m benchmarks.lung_sides [--held-out]``.

Every real series is written in the eight orders in which its axes can run (DICOM as DICOM, volumes as NIfTI), and read
again. Where the volume that is read is the same byte by byte and lies where it lay, its masks are the same too: one
segmentation by each method then speaks for all eight. Made chests are segmented in each of the eight. Others lie prone
or on a side, with fluid and collapsed lung where they lie lowest, on a table, and stored as scanners store them.

A lung is on its side when its centroid is, when not more than 0.5 % of the lungs lie beyond the other lung in their
row, and for made chests when not more than 0.5 % bears the other label.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from benchmarks.lungs import dice
from benchmarks.real_chests import name_of, real_chests
from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.anatomy.body import find_body
from cop_imaging.core import LEFT, RIGHT, Anatomy, CTVolume, StoredOrder
from cop_imaging.core.arrays import AnyArray, BoolArray, UInt8Array
from cop_imaging.core.grid import dilated, image_of
from cop_imaging.errors import SeriesError
from cop_imaging.ingest import read_series
from cop_imaging.ingest.read import read_volume
from cop_imaging.scene import build_scene
from cop_imaging.synth import write_dicom_series
from cop_imaging.training.lungs.samples import made_chest

METHODS = ("network", "classical")
ORDERS = tuple(StoredOrder(flipped=flips) for flips in product((False, True), repeat=3))
COARSE_MM = 3.0
"""Work grid: sides show on it as on a finer one, in an eighth of the time."""
MOST_SHARE = 0.005
MOST_SHIFT_MM = 1e-3
RIGHT_ONLY = "elastix_rightlung_ct"
"""Half a chest: its one lung is the right one."""

LAID = {
    "HFS": ((0, 1, 0), StoredOrder()),
    "FFS": ((0, 1, 0), StoredOrder(flipped=(True, False, False))),
    "HFP": ((0, -1, 0), StoredOrder(flipped=(False, True, True))),
    "FFP": ((0, -1, 0), StoredOrder(flipped=(True, True, True))),
    "HFDR": ((0, 0, -1), StoredOrder((0, 2, 1), (False, True, False))),
    "HFDL": ((0, 0, 1), StoredOrder((0, 2, 1), (False, False, True))),
}
"""Patient Position: the way down as [z, y, x] (head, back, left), and how scanners store it."""
FLUID_ML, FLUID_HU, COLLAPSED_MM, COLLAPSED_HU, BASE_SLOPE = 350.0, 9.0, 14.0, 45.0, 0.3
GRADIENT_HU = 60.0
"""How much denser the lowest lung is than the middle."""
BESIDE_MM = COLLAPSED_MM + 6.0
TABLE_GAP_MM, TABLE_MM, TABLE_HU = 4.0, 14.0, -50


def written(volume: CTVolume, stored: StoredOrder, folder: Path, *, dicom: bool) -> Path:
    """The series on disk in an order of its axes."""
    if dicom:
        write_dicom_series(volume, folder / "series", transfer_syntax="explicit", stored=stored)
        return folder / "series"
    path = folder / "volume.nii"
    sitk.WriteImage(
        image_of(np.ascontiguousarray(stored.to_stored(volume.hu)), stored.stored_geometry(volume.geometry)), str(path)
    )
    return path


def in_order(volume: CTVolume, stored: StoredOrder, *, dicom: bool) -> CTVolume:
    """The series written in an order and read again (``read_series`` only adds the measured quality)."""
    with tempfile.TemporaryDirectory() as folder:
        return read_volume(written(volume, stored, Path(folder), dicom=dicom))


def orders_alike(volume: CTVolume, *, dicom: bool) -> int:
    """In how many of the eight orders the same volume is read again."""
    alike = 0
    for stored in ORDERS:
        again = in_order(volume, stored, dicom=dicom)
        same = np.array_equal(again.hu, volume.hu)
        if same:
            corners = np.array([[0, 0, 0], np.array(volume.hu.shape) - 1])
            shift = np.abs(again.geometry.to_patient(corners) - volume.geometry.to_patient(corners)).max()
            same = bool(shift < MOST_SHIFT_MM)
        alike += same
    return alike


def middle_mm(mask: BoolArray, volume: CTVolume) -> float:
    """How far to the patient's left the centroid of a mask lies."""
    at = [float(np.average(np.arange(n), weights=mask.sum(axis=others)))
          for n, others in zip(mask.shape, ((1, 2), (0, 2), (0, 1)), strict=True)]  # fmt: skip
    return float(volume.geometry.to_patient((at[0], at[1], at[2]))[0])


def beyond_other(lungs: UInt8Array) -> float:
    """Share of the lungs that lies beyond the other lung in its row, the smaller of both sides."""
    right, left = lungs == RIGHT, lungs == LEFT
    right_after_left = (right & np.maximum.accumulate(left, axis=2)).sum()
    left_before_right = (left & np.flip(np.maximum.accumulate(np.flip(right, axis=2), axis=2), axis=2)).sum()
    return float(min(right_after_left, left_before_right)) / float((lungs > 0).sum())


def masked(volume: CTVolume, method: str) -> Anatomy | None:
    """Anatomy on a coarse work grid, or None where no lungs are seen."""
    try:
        return segment(volume, AnatomyConfig(method=method, work_spacing_mm=COARSE_MM))  # type: ignore[arg-type]
    except SeriesError:
        return None


def sides(name: str, volume: CTVolume, lungs: UInt8Array, truth: UInt8Array | None = None) -> tuple[bool, str]:
    """Whether both lungs are on their sides, and figures."""
    present = [side for side in (RIGHT, LEFT) if (lungs == side).sum() > MOST_SHARE * (lungs > 0).sum()]
    if present != [RIGHT, LEFT]:
        found = ", ".join({RIGHT: "right", LEFT: "left"}[side] for side in present)
        return name == RIGHT_ONLY and present == [RIGHT], f"{found} lung alone"
    right, left = (middle_mm(lungs == side, volume) for side in (RIGHT, LEFT))
    beyond = beyond_other(lungs)
    good, said = right < left and beyond <= MOST_SHARE, f"x {right:.0f} and {left:.0f} mm, beyond {100 * beyond:.2f} %"
    if truth is not None:
        other = ((truth == RIGHT) & (lungs == LEFT)) | ((truth == LEFT) & (lungs == RIGHT))
        swapped = float(other.sum()) / float((truth > 0).sum())
        good &= swapped <= MOST_SHARE
        said += f", swapped {100 * swapped:.2f} %, Dice {dice(truth > 0, lungs > 0):.3f}"
    return bool(good), said


def laid(seed: int, position: str) -> tuple[CTVolume, dict[str, AnyArray]]:
    """A made chest in a position: fluid, collapsed and denser lung lowest, the table below."""
    phantom, _ = made_chest(seed, without=("fluid", "white_out"))
    volume, lungs = phantom.volume, np.array(phantom.truth["lungs"])
    g, rng = volume.geometry, np.random.default_rng([seed, 31])
    down = np.array(LAID[position][0], dtype=np.float32)
    points = np.stack(np.meshgrid(*[np.arange(n) * s for n, s in zip(g.shape, g.spacing_mm, strict=True)],
                                  indexing="ij"), axis=-1).astype(np.float32)  # fmt: skip
    depth = points @ down
    hu = volume.hu.astype(np.float32)
    body = find_body(volume.hu, g, -300.0)
    hu[~dilated(body, g, TABLE_GAP_MM)] = -1000.0
    floor = depth[body].max() + TABLE_GAP_MM
    hu[(depth > floor) & (depth < floor + TABLE_MM)] = TABLE_HU
    inside = lungs > 0
    across = depth[inside]
    airy = inside & (hu < -500.0)
    hu[airy] += GRADIENT_HU * (depth[airy] - across.mean()) / max(float(np.abs(across - across.mean()).max()), 1.0)
    fluid = np.zeros(g.shape, dtype=bool)
    # On a side, fluid lies in the lowest half of the chest alone.
    lower = {"HFDR": (RIGHT,), "HFDL": (LEFT,)}.get(position, (RIGHT, LEFT))
    for side in lower:
        mine = lungs == side
        low = depth - np.float32(BASE_SLOPE) * points[..., 0]
        wanted = FLUID_ML / len(lower) / g.voxel_ml
        level = np.sort(low[mine])[-min(int(wanted), int(mine.sum()) // 2)]
        fluid |= mine & (low >= level)
        collapsed = mine & (low >= level - COLLAPSED_MM) & (low < level)
        hu[collapsed] = COLLAPSED_HU + rng.normal(0.0, 12.0, int(collapsed.sum()))
    hu[fluid] = FLUID_HU + rng.normal(0.0, 12.0, int(fluid.sum()))
    lungs[fluid] = 0
    said = volume.acquisition.model_copy(update={"patient_position": position})
    values = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    return replace(volume, hu=values, valid=None, acquisition=said), {"lungs": lungs, "effusion": fluid}


def gravity_said(volume: CTVolume, anatomy: Anatomy, fluid: BoolArray, position: str) -> tuple[bool, str]:
    """Whether the scene's way down is the patient's, and how high the lung beside the fluid lies in it."""
    scene = build_scene(volume, anatomy)
    beside = dilated(fluid, volume.geometry, BESIDE_MM)[scene.box] & (scene.lungs > 0)
    height = np.asarray(scene.dependent_mm, dtype=np.float32)
    low, all_ = (float(height[mask].mean()) if mask.any() else np.nan for mask in (beside, scene.lungs > 0))
    good = tuple(scene.gravity) == tuple(float(d) for d in LAID[position][0]) and not low >= 0.6 * all_
    return good, f"lung beside fluid {low:.0f} mm above the lowest, all lung {all_:.0f} mm"


def real_series(*, held_out: bool) -> list[bool]:
    """All real series."""
    verdicts = []
    for path in real_chests(held_out=held_out):
        begun, name = time.monotonic(), name_of(path)
        volume = read_series(path)
        alike = orders_alike(volume, dicom=path.is_dir())
        said = [f"{alike} of {len(ORDERS)} orders alike"]
        good, seen = alike == len(ORDERS), {}
        for method in METHODS:
            found = masked(volume, method)
            if found is None:
                good = False
                said.append(f"{method}: no lungs")
                continue
            seen[method] = found.lungs
            right, text = sides(name, volume, found.lungs)
            good &= right
            said.append(f"{method}: {text}")
        if len(seen) == len(METHODS):
            a, b = (seen[m] for m in METHODS)
            unlike = float(((a > 0) & (b > 0) & (a != b)).sum()) / float((a > 0).sum())
            said.append(f"sides unlike in {100 * unlike:.2f} %")
        verdicts.append(good)
        print(f"{'yes' if good else 'NO '} {name:36} {'; '.join(said)} ({time.monotonic() - begun:.0f} s)", flush=True)
    return verdicts


def made_in_orders(seeds: range) -> list[bool]:
    """Made chests segmented in each of the eight orders."""
    verdicts = []
    for seed in seeds:
        phantom, names = made_chest(seed)
        volume = replace(phantom.volume, valid=None)
        for method in METHODS:
            first, good, text = None, True, ""
            for n, stored in enumerate(ORDERS):
                again = in_order(volume, stored, dicom=n % 2 == 1)
                found = masked(again, method)
                if found is None:
                    good, text = False, "no lungs"
                    break
                first = found.lungs if first is None else first
                right, text = sides("", again, found.lungs, phantom.truth["lungs"])
                good &= right and np.array_equal(found.lungs, first)
            verdicts.append(good)
            print(
                f"{'yes' if good else 'NO '} made {seed} {' '.join(names)}, {method}, eight orders: {text}", flush=True
            )
    return verdicts


def made_in_positions(seeds: range) -> list[bool]:
    """Made chests that lie prone and on their sides."""
    verdicts = []
    for n, seed in enumerate(seeds):
        for position, (_, stored) in LAID.items():
            if n and position in ("HFS", "FFS", "FFP"):
                continue
            volume, truth = laid(seed, position)
            again = in_order(volume, stored, dicom=True)
            if not np.array_equal(again.hu, volume.hu) or again.acquisition.patient_position != position:
                print(f"NO  made {seed} {position}: not read as it was written", flush=True)
                verdicts.append(False)
                continue
            for method in METHODS:
                found = masked(again, method)
                if found is None:
                    good, text = False, "no lungs"
                else:
                    good, text = sides("", again, found.lungs, truth["lungs"])
                    if found.effusion is not None:
                        text += f", fluid Dice {dice(truth['effusion'], found.effusion):.2f}"
                    downward, told = gravity_said(again, found, truth["effusion"], position)
                    text += f"; gravity {'right' if downward else 'WRONG'}, {told}"
                    codes = " ".join(issue.code for issue in found.issues)
                    text += f"; Dice expected {found.doubt.expected_dice or 1.0:.3f} {codes}"
                verdicts.append(good)
                print(f"{'yes' if good else 'NO '} made {seed} {position}, {method}: {text}", flush=True)
    return verdicts


def main() -> None:
    """Made chests, then real ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=98_000, help="first seed of the made chests")
    parser.add_argument("--made", type=int, default=2)
    parser.add_argument("--no-real", action="store_true", help="made chests alone")
    parser.add_argument("--held-out", action="store_true", help="the held-out series too")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.made)
    groups = {"made, eight orders": made_in_orders(seeds), "made, in positions": made_in_positions(seeds)}
    if not given.no_real:
        groups["real series"] = real_series(held_out=given.held_out)
    for title, verdicts in groups.items():
        print(f"{title}: each lung on its side in {sum(verdicts)} of {len(verdicts)}")


if __name__ == "__main__":
    main()
