"""Bodies drawn from what adults are like: sex, age, height and weight first, the rest of the chest from them.

Nothing here knows of a disease. Lung volumes follow the prediction for sex, age and height; supine CT at full
inspiration shows 0.85 (0.75 to 0.95) of the predicted total lung capacity.
"""

from __future__ import annotations

import numpy as np

from cop_imaging.synth.chest_spec import ChestSpec

__all__ = ["draw_chest", "predicted_tlc_l"]

SUPINE_SHARE, SUPINE_SHARE_SD = 0.85, 0.04
"""CT volume over predicted capacity, and how much it varies between people of one height."""
USUAL_L = 5.65
"""Lung volume of a chest of size 1 at full inspiration."""
NO_CONTRAST = 0.6
"""Share of scans without contrast medium."""


def predicted_tlc_l(*, female: bool, height_cm: float, age_years: float) -> float:
    """Total lung capacity in litres (Crapo 1982)."""
    if female:
        return 0.0590 * height_cm - 4.537
    return 0.0795 * height_cm + 0.0032 * age_years - 7.333


def between(rng: np.random.Generator, mean: float, sd: float, low: float, high: float) -> float:
    """A normal number, pulled to the nearer limit."""
    return float(np.clip(rng.normal(mean, sd), low, high))


def draw_chest(rng: np.random.Generator) -> ChestSpec:
    """Draw a body with its habitus, breath, age changes and contrast phase, of no disease.

    Distributions are estimates unless the fields of ``ChestSpec`` name a source: half women, age 61 SD 13 years, men
    175 SD 7 cm and women 162 SD 6.5 cm, BMI log-normal around 26.5; 60 % of scans without contrast medium.
    """
    female = bool(rng.random() < 0.5)
    age = between(rng, 61.0, 13.0, 20.0, 92.0)
    height = between(rng, 162.0, 6.5, 145.0, 182.0) if female else between(rng, 175.0, 7.0, 155.0, 198.0)
    bmi = float(np.clip(26.5 * np.exp(0.17 * rng.normal()), 17.0, 45.0))
    old = float(np.clip((age - 45.0) / 40.0, 0.0, 1.0))
    return ChestSpec.model_validate(
        {
            "female": female,
            "age_years": round(age),
            "height_cm": round(height),
            "weight_kg": round(bmi * (height / 100.0) ** 2, 1),
            **draw_cage(rng, female=female, age=age, height=height, old=old),
            **draw_wall(rng, female=female, bmi=bmi, old=old),
            **draw_lung(rng, old=old),
            **draw_centre(rng, female=female, old=old),
            **draw_contrast(rng),
        }
    )


def draw_cage(rng: np.random.Generator, *, female: bool, age: float, height: float, old: float) -> dict[str, object]:
    """Size and shape of the rib cage so that the lungs have their predicted volume, and how deep the breath is."""
    share = between(rng, SUPINE_SHARE, SUPINE_SHARE_SD, 0.75, 0.95)
    litres = share * predicted_tlc_l(female=female, height_cm=height, age_years=age)
    size = between(rng, height / 175.0, 0.015, 0.82, 1.14)
    # Width and depth make up for what the length leaves: volume goes as their product.
    spare = float(np.clip(litres / (USUAL_L * size**3), 0.80, 1.3)) ** 0.5
    shape = float(np.exp(0.04 * rng.normal() + 0.05 * (old - 0.4)))
    shallow = float(rng.beta(1.2, 11.0))
    return {
        "size": round(size, 3),
        "width": round(float(np.clip(spare / shape, 0.87, 1.18)), 3),
        "depth": round(float(np.clip(spare * shape, 0.87, 1.22)), 3),
        "inspiration": round(1.0 - shallow, 3),
        "kyphosis_deg": round(between(rng, 34.0 + 14.0 * old, 7.0, 20.0, 72.0), 1),
        "scoliosis_mm": round(between(rng, 0.0, 12.0, -20.0, 20.0) if rng.random() < 0.12 else rng.normal(0.0, 1.5), 1),
        "left_dome_mm": round(
            float(rng.uniform(15.0, 50.0)) if rng.random() < 0.04 else between(rng, 0.0, 3.0, -9.0, 9.0), 1
        ),
        "right_dome_mm": round(
            float(rng.uniform(15.0, 40.0)) if rng.random() < 0.03 else between(rng, 0.0, 3.0, -9.0, 9.0), 1
        ),
        "arms_down": bool(rng.random() < 0.07),
    }


