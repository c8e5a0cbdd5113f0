"""Right is the patient's right, in whatever order the axes are stored and wherever the heart lies."""

import dataclasses
from itertools import product

import numpy as np
import pytest
import SimpleITK as sitk

from cop_imaging.anatomy import AnatomyConfig, segment
from cop_imaging.core import LEFT, RIGHT, CTVolume, StoredOrder
from cop_imaging.core.grid import image_of
from cop_imaging.ingest.read import read_volume
from cop_imaging.synth import write_dicom_series

ORDERS = [StoredOrder(flipped=flips) for flips in product((False, True), repeat=3)]
NETWORK = AnatomyConfig(method="network", work_spacing_mm=3.0)


def mirrored(volume):
    """The patient whose left is the other's right."""
    g = volume.geometry
    last_x = g.origin_mm[0] + (g.shape[2] - 1) * g.spacing_mm[2]
    origin = (-last_x, *g.origin_mm[1:])
    return CTVolume(np.ascontiguousarray(volume.hu[:, :, ::-1]), dataclasses.replace(g, origin_mm=origin))


@pytest.fixture(scope="module")
def volume(healthy):
    return CTVolume(healthy.volume.hu.copy(), healthy.volume.geometry, acquisition=healthy.volume.acquisition)


@pytest.mark.parametrize("kind", ["NIfTI", "DICOM"])
def test_what_is_segmented_is_the_same_in_all_eight_orders_of_the_axes(volume, kind, tmp_path):
    # Masks depend on HU and grid alone: when these are the same, so are they.
    for n, stored in enumerate(ORDERS):
        path = tmp_path / f"{n}.nii"
        if kind == "DICOM":
            path = path.with_suffix("")
            write_dicom_series(volume, path, transfer_syntax="explicit", stored=stored)
        else:
            values = np.ascontiguousarray(stored.to_stored(volume.hu))
            sitk.WriteImage(image_of(values, stored.stored_geometry(volume.geometry)), str(path))
        again = read_volume(path)
        assert np.array_equal(again.hu, volume.hu), stored
        np.testing.assert_allclose(again.geometry.matrix, volume.geometry.matrix, atol=1e-6)
        np.testing.assert_allclose(again.geometry.origin_mm, volume.geometry.origin_mm, atol=1e-3)


@pytest.mark.parametrize("turned", [False, True], ids=["as it is", "heart on the right"])
def test_the_network_gives_no_lung_the_name_of_the_other(healthy, volume, turned):
    truth = healthy.truth["lungs"]
    if turned:
        volume = mirrored(volume)
        truth = np.where(truth > 0, 3 - truth, 0)[:, :, ::-1]
    found = segment(volume, NETWORK).lungs
    for side in (RIGHT, LEFT):
        mine = truth == side
        assert ((found == side) & mine).sum() > 0.95 * mine.sum()
        assert ((found == 3 - side) & mine).sum() < 0.001 * mine.sum()
