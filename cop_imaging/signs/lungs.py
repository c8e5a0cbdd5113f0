"""The lungs themselves: volume, density and balance, as features beside the signs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cop_imaging.core.finding import Feature, Finding, Presence, Reliability, measures_from
from cop_imaging.core.scene import Scene
from cop_imaging.core.volume import Acquisition
from cop_imaging.signs.intervals import Span

__all__ = ["Lungs"]

SUPINE_SHARE_OF_TLC = 0.85
"""Expected supine CT volume over predicted total lung capacity (0.75-0.95; estimate)."""

FEATURES = (
    Feature("lungs.volume_ml", "ml", "volume of both lungs, consolidation included, effusion excluded"),
    Feature("lungs.right_volume_ml", "ml", "volume of the right lung"),
    Feature("lungs.left_volume_ml", "ml", "volume of the left lung"),
    Feature("lungs.right_to_left", "1", "right over left volume; 0.7-1.8 in health"),
    Feature("lungs.mean_hu", "HU", "mean density of both lungs", low=None),
    Feature("lungs.aerated_mode_hu", "HU", "most frequent density of aerated lung: depth of inspiration", low=None),
    Feature("lungs.predicted_percent", "percent", "volume over the expected supine volume for sex, height and age"),
)


@dataclass(frozen=True)
class Lungs:
    """Lung volume, against prediction when sex, height and age are known."""

    name: str = "lungs"
    title: str = "Lung volume"
    definition: str = (
        "Volume and density of right and left lung with everything that is lung; expected volume is 0.85 of total "
        "lung capacity after Quanjer 1993."
    )
    needs: tuple[str, ...] = ()
    has_mask: bool = False
    features: tuple[Feature, ...] = FEATURES

    def reliability(self, acquisition: Acquisition) -> tuple[Reliability, str]:
        """Volumes can be measured on any slices."""
        del acquisition
        return 1.0, ""

    def observe(self, scene: Scene, earlier: Mapping[str, Finding]) -> Finding:
        """Volumes and densities; the upper ends of the volumes add tissue that might be lung."""
        del earlier
        r = scene.reference
        right, left = r.side_ml
        unsure_ml = float((scene.uncertain & (scene.lungs == 0)).sum()) * scene.geometry.voxel_ml
        expected = expected_volume_ml(scene.acquisition)
        values: dict[str, Span] = {
            "lungs.volume_ml": (r.total_ml, r.total_ml, r.total_ml + unsure_ml),
            "lungs.right_volume_ml": (right, right, right + unsure_ml),
            "lungs.left_volume_ml": (left, left, left + unsure_ml),
            "lungs.right_to_left": _plain(right / left if left > 0 else None),
            "lungs.mean_hu": _plain(float(scene.hu[scene.lungs > 0].mean())),
            "lungs.aerated_mode_hu": _plain(scene.aerated_mode_hu),
            "lungs.predicted_percent": _plain(100.0 * r.total_ml / expected if expected else None),
        }
        return Finding(
            sign=self.name,
            presence=Presence.PRESENT,
            score=1.0,
            features=self.features,
            measures=measures_from(self.features, values),
        )


def expected_volume_ml(acquisition: Acquisition) -> float | None:
    """Expected supine CT volume at full inspiration in mL, or None when sex or height is not known.

    Source
    ------
    Quanjer 1993, Eur Respir J 6 (Suppl 16): TLC = 7.99 H - 7.08 L (men), 6.60 H - 5.79 L (women), H in metres.
    """
    height = acquisition.height_m
    if acquisition.sex not in ("M", "F") or height is None or not 1.4 <= height <= 2.1:
        return None
    litres = 7.99 * height - 7.08 if acquisition.sex == "M" else 6.60 * height - 5.79
    return SUPINE_SHARE_OF_TLC * litres * 1000.0


def _plain(value: float | None) -> Span:
    return value, value, value
