"""Discs seen through a Gaussian."""

import numpy as np
import pytest

from cop_imaging.scene.blurred_discs import blurred_disc


@pytest.mark.parametrize(("radius", "sigma"), [(0.6, 0.7), (1.5, 0.5), (4.0, 0.8)])
def test_a_blurred_disc_is_the_disc_convolved_with_a_gaussian(radius, sigma):
    axis = np.arange(-9.0, 9.0, 0.05)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    disc = x**2 + y**2 < radius**2
    for distance in (0.0, 0.5 * radius, radius, radius + sigma, radius + 3.0 * sigma):
        kernel = np.exp(-((x - distance) ** 2 + y**2) / (2.0 * sigma**2))
        expected = float((kernel * disc).sum() / kernel.sum())
        assert float(blurred_disc(distance, radius, sigma)) == pytest.approx(expected, abs=0.01)


def test_blur_moves_a_disc_and_loses_nothing_of_it():
    distance = np.arange(0.0, 12.0, 0.02)
    for sigma in (0.4, 0.8, 1.2):
        area = (blurred_disc(distance, 2.0, sigma) * 2.0 * np.pi * distance * 0.02).sum()
        assert area == pytest.approx(np.pi * 4.0, rel=0.02)


def test_a_wider_disc_is_nowhere_darker():
    distance = np.linspace(0.0, 8.0, 50)[:, None]
    value = blurred_disc(distance, np.linspace(0.3, 6.0, 30)[None], 0.7)
    assert (np.diff(value, axis=1) >= -1e-5).all()
    assert (np.diff(value, axis=0) <= 1e-5).all()
