"""Small CT series on disk, and what must come of them once something was done to them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pytest

from cop_imaging.core.volume import CTVolume
from cop_imaging.errors import SeriesError
from cop_imaging.ingest import IngestConfig
from cop_imaging.ingest.read import read_volume

Body = Callable[[np.ndarray], np.ndarray]
SECRETS = ("Doe", "SECRET-7", "General Hospital", "19610203", "20200405", "etc/x")
LONGEST_TOLD = 8000
"""Characters that all remarks and the acquisition may have: a header's text is never passed on at any length."""


def voxels_off(volume: CTVolume, body_hu: Body, shift: int, *, away_from_edges: bool) -> float:
    """Share of scanned voxels that do not hold the density at their place, in a body denser by ``shift`` HU.

    Away from edges: only voxels are judged whose neighbours in the plane are of their own tissue, 5 mm around; there
    two steps of 1 HU can lie between pixels.
    """
    points = np.round(volume.geometry.to_patient(np.stack(np.indices(volume.geometry.shape), axis=-1)), 6)
    truth = body_hu(points)
    judged = np.ones(volume.hu.shape, bool) if volume.valid is None else volume.valid.copy()
    if away_from_edges:
        around = [body_hu(points + 5.0 * np.array(step)) for step in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0))]
        judged &= (np.abs(np.array(around) - truth) < 100).all(axis=0)
    assert judged.mean() > 0.5
    return float((np.abs(volume.hu - truth - shift) > (2 if away_from_edges else 1))[judged].mean())


@pytest.fixture
def read_right_or_refused(write: Callable[..., Path], body: Body, tmp_path: Path) -> Callable[..., None]:
    """Do something to a series and demand what must come of it.

    ``make`` of ``write`` and a folder of its own gives the source. With ``refused`` it must be refused with that code;
    else it must be read with ``slices`` slices and ``issues`` among the codes of its remarks, and every scanned voxel
    must hold the density at its patient point (``between_pixels``: only away from edges, where it was interpolated).
    ``other_hu`` tells how much denser a second scan in the source is: one of the two is read throughout, never both.
    """

    def demand(
        make: Callable[[Callable[..., Path], Path], Path],
        *,
        refused: str = "",
        issues: Collection[str] = (),
        slices: int = 40,
        config: IngestConfig | None = None,
        between_pixels: bool = False,
        other_hu: int = 0,
    ) -> None:
        (tmp_path / "own").mkdir()
        source = make(write, tmp_path / "own")
        config = config or IngestConfig()
        if refused:
            with pytest.raises(SeriesError) as caught:
                read_volume(source, config)
            assert caught.value.code == refused
            assert "\n" not in str(caught.value)
            told = str(caught.value)
        else:
            volume = read_volume(source, config)
            assert set(issues) <= {issue.code for issue in volume.issues}
            assert volume.hu.shape[0] == slices
            assert np.diag(np.array(volume.geometry.direction)[::-1]).min() > 0.7
            assert min(voxels_off(volume, body, s, away_from_edges=between_pixels) for s in {0, other_hu}) == 0.0
            told = f"{volume.issues!r} {volume.acquisition!r} {volume.case}"
        assert not [secret for secret in SECRETS if secret in told]
        assert "\x1b" not in told
        assert len(told) < LONGEST_TOLD

    return demand
