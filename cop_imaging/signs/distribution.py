"""The numbers that every mask shares: how much, on which side, in which zone, how deep, in how many patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float64Array, Int64Array
from cop_imaging.core.finding import Feature
from cop_imaging.core.parts import parts_of
from cop_imaging.core.scene import BUNDLE_MM, ZONES, LungReference, Scene

__all__ = ["DEPTH_SHELLS_MM", "distribution_features", "distribution_of"]

DEPTH_SHELLS_MM = ((0, 5), (5, 10), (10, 15), (15, 20), (20, 30), (30, None))
"""Shells of depth below the costal pleura in which the extent is reported."""
SPARED_MM = 4.0
BELOW_SPARED_MM = 10.0
HIT_SHARE = 0.005
"""Share of a zone from which it counts as hit."""
PSEUDO_ML = 0.5
"""Volume added to both parts of a ratio of extents: about one smallest lesion."""
AXES = (("head", 2), ("back", 1), ("left", 0))
"""Directions in which the centroid is given, with their place in a patient position (x, y, z)."""


def distribution_features(sign: str, title: str) -> tuple[Feature, ...]:
    """The declared distribution features of a sign with a mask, in column order."""
    shells = tuple(
        Feature(
            f"{sign}.extent_{low}_{high}_mm_percent" if high else f"{sign}.extent_over_{low}_mm_percent",
            "percent",
            f"share of the lung {low}-{high} mm below the costal pleura that is {title}"
            if high
            else f"share of the lung deeper than {low} mm below the costal pleura that is {title}",
            high=100.0,
        )
        for low, high in DEPTH_SHELLS_MM
    )
    zones = tuple(
        Feature(
            f"{sign}.extent_{zone}_percent",
            "percent",
            f"share of the {zone.replace('_', ' ')} zone that is {title}",
            high=100.0,
        )
        for zone in ZONES
    )
    centroid = tuple(
        Feature(f"{sign}.centroid_{way}_mm", "mm", f"centroid towards the {way}, from the lungs' centroid", low=None)
        for way, _ in AXES
    )
    named = (
        ("volume_ml", "ml", f"volume of {title}", None),
        ("extent_percent", "percent", f"share of both lungs that is {title}", 100.0),
        ("extent_right_percent", "percent", f"share of the right lung that is {title}", 100.0),
        ("extent_left_percent", "percent", f"share of the left lung that is {title}", 100.0),
        ("extent_upper_percent", "percent", f"share of the upper zones that is {title}", 100.0),
        ("extent_middle_percent", "percent", f"share of the middle zones that is {title}", 100.0),
        ("extent_lower_percent", "percent", f"share of the lower zones that is {title}", 100.0),
        ("lower_to_upper", "1", "extent in the lower zones over extent in the upper zones", None),
        (
            "peripheral_to_central",
            "1",
            "extent in the outer third of the lung by depth over the inner two thirds",
            None,
        ),
        ("subpleural_sparing", "1", "extent in the outer 4 mm over extent in the next 10 mm; low means spared", None),
        ("depth_median_mm", "mm", "median depth below the costal pleura", None),
        ("peribronchovascular_ratio", "1", "share within 5 mm of a bundle over the lung's own share there", None),
        ("right_share", "1", "volume in the right lung over the whole", 1.0),
        ("bilateral_index", "1", "twice the smaller side's share of the volume: 0 one-sided, 1 even", 1.0),
        ("dorsal_to_ventral", "1", "extent in the dependent half of the lung over extent in the other half", None),
        ("patch_count", "1", "connected components", None),
        ("largest_share", "1", "volume of the largest component over the whole", 1.0),
        ("patchiness", "1", "1 minus the largest component's share", 1.0),
        ("zones_hit", "1", "zones of six with at least 0.5 % extent", 6.0),
        ("mean_hu", "HU", "mean density of the mask", None),
    )
    table = tuple(
        Feature(f"{sign}.{name}", unit, means, low=None if unit == "HU" else 0.0, high=high)
        for name, unit, means, high in named
    )
    return table[:7] + zones + shells + table[7:] + centroid


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """What one pass over the voxels of a mask gives; every number of the table follows from it."""

    volume_ml: float
    zone_ml: Float64Array
    depth_ml: Float64Array
    near_bundle_ml: float
    dependent_half_ml: float
    mean_hu: float | None
    centroid_mm: Float64Array | None
    """Mean position (x, y, z), LPS."""


def distribution_of(sign: str, mask: BoolArray, scene: Scene, *, smallest_patch_ml: float) -> dict[str, float | None]:
    """The distribution numbers of a mask by dotted name; None where the mask is empty and the number undefined.

    Parameters
    ----------
    mask : bool [z, y, x]
        On the scene's crop; only voxels inside the lungs count.
    smallest_patch_ml : float
        Components below this volume are no patches.
    """
    parts = parts_of(mask & (scene.lungs > 0))
    counts = _count(parts.voxels()[0], scene)
    patches = parts.size.astype(np.float64) * scene.geometry.voxel_ml
    patches = patches[patches >= smallest_patch_ml]
    table = _table(counts, patches, scene.reference) | _centroid(counts.centroid_mm, scene)
    return {f"{sign}.{name}": value for name, value in table.items()}


def _count(flat: Int64Array, scene: Scene) -> _Counts:
    """Counts over voxels, given by their flat index in the scene's crop."""
    ml = scene.geometry.voxel_ml
    reference = scene.reference
    edges = reference.depth_edges_mm
    depth = np.minimum(scene.depth_mm.ravel()[flat], edges[-1])
    # Edges that are named to be even are not searched for.
    depth_counts = np.histogram(depth, bins=edges.size - 1, range=(edges[0], edges[-1]))[0]
    axis = int(np.argmax(np.abs(scene.gravity)))
    sign = np.sign(scene.gravity[axis])
    where = np.unravel_index(flat, scene.lungs.shape)
    lower_half = (where[axis] - reference.middle_along_gravity) * sign > 0
    n = flat.size
    return _Counts(
        volume_ml=n * ml,
        zone_ml=np.bincount(scene.zone.ravel()[flat], minlength=7)[1:7].astype(np.float64) * ml,
        depth_ml=depth_counts.astype(np.float64) * ml,
        near_bundle_ml=float((scene.bundle_mm.ravel()[flat] <= BUNDLE_MM).sum()) * ml,
        dependent_half_ml=float(lower_half.sum()) * ml,
        mean_hu=float(scene.smooth_hu.ravel()[flat].mean()) if n else None,
        centroid_mm=scene.geometry.to_patient(np.array([w.mean() for w in where])) if n else None,
    )


