"""Where abnormal lung lies in a drawn case: by side, zone, depth and bundle, for the disease and for look-alikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cop_imaging.core.arrays import BoolArray, Float64Array, Int32Array
from cop_imaging.synth.diseases.findings import Findings
from cop_imaging.synth.diseases.knowledge import Knowledge
from cop_imaging.training.config import CohortConfig

__all__ = ["PLACES", "Place", "PlaceDrawer"]

PLACES = ("own", "basal", "focus", "scattered", "false")
"""The case's disease; lung beside an effusion; one mass; nodules and haze anywhere; vessels taken for disease."""

EVENNESS = {"single": 40.0, "patchy": 3.0, "diffuse": 20.0, "neither": 5.0}
"""Shape of the gamma factors over the six zones: low leaves zones free, high fills all alike."""


@dataclass(frozen=True, eq=False)
class Place:
    """Distribution of n volumes."""

    zones: Float64Array
    """(n, 2, 3) share of the volume by side (right, left) and zone (upper, middle, lower)."""
    peripheral: Float64Array
    """(n,) share of the volume in the outer third of the lung by depth."""
    bundles: Float64Array
    """(n,) share within 5 mm of a bundle over chance."""
    sparing: Float64Array
    dorsal: Float64Array
    """(n,) share of the volume in the dependent half."""


class PlaceDrawer:
    """Draws places for the cases of one cohort; the spread is partly common to the signs of a case."""

    def __init__(
        self, findings: Findings, knowledge: Knowledge, rng: np.random.Generator, config: CohortConfig
    ) -> None:
        self._knowledge, self._rng, self._config = knowledge, rng, config
        self._n = len(findings.disease)
        self._case = {name: rng.standard_normal(self._n) for name in ("depth", "zone", "bundles", "sparing", "dorsal")}
        self._right = rng.random(self._n)
        self._has = {f: findings.present[:, i] for i, f in enumerate(knowledge.findings)}

    def form(self) -> Int32Array:
        """(n,) index into ``EVENNESS``: single focus, patchy, diffuse or neither."""
        conditions = [self._has["unilateral_single_focus"], self._has["diffuse"], self._has["patchy"]]
        return np.select(conditions, [0, 2, 1], 3).astype(np.int32)

    def place(self, where: str, adherence: float = 1.0) -> Place:
        """The place of one component; ``adherence`` is how far it follows the reported distribution."""
        if where == "own":
            return self._own(adherence)
        depth = self._draw("peripheral_to_central", [where], None, "depth", 1.0)
        zone = self._draw("lower_to_upper", [where], None, "zone", 1.0)
        bilateral = np.full(self._n, where in {"scattered", "basal", "false"})
        focal = np.full(self._n, where == "focus")
        return Place(
            zones=self._zones(zone, bilateral, focal, np.full(self._n, 20.0 if where == "scattered" else 3.0)),
            peripheral=depth / (depth + 2),
            bundles=self._draw("peribronchovascular_ratio", [where], None, "bundles", 1.0),
            sparing=self._draw("subpleural_sparing", [where], None, "sparing", 1.0),
            dorsal=_share(self._draw("dorsal_to_ventral", [where], None, "dorsal", 1.0)),
        )

    def _own(self, adherence: float) -> Place:
        has = self._has
        peripheral, spared, bundles = has["peripheral"], has["subpleural_sparing"], has["peribronchovascular"]
        depth = self._draw(
            "peripheral_to_central",
            ["spared", "peripheral", "bundles", "neither"],
            [spared & ~peripheral, peripheral, bundles],
            "depth",
            adherence,
        )
        zone = self._draw(
            "lower_to_upper",
            ["lower", "upper", "neither"],
            [has["lower_zone_predominant"], has["upper_zone_predominant"]],
            "zone",
            adherence,
        )
        form = self.form()
        evenness = np.array(list(EVENNESS.values()))[form]
        return Place(
            zones=self._zones(zone, has["bilateral"], form == 0, evenness),
            peripheral=depth / (depth + 2),
            bundles=self._draw(
                "peribronchovascular_ratio",
                ["bundles", "peripheral", "neither"],
                [bundles, peripheral],
                "bundles",
                adherence,
            ),
            sparing=self._draw(
                "subpleural_sparing", ["spared", "peripheral", "neither"], [spared, peripheral], "sparing", adherence
            ),
            dorsal=_share(self._draw("dorsal_to_ventral", ["own"], None, "dorsal", adherence)),
        )

    def _draw(
        self, number: str, states: list[str], conditions: list[BoolArray] | None, shared: str, adherence: float
    ) -> Float64Array:
        """Log-normal values about the median of each case's state; the last state is what holds otherwise."""
        logs = np.array([np.log(self._knowledge.states[number, s][0]) for s in states])
        sds = np.array([self._knowledge.states[number, s][1] for s in states])
        logs = logs[-1] + adherence * (logs - logs[-1])
        index = np.full(self._n, len(states) - 1)
        for i, condition in reversed(list(enumerate(conditions or []))):
            index[condition] = i
        common = self._config.shared_spread
        noise = np.sqrt(common) * self._case[shared] + np.sqrt(1 - common) * self._rng.standard_normal(self._n)
        value: Float64Array = np.exp(logs[index] + self._config.spread_scale * sds[index] * noise)
        return value

    def _zones(
        self, lower_to_upper: Float64Array, bilateral: BoolArray, focal: BoolArray, evenness: Float64Array
    ) -> Float64Array:
        """(n, 2, 3) shares: even on both sides or mostly on one, more below or above, zones left free by chance."""
        rng, n = self._rng, self._n
        smaller = np.where(bilateral, rng.beta(6, 6, n) * 0.4 + 0.2, np.where(focal, 0.0, rng.beta(1, 8, n)))
        right = np.where(self._right < 0.55, 1 - smaller, smaller)
        half = np.sqrt(lower_to_upper)
        zone = np.stack([1 / half, np.exp(0.2 * rng.standard_normal(n)), half], axis=1)
        # A single focus sits in one zone and reaches a little into the others.
        chosen = (zone / zone.sum(axis=1, keepdims=True)).cumsum(axis=1)
        pick = (rng.random(n)[:, None] > chosen[:, :2]).sum(axis=1)
        one = np.full((n, 3), 0.05)
        one[np.arange(n), pick] = 0.9
        zone = np.where(focal[:, None], one, zone)
        shares: Float64Array = np.stack([right, 1 - right], axis=1)[:, :, None] * zone[:, None, :]
        shares *= np.maximum(rng.gamma(evenness[:, None, None], size=(n, 2, 3)), 1e-6)
        shares /= shares.sum(axis=(1, 2), keepdims=True)
        return shares


def _share(ratio: Float64Array) -> Float64Array:
    """Share of the first part where two equal parts have that ratio."""
    return ratio / (1 + ratio)
