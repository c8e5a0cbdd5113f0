"""How much of a volume or extent lies in the border of its mask, which no scan knows better than to half a voxel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float32Array, Float64Array, UInt8Array
from cop_imaging.core.finding import Feature, Finding, Measure, Presence
from cop_imaging.core.scene import ZONES, LungReference, Scene
from cop_imaging.signs.distribution import DEPTH_SHELLS_MM

__all__ = ["border_of", "widened"]

AREA_PER_FACES = 2 / 3
"""Area of a surface over that of the faces of the voxels inside it: mean over all directions."""
LEVELS = ("upper", "middle", "lower")
EDGES_MM = [low for low, _ in DEPTH_SHELLS_MM[1:]]
MOST_SLICES = 64


def widened(finding: Finding, scene: Scene) -> Finding:
    """The finding with intervals that know the border of its mask, and nothing where the sign is not clearly present.

    Volume and extents may be as much smaller or larger as half a voxel all round makes, inside the lungs. Those of a
    sign that is at most possible may be nothing at all: what tells it from a healthy lung does not tell it from none.
    """
    if finding.mask is None or finding.presence is Presence.NOT_ASSESSABLE:
        return finding
    border = border_of(finding.mask, scene)
    certain = finding.presence is Presence.PRESENT
    pairs = zip(finding.features, finding.measures, strict=True)
    return replace(finding, measures=tuple(_wider(m, f, border, finding.sign, certain) for f, m in pairs))


def _wider(measure: Measure, feature: Feature, border: Mapping[str, float], sign: str, certain: bool) -> Measure:
    half = border.get(measure.name.removeprefix(f"{sign}."))
    if measure.low is None or measure.high is None or half is None:
        return measure
    low = max(measure.low - half, 0.0) if certain else 0.0
    high = measure.high + half if feature.high is None else min(measure.high + half, feature.high)
    return measure.model_copy(update={"low": min(low, measure.low), "high": max(high, measure.high)})


def border_of(mask: BoolArray, scene: Scene) -> dict[str, float]:
    """Volume in mL, and extents in percent, of half a voxel along the border of a mask inside the lungs.

    The names are those that ``distribution_of`` gives, without the sign. Where the mask ends at the border of the lungs
    there is no such doubt. Of a mask that is more than 64 slices high every second, third ... slice is looked at.
    """
    zone_ml, shell_ml = np.zeros(7), np.zeros(len(DEPTH_SHELLS_MM))
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    if slices.size:
        first, last = max(int(slices[0]) - 1, 0), int(slices[-1])
        every = 1 + (last - first) // MOST_SLICES
        half_ml = 0.5 * AREA_PER_FACES * scene.geometry.voxel_ml * every
        for z in range(first, last + 1, every):
            for zone, depth_mm in _faces(mask[z : z + 2], scene, z):
                zone_ml += half_ml * np.bincount(zone, minlength=7)
                shell_ml += half_ml * np.bincount(np.digitize(depth_mm, EDGES_MM), minlength=len(DEPTH_SHELLS_MM))
    return _extents(zone_ml[1:], shell_ml, scene.reference)


def _faces(mask: BoolArray, scene: Scene, z: int) -> Iterator[tuple[UInt8Array, Float32Array]]:
    """Zone and depth of the voxels with a face on the mask's border: faces within the first slice and to the second."""
    zone, depth_mm = scene.zone[z : z + 2], scene.depth_mm[z]
    pairs = (
        (np.s_[0, :-1], np.s_[0, 1:]),
        (np.s_[0, :, :-1], np.s_[0, :, 1:]),
        (np.s_[0, :, :], np.s_[-1, :, :]),
    )
    for here, there in pairs:
        where = np.nonzero((mask[here] != mask[there]) & (zone[here] > 0) & (zone[there] > 0))
        yield zone[here][where], depth_mm[where]


def _extents(zone_ml: Float64Array, shell_ml: Float64Array, reference: LungReference) -> dict[str, float]:
    """Volume and extents of what has these volumes in the zones and in the shells of depth."""
    parts: dict[str, tuple[int, ...]] = {"": (0, 1, 2, 3, 4, 5), "right_": (0, 1, 2), "left_": (3, 4, 5)}
    parts |= {f"{level}_": (k, k + 3) for k, level in enumerate(LEVELS)}
    parts |= {f"{zone}_": (k,) for k, zone in enumerate(ZONES)}
    out = {"volume_ml": float(zone_ml.sum())}
    for name, rows in parts.items():
        out[f"extent_{name}percent"] = _percent(zone_ml[list(rows)].sum(), reference.zone_ml[list(rows)].sum())
    middles = (reference.depth_edges_mm[:-1] + reference.depth_edges_mm[1:]) / 2
    for (low, high), ml in zip(DEPTH_SHELLS_MM, shell_ml, strict=True):
        name = f"extent_{low}_{high}_mm_percent" if high else f"extent_over_{low}_mm_percent"
        whole = reference.depth_ml[(middles >= low) & (middles < (high or np.inf))].sum()
        out[name] = _percent(ml, whole)
    return out


def _percent(part_ml: float, whole_ml: float) -> float:
    return 100.0 * float(part_ml) / float(whole_ml) if whole_ml > 0 else 0.0
