"""From what a reader would report to what the program would measure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import expit, logit, ndtri

from cop_imaging.core.arrays import BoolArray, Float64Array
from cop_imaging.synth.diseases.findings import NORMAL_P90, Findings, from_quantiles
from cop_imaging.synth.diseases.knowledge import Knowledge
from cop_imaging.training.body import Body
from cop_imaging.training.config import CohortConfig
from cop_imaging.training.places import EVENNESS, Place, PlaceDrawer

__all__ = ["density_columns", "false_volume_ml"]

Columns = dict[str, Float64Array]


def false_volume_ml(quantiles: tuple[float, float, float], u: Float64Array) -> Float64Array:
    """Volumes at probability u of a two-sided normal in the square root (p10 may be 0, negative roots are 0)."""
    low, median, high = np.sqrt(quantiles)
    z = ndtri(u) / NORMAL_P90
    root = median + z * np.where(z > 0, high - median, median - low)
    return np.asarray(np.maximum(root, 0.0) ** 2, dtype=np.float64)


def density_columns(
    findings: Findings,
    body: Body,
    lung_ml: Float64Array,
    knowledge: Knowledge,
    *,
    rng: np.random.Generator,
    config: CohortConfig,
) -> Columns:
    """The measured columns of consolidation and ground glass, each (n,); NaN where the mask is empty."""
    drawer = PlaceDrawer(findings, knowledge, rng, config)
    columns: Columns = {}
    room = lung_ml
    for sign, adherence, smallest in (
        ("consolidation", 1.0, config.smallest_consolidation_ml),
        ("ground_glass", config.haze_adherence, config.smallest_ground_glass_ml),
    ):
        raw = _volumes_ml(sign, findings, lung_ml, knowledge, rng)
        noise = np.exp(config.volume_noise * rng.standard_normal(len(lung_ml)))
        parts = _fitting({where: volume * noise for where, volume in raw.items()}, room)
        total = sum(parts.values(), np.zeros(len(lung_ml)))
        room = room - total
        empty = total < smallest
        places = {where: drawer.place(where, adherence) for where in parts}
        measured = _distribution(parts, places, total, lung_ml=lung_ml, body=body, config=config)
        measured |= _patches(parts, total, drawer, findings=findings, knowledge=knowledge, rng=rng)
        for name, values in measured.items():
            counts = name in {"volume_ml", "extent_percent", "patch_count", "zones_hit"}
            columns[f"{sign}.{name}"] = np.where(empty, 0.0 if counts else np.nan, values)
    return columns


def _volumes_ml(
    sign: str, findings: Findings, lung_ml: Float64Array, knowledge: Knowledge, rng: np.random.Generator
) -> Columns:
    """{place: (n,) ml} of everything that the sign's measurement takes for the sign."""
    n = len(lung_ml)
    percent = lung_ml / 100
    parts = {
        "own": findings.extent[:, knowledge.extents.index(sign)] * percent,
        "false": false_volume_ml(knowledge.false_volumes[sign], rng.random(n)),
    }
    for other in knowledge.seen_as:
        if other.sign != sign:
            continue
        amount = from_quantiles(np.array(other.quantiles), rng.random(n))
        if other.unit == "share_of_extent":
            amount = amount * findings.extent[:, knowledge.extents.index(other.finding)] * percent
        elif other.unit == "share_of_effusion":
            amount = amount * findings.extent[:, knowledge.extents.index(other.finding)]
        elif other.unit == "percent_of_lung":
            amount = amount * percent
        amount = np.where(findings.present[:, knowledge.finding(other.finding)], amount, 0.0)
        parts[other.place] = parts.get(other.place, np.zeros(n)) + amount
    return parts


def _fitting(parts: Columns, room_ml: Float64Array) -> Columns:
    """The parts shrunk to the lung that is left: beyond 40 % of it their sum bends towards 85 %."""
    total = sum(parts.values(), np.zeros(len(room_ml))) / room_ml
    bent = np.where(total > 0.4, 0.4 + 0.45 * np.tanh((total - 0.4) / 0.45), total)
    factor = bent / np.maximum(total, 1e-12)
    return {where: volume * factor for where, volume in parts.items()}


def _distribution(
    parts: Columns,
    places: Mapping[str, Place],
    total: Float64Array,
    *,
    lung_ml: Float64Array,
    body: Body,
    config: CohortConfig,
) -> Columns:
    """Extents and ratios of the sum of all parts."""
    pseudo, safe = config.pseudo_volume_ml, np.maximum(total, 1e-9)
    zones = sum((parts[w][:, None, None] * p.zones for w, p in places.items()), np.zeros((len(total), 2, 3)))
    side_ml = np.stack([body.right_fraction, 1 - body.right_fraction], axis=1) * lung_ml[:, None]

    def mean(values: Mapping[str, Float64Array]) -> Float64Array:
        return np.asarray(sum(parts[w] * values[w] for w in parts) / safe, dtype=np.float64)

    outer = mean({w: p.peripheral for w, p in places.items()}) * total
    dorsal = mean({w: p.dorsal for w, p in places.items()}) * total
    sides = zones.sum(axis=2)
    return {
        "volume_ml": total,
        "extent_percent": 100 * total / lung_ml,
        "lower_to_upper": (zones[:, :, 2].sum(axis=1) + pseudo) / (zones[:, :, 0].sum(axis=1) + pseudo),
        "peripheral_to_central": 2 * (outer + pseudo) / (total - outer + pseudo),
        "subpleural_sparing": mean({w: p.sparing for w, p in places.items()}),
        "peribronchovascular_ratio": mean({w: p.bundles for w, p in places.items()}),
        "right_share": np.minimum(sides[:, 0] / safe, 1.0),
        "bilateral_index": np.minimum(2 * sides.min(axis=1) / safe, 1.0),
        "dorsal_to_ventral": (dorsal + pseudo) / (total - dorsal + pseudo),
        "zones_hit": (zones >= 0.005 * side_ml[:, :, None] / 3).sum(axis=(1, 2)).astype(np.float64),
    }


def _patches(
    parts: Columns,
    total: Float64Array,
    drawer: PlaceDrawer,
    *,
    findings: Findings,
    knowledge: Knowledge,
    rng: np.random.Generator,
) -> Columns:
    """Number of components, and the largest one's share."""
    n = len(total)
    form = drawer.form()
    states = list(EVENNESS)
    count, spread = np.array([knowledge.states["patch_count", s] for s in states]).T
    share, width = np.array([knowledge.states["largest_share", s] for s in states]).T
    own = count[form] * np.exp(spread[form] * rng.standard_normal(n))
    own = np.where(parts["own"] > 0, np.maximum(own, 1.0), 0.0)
    largest = expit(logit(share[form]) + 2.5 * width[form] * rng.standard_normal(n)) * parts["own"]
    nodules: BoolArray = findings.present[:, knowledge.finding("small_nodules")]
    single = {"basal": 0.6, "focus": 0.8, "false": 0.5, "scattered": 0.2}
    for where, part in single.items():
        portion = part * rng.uniform(0.6, 1.2, n)
        largest = np.maximum(largest, portion * parts.get(where, np.zeros(n)))
    extra = rng.poisson(parts["false"] / (parts["false"] + 3.0) * 8) + rng.poisson(np.where(nodules, 2.0, 0.0))
    patches = np.maximum(np.round(own + extra), 1.0)
    portion = np.clip(largest / np.maximum(total, 1e-9), 1 / patches, 1.0)
    portion = np.where(patches == 1, 1.0, portion)
    return {"patch_count": patches, "largest_share": portion, "patchiness": 1 - portion}
