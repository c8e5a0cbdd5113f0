"""What the network takes for lung but lies beside or below the lungs: told by fat, gas and by what it touches."""

from __future__ import annotations

import numpy as np

from cop_imaging.anatomy.strays_config import StraysConfig
from cop_imaging.core.arrays import BoolArray, Float32Array
from cop_imaging.core.geometry import Geometry
from cop_imaging.core.grid import bounding_box, components, dilated, eroded, smoothed

__all__ = ["bowel_gas", "stray_tissue"]


def bowel_gas(airy: BoolArray, gas: BoolArray, work: Geometry, config: StraysConfig) -> BoolArray:
    """Pockets of ``gas`` that the network holds for lung in their smaller part only: stomach and bowel.

    Parameters
    ----------
    airy : bool [z, y, x]
        What is as dark as lung and may be lung for the network.
    gas : bool [z, y, x]
        All that is as dark as lung in the body, but aerated lung and the large airways.
    """
    pockets, n = components(gas)
    volume = np.bincount(pockets.ravel(), minlength=n + 1)
    inside = np.bincount(pockets[airy & gas], minlength=n + 1)
    drop = (volume * work.voxel_ml >= config.smallest_gas_ml) & (inside < config.least_gas_in_lung * volume)
    drop[0] = False
    out: BoolArray = drop[pockets]
    return out


def stray_tissue(
    dense: BoolArray,
    airy: BoolArray,
    aerated: BoolArray,
    enclosed: BoolArray,
    fluid: BoolArray,
    right: BoolArray,
    smooth: Float32Array,
    work: Geometry,
    config: StraysConfig,
) -> tuple[BoolArray, BoolArray]:
    """Pieces of ``dense`` tissue that are no lung, with the gas in ``airy`` that they touch, and some that may be none.

    Two kinds: pieces with much fat in them (stomach, spleen, omentum and the fat around and between them under a raised
    diaphragm), and airless pieces that hardly touch aerated lung or fluid (spleen, kidney, crus, skin under a cover).
    A collapsed or consolidated part of a lung lies broadly on the rest of it, or on the fluid that made it collapse. A
    whole lung without air does not, so a piece is spared where little aerated lung is left on its side. Pieces that
    touch more than those, but less than lung does, may be none: a wide aorta, the crus. So may what is as dense as fat
    and touches as much as lung does: a pad of fat, or consolidation with air left in it.

    Parameters
    ----------
    dense, airy : bool [z, y, x]
        Dense tissue, and what is as dark as lung, that the network takes for lung.
    aerated : bool [z, y, x]
        Lung with air in it, as far as density and connection tell.
    enclosed : bool [z, y, x]
        Aerated lung with what it encloses. This and ground glass count as aerated lung: consolidation has a hazy rim.
    fluid : bool [z, y, x]
        Supposed pleural fluid.
    right : bool [z, y, x]
        Where the right lung is likelier than the left.
    smooth : float32 [z, y, x]
        Density in HU, lightly blurred.
    """
    cores, n = components(eroded(dense, work, config.core_mm))
    lung_air = airy & aerated
    beside = lung_air | (enclosed & ~airy) | (dense & (smooth < config.airless_hu)) | fluid
    aerated_ml = [float((lung_air & (right == side)).sum()) * work.voxel_ml for side in (False, True)]
    volume_ml = np.bincount(cores.ravel(), minlength=n + 1) * work.voxel_ml
    piece, unsure = np.zeros_like(dense), np.zeros_like(dense)
    reach = config.core_mm + work.spacing_mm[0]
    for k in range(1, n + 1):
        if volume_ml[k] < config.smallest_ml:
            break
        box = bounding_box(cores == k, work, 2.0 * reach + config.touch_mm)
        local, core = work.crop(box), cores[box] == k
        whole = dilated(core, local, reach) & dense[box]
        values = smooth[box][core]
        mixed = volume_ml[k] >= config.smallest_mixed_ml and _holds_fat(smooth[box], core, local, config)
        fatty = volume_ml[k] >= config.smallest_fatty_ml and _mostly_fat(values, config)
        around = dilated(whole, local, config.touch_mm) & ~whole
        touched = float((beside[box] & around).sum()) / max(float(around.sum()), 1.0)
        if fatty and not mixed and touched >= config.surely_touched:
            unsure[box] |= whole
            continue
        if not (fatty or mixed):
            if float(np.median(values)) < config.airless_hu:
                continue
            side_ml = aerated_ml[int(right[box][core].mean() > 0.5)]
            if volume_ml[k] > config.most_of_side * side_ml:
                continue
            if touched >= config.least_touched:
                unsure[box] |= whole & (touched < config.surely_touched)
                continue
        # Corners lie farther from the core than its surface does; beside aerated lung they may be lung.
        others = dilated((cores[box] > 0) & ~core, local, reach) | dilated(lung_air[box], local, config.touch_mm)
        piece[box] |= whole | (dilated(core, local, 2.0 * reach) & dense[box] & ~others)
    if not piece.any():
        return piece, unsure
    bubbles, n = components(airy & ~aerated)
    met = np.bincount(bubbles[dilated(piece, work, config.core_mm)], minlength=n + 1) > 0
    met[0] = False
    return piece | met[bubbles], unsure


def _mostly_fat(values: Float32Array, config: StraysConfig) -> bool:
    """Whether the usual density of a core is that of fat.

    Where noise is strong consolidation has a share as dense as fat too, but not half of it.
    """
    fat = (values > config.fat_hu[0]) & (values < config.fat_hu[1])
    return float(np.median(values)) < config.fat_hu[1] and float(fat.mean()) > config.most_fat


def _holds_fat(smooth: Float32Array, core: BoolArray, geometry: Geometry, config: StraysConfig) -> bool:
    """Whether much of a large core is fat even where noise is averaged out: organs with the fat between them."""
    weight = smoothed(core.astype(np.float32), geometry, config.fat_average_mm)[core]
    # Gas and bone beside the tissue would make any average of the two.
    values = np.where(core, np.clip(smooth, *config.mixed_hu), np.float32(0.0))
    average = smoothed(values, geometry, config.fat_average_mm)[core] / weight
    return float(((average > config.fat_hu[0]) & (average < config.fat_hu[1])).mean()) > config.most_fat
