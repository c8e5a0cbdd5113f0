"""When tissue and gas that the network takes for lung is none."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["StraysConfig"]


class StraysConfig(Section):
    """Limits on pieces of tissue and pockets of gas that lie beside the lungs or below them."""

    core_mm: float = quantity(
        4.0,
        low=1.0,
        high=10.0,
        unit="mm",
        means="how far from its surroundings the core of a piece lies",
        source="narrow bridges to other tissue are cut; estimate",
    )
    fat_hu: tuple[float, float] = quantity(
        (-130.0, -40.0),
        unit="HU",
        means="density of fat",
        source="-120 to -60 HU with noise",
    )
    airless_hu: float = quantity(
        -150.0,
        low=-400.0,
        high=-50.0,
        unit="HU",
        means="density below which tissue has air in it and counts as aerated lung",
        source="ground glass is not judged by what it touches: it fades into the lung around it",
    )
    smallest_ml: float = quantity(
        2.0,
        low=0.5,
        high=50.0,
        unit="mL",
        means="core of dense tissue below which a piece is not judged",
        source="smaller cores are borders and vessels; estimate",
    )
    touch_mm: float = quantity(
        4.0,
        low=1.5,
        high=10.0,
        unit="mm",
        means="width of the shell around a piece in which what it touches is counted",
        source="pleura, diaphragm and the network's own voxel; estimate",
    )
    least_touched: float = quantity(
        0.22,
        low=0.0,
        high=1.0,
        unit="1",
        means="share of that shell that is aerated lung or fluid below which an airless piece is no lung",
        source="airless lung put into three scans and 9 made chests has 0.33 and more; spleen, liver and crus under "
        "diaphragms that were pushed up in 18 scans 0 to 0.4, half of the large pieces below 0.2",
    )
    surely_touched: float = quantity(
        0.33,
        low=0.0,
        high=1.0,
        unit="1",
        means="share of that shell below which an airless piece that is kept is doubted, and from which one as dense "
        "as fat is kept and doubted: it counts in intervals only",
        source="as above: 0.33 is the least that airless lung had",
    )
    most_of_side: float = quantity(
        0.3,
        low=0.0,
        high=10.0,
        unit="1",
        means="core of a piece over the aerated lung of its side from which it is spared",
        source="a lung without air touches none: white lungs have 1 and more; estimate",
    )
    smallest_fatty_ml: float = quantity(
        8.0,
        low=1.0,
        high=100.0,
        unit="mL",
        means="core of dense tissue from which much fat in it says that it is no lung, unless it lies broadly on lung",
        source="cores of airless lung of 8 mL and more had a share of fat of 0.22 at most, smaller ones up to 0.37: "
        "consolidation with air left in it is as dense as fat in small pieces and thin layers",
    )
    most_fat: float = quantity(
        0.25,
        low=0.05,
        high=1.0,
        unit="1",
        means="share of the density of fat in a core from which it is no lung, if its median is fat too or it is large",
        source="as above",
    )
    smallest_mixed_ml: float = quantity(
        100.0,
        low=20.0,
        high=500.0,
        unit="mL",
        means="core of dense tissue from which that share, noise averaged out, says so whatever the rest of it is",
        source="organs and the fat between them 0.36 to 0.7, airless lung put into three scans and made chests 0.03 "
        "and less (0.18 in a core of 82 mL)",
    )
    fat_average_mm: float = quantity(
        3.0,
        low=0.0,
        high=10.0,
        unit="mm",
        means="standard deviation of that average",
        source="two voxels of the work grid; estimate",
    )
    mixed_hu: tuple[float, float] = quantity(
        (-200.0, 200.0),
        unit="HU",
        means="range to which density is held in that average",
        source="gas and bone beside the tissue would make any average of the two",
    )
    smallest_gas_ml: float = quantity(
        2.0,
        low=0.1,
        high=50.0,
        unit="mL",
        means="pocket of gas below which it is not judged",
        source="a few cubes of the network; estimate",
    )
    least_gas_in_lung: float = quantity(
        0.5,
        low=0.0,
        high=1.0,
        unit="1",
        means="share of a pocket of gas that the network takes for lung below which none of it is lung",
        source="most of it decides",
    )
