"""Curvature of an image: eigenvalues and eigenvectors in closed form, derivatives of known surfaces."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cop_imaging.core.curvature import eigenvalues, eigenvectors, gradient_at, hessian_at

SPACING_MM = (1.5, 1.0, 0.8)
SEVERAL = hnp.arrays(np.float32, (6, 5), elements=st.floats(-1000, 1000, width=32))


def matrices_of(parts):
    a, b, c, d, e, f = parts.astype(np.float64)
    return np.moveaxis(np.array([[a, d, e], [d, b, f], [e, f, c]]), -1, 0)


@given(SEVERAL)
def test_eigenvalues_are_those_of_the_matrix_smallest_first(parts):
    scale = max(1.0, float(np.abs(parts).max()))
    np.testing.assert_allclose(
        np.stack(eigenvalues(parts), axis=1), np.linalg.eigvalsh(matrices_of(parts)), rtol=0.0, atol=1e-6 * scale
    )


@given(SEVERAL)
def test_an_eigenvector_is_only_stretched_by_its_matrix(parts):
    matrices, low = matrices_of(parts), eigenvalues(parts)[0]
    vectors = eigenvectors(parts, low)
    scale = max(1.0, float(np.abs(parts).max()))
    stretched = np.einsum("nij,nj->ni", matrices, vectors)
    # Where two eigenvalues are nearly the same any vector of their plane will do, or none is found.
    apart = np.diff(np.linalg.eigvalsh(matrices), axis=1)[:, 0] > 1e-2 * scale
    np.testing.assert_allclose(stretched[apart], (low[:, None] * vectors)[apart], rtol=0.0, atol=1e-3 * scale)
    np.testing.assert_allclose(np.linalg.norm(vectors[apart], axis=1), 1.0, rtol=1e-6)


def test_derivatives_of_a_quadratic_surface_are_exact_in_millimetres():
    z, y, x = (np.arange(5) * h for h in SPACING_MM)
    z, y, x = np.meshgrid(z, y, x, indexing="ij")
    image = (2.0 * z * z - y * y + 3.0 * x * x + 0.5 * z * y - 1.5 * z * x + y * x + 4.0 * x).astype(np.float32)
    middle = np.array([np.ravel_multi_index((2, 2, 2), image.shape)])
    found = np.concatenate(hessian_at(image, middle, SPACING_MM))
    np.testing.assert_allclose(found, [4.0, -2.0, 6.0, 0.5, -1.5, 1.0], atol=1e-4)
    at = np.array([2.0 * h for h in SPACING_MM])
    slope = [
        4 * at[0] + 0.5 * at[1] - 1.5 * at[2],
        -2 * at[1] + 0.5 * at[0] + at[2],
        6 * at[2] - 1.5 * at[0] + at[1] + 4,
    ]
    np.testing.assert_allclose(gradient_at(image, middle, SPACING_MM)[0], slope, atol=1e-4)
