"""Slices are shown as a radiologist expects them, with contours where the masks are."""

import base64
import re
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from cop_imaging.core import CTVolume, Presence
from cop_imaging.report import draw_pictures
from cop_imaging.report.pictures import STYLES
from cop_imaging.report.views import axial, close_up, coronal


def image(picture):
    data = re.search(r"data:image/png;base64,([^\"]+)", picture.svg)[1]
    return imagecodecs.png_decode(base64.b64decode(data))


def outline(picture, colour):
    """Points of the contours of that colour, in picture units."""
    points = []
    for path in re.findall(rf'<path d="([^"]+)" stroke="{colour}"', picture.svg):
        for start, moves in re.findall(r"M(-?\d+ -?\d+)l([^z]*)z", path):
            steps = np.array((start + " " + moves).split(), float).reshape(-1, 2)
            points.append(np.cumsum(steps, axis=0) / 10)
    return np.concatenate(points) if points else np.empty((0, 2))


def lit(analysis, where):
    """The analysis on air with one bright voxel block."""
    hu = np.full(analysis.volume.hu.shape, -1000, np.int16)
    hu[where] = 200
    return replace(analysis, volume=CTVolume(hu, analysis.volume.geometry))


def test_the_patients_left_is_on_the_right_and_the_back_is_below(analysis):
    left_back = lit(analysis, np.s_[:, 50:54, 54:58])
    grey = image(draw_pictures(left_back).levels[0])
    row, column = np.argwhere(grey > 200).mean(axis=0) / grey.shape
    assert row > 0.75
    assert column > 0.75


def test_the_head_is_up_in_the_coronal_slice(analysis):
    head = lit(analysis, np.s_[33:36, :, :])
    grey = image(draw_pictures(head).coronal)
    assert np.argwhere(grey > 200)[:, 0].max() < grey.shape[0] / 3


def test_levels_run_from_head_to_feet_and_name_their_instance(analysis):
    positions = [p.position for p in draw_pictures(analysis).levels]
    z = [float(re.match(r"z (−?\d+) mm", p)[1].replace("−", "-")) for p in positions]
    assert z == sorted(z, reverse=True)
    for z_mm, position in zip(z, positions, strict=True):
        index = round((z_mm + 120) / 2.5)
        assert int(position.rpartition(" ")[2]) == pytest.approx(40 - index, abs=1)


def test_contours_lie_on_the_edge_of_the_mask(analysis):
    plane = axial(analysis.volume, analysis.scene, 14)
    mask = plane.cut(plane.of(analysis.findings[0].mask))
    rows, columns = np.nonzero(mask)
    unit = 400 / plane.width_mm
    step_y, step_x = plane.step_mm
    picture = draw_pictures(analysis).signs[0]
    points = outline(picture, STYLES["consolidation"].colour)
    # Outer faces of the outermost voxels: a contour at half runs through them.
    np.testing.assert_allclose(points[:, 0].min(), columns.min() * step_x * unit, atol=0.1)
    np.testing.assert_allclose(points[:, 0].max(), (columns.max() + 1) * step_x * unit, atol=0.1)
    np.testing.assert_allclose(points[:, 1].min(), rows.min() * step_y * unit, atol=0.1)
    np.testing.assert_allclose(points[:, 1].max(), (rows.max() + 1) * step_y * unit, atol=0.1)


def test_planes_show_a_margin_of_chest_wall_and_keep_masks_in_place(analysis):
    volume, scene = analysis.volume, analysis.scene
    for plane, whole in (
        (axial(volume, scene, 5), analysis.anatomy.lungs[scene.box[0].start + 5]),
        (coronal(volume, scene, 20), analysis.anatomy.lungs[::-1, scene.box[1].start + 20]),
    ):
        lungs = plane.cut(plane.lungs)
        assert lungs.shape == plane.hu.shape
        np.testing.assert_array_equal(lungs > 0, plane.hu < -400)
        assert lungs.sum() == whole.sum()


def test_only_signs_that_may_be_there_get_a_picture_and_without_a_best_slice_the_largest(analysis):
    signs = draw_pictures(analysis).signs
    assert [p.title for p in signs] == ["Consolidation (present)", "Ground-glass opacity (possible)"]
    widest = int(np.argmax(analysis.findings[1].mask.sum(axis=(1, 2))))
    assert signs[1].position == axial(analysis.volume, analysis.scene, widest).position


