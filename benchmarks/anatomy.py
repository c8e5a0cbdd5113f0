"""How long the anatomy takes and how much memory it needs, beside a 2-D U-net: ``python -m benchmarks.anatomy``.

A chest of 400 x 512 x 512 voxels, made, or where ``COP_IMAGING_REAL_CT`` names a folder of real CT series
``near_normal_2.5mm`` from it with its slices repeated. Each row is a process of its own; seconds do not count imports
and reading, the peak of memory does. The U-net is the class of lungmask (Hofmanninger et al. 2020, Eur Radiol Exp
4:50; model R231) with random weights in batches of 20 slices of 256 x 256, as that program runs it, and without what
the program does before and after. Where lungmask is not installed, the network is built here from its description.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.__main__ import CHECKOUT, peak_mb
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import resample
from cop_imaging.core.volume import CTVolume

VOLUME = CHECKOUT / "out" / "bench_anatomy.npz"
SLICES, BATCH, BATCHES = 300, 20, 1
PARTS = {
    "work grid": "resample",
    "body": "find_body",
    "network": "lung_logits",
    "trachea": "trachea_seed",
    "main airways": "grow_airways",
    "aerated lung": "aerated_lung",
    "probabilities to lungs": "seen_lungs",
    "lungs by density": "_classical_lungs",
    "refinement": "refine_lungs",
    "bronchi, beside them vessels": "full_airways",
    "vessels": "_vessels",
}
"""Functions that the stage calls, by what they find."""


def chest(slices: int) -> CTVolume:
    """A volume of ``slices`` x 512 x 512."""
    root = os.environ.get("COP_IMAGING_REAL_CT")
    if root:
        from cop_imaging.ingest import read_series

        scan = read_series(Path(root) / "near_normal_2.5mm")
        times = max(1, round(slices / scan.hu.shape[0]))
        hu = np.repeat(scan.hu, times, axis=0)[:slices]
        z, y, x = scan.geometry.spacing_mm
        return CTVolume(hu, replace(scan.geometry, shape=hu.shape, spacing_mm=(z / times, y, x)))
    from cop_imaging.training.lungs.samples import made_chest

    grid = Geometry((150, 256, 256), (2.2, 1.5, 1.5), (-190.0, -190.0, -200.0))
    made = made_chest(90_000, grid)[0].volume
    z, y, x = grid.spacing_mm
    fine = grid.resampled((z * grid.shape[0] / slices, y / 2, x / 2))
    return CTVolume(resample(made.hu, grid, fine), fine)


def anatomy(method: str) -> dict[str, object]:
    """Segment the stored volume: seconds, CPU seconds, and seconds of each part."""
    from cop_imaging.anatomy import AnatomyConfig

    stage = importlib.import_module("cop_imaging.anatomy.segment")
    parts: dict[str, float] = {}

    def timed(label: str, name: str) -> None:
        inner = getattr(stage, name)

        def outer(*arguments: object, **named: object) -> object:
            begun = time.perf_counter()
            try:
                return inner(*arguments, **named)
            finally:
                parts[label] = parts.get(label, 0.0) + time.perf_counter() - begun

        setattr(stage, name, outer)

    for label, name in PARTS.items():
        timed(label, name)
    with np.load(VOLUME) as stored:
        hu = stored["hu"]
        geometry = Geometry(hu.shape, tuple(stored["spacing_mm"].tolist()), tuple(stored["origin_mm"].tolist()))
    volume = CTVolume(hu, geometry)
    begun, begun_cpu = time.perf_counter(), time.process_time()
    stage.segment(volume, AnatomyConfig(method=method))
    seconds, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    return {"seconds": seconds, "cpu": cpu, "slices": hu.shape[0], "parts": parts}


def unet() -> dict[str, object]:
    """The 2-D network on ``BATCHES`` batches of slices."""
    import torch

    torch.manual_seed(0)
    network, whose = slice_network()
    network.eval()
    with torch.inference_mode():
        begun, begun_cpu = time.perf_counter(), time.process_time()
        for _ in range(BATCHES):
            network(torch.rand(BATCH, 1, 256, 256)).argmax(dim=1)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    return {"seconds": seconds, "cpu": cpu, "slices": BATCH * BATCHES, "whose": whose}


def slice_network():
    """R231's network with random weights, and where it comes from."""
    from torch import cat, nn
    from torch.nn import functional

    found = importlib.util.find_spec("lungmask")
    if found is not None and found.origin is not None:
        source = Path(found.origin).with_name("resunet.py")
        spec = importlib.util.spec_from_file_location("resunet", source)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        network = module.UNet(n_classes=3, padding=True, depth=5, up_mode="upsample", batch_norm=True, residual=False)
        return network, "lungmask's class"

    def twice(inner: int, outer: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for wide in (inner, outer):
            layers += [nn.Conv2d(wide, outer, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(outer)]
        return nn.Sequential(*layers)

    class Slices(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            wide = [64, 128, 256, 512, 1024]
            self.down = nn.ModuleList(twice(a, b) for a, b in zip([1, *wide], wide, strict=False))
            self.narrow = nn.ModuleList(nn.Conv2d(2 * w, w, 1) for w in wide[-2::-1])
            self.up = nn.ModuleList(twice(2 * w, w) for w in wide[-2::-1])
            self.last = nn.Conv2d(64, 3, 1)

        def forward(self, x):
            levels = []
            for n, step in enumerate(self.down):
                x = step(functional.avg_pool2d(x, 2) if n else x)
                levels.append(x)
            for narrow, step, level in zip(self.narrow, self.up, levels[-2::-1], strict=True):
                x = narrow(functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
                x = step(cat([x, level], dim=1))
            return functional.log_softmax(self.last(x), dim=1)

    return Slices(), "built from its description"


def in_process(row: str) -> dict[str, object]:
    """The figures of one row, measured in a process of its own, with its peak memory."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.anatomy", "--row", row], stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{row} ended with {os.waitstatus_to_exitcode(status)}")
    figures: dict[str, object] = json.loads(said)
    return figures | {"peak_mb": peak_mb(usage)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--row", choices=("network", "classical", "unet"), help="measure this here and print JSON")
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(unet() if arguments.row == "unet" else anatomy(arguments.row)))
        return
    volume = chest(arguments.slices)
    VOLUME.parent.mkdir(exist_ok=True)
    g = volume.geometry
    np.savez(VOLUME, hu=volume.hu, spacing_mm=g.spacing_mm, origin_mm=g.origin_mm)
    rows = {name: in_process(name) for name in ("network", "classical")}
    if importlib.util.find_spec("torch") is None:
        print("torch is not installed: no 2-D U-net beside it", file=sys.stderr)
    else:
        rows["unet"] = in_process("unet")
    VOLUME.unlink()
    for name in ("network", "classical"):
        print(f"{name}, {' x '.join(map(str, volume.hu.shape))} voxels, seconds by part:")
        parts: dict[str, float] = rows[name]["parts"]
        print("\n".join(f"  {label:30} {seconds:6.2f}" for label, seconds in parts.items()))
    names = {
        "network": "anatomy (lungs, airways, vessels), network",
        "classical": "anatomy (lungs, airways, vessels), classical",
        "unet": f"2-D U-net of R231 alone ({rows.get('unet', {}).get('whose')})",
    }
    print(f"{os.cpu_count()} cores")
    print(f"{'':58} {'wall s':>7} {'CPU s':>7} {'slices':>6} {'s for ' + str(SLICES):>9} {'peak MB':>8}")
    for name, row in rows.items():
        seconds, cpu, slices, peak = (float(row[k]) for k in ("seconds", "cpu", "slices", "peak_mb"))
        print(f"{names[name]:58} {seconds:7.2f} {cpu:7.2f} {slices:6.0f} {seconds / slices * SLICES:9.1f} {peak:8.0f}")


if __name__ == "__main__":
    main()
