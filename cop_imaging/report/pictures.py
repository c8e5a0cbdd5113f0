"""Slices with their contours: greyscale PNG beneath vector lines, small enough to travel inside one HTML file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
from markupsafe import Markup, escape
from skimage.measure import find_contours
from skimage.transform import resize

from cop_imaging.core import Finding, Presence, Scene
from cop_imaging.core.arrays import BoolArray, Float32Array, Float64Array, UInt8Array
from cop_imaging.report.charts import zone_extents
from cop_imaging.report.views import Plane, axial, close_up, coronal

if TYPE_CHECKING:
    from cop_imaging.report.analysis import Analysis

__all__ = ["CHARTED", "LUNG", "OTHER", "STYLES", "LineStyle", "Picture", "Pictures", "draw_pictures"]

WINDOW_CENTRE_HU = -600.0
WINDOW_WIDTH_HU = 1500.0
GREYS = 64
"""Grey levels kept: more would store noise, fewer would show steps."""
LEVELS = 6
LEVEL_WIDTH_PX = 320
SIGN_WIDTH_PX = 380
UNITS = 400.0
"""Width of every picture in its own units; contours are drawn to a tenth of one."""
BARS_CM = (10, 5, 2, 1)
CLOSE_MM = 150.0
"""Least width of the picture of one sign: a small sign is enlarged, its surroundings stay."""
NEAR_MM, RING_MM = 5.0, 8.0
"""How far from the slice a lesion may lie, and the radius of the ring around it, where a sign marks no voxels."""
FOUND = (Presence.PRESENT, Presence.POSSIBLE)
CHARTED = ("consolidation", "ground_glass")
"""Signs whose place is drawn as charts: the density signs, which the others lie in or around."""


@dataclass(frozen=True, slots=True)
class LineStyle:
    """Colour (Okabe-Ito) and dashes of a contour: told apart without colour as well."""

    colour: str
    dashes: str
    words: str
    width: float = 1.5


LUNG = LineStyle("#e8e8e8", "", "thin light line", 0.8)
STYLES = {
    "consolidation": LineStyle("#D55E00", "", "vermilion, solid"),
    "ground_glass": LineStyle("#56B4E9", "6 2.5", "sky blue, dashed"),
    "reversed_halo": LineStyle("#F0E442", "1.5 3", "yellow, dotted", 2.2),
}
OTHER = LineStyle("#E69F00", "", "orange, solid")
"""Every other sign: it is drawn only where it is alone."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One slice as inline SVG with the words that belong to it."""

    title: str
    position: str
    svg: Markup
    sign: str = ""
    """Name of the sign that it shows, of one that shows one."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The contact sheet, one coronal slice, and the best slice of every sign that is or may be there."""

    levels: tuple[Picture, ...] = ()
    coronal: Picture | None = None
    signs: tuple[Picture, ...] = ()
    """Present signs first."""
    zones: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    """Percent of each of the six zones that a sign fills, by its name."""


def draw_pictures(analysis: Analysis) -> Pictures:
    """Draw a contact sheet of axial levels from head to feet, a coronal slice and one slice for each sign found."""
    scene = analysis.scene
    titles = {f.sign: f.title for f in analysis.report.findings}
    shown = [f for f in analysis.findings if f.sign in STYLES and f.mask is not None]
    levels = [
        _draw(axial(analysis.volume, scene, z), shown, titles, f"Level {n} of {LEVELS}", LEVEL_WIDTH_PX)
        for n, z in enumerate(_level_indices(scene), start=1)
    ]
    y = _coronal_index(scene, shown)
    frontal = _draw(coronal(analysis.volume, scene, y), shown, titles, "Coronal slice", SIGN_WIDTH_PX)
    found = [f for p in FOUND for f in analysis.findings if f.presence is p]
    signs = [_sign_picture(analysis, f, titles) for f in found if _best_slice(f) is not None]
    zones = {f.sign: zone_extents(f, scene) for f in found if f.sign in CHARTED}
    return Pictures(tuple(levels), frontal, tuple(signs), zones)


