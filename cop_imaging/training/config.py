"""What the drawing of cases assumes beyond the tables."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["CohortConfig"]

ESTIMATE = "estimate"


class CohortConfig(Section):
    """Dependence, measurement noise and missing values of drawn cases."""

    correlation: float = quantity(
        0.4, means="correlation between the findings of a block", unit="1", low=0.0, high=0.9, source=ESTIMATE
    )
    volume_noise: float = quantity(
        0.25, means="log SD of a measured volume about the true one", unit="1", low=0.0, high=1.0, source=ESTIMATE
    )
    spread_scale: float = quantity(
        1.0, means="factor on every spread of the measured distribution", unit="1", low=0.1, high=3.0, source=ESTIMATE
    )
    haze_adherence: float = quantity(
        0.6,
        means="how far ground glass follows the distribution that a reader reports, on the log scale",
        unit="1",
        low=0.0,
        high=1.0,
        source="Lee KS 1994 and Kim SJ 2003: ground glass is rather random than subpleural",
    )
    shared_spread: float = quantity(
        0.5,
        means="share of the spread that consolidation and ground glass of a case have in common",
        unit="1",
        low=0.0,
        high=1.0,
        source=ESTIMATE,
    )
    not_assessable: float = quantity(
        0.04,
        means="share of cases in which a sign cannot be assessed, whatever the disease",
        unit="1",
        low=0.0,
        high=0.5,
        source=ESTIMATE,
    )
    pseudo_volume_ml: float = quantity(
        0.5,
        means="added to both volumes of a ratio so that it stays bounded",
        unit="ml",
        low=0.0,
        high=5.0,
        source=ESTIMATE,
    )
    smallest_consolidation_ml: float = quantity(
        0.2, means="smallest consolidation that is kept", unit="ml", low=0.0, high=2.0, source="the sign's own limit"
    )
    smallest_ground_glass_ml: float = quantity(
        0.5, means="smallest ground glass that is kept", unit="ml", low=0.0, high=5.0, source="the sign's own limit"
    )
    rim_ml: float = quantity(
        10.0,
        means="consolidation from which a chance arrangement may look like a reversed halo",
        unit="ml",
        low=0.0,
        high=100.0,
        source=ESTIMATE,
    )
