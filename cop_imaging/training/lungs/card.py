"""The lung network's card: what it is, what it learned from, how well it does, and what is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cop_imaging.core.report import RESEARCH_USE

__all__ = ["card"]

CARD = """\
# Lungs, pleural fluid and central airways on cubes of 3.5 mm

{research}

## What it is

A 3-D residual encoder and decoder of {parameters:.1f} million weights. It sees the whole body in view, air to bone in
one channel and soft tissue spread out in another, and gives right lung, left lung, pleural fluid, trachea and main
bronchi, and everything else. Airless lung is lung. It runs with numpy; borders are found on the scan's own grid
afterwards. The folder's digests name the version.

## What it learned from

- Made chests (`cop_imaging.synth`): whole diseases, and what masks fail on: patchy, lobar and peribronchial
  consolidation, a whole lung without air, effusion with collapse, masses, ground glass, bands. Their truth is exact.
- Such lesions put into real scans without much disease (`cop_imaging.synth.insertion`). The truth of the untouched scan
  is the classical mask; dense tissue that it holds for lung by place alone is left out of the loss.
- Lung painted airless and fluid painted in while training, without an edge to the chest wall, with densities that
  overlap muscle, liver and fluid, and fluid on the lowest side of prone and lateral patients.
- Mirrored, turned, scaled, bent, blurred, noisy views; smaller fields and cut scans.

{samples}

Scans: one LIDC-IDRI series at 2.5 mm (CC BY 3.0), the others as block means of 2.5-5 mm: LIDC-IDRI, ACRIN-FLT-Breast,
TCGA-THCA, NSCLC Radiogenomics, 4D-Lung, LCTSC, ACRIN-NSCLC-FDG-PET, CMB-CRC, QIN LUNG CT (CC BY 3.0 or 4.0),
Lung-PET-CT-Dx (CC BY 4.0). No pixels of them are in this folder. Insertions into block means are no evidence for
thin slices. Scans of the centre that gave most are shown half as often.

## Training

{training}

{curve}

## How well it does

On the network's own grid, before borders are refined; scans and seeds of none of which it saw anything. Lesions touch
the pleura and hold at least 5 mL. Recall and precision are those of the bite: how much of the airless lung is in the
mask, and how much of what the mask adds around it is lung. The classical method beside it, on the same samples.

{figures}

## Known failures

- Collapsed lung in fluid and fluid in consolidated lung differ by 20-60 HU; at high noise they are mixed up.
- A lung that is white as a whole can be taken for fluid, and the reverse.
- Pockets of fluid that do not lie lowest are mostly taken for airless lung.
- Borders are those of 3.5 mm cubes: thin layers of consolidation on the pleura are lost where the border errs by half
  a voxel.
- All disease is made by one family of drawings. No expert's outline of real disease was learned from or measured on.
- A lobe as homogeneous and nearly as dense as fluid is called fluid, a rind of consolidation on the pleura in part, and
  thin or encapsulated fluid airless lung.
- Under a raised half of the diaphragm stomach, spleen and the fat around them can be called lung.
- Perihilar masses can stay outside, and parts of a wide aorta and main bronchi come in.
- Children, pneumonectomy, transplanted organs, drains and large hernias were never seen.

## Files

`weights.safetensors` (float16), `curve.json`, `evaluation.json`, `SHA256SUMS`.
"""

COLUMNS = {
    "lung_dice": "lung Dice",
    "bite_recall": "bite recall",
    "bite_recall_p10": "its 10th percentile",
    "bite_precision": "bite precision",
    "fluid_dice": "fluid Dice",
    "fluid_error": "fluid volume error",
    "false_fluid_ml": "fluid found where none is (mL)",
}


def card(figures: Mapping[str, Any], *, parameters: int, curve: Sequence[Mapping[str, float]]) -> str:
    """The card as Markdown, from the evaluation's figures and the training curve."""
    return CARD.format(
        research=RESEARCH_USE,
        parameters=parameters / 1e6,
        samples=figures.get("samples", ""),
        training=figures.get("training", ""),
        curve=_curve(curve),
        figures=_table(figures.get("groups", {})),
    )


def _curve(curve: Sequence[Mapping[str, float]]) -> str:
    rows = [curve[n] for n in sorted({round(i * (len(curve) - 1) / 7) for i in range(8)})] if curve else []
    lines = ["| step | loss | airless lung kept | right | left | fluid | airways |", "| --- " * 7 + "|"]
    for row in rows:
        names = ("loss", "airless", "right", "left", "pleural", "trachea")
        values = " | ".join(f"{row.get(name, float('nan')):.2f}" for name in names)
        lines.append(f"| {int(row['step'])} | {values} |")
    return "\n".join([*lines, "", "Shares are soft ones on training views, harder than whole scans."])


def _table(groups: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """A row for every group of samples and method."""
    lines = ["| samples | method | " + " | ".join(COLUMNS.values()) + " |", "| --- " * (len(COLUMNS) + 2) + "|"]
    for group, methods in groups.items():
        for method, row in methods.items():
            values = " | ".join(_number(row.get(name)) for name in COLUMNS)
            lines.append(f"| {group} ({int(row['samples'])}) | {method} | {values} |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 2.0 else f"{value:.3f}"
