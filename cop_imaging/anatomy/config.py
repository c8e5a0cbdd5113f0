"""Limits of the anatomy stage."""

from __future__ import annotations

from typing import Literal

from cop_imaging.anatomy.bronchi_config import BronchiConfig
from cop_imaging.anatomy.doubt_config import DoubtConfig
from cop_imaging.anatomy.evidence_config import EvidenceConfig
from cop_imaging.anatomy.fluid_config import FluidConfig
from cop_imaging.anatomy.seen_config import SeenConfig
from cop_imaging.anatomy.strays_config import StraysConfig
from cop_imaging.anatomy.vessels_config import VesselsConfig
from cop_imaging.config import Section, quantity

__all__ = ["AnatomyConfig"]


class AnatomyConfig(Section):
    """Body, airways, lungs and vessels."""

    method: Literal["network", "classical"] = quantity(
        "network",
        unit="name",
        means="how lungs are found: by the network, or by density, connection and the rib cage",
        source="the network keeps disease that the other bites out: docs/lungs.md has both, and where each fails",
    )
    work_spacing_mm: float = quantity(
        1.5,
        low=1.0,
        high=3.0,
        unit="mm",
        means="spacing of the isotropic grid for topology and vessels",
        source="half of the smallest main bronchus wall to wall; estimate",
    )
    body_hu: float = quantity(
        -300.0,
        low=-500.0,
        high=-100.0,
        unit="HU",
        means="density above which a voxel is tissue of the body",
        source="midway between air and fat, raised against blankets; estimate",
    )
    lung_hu: float = quantity(
        -400.0,
        low=-600.0,
        high=-300.0,
        unit="HU",
        means="density below which a voxel inside the body is air or lung",
        source="half-height between aerated lung and soft tissue; Hu 2001, IEEE TMI 20:490",
    )
    smallest_lungs_ml: float = quantity(
        400.0,
        low=50.0,
        high=2000.0,
        unit="mL",
        means="aerated volume below which no lungs are in view",
        source="a third of an adult's volume after full expiration; estimate",
    )
    smallest_part_ml: float = quantity(
        15.0,
        low=1.0,
        high=200.0,
        unit="mL",
        means="smallest separate piece of aerated lung",
        source="smallest ventilated remnant that is kept; estimate",
    )
    most_unseen: float = quantity(
        0.25,
        low=0.0,
        high=1.0,
        unit="1",
        means="share of the aerated lung missed by the network from which the classical method stands in for it",
        source="far beyond what airways and bowel gas explain; estimate",
    )
    gas_hu: float = quantity(
        -955.0,
        low=-1000.0,
        high=-900.0,
        unit="HU",
        means="mean core density below which an air pocket is bowel gas",
        source="gas is -1000 HU, emphysematous lung rarely below -950 as a whole; estimate",
    )
    trachea_hu: float = quantity(
        -900.0,
        low=-980.0,
        high=-800.0,
        unit="HU",
        means="density below which the smoothed lumen of the trachea lies",
        source="tracheal air -960 to -1010 with partial volume; estimate",
    )
    airway_most_ml: float = quantity(
        130.0,
        low=40.0,
        high=300.0,
        unit="mL",
        means="volume of the airway tree above which growth has leaked",
        source="lumen to segmental level 50-100 mL with trachea; estimate",
    )
    main_bronchus_radius_mm: float = quantity(
        3.6,
        low=2.0,
        high=6.0,
        unit="mm",
        means="radius above which an airway counts as trachea or main bronchus",
        source="lobar bronchi 4 mm, main bronchi 6 mm in radius; Weibel 1963",
    )
    airway_wall_mm: float = quantity(
        2.5,
        low=1.0,
        high=4.0,
        unit="mm",
        means="wall of trachea and main bronchi left out of the lungs",
        source="tracheal wall 1-3 mm; estimate",
    )
    vessel_closing_mm: float = quantity(
        5.0,
        low=2.0,
        high=8.0,
        unit="mm",
        means="radius of vessels that are taken back into the lungs",
        source="hilar vessels wider than 10 mm are not lung; contract of the lung mask",
    )
    costal_window_mm: float = quantity(
        60.0,
        low=10.0,
        high=80.0,
        unit="mm",
        means="half width of the largest dent of the costal surface that is filled",
        source="segmental consolidation is rarely wider than 120 mm; estimate",
    )
    costal_depth_mm: float = quantity(
        70.0,
        low=10.0,
        high=120.0,
        unit="mm",
        means="largest depth below the ribs to which a dent is filled",
        source="depth of a lower lobe; estimate",
    )
    costal_gap_mm: float = quantity(
        4.0,
        low=2.0,
        high=10.0,
        unit="mm",
        means="how much farther than usual from the ribs lung must stay to be a dent",
        source="pleura, endothoracic fat and intercostal bulge; estimate",
    )
    fluid_hu: float = quantity(
        20.0,
        low=0.0,
        high=40.0,
        unit="HU",
        means="mean density below which dense pleural tissue is taken for fluid",
        source="20-60 HU is lung, muscle or liver, under 20 rather fluid; Abramowitz 2009",
    )
    vessel_scales_mm: tuple[float, ...] = quantity(
        (0.9, 1.5, 2.5, 4.0),
        unit="mm",
        means="standard deviations of the tube filter",
        source="vessels of 2 to 10 mm; Frangi 1998",
    )
    vessel_contrast_hu: float = quantity(
        30.0,
        low=5.0,
        high=400.0,
        unit="HU",
        means="ridge strength at which the tube filter answers 0.5",
        source="set so that vessels fill 3-5 % of healthy lung, the normal figure",
    )
    vessel_answer: float = quantity(
        0.5,
        low=0.05,
        high=0.95,
        unit="1",
        means="tube filter answer from which a voxel is vessel",
        source="half of the largest answer; estimate",
    )
    trusted_ratio_low: float = quantity(
        0.7,
        low=0.2,
        high=1.0,
        unit="1",
        means="smallest right-to-left volume ratio that raises no doubt",
        source="normal range",
    )
    trusted_ratio_high: float = quantity(
        1.8,
        low=1.0,
        high=5.0,
        unit="1",
        means="largest right-to-left volume ratio that raises no doubt",
        source="normal range",
    )
    evidence: EvidenceConfig = EvidenceConfig()
    doubt: DoubtConfig = DoubtConfig()
    seen: SeenConfig = SeenConfig()
    fluid: FluidConfig = FluidConfig()
    strays: StraysConfig = StraysConfig()
    bronchi: BronchiConfig = BronchiConfig()
    vessels: VesselsConfig = VesselsConfig()
