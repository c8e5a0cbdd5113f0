"""When tissue beside the lungs is fluid, and when airless lung."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["FluidConfig"]


class FluidConfig(Section):
    """What density and shape say for pleural fluid and for airless lung."""

    fluid_mean_hu: float = quantity(
        8.0,
        low=-20.0,
        high=40.0,
        unit="HU",
        means="mean density of effusions",
        source="-10 to 25 HU; Abramowitz 2009",
    )
    fluid_sd_hu: float = quantity(
        9.0,
        low=2.0,
        high=40.0,
        unit="HU",
        means="its standard deviation",
        source="as above",
    )
    lung_mean_hu: float = quantity(
        48.0,
        low=20.0,
        high=150.0,
        unit="HU",
        means="mean density of airless, perfused lung",
        source="30 to 110 HU, less where some air is left",
    )
    lung_sd_hu: float = quantity(
        22.0,
        low=2.0,
        high=80.0,
        unit="HU",
        means="its standard deviation",
        source="as above",
    )
    average_mm: float = quantity(
        4.0,
        low=1.0,
        high=15.0,
        unit="mm",
        means="standard deviation of the average in which density is judged",
        source="averages the noise out over a voxel of the network; estimate",
    )
    tissue_hu: tuple[float, float] = quantity(
        (-60.0, 200.0),
        unit="HU",
        means="density of tissue that is judged",
        source="fat lies below, bone above",
    )
    most_log_odds: float = quantity(
        3.5,
        low=0.0,
        high=10.0,
        unit="1",
        means="largest logarithm of the odds that density alone may add",
        source="vessels, calcium and artefacts are in every mean; estimate",
    )
    air_hu: float = quantity(
        -160.0,
        low=-400.0,
        high=-100.0,
        unit="HU",
        means="density below which there is air",
        source="below fat and its noise; estimate",
    )
    air_mm: float = quantity(
        5.0,
        low=0.0,
        high=20.0,
        unit="mm",
        means="distance from air within which a low mean says nothing for fluid",
        source="it is partial volume, or lung with air left in it; estimate",
    )
    most_rough: float = quantity(
        1.5,
        low=1.0,
        high=5.0,
        unit="1",
        means="local standard deviation, over that of the scan's own soft tissue, up to which tissue may be fluid",
        source="fluid has no structure; estimate",
    )
    smallest_judged_ml: float = quantity(
        80.0,
        low=5.0,
        high=500.0,
        unit="mL",
        means="volume from which the thickness of a piece is judged",
        source="smaller pockets may have any shape; estimate",
    )
    most_thick: float = quantity(
        0.31,
        low=0.1,
        high=0.62,
        unit="1",
        means="radius of the largest ball inside a piece over the cube root of its volume from which it is no fluid",
        source="0.62 for a ball; 47 drawn effusions have 0.19 to 0.29, a third of drawn lobes more than 0.32",
    )
    smallest_weighed_ml: float = quantity(
        8.0,
        low=1.0,
        high=100.0,
        unit="mL",
        means="volume from which the density of a whole piece is judged",
        source="noise averages out that drowns single places; estimate",
    )
    dense_hu: float = quantity(
        30.0,
        low=15.0,
        high=80.0,
        unit="HU",
        means="median density of a piece's core from which it is no fluid",
        source="drawn effusions have -2 to 11 HU, real ones -10 to 25",
    )
    deep_mm: float = quantity(
        3.0,
        low=0.0,
        high=10.0,
        unit="mm",
        means="how far inside a piece its core lies",
        source="partial volume with lung lowers density nearer to the border; estimate",
    )
    touch_mm: float = quantity(
        4.0,
        low=1.5,
        high=10.0,
        unit="mm",
        means="width of the shell around a piece in which what it touches is counted",
        source="pleura and the network's own voxel; estimate",
    )
    most_ringed: float = quantity(
        0.5,
        low=0.1,
        high=1.0,
        unit="1",
        means="share of that shell that is aerated lung from which it is no fluid",
        source="drawn effusions, which lie between lung and chest wall, have 0.2 at most",
    )
