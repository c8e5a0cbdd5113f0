"""What a chest is like: every figure with its unit, range and source."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["ChestSpec"]


class ChestSpec(Section):
    """What a chest is like; the seed draws its texture, its branching and nothing else."""

    female: bool = quantity(False, means="a woman's chest", unit="", source="")
    age_years: float = quantity(58.0, means="age", unit="a", low=18.0, high=95.0, source="shown in the record only")
    height_cm: float = quantity(175.0, means="body height", unit="cm", low=140.0, high=210.0, source="record only")
    weight_kg: float = quantity(76.0, means="body weight", unit="kg", low=35.0, high=200.0, source="record only")
    size: float = quantity(
        1.0, means="length of the chest over that of a 175 cm adult", unit="1", low=0.7, high=1.25, source="estimate"
    )
    width: float = quantity(
        1.0, means="transverse width of the rib cage over usual", unit="1", low=0.85, high=1.2, source="estimate"
    )
    depth: float = quantity(
        1.0,
        means="depth of the rib cage from front to back over usual",
        unit="1",
        low=0.85,
        high=1.25,
        source="estimate",
    )
    inspiration: float = quantity(
        1.0, means="1 full inspiration, 0 end of a quiet expiration", unit="1", low=0.0, high=1.0, source="estimate"
    )
    kyphosis_deg: float = quantity(
        38.0, means="thoracic kyphosis", unit="deg", low=20.0, high=75.0, source="20 to 45 degrees, more with age"
    )
    scoliosis_mm: float = quantity(
        0.0,
        means="sideways bend of the spine, positive to the left at mid-chest",
        unit="mm",
        low=-22.0,
        high=22.0,
        source="estimate",
    )
    left_dome_mm: float = quantity(
        0.0, means="how much too high the left diaphragm stands", unit="mm", low=-10.0, high=60.0, source="estimate"
    )
    right_dome_mm: float = quantity(
        0.0, means="how much too high the right diaphragm stands", unit="mm", low=-10.0, high=60.0, source="estimate"
    )
    lung_hu: float = quantity(
        -893.0,
        means="mean density of the parenchyma between vessels at full inspiration",
        unit="HU",
        low=-930.0,
        high=-700.0,
        source="whole lung -820 to -880 HU at full inspiration",
    )
    gravity_hu_per_cm: float = quantity(
        3.0,
        means="rise of density towards the back, supine",
        unit="HU/cm",
        low=0.0,
        high=10.0,
        source="30 to 60 HU from front to back",
    )
    emphysema: float = quantity(
        0.0, means="part of the upper lungs that is holes", unit="1", low=0.0, high=0.5, source="estimate"
    )
    paraseptal: float = quantity(
        0.0, means="part of the upper lungs' rim that is holes", unit="1", low=0.0, high=0.8, source="estimate"
    )
    fissure_gap: float = quantity(
        0.15,
        means="part of a fissure that is not developed",
        unit="1",
        low=0.0,
        high=1.0,
        source="fissures are often incomplete: oblique 30 to 50 %, horizontal 60 to 90 % of people",
    )
    fat_mm: float = quantity(15.0, means="mean subcutaneous fat", unit="mm", low=2.0, high=60.0, source="estimate")
    muscle: float = quantity(
        1.0, means="thickness of the chest wall's muscles over usual", unit="1", low=0.5, high=1.5, source="estimate"
    )
    breast_mm: float = quantity(
        0.0, means="thickness of the breasts, supine; 0 for a man", unit="mm", low=0.0, high=70.0, source="estimate"
    )
    gland: float = quantity(
        0.3, means="part of the breast that is gland", unit="1", low=0.0, high=0.9, source="less with age"
    )
    arms_down: bool = quantity(False, means="arms beside the chest, not above the head", unit="", source="")
    heart: float = quantity(
        1.0, means="length of the heart over normal", unit="1", low=0.8, high=1.4, source="estimate"
    )
    blood_hu: float = quantity(
        42.0,
        means="blood of aorta, left heart and lung veins",
        unit="HU",
        low=30.0,
        high=450.0,
        source="35 to 50 HU unenhanced, venous 110 to 180, aortic 200 to 350",
    )
    pulmonary_hu: float | None = quantity(
        None,
        means="blood of right heart and lung arteries, as the aorta's unless given",
        unit="HU",
        low=30.0,
        high=600.0,
        source="pulmonary phase 250 to 450 HU",
    )
    enhancement: float = quantity(
        0.0,
        means="how far organs have taken up contrast medium, 1 in the portal venous phase",
        unit="1",
        low=0.0,
        high=1.0,
        source="liver 90 to 120 HU portal, muscle 55 to 75 HU enhanced",
    )
    trachea_mm: float = quantity(
        18.0,
        means="diameter of the trachea in a chest of size 1",
        unit="mm",
        low=11.0,
        high=26.0,
        source="area 272 SD 33 mm2 in men, 194 SD 35 in women",
    )
    aortic_calcium: float = quantity(
        0.0, means="part of the aortic wall that is calcified", unit="1", low=0.0, high=0.6, source="rises with age"
    )
    aorta: float = quantity(
        1.0, means="width of the aorta over usual", unit="1", low=0.8, high=1.5, source="rises with age"
    )
    cartilage_calcium: float = quantity(
        0.2,
        means="part of the costal cartilage that is calcified",
        unit="1",
        low=0.0,
        high=1.0,
        source="rises with age",
    )
    marrow_hu: float = quantity(
        150.0, means="trabecular bone of the vertebrae", unit="HU", low=40.0, high=260.0, source="100 to 220, by age"
    )
    stomach_gas: float = quantity(
        0.4, means="part of the stomach that is gas", unit="1", low=0.0, high=1.0, source="estimate"
    )
    colon_gas: float = quantity(
        0.0, means="gas in the colon's left flexure, 0 none", unit="1", low=0.0, high=1.0, source="estimate"
    )
    oesophagus_air: float = quantity(
        0.0, means="width of the air in the oesophagus", unit="mm", low=0.0, high=8.0, source="estimate"
    )
    leaf_spacing_mm: float = quantity(
        9.5,
        means="distance between the ends of the smallest vessels drawn",
        unit="mm",
        low=6.0,
        high=40.0,
        source="vessels are 3 to 5 % of the lung",
    )

    @property
    def dome_mm(self) -> float:
        """Height of the diaphragm above its place at full inspiration."""
        return 64.0 * (1.0 - self.inspiration)

    @property
    def parenchyma_hu(self) -> float:
        """Density at this inspiration: the lung keeps its mass while its volume falls to 0.61."""
        volume = 0.61 + 0.39 * self.inspiration
        return -1000.0 + (self.lung_hu + 1000.0) / volume

    @property
    def spread(self) -> tuple[float, float]:
        """Width and depth of the rib cage at this inspiration, over usual at a full one."""
        out = 1.0 - self.inspiration
        return self.width * (1.0 - 0.04 * out), self.depth * (1.0 - 0.07 * out)

    @property
    def right_blood_hu(self) -> float:
        """Blood of the right heart and the arteries of the lungs."""
        return self.blood_hu if self.pulmonary_hu is None else self.pulmonary_hu
