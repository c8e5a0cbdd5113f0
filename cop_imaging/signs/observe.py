"""Look for every sign, in reading order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from cop_imaging.config import Section
from cop_imaging.core.finding import Finding, Presence, Sign, not_assessable
from cop_imaging.core.issue import EVERY_SIGN, Issue
from cop_imaging.core.scene import Scene
from cop_imaging.core.threads import when_ready
from cop_imaging.signs.air_bronchogram import AirBronchogram, AirBronchogramConfig
from cop_imaging.signs.bands import Bands, BandsConfig
from cop_imaging.signs.border import widened
from cop_imaging.signs.bronchial_dilation import BronchialDilation, BronchialDilationConfig
from cop_imaging.signs.bronchial_wall_thickening import BronchialWallThickening, BronchialWallThickeningConfig
from cop_imaging.signs.cavity import Cavity, CavityConfig
from cop_imaging.signs.centrilobular_nodules import CentrilobularNodules, CentrilobularNodulesConfig
from cop_imaging.signs.consolidation import Consolidation, ConsolidationConfig
from cop_imaging.signs.crazy_paving import CrazyPaving, CrazyPavingConfig
from cop_imaging.signs.emphysema import Emphysema, EmphysemaConfig
from cop_imaging.signs.ground_glass import GroundGlass, GroundGlassConfig
from cop_imaging.signs.honeycombing import Honeycombing, HoneycombingConfig
from cop_imaging.signs.large_nodule_or_mass import LargeNoduleOrMass, LargeNoduleOrMassConfig
from cop_imaging.signs.lungs import Lungs
from cop_imaging.signs.mosaic_attenuation import MosaicAttenuation, MosaicAttenuationConfig
from cop_imaging.signs.perilobular import Perilobular, PerilobularConfig
from cop_imaging.signs.pleural_effusion import PleuralEffusion, PleuralEffusionConfig
from cop_imaging.signs.reticulation import Reticulation, ReticulationConfig
from cop_imaging.signs.reversed_halo import ReversedHalo, ReversedHaloConfig
from cop_imaging.signs.small_nodules import SmallNodules, SmallNodulesConfig
from cop_imaging.signs.traction_bronchiectasis import TractionBronchiectasis, TractionBronchiectasisConfig

__all__ = ["SIGNS", "SignsConfig", "look_for", "observe", "signs_with"]

LUNGS = "lungs"


class SignsConfig(Section):
    """Limits of the signs, one section each."""

    consolidation: ConsolidationConfig = ConsolidationConfig()
    ground_glass: GroundGlassConfig = GroundGlassConfig()
    reversed_halo: ReversedHaloConfig = ReversedHaloConfig()
    air_bronchogram: AirBronchogramConfig = AirBronchogramConfig()
    small_nodules: SmallNodulesConfig = SmallNodulesConfig()
    centrilobular_nodules: CentrilobularNodulesConfig = CentrilobularNodulesConfig()
    large_nodule_or_mass: LargeNoduleOrMassConfig = LargeNoduleOrMassConfig()
    cavity: CavityConfig = CavityConfig()
    bronchial_wall_thickening: BronchialWallThickeningConfig = BronchialWallThickeningConfig()
    bronchial_dilation: BronchialDilationConfig = BronchialDilationConfig()
    honeycombing: HoneycombingConfig = HoneycombingConfig()
    bands: BandsConfig = BandsConfig()
    perilobular: PerilobularConfig = PerilobularConfig()
    reticulation: ReticulationConfig = ReticulationConfig()
    traction_bronchiectasis: TractionBronchiectasisConfig = TractionBronchiectasisConfig()
    crazy_paving: CrazyPavingConfig = CrazyPavingConfig()
    mosaic_attenuation: MosaicAttenuationConfig = MosaicAttenuationConfig()
    emphysema: EmphysemaConfig = EmphysemaConfig()
    pleural_effusion: PleuralEffusionConfig = PleuralEffusionConfig()


def signs_with(config: SignsConfig) -> tuple[Sign, ...]:
    """Every sign that this version knows, in reading order, with these limits."""
    return (
        Lungs(),
        Consolidation(config.consolidation),
        GroundGlass(config.ground_glass),
        ReversedHalo(config.reversed_halo),
        SmallNodules(config.small_nodules),
        CentrilobularNodules(config.centrilobular_nodules),
        LargeNoduleOrMass(config.large_nodule_or_mass),
        Cavity(config.cavity),
        BronchialWallThickening(config.bronchial_wall_thickening),
        BronchialDilation(config.bronchial_dilation),
        Honeycombing(config.honeycombing),
        AirBronchogram(config.air_bronchogram),
        Bands(config.bands),
        Perilobular(config.perilobular),
        Reticulation(config.reticulation),
        TractionBronchiectasis(config.traction_bronchiectasis),
        CrazyPaving(config.crazy_paving),
        MosaicAttenuation(config.mosaic_attenuation),
        Emphysema(config.emphysema),
        PleuralEffusion(config.pleural_effusion),
    )


SIGNS = signs_with(SignsConfig())
"""The catalogue with the default limits."""


def observe(
    scene: Scene,
    config: SignsConfig | None = None,
    issues: Sequence[Issue] = (),
    *,
    names: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """The finding of every sign; each sees the findings that it needs.

    A sign that an issue spoils is not assessable, and one whose lungs may be incomplete is bounded from below; with
    gaps between slices no finding claims a volume. Signs that do not need each other are looked for at the same time
    where SimpleITK may use several threads.

    Parameters
    ----------
    names : collection of str, optional
        Look for these signs only, and for those that they need.
    """
    signs = signs_with(config or SignsConfig())
    every = tuple(sign.name for sign in signs if sign.name != LUNGS)
    spoiled = {name: issue.message for issue in issues for name in named(issue.spoils, every)}
    bounded = {name for issue in issues for name in named(issue.lower_bounds, every)}
    wanted = {sign.name for sign in signs} if names is None else with_needed(signs, names)
    by_name = {sign.name: sign for sign in signs if sign.name in wanted}

    def observed(name: str, found: Mapping[str, Finding]) -> Finding:
        sign = by_name[name]
        if name in spoiled:
            finding = not_assessable(sign, spoiled[name])
        else:
            finding = replace(look_for(sign, scene, found), lower_bounds=name in bounded)
        return finding if scene.acquisition.contiguous else _without_volumes(finding)

    return tuple(when_ready(observed, {name: sign.needs for name, sign in by_name.items()}).values())


def with_needed(signs: Sequence[Sign], names: Collection[str]) -> set[str]:
    """The names and those of the signs that have to be looked for before them.

    Raises
    ------
    KeyError
        If there is no such sign.
    """
    needs = {sign.name: sign.needs for sign in signs}
    wanted, new = set(names), set(names)
    while new:
        new = {need for name in new for need in needs[name]} - wanted
        wanted |= new
    return wanted


def look_for(sign: Sign, scene: Scene, found: Mapping[str, Finding]) -> Finding:
    """The finding of one sign; not assessable where the scan does not suit it, with a caution where it hardly does.

    Parameters
    ----------
    found : mapping
        At least the findings that the sign needs.
    """
    weight, reason = sign.reliability(scene.acquisition)
    if weight == 0.0:
        return not_assessable(sign, reason)
    finding = sign.observe(scene, {name: found[name] for name in sign.needs})
    if finding.presence is Presence.NOT_ASSESSABLE:
        return finding
    return widened(replace(finding, reason="; ".join(r for r in (reason, finding.reason) if r)), scene)


def named(names: tuple[str, ...], every: tuple[str, ...]) -> tuple[str, ...]:
    """The names, with ``every`` sign in the place of the word that stands for them."""
    return (*names, *every) if EVERY_SIGN in names else names


def _without_volumes(finding: Finding) -> Finding:
    """The finding without millilitres and without lesions: between the slices nothing was seen."""
    measures = tuple(
        m.model_copy(update={"value": None, "low": None, "high": None}) if m.unit == "ml" else m
        for m in finding.measures
    )
    return replace(finding, measures=measures, lesions=())
