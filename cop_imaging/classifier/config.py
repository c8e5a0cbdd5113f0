"""What the classifier's answer depends on beside the weights."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["ClassifierConfig"]


class ClassifierConfig(Section):
    """From measures to a likelihood."""

    band_level: float = quantity(
        0.9,
        means="share of members and measurement draws that the band of p(OP) holds",
        unit="1",
        low=0.5,
        high=0.99,
        source="convention",
    )
    evidence_weight: float = quantity(
        1.0,
        means="factor on all evidence in log-odds, on top of the calibration; below 1 tempers it towards the prior",
        unit="1",
        low=0.2,
        high=1.0,
        source="1 is as calibrated; 0.4-0.7 is used for untrained products of likelihood ratios",
    )
    least_density_signs: int = quantity(
        1,
        means="how many of consolidation and ground glass must be assessable for a likelihood to be given",
        unit="1",
        low=0,
        high=2,
        source="estimate: without both there is little left to judge",
    )