def _sign_picture(analysis: Analysis, finding: Finding, titles: dict[str, str]) -> Picture:
    z = _best_slice(finding) or 0
    mask = _ringed(finding, analysis.scene, z) if finding.mask is None else finding.mask
    title = f"{titles[finding.sign]} ({finding.presence})"
    plane = axial(analysis.volume, analysis.scene, z)
    plane = close_up(plane, plane.cut(plane.of(mask)), CLOSE_MM)
    picture = _draw(plane, [replace(finding, mask=mask)], titles, title, SIGN_WIDTH_PX)
    return replace(picture, sign=finding.sign)


def _ringed(finding: Finding, scene: Scene, z: int) -> BoolArray:
    """Discs around the lesions that lie near a slice: the outline of a sign that marks no voxels."""
    out = np.zeros(scene.lungs.shape, dtype=np.bool_)
    step_z, step_y, step_x = scene.geometry.spacing_mm
    _, height, width = scene.geometry.shape
    rows, columns = np.ogrid[:height, :width]
    for lesion in finding.lesions:
        k, y, x = (float(v) for v in scene.geometry.to_index(lesion.centre_mm))
        if abs(k - z) * step_z <= NEAR_MM:
            out[z] |= np.hypot((rows - y) * step_y, (columns - x) * step_x) <= RING_MM
    return out


def _level_indices(scene: Scene) -> list[int]:
    """Centres of equal parts of the lungs' height, from head to feet."""
    inside = np.flatnonzero(scene.lungs.any(axis=(1, 2)))
    low, high = (int(inside[0]), int(inside[-1])) if inside.size else (0, scene.lungs.shape[0] - 1)
    parts = (np.arange(LEVELS) + 0.5) / LEVELS
    return [round(low + (high - low) * float(part)) for part in parts[::-1]]


def _coronal_index(scene: Scene, findings: Sequence[Finding]) -> int:
    """Where the signs are largest in a frontal view; without any, where the lungs are."""
    area = np.zeros(scene.lungs.shape[1], dtype=np.int64)
    for finding in findings:
        if finding.mask is not None:
            area += np.count_nonzero(finding.mask, axis=(0, 2))
    if not area.any():
        area = np.count_nonzero(scene.lungs, axis=(0, 2))
    return int(np.argmax(area)) if area.any() else scene.lungs.shape[1] // 2


def _best_slice(finding: Finding) -> int | None:
    if finding.best_z is not None or finding.mask is None or not finding.mask.any():
        return finding.best_z
    return int(np.argmax(np.count_nonzero(finding.mask, axis=(1, 2))))


def _draw(plane: Plane, findings: Sequence[Finding], titles: dict[str, str], title: str, width_px: int) -> Picture:
    lines = [_contour(plane, plane.cut(plane.lungs == side), LUNG) for side in (1, 2)]
    seen = []
    for finding in findings:
        style = STYLES.get(finding.sign, OTHER)
        mask = None if finding.mask is None else plane.cut(plane.of(finding.mask))
        if mask is not None and mask.any():
            lines.append(_contour(plane, mask, style))
            seen.append(f"{titles[finding.sign]} ({style.words})")
    outlined = f"Outlined: lungs (thin light line){''.join(', ' + s for s in seen)}."
    alt = f"{title}: CT slice at {plane.position}, lung window, {plane.orientation}. {outlined}"
    height = UNITS * plane.height_mm / plane.width_mm
    parts = [_image(plane, width_px, height), *lines, _furniture(plane, height)]
    svg = Markup('<svg class="slice" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        UNITS, height, alt, Markup("").join(parts)
    )
    return Picture(title, plane.position, svg)