def test_a_small_sign_is_enlarged_and_its_outline_stays_in_place(analysis):
    plane = axial(analysis.volume, analysis.scene, 14)
    mask = plane.cut(plane.of(analysis.findings[0].mask))
    near = close_up(plane, mask, 40.0)
    part = near.cut(near.of(analysis.findings[0].mask))
    assert near.hu.shape == part.shape
    assert near.width_mm == pytest.approx(mask.any(axis=0).sum() * plane.step_mm[1] + 30.0, abs=2.0)
    assert part.sum() == mask.sum()
    np.testing.assert_array_equal(near.hu[part], plane.hu[mask])


def test_a_close_up_stays_inside_the_slice_and_of_nothing_is_the_slice(analysis):
    plane = axial(analysis.volume, analysis.scene, 14)
    corner = np.zeros(plane.hu.shape, bool)
    assert close_up(plane, corner, 40.0) is plane
    corner[0, 0] = True
    near = close_up(plane, corner, 40.0)
    np.testing.assert_array_equal(near.hu, plane.hu[: near.hu.shape[0], : near.hu.shape[1]])
    assert close_up(plane, ~corner, 40.0) is plane


def test_a_present_sign_comes_before_a_possible_one(analysis):
    first, second, *rest = analysis.findings
    swapped = (replace(first, presence=Presence.POSSIBLE), replace(second, presence=Presence.PRESENT), *rest)
    assert [p.sign for p in draw_pictures(replace(analysis, findings=swapped)).signs] == [second.sign, first.sign]


def test_a_sign_that_marks_no_voxels_shows_rings_around_its_lesions(analysis):
    first, *rest = analysis.findings
    lesion = first.lesions[0]
    bare = replace(first, mask=None)
    points = outline(draw_pictures(replace(analysis, findings=(bare, *rest))).signs[0], STYLES["consolidation"].colour)
    plane = axial(analysis.volume, analysis.scene, 14)
    ring_mm = np.ptp(points, axis=0) * plane.width_mm / 400
    np.testing.assert_allclose(ring_mm, 16.0, atol=2.0)
    far = replace(bare, lesions=(lesion.model_copy(update={"centre_mm": (20.0, 10.0, 0.0)}),))
    far_picture = draw_pictures(replace(analysis, findings=(far, *rest))).signs[0]
    assert outline(far_picture, STYLES["consolidation"].colour).size == 0


def test_line_styles_differ_without_colour(analysis):
    assert len({s.dashes for s in STYLES.values()}) == len(STYLES)
    assert len({s.colour for s in STYLES.values()}) == len(STYLES)


def test_a_scale_bar_has_its_length(analysis):
    plane = axial(analysis.volume, analysis.scene, 5)
    picture = draw_pictures(analysis).levels[0]
    start, end = map(float, re.search(r'<path d="M([\d.]+) [\d.]+v-6m0 3H([\d.]+)m', picture.svg).groups())
    cm = int(re.search(r">(\d+) cm<", picture.svg)[1])
    assert end - start == pytest.approx(10 * cm * 400 / plane.width_mm, abs=0.2)


def test_pictures_are_small_8_bit_grey(analysis):
    for picture in draw_pictures(analysis).levels:
        grey = image(picture)
        assert grey.dtype == np.uint8
        assert grey.ndim == 2
        assert len(np.unique(grey)) <= 64


def test_a_wide_slice_is_shrunk(analysis):
    grid = analysis.volume.geometry
    hu = np.full((40, 64, 640), -700, np.int16)
    wide = CTVolume(hu, replace(grid, shape=hu.shape, spacing_mm=(2.5, 1.5, 0.125)))
    scene = replace(
        analysis.scene,
        hu=hu, geometry=wide.geometry, box=(slice(0, 40), slice(0, 64), slice(0, 640)), full_shape=hu.shape,
        lungs=np.ones(hu.shape, np.uint8), slices=(),
    )  # fmt: skip
    picture = draw_pictures(replace(analysis, volume=wide, scene=scene, findings=())).levels[0]
    assert image(picture).shape[1] == 320
    assert "instance" not in picture.position


def test_no_lungs_still_gives_pictures(analysis):
    scene = replace(analysis.scene, lungs=np.zeros_like(analysis.scene.lungs))
    pictures = draw_pictures(replace(analysis, scene=scene, findings=()))
    assert len(pictures.levels) == 6
    assert pictures.coronal is not None
    assert pictures.signs == ()


def test_drawing_changes_nothing_and_repeats_itself(analysis):
    before = [analysis.volume.hu.copy(), *(f.mask.copy() for f in analysis.findings if f.mask is not None)]
    assert draw_pictures(analysis) == draw_pictures(analysis)
    after = [analysis.volume.hu, *(f.mask for f in analysis.findings if f.mask is not None)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
