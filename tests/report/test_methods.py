"""The methods paragraph tells the limits in force and invents none."""

from cop_imaging.config import Section, quantity
from cop_imaging.pipeline import Config
from cop_imaging.report import methods_paragraph


class Consolidation(Section):
    low_hu: float = quantity(-300.0, means="Lower limit", unit="HU", source="test")
    min_ml: float = quantity(0.2, means="Smallest component kept", unit="ml", source="test")


class GroundGlass(Section):
    lower_hu: float = quantity(-700.0, means="Lower limit", unit="HU", source="test")
    tried_hu: tuple[float, float] = quantity((-750.0, -600.0), means="Tried range", unit="HU", source="test")


class Halo(Section):
    coverage_deg: float = quantity(270.0, means="Arc that the rim covers", unit="degrees", source="test")


class Signs(Section):
    consolidation: Consolidation = Consolidation()
    ground_glass: GroundGlass = GroundGlass()
    reversed_halo: Halo = Halo()


class Scene(Section):
    smooth_fwhm_mm: float = quantity(1.2, means="Common point spread", unit="mm", source="test")


class Everything(Section):
    scene: Scene = Scene()
    signs: Signs = Signs()


def test_the_paragraph_names_every_limit_with_its_unit():
    text = methods_paragraph(Everything(), version="1.2.3")
    assert text.startswith("Signs of organizing pneumonia were measured on the CT series with cop-imaging 1.2.3 ")
    for part in (
        "Common point spread 1.2 mm",
        "Consolidation: Lower limit −300 HU; Smallest component kept 0.2 ml.",
        "Ground-glass opacity: Lower limit −700 HU; Tried range −750 to −600 HU.",
        "Reversed halo: Arc that the rim covers 270 degrees.",
    ):
        assert part in text
    assert "\n" not in text


def test_a_changed_limit_changes_the_paragraph():
    changed = Everything(signs=Signs(consolidation=Consolidation(low_hu=-250.0)))
    text = methods_paragraph(changed)
    assert "Lower limit −250 HU" in text
    assert "−300 HU" not in text


def test_what_the_configuration_does_not_hold_is_not_told():
    text = methods_paragraph({"signs.reversed_halo.min_diameter_mm": (10.0, "mm", "Smallest outer diameter")})
    assert "Reversed halo: Smallest outer diameter 10 mm." in text
    assert "Consolidation" not in text
    assert "Ground-glass" not in text


def test_signs_whose_limits_are_not_told_are_named_in_reading_order():
    known = {
        "signs.consolidation.low_hu": (-300.0, "HU", "Lower limit"),
        "signs.small_nodules.least_mm": (3.0, "mm", "Smallest diameter"),
        "signs.cavity.wall_mm": (4.0, "mm", "Least wall"),
    }
    assert "The other signs (small nodules, cavity) were measured within" in methods_paragraph(known)
    assert "other signs" not in methods_paragraph(Everything())


def test_what_the_scan_itself_is_checked_with_is_no_method_of_the_signs():
    known = {
        "ingest.quality.common_psf_mm": (1.3, "mm", "Smoothing that the noise is judged after"),
        "ingest.quality.smallest_lung_ml": (100.0, "mL", "Smallest air space that can be a lung"),
        "scene.common_psf_mm": (1.2, "mm", "Common point spread"),
    }
    text = methods_paragraph(known)
    assert "Smoothing before densities were held against limits: Common point spread 1.2 mm." in text
    assert "1.3 mm" not in text
    assert "Smallest volumes" not in text


def test_the_smoothing_in_force_is_told_once():
    text = methods_paragraph(Config())
    (sentence,) = [part for part in text.split(". ") if part.startswith("Smoothing before")]
    assert "noise is judged" not in sentence
    assert sentence.count("full width at half maximum") == 1


def test_a_limit_is_told_once_and_without_meaning_by_its_name():
    text = methods_paragraph({"a.consolidation.min_patch_ml": (0.5, "ml", ""), "signs.bands.min_ml": (0.1, "ml", "")})
    assert text.count("0.5 ml") == 1
    assert "Consolidation: min patch ml 0.5 ml." in text
    assert "Smallest volumes that count: bands, min ml 0.1 ml." in text