def _table(c: _Counts, patches: Float64Array, r: LungReference) -> dict[str, float | None]:
    empty = c.volume_ml == 0.0
    upper, middle, lower = ((c.zone_ml[k] + c.zone_ml[k + 3], r.zone_ml[k] + r.zone_ml[k + 3]) for k in range(3))
    middles = (r.depth_edges_mm[:-1] + r.depth_edges_mm[1:]) / 2
    outer = middles < r.outer_third_mm
    rind, next_shell = middles < SPARED_MM, (middles >= SPARED_MM) & (middles < SPARED_MM + BELOW_SPARED_MM)
    right_ml = float(c.zone_ml[:3].sum())
    own_zones = {f"extent_{zone}_percent": _percent(c.zone_ml[k], r.zone_ml[k]) for k, zone in enumerate(ZONES)}
    out: dict[str, float | None] = {
        "volume_ml": c.volume_ml,
        "extent_percent": _percent(c.volume_ml, r.total_ml),
        "extent_right_percent": _percent(right_ml, r.side_ml[0]),
        "extent_left_percent": _percent(c.volume_ml - right_ml, r.side_ml[1]),
        "extent_upper_percent": _percent(*upper),
        "extent_middle_percent": _percent(*middle),
        "extent_lower_percent": _percent(*lower),
        **own_zones,
    }
    for low, high in DEPTH_SHELLS_MM:
        shell = (middles >= low) & (middles < (high or np.inf))
        name = f"extent_{low}_{high}_mm_percent" if high else f"extent_over_{low}_mm_percent"
        out[name] = _percent(c.depth_ml[shell].sum(), r.depth_ml[shell].sum())
    largest = float(patches.max()) / max(c.volume_ml, 1e-9) if patches.size else None
    out |= {
        "lower_to_upper": None if empty else _ratio(*lower, *upper),
        "peripheral_to_central": None
        if empty
        else _ratio(
            c.depth_ml[outer].sum(), r.depth_ml[outer].sum(), c.depth_ml[~outer].sum(), r.depth_ml[~outer].sum()
        ),
        "subpleural_sparing": None
        if empty
        else _ratio(
            c.depth_ml[rind].sum(), r.depth_ml[rind].sum(), c.depth_ml[next_shell].sum(), r.depth_ml[next_shell].sum()
        ),
        "depth_median_mm": None if empty else float(np.interp(0.5, np.cumsum(c.depth_ml) / c.volume_ml, middles)),
        "peribronchovascular_ratio": None
        if empty or r.near_bundle_share == 0.0
        else c.near_bundle_ml / c.volume_ml / r.near_bundle_share,
        "right_share": None if empty else right_ml / c.volume_ml,
        "bilateral_index": None if empty else 2.0 * min(right_ml, c.volume_ml - right_ml) / c.volume_ml,
        "dorsal_to_ventral": None
        if empty
        else _ratio(c.dependent_half_ml, r.total_ml / 2, c.volume_ml - c.dependent_half_ml, r.total_ml / 2),
        "patch_count": float(patches.size),
        "largest_share": None if empty else largest,
        "patchiness": None if empty or largest is None else 1.0 - largest,
        "zones_hit": float((c.zone_ml > HIT_SHARE * np.maximum(r.zone_ml, 1e-9)).sum()),
        "mean_hu": c.mean_hu,
    }
    return out


def _centroid(centroid_mm: Float64Array | None, scene: Scene) -> dict[str, float | None]:
    """Where a mask's centroid lies as seen from the lungs' own centroid; None for an empty mask."""
    names = [f"centroid_{way}_mm" for way, _ in AXES]
    if centroid_mm is None:
        return dict.fromkeys(names)
    offset = centroid_mm - scene.geometry.to_patient(scene.reference.centroid)
    return {name: float(offset[k]) for name, (_, k) in zip(names, AXES, strict=True)}


def _percent(part_ml: float, whole_ml: float) -> float | None:
    return 100.0 * float(part_ml) / float(whole_ml) if whole_ml > 0 else None


def _ratio(part_ml: float, whole_ml: float, other_part_ml: float, other_whole_ml: float) -> float | None:
    """Extent over extent, each with a pseudo-volume, so that an empty place bounds the ratio."""
    if whole_ml <= 0 or other_whole_ml <= 0:
        return None
    return float(((part_ml + PSEUDO_ML) / whole_ml) / ((other_part_ml + PSEUDO_ML) / other_whole_ml))
