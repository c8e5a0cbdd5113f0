"""How long the signs take and how much memory they need: ``python -m benchmarks.signs [--by-sign] [--slices 400]``.

Made chests of 400 x 512 x 512 voxels with a disease, and where ``COP_IMAGING_REAL_CT`` names a folder of real CT series
also some of these with their slices repeated up to that number. Volume and anatomy are made and stored first. Then each
row is a process of its own: seconds count the scene and all signs, the peak of memory counts everything from the start
of the process on, volume and anatomy included. Beside them stands one Gaussian filter (SD of one voxel, float32) of the
same volume, so that the ratio can be compared between machines.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pickle
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks.__main__ import CHECKOUT
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import CTVolume

FOLDER = CHECKOUT / "out" / "bench_signs"
MADE = {"made COP": ("COP", 7), "made UIP": ("UIP", 3)}
REAL = {"near normal": "near_normal_2.5mm", "covid": "covid_1.25mm"}
HEIGHT_MM, WIDTH_MM = 312.0, 384.0
ORIGIN_MM = (-192.0, -193.0, -195.0)
MOST_S, MOST_MB = 12.0, 2500.0
"""What scene and signs of 400 x 512 x 512 voxels may take on two cores."""


def chest(name: str, slices: int) -> CTVolume:
    """A volume of ``slices`` x 512 x 512."""
    if name in MADE:
        from cop_imaging.synth.case import draw_case
        from cop_imaging.synth.phantom import make_case

        grid = Geometry((slices, 512, 512), (HEIGHT_MM / slices, WIDTH_MM / 512, WIDTH_MM / 512), ORIGIN_MM)
        return make_case(draw_case(*MADE[name]), grid).volume
    from cop_imaging.ingest import read_series

    scan = read_series(Path(os.environ["COP_IMAGING_REAL_CT"]) / REAL[name])
    times = -(-slices // scan.hu.shape[0])
    hu = np.repeat(scan.hu, times, axis=0)[:slices]
    valid = None if scan.valid is None else np.repeat(scan.valid, times, axis=0)[:slices]
    z, y, x = scan.geometry.spacing_mm
    return CTVolume(hu, replace(scan.geometry, shape=hu.shape, spacing_mm=(z / times, y, x)), valid, scan.acquisition)


def make(name: str, slices: int) -> None:
    """Store a volume with its anatomy."""
    from cop_imaging.anatomy import segment

    volume = chest(name, slices)
    with stored(name).open("wb") as file:
        pickle.dump((volume, segment(volume)), file, protocol=5)


def stored(name: str) -> Path:
    """Where a volume lies with its anatomy."""
    return FOLDER / f"{name.replace(' ', '_')}.pickle"


def measure(name: str, threads: int, *, by_sign: bool) -> dict[str, object]:
    """Seconds, CPU seconds and peak memory of scene and signs of a stored volume."""
    from cop_imaging.cli.threads import limited_threads
    from cop_imaging.scene import build_scene
    from cop_imaging.signs import observe

    with stored(name).open("rb") as file:
        volume, anatomy = pickle.load(file)
    with limited_threads(threads):
        peaks, walls, cpus = [peak_mb()], [time.perf_counter()], [time.process_time()]

        def mark() -> None:
            peaks.append(peak_mb())
            walls.append(time.perf_counter())
            cpus.append(time.process_time())

        scene = build_scene(volume, anatomy)
        mark()
        parts: dict[str, float] = {}
        if by_sign:
            scene = timed(scene, parts)
        observe(scene)
        mark()
        begun = time.perf_counter()
        ndimage.gaussian_filter(volume.hu.astype(np.float32), 1.0)
        gaussian = time.perf_counter() - begun
    return {
        "shape": volume.hu.shape,
        "crop": scene.lungs.shape,
        "threads": threads,
        "seconds": np.diff(walls).tolist(),
        "cpu": np.diff(cpus).tolist(),
        "peak_mb": peaks,
        "gaussian": gaussian,
        "parts": parts,
    }


def timed(scene: Scene, parts: dict[str, float]) -> Scene:
    """The scene with its maps timed; each sign is timed as well, without the maps that it is the first to ask for."""
    module = importlib.import_module("cop_imaging.signs.observe")
    seconds: dict[str, float] = defaultdict(float, parts)
    inner: list[float] = []

    def clocked(label: str, work: Callable[..., object], *arguments: object) -> object:
        begun = time.process_time()
        inner.append(0.0)
        try:
            return work(*arguments)
        finally:
            took = time.process_time() - begun
            seconds[label] += took - inner.pop()
            parts[label] = seconds[label]
            if inner:
                inner[-1] += took

    look_for = module.look_for
    module.look_for = lambda sign, scene, found: clocked(sign.name, look_for, sign, scene, found)

    def of(label: str, maker: Callable[[Scene], object]) -> Callable[[Scene], object]:
        return lambda s: clocked(f"map {label}", maker, s)

    return replace(scene, makers={label: of(label, maker) for label, maker in scene.makers.items()})


def peak_mb() -> float:
    """Peak resident memory of this process so far."""
    return int(Path("/proc/self/status").read_text(encoding="utf-8").split("VmHWM:")[1].split()[0]) / 1024.0


def in_process(*arguments: str) -> str:
    """What this benchmark prints with these arguments in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.signs", *arguments], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}")
    return done.stdout.decode()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--by-sign", action="store_true", help="CPU seconds of each sign and map, on one thread")
    parser.add_argument("--keep", action="store_true", help="use what an earlier call stored, and keep it")
    parser.add_argument("--only", choices=(*MADE, *REAL), help="this chest alone")
    parser.add_argument("--make", choices=(*MADE, *REAL), help="store this chest")
    parser.add_argument("--measure", choices=(*MADE, *REAL), help="measure this stored chest here and print JSON")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    if given.make:
        return make(given.make, given.slices)
    if given.measure:
        print(json.dumps(measure(given.measure, given.threads, by_sign=given.by_sign)))
        return None
    chests = [given.only] if given.only else [*MADE, *(REAL if "COP_IMAGING_REAL_CT" in os.environ else ())]
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f}; at most {MOST_S:g} s and {MOST_MB:g} MB on two")
    columns = "threads  scene s  signs s    all s  CPU s  Gaussian s  ratio  peak MB: read, scene, all"
    print(f"{'chest':12} {'crop':>15} {columns}")
    for name in chests:
        if not (given.keep and stored(name).exists()):
            in_process("--make", name, "--slices", str(given.slices))
        for threads in sorted({1, min(cores, 2)}):
            asked = ("--measure", name, "--threads", str(threads))
            row = json.loads(in_process(*asked))
            scene, signs = row["seconds"]
            crop, peaks = "x".join(map(str, row["crop"])), ", ".join(f"{p:.0f}" for p in row["peak_mb"])
            print(
                f"{name:12} {crop:>15} {threads:7d} {scene:8.2f} {signs:8.2f} {scene + signs:8.2f} "
                f"{sum(row['cpu']):6.1f} {row['gaussian']:11.2f} {(scene + signs) / row['gaussian']:6.2f}  {peaks}",
                flush=True,
            )
        if given.by_sign:
            row = json.loads(in_process("--measure", name, "--by-sign"))
            for label, seconds in sorted(row["parts"].items(), key=lambda part: -part[1]):
                print(f"  {label:30} {seconds:6.2f}")
        if not given.keep:
            stored(name).unlink()
    return None


if __name__ == "__main__":
    main()