def draw_wall(rng: np.random.Generator, *, female: bool, bmi: float, old: float) -> dict[str, object]:
    """Fat, muscle, breasts and bone of the chest wall."""
    fat = (3.0 + 0.95 * max(bmi - 18.0, 0.0)) * (1.25 if female else 1.0) * float(np.exp(0.15 * rng.normal()))
    return {
        "fat_mm": round(float(np.clip(fat, 2.5, 45.0)), 1),
        "muscle": round(between(rng, (0.82 if female else 1.05) - 0.18 * old, 0.1, 0.5, 1.4), 2),
        "breast_mm": round(between(rng, 8.0 + 1.1 * (bmi - 18.0), 6.0, 3.0, 55.0), 1) if female else 0.0,
        "gland": round(float(rng.beta(2.0, 4.0) * (1.0 - 0.7 * old)), 2),
        "marrow_hu": round(between(rng, 190.0 - 75.0 * old, 28.0, 45.0, 250.0)),
        "cartilage_calcium": round(float(np.clip(rng.beta(1.5, 3.0) * (0.3 + old), 0.0, 1.0)), 2),
    }


def draw_lung(rng: np.random.Generator, *, old: float) -> dict[str, object]:
    """Density and texture of the lung, and emphysema in one of five."""
    holes = bool(rng.random() < 0.12 + 0.1 * old)
    return {
        "lung_hu": round(between(rng, -898.0, 8.0, -922.0, -872.0), 1),
        "gravity_hu_per_cm": round(between(rng, 3.0, 0.5, 2.0, 4.0), 2),
        "emphysema": round(float(rng.beta(1.2, 5.0) * 0.35), 3) if holes else 0.0,
        "paraseptal": round(float(rng.uniform(0.1, 0.6)), 2) if rng.random() < (0.4 if holes else 0.03) else 0.0,
        "fissure_gap": round(float(rng.beta(1.2, 3.0)), 2),
    }


def draw_centre(rng: np.random.Generator, *, female: bool, old: float) -> dict[str, object]:
    """Heart, great vessels, trachea, oesophagus, stomach and bowel."""
    area = between(rng, 194.0, 35.0, 120.0, 290.0) if female else between(rng, 272.0, 33.0, 180.0, 370.0)
    return {
        "heart": round(between(rng, 1.0 + 0.05 * old, 0.05, 0.86, 1.3), 3),
        "aorta": round(between(rng, 0.92 + 0.16 * old, 0.05, 0.8, 1.35), 3),
        "aortic_calcium": round(float(np.clip(old * rng.beta(1.2, 3.0), 0.0, 0.6)), 2),
        "trachea_mm": round(float(np.clip(2.0 * np.sqrt(area / np.pi), 12.0, 23.0)), 1),
        "oesophagus_air": round(float(rng.uniform(1.5, 6.0)), 1) if rng.random() < 0.35 else 0.0,
        "stomach_gas": round(float(rng.beta(1.5, 2.5)), 2),
        "colon_gas": round(float(rng.uniform(0.2, 1.0)), 2) if rng.random() < 0.3 else 0.0,
    }


def draw_contrast(rng: np.random.Generator) -> dict[str, object]:
    """Density of blood by phase: none, venous, aortic or pulmonary."""
    phase = rng.choice(4, p=[NO_CONTRAST, 0.2, 0.1, 0.1])
    lefts = (between(rng, 43.0, 4.0, 33.0, 54.0), rng.uniform(110, 180), rng.uniform(200, 350), rng.uniform(120, 260))
    left = float(lefts[phase])
    right = (None, None, left * rng.uniform(0.6, 0.95), rng.uniform(250, 450))[phase]
    return {
        "blood_hu": round(left),
        "pulmonary_hu": None if right is None else round(float(right)),
        "enhancement": (0.0, 0.8, 0.2, 0.05)[phase],
    }