def _image(plane: Plane, width_px: int, height: float) -> Markup:
    rows, columns = plane.hu.shape
    grey = (plane.hu.astype(np.float32) - (WINDOW_CENTRE_HU - WINDOW_WIDTH_HU / 2)) / WINDOW_WIDTH_HU
    if columns > width_px:
        # Only shrink: a coarse slice is enlarged by the viewer, without more bytes.
        shape = (max(1, min(rows, round(width_px * plane.height_mm / plane.width_mm))), width_px)
        grey = resize(grey, shape, order=1, anti_aliasing=True, preserve_range=True)  # type: ignore[no-untyped-call]
    data = base64.b64encode(_png(grey)).decode()
    return Markup(
        '<image width="{:.0f}" height="{:.1f}" preserveAspectRatio="none" href="data:image/png;base64,{}"/>'
    ).format(UNITS, height, data)


def _png(grey: Float32Array) -> bytes:
    steps = np.rint(np.clip(grey, 0.0, 1.0) * (GREYS - 1)) * (255.0 / (GREYS - 1))
    levels: UInt8Array = steps.astype(np.uint8)
    return bytes(imagecodecs.png_encode(levels, level=9))


def _contour(plane: Plane, mask: BoolArray, style: LineStyle) -> Markup:
    """The outline of ``mask`` twice: a dark bed that keeps it visible on white, then the styled line."""
    scale = 10.0 * UNITS / plane.width_mm * np.array([plane.step_mm[1], plane.step_mm[0]])
    outlines = find_contours(np.pad(mask, 1).astype(np.uint8), 0.5)  # type: ignore[no-untyped-call]
    path = "".join(_path(outline, scale) for outline in outlines)
    if not path:
        return Markup("")
    dashes = " ".join(f"{10 * float(d):g}" for d in style.dashes.split())
    return Markup(
        '<g transform="scale(.1)" fill="none" stroke-linejoin="round"><path d="{0}" stroke="#000" '
        'stroke-opacity=".45" stroke-width="{1:g}"/><path d="{0}" stroke="{2}" stroke-width="{3:g}"{4}/></g>'
    ).format(
        path,
        10 * style.width + 10,
        style.colour,
        10 * style.width,
        Markup(' stroke-dasharray="{}"').format(dashes) if dashes else "",
    )


def _path(outline: Float64Array, scale: Float64Array) -> str:
    """SVG path of (row, column) points, in whole tenths of a unit, straight runs merged."""
    # The mask was padded by one voxel and a voxel's centre lies half a voxel inside its image: -1 + 0.5.
    points = np.rint((outline[:, ::-1] - 0.5) * scale).astype(np.int64)
    steps = np.diff(outline, axis=0)
    turns = np.concatenate([[True], np.any(steps[1:] != steps[:-1], axis=1), [True]])
    points = points[turns]
    moves = " ".join(f"{x} {y}" for x, y in np.diff(points, axis=0)[:-1].tolist())
    return f"M{points[0, 0]} {points[0, 1]}l{moves}z"


def _furniture(plane: Plane, height: float) -> Markup:
    """Sides, position and a scale bar."""
    per_mm = UNITS / plane.width_mm
    bar_cm = next((c for c in BARS_CM if 10 * c <= plane.width_mm / 3), BARS_CM[-1])
    right, base = UNITS - 10, height - 10
    left = right - 10 * bar_cm * per_mm
    return Markup(
        '<g class="marks"><text x="9" y="{1:.0f}">{5}</text><text x="{0:.0f}" y="{1:.0f}" text-anchor="end">{6}</text>'
        '<text x="9" y="{2:.0f}" class="small">{7}</text>'
        '<path d="M{3:.1f} {2:.0f}v-6m0 3H{0:.0f}m0 -3v6"/>'
        '<text x="{4:.1f}" y="{8:.0f}" text-anchor="middle" class="small">{9} cm</text></g>'
    ).format(right, height / 2, base, left, (left + right) / 2, "R", "L", escape(plane.position), base - 10, bar_cm)
