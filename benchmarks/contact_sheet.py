"""A picture of made cases: every disease with two seeds, an axial and a coronal slice each in the lung window.

python -m benchmarks.contact_sheet [FILE]
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from cop_imaging.core import Geometry
from cop_imaging.core.arrays import AnyArray
from cop_imaging.synth import CaseSpec, Phantom, draw_case, make_case
from cop_imaging.synth.diseases import load_knowledge

SHEET = Path(__file__).parents[1] / "docs" / "images" / "phantoms.jpg"
SEEDS = 2
"""Cases of each disease: the first seeds whose image is the disease's own and, but for COP, no organizing pneumonia."""
CUBES = Geometry((190, 176, 196), (2.0, 2.0, 2.0), (-195.0, -175.0, -225.0))
WINDOW_HU = (-1350.0, 150.0)
CELL = (196, 176)
"""Width and height of one slice's picture."""
LABEL = 26
DISEASES_PER_ROW = 2
NOT_ILL = ("lungs", "lungs_right", "lungs_left", "airways", "vessels")


def grey(hu: AnyArray) -> Image.Image:
    """A slice in the lung window, cut or padded to one size about its middle."""
    low, high = WINDOW_HU
    picture = Image.fromarray(np.clip((hu - low) / (high - low) * 255.0, 0, 255).astype(np.uint8))
    width, height = CELL
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def fullest(phantom: Phantom, axis: int) -> int:
    """The slice that shows most of what is ill, or the middle of the lungs."""
    ill = sum(mask.astype(np.int32) for name, mask in phantom.truth.items() if name not in NOT_ILL)
    other = tuple(a for a in range(3) if a != axis)
    amount = np.asarray(ill).sum(axis=other)
    lungs = np.asarray(phantom.truth["lungs"] > 0).sum(axis=other)
    # Slices at the edge of the lungs show little of them.
    amount = np.where(lungs > 0.7 * lungs.max(), amount, 0)
    return int(np.argmax(amount if amount.any() else lungs))


def tile(request: tuple[str, int]) -> Image.Image:
    """Both slices of a case under its name and findings."""
    case = draw_case(*request)
    phantom = make_case(case, CUBES)
    hu = phantom.volume.hu
    out = Image.new("L", (2 * CELL[0], CELL[1] + LABEL), 0)
    out.paste(grey(hu[fullest(phantom, 0)]), (0, LABEL))
    out.paste(grey(hu[::-1, fullest(phantom, 1)]), (CELL[0], LABEL))
    ImageDraw.Draw(out).text((3, 1), label(case), fill=255)
    return out


def label(case: CaseSpec) -> str:
    """Disease, form and what was drawn of it, on two lines."""
    form = f" as organizing pneumonia, {case.subtype}" if case.op else ""
    shown = [f"{name} {value:.0f}" for name, value in case.extents.items()][:3]
    return f"{case.disease} {case.seed}{form}\n{', '.join(shown)}".replace("_", " ")


def requests_of(disease: str) -> list[tuple[str, int]]:
    """The cases of a disease that are shown."""
    seeds = (seed for seed in count(1) if draw_case(disease, seed).op == (disease == "COP"))
    return [(disease, seed) for seed in islice(seeds, SEEDS)]


def main(target: Path = SHEET) -> None:
    """Draw all tiles and lay them out, two seeds of two diseases in a row."""
    requests = [request for disease in load_knowledge().diseases for request in requests_of(disease)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        tiles = list(pool.map(tile, requests))
    across = DISEASES_PER_ROW * SEEDS
    width, height = tiles[0].size
    sheet = Image.new("L", (across * width, -(-len(tiles) // across) * height))
    for n, picture in enumerate(tiles):
        sheet.paste(picture, (n % across * width, n // across * height))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}")
    sheet.save(temporary, format="JPEG", quality=80, optimize=True)
    temporary.replace(target)
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
