"""Look for every sign, in reading order."""

from __future__ import annotations

from cop_imaging.config import Section
from cop_imaging.core.finding import Finding, Sign
from cop_imaging.core.scene import Scene
from cop_imaging.signs.consolidation import Consolidation, ConsolidationConfig
from cop_imaging.signs.ground_glass import GroundGlass, GroundGlassConfig
from cop_imaging.signs.lungs import Lungs
from cop_imaging.signs.reversed_halo import ReversedHalo, ReversedHaloConfig

__all__ = ["SIGNS", "SignsConfig", "observe", "signs_with"]


class SignsConfig(Section):
    """Limits of the signs, one section each."""

    consolidation: ConsolidationConfig = ConsolidationConfig()
    ground_glass: GroundGlassConfig = GroundGlassConfig()
    reversed_halo: ReversedHaloConfig = ReversedHaloConfig()


def signs_with(config: SignsConfig) -> tuple[Sign, ...]:
    """Every sign that this version knows, in reading order, with these limits."""
    return (
        Lungs(),
        Consolidation(config.consolidation),
        GroundGlass(config.ground_glass),
        ReversedHalo(config.reversed_halo),
    )


SIGNS = signs_with(SignsConfig())
"""The catalogue with the default limits."""


def observe(scene: Scene, config: SignsConfig | None = None) -> tuple[Finding, ...]:
    """The finding of every sign; each sees the findings that it needs."""
    found: dict[str, Finding] = {}
    for sign in signs_with(config or SignsConfig()):
        found[sign.name] = sign.observe(scene, {name: found[name] for name in sign.needs})
    return tuple(found.values())
