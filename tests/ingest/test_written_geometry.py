"""Series of any orientation, spacing, order and position, written to files: each voxel is read onto its patient point.

The body is a function of the patient point without a step in it, so that not even a tenth of a voxel stays unseen.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, generate_uid

from cop_imaging.ingest import IngestConfig
from cop_imaging.ingest.geometry_config import GeometryConfig
from cop_imaging.ingest.read import read_volume

ROWS, COLUMNS, SLICES = 18, 16, 22
POSITIONS = ("HFS", "FFS", "HFP", "FFP", "HFDR", "HFDL", "FFDR", "FFDL")
LIMITS = GeometryConfig()


@dataclass(frozen=True)
class Way:
    """How the same body is scanned and stored."""

    turn_deg: float
    """Of the patient about the long axis."""
    lean_deg: float
    """Of the slices' normal from the long axis."""
    towards_deg: float
    """Direction in which it leans, from that of the rows before it leaned."""
    flips: tuple[int, int, int]
    """Signs of the slice, row and column axis."""
    spacing_mm: tuple[float, float, float]
    """Between slices, rows and columns."""
    centre_mm: tuple[float, float, float]
    position: str
    files: tuple[int, ...]
    """Number in the name of each file."""
    instances: tuple[int, ...]
    gantry: bool = False
    """Whether the gantry leans and not the patient: the table still moves along the long axis."""

    @property
    def axes(self):
        """LPS step from slice to slice for each mm along the normal; unit vectors down a column and along a row."""
        turn, lean, towards = np.radians([self.turn_deg, self.lean_deg, self.turn_deg + self.towards_deg])
        about = np.array([-np.sin(towards), np.cos(towards), 0.0])
        square = np.array([[0, 0, 1], [-np.sin(turn), np.cos(turn), 0], [np.cos(turn), np.sin(turn), 0]])
        # Rodrigues' formula.
        along = np.cross(about, square)
        leaning = square * np.cos(lean) + along * np.sin(lean) + np.outer(square @ about, about) * (1 - np.cos(lean))
        if self.gantry:
            leaning[0] = (0.0, 0.0, 1.0 / np.cos(lean))
        return leaning * np.array(self.flips)[:, None]

    def point(self, slice_, row, column):
        """Patient points of voxels [slice, row, column]."""
        middle = (np.array([SLICES, ROWS, COLUMNS]) - 1) / 2
        steps = (np.stack(np.broadcast_arrays(slice_, row, column), axis=-1) - middle) * self.spacing_mm
        return steps @ self.axes + self.centre_mm


def tissues(points, centre_mm):
    """Which part of each point is trunk, and which is lung: from none to all over a few mm."""
    x, y, _ = np.moveaxis(points - np.array(centre_mm), -1, 0)
    trunk = np.clip(6.5 - 6 * np.hypot(x / 62, y / 55), 0.0, 1.0)
    lungs = [np.clip(4.5 - 6 * np.hypot((x - side) / wide, y / 45), 0.0, 1.0) for side, wide in ((-28, 32), (28, 26))]
    return trunk, np.minimum(np.maximum(*lungs), trunk)


def body_hu(points, centre_mm):
    """A trunk with two lungs of unlike size; soft tissue grows denser to the left, the back and the head."""
    trunk, lungs = tissues(points, centre_mm)
    tissue = 40 + (points - np.array(centre_mm)) @ np.array([0.5, 0.6, 0.3])
    return -1000 + trunk * (1000 + tissue) - lungs * (850 + tissue)


def ways(lean_deg, towards_deg, **how):
    return st.builds(
        Way,
        turn_deg=st.floats(-180.0, 180.0),
        lean_deg=lean_deg,
        towards_deg=towards_deg,
        flips=st.tuples(*[st.sampled_from((-1, 1))] * 3),
        spacing_mm=st.tuples(st.floats(4.0, 9.0), st.floats(6.5, 9.5), st.floats(6.5, 9.5)),
        centre_mm=st.tuples(*[st.floats(-900.0, 900.0)] * 3),
        position=st.sampled_from(POSITIONS),
        files=st.permutations(range(SLICES)).map(tuple),
        instances=st.permutations(range(SLICES)).map(tuple),
        **how,
    )


def written(way, folder, write_file):
    """Files of the scan; how each header says where it lies is what PS3.3 C.7.6.2.1.1 says."""
    row, column = np.meshgrid(np.arange(ROWS), np.arange(COLUMNS), indexing="ij")
    _, along_column, along_row = way.axes
    for n in range(SLICES):
        header = Dataset()
        header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, generate_uid(entropy_srcs=["written", str(n)])
        header.SeriesInstanceUID, header.Modality = generate_uid(entropy_srcs=["written"]), "CT"
        header.ImageType, header.InstanceNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], way.instances[n]
        header.PatientPosition, header.SliceThickness = way.position, f"{way.spacing_mm[0]:.6g}"
        header.ImagePositionPatient = [f"{v:.9g}" for v in way.point(n, 0, 0)]
        header.ImageOrientationPatient = [f"{v:.9f}" for v in (*along_row, *along_column)]
        header.PixelSpacing = [f"{v:.9g}" for v in way.spacing_mm[1:]]
        header.Rows, header.Columns, header.SamplesPerPixel = ROWS, COLUMNS, 1
        header.PhotometricInterpretation, header.PixelRepresentation = "MONOCHROME2", 0
        header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
        header.RescaleSlope, header.RescaleIntercept = "1", "-1024"
        hu = body_hu(way.point(n, row, column), way.centre_mm)
        write_file(folder / f"{way.files[n]:03d}", header, np.rint(hu + 1024).astype("<u2"))
    return folder


def read(way, write_file):
    with tempfile.TemporaryDirectory() as folder:
        return read_volume(written(way, Path(folder), write_file), IngestConfig(geometry=LIMITS))


def grid_points(volume):
    return volume.geometry.to_patient(np.stack(np.indices(volume.hu.shape), axis=-1))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(way=ways(st.floats(0.0, LIMITS.axial_deg - 0.01), st.floats(0.0, 360.0)))
def test_every_voxel_is_read_onto_its_patient_point_however_the_scan_lies_and_is_stored(way, write_file):
    volume = read(way, write_file)
    # Half a unit from rounding what is stored, a little from rounded headers.
    assert np.abs(volume.hu - body_hu(grid_points(volume), way.centre_mm)).max() < 0.51
    assert volume.valid is None
    assert sorted(volume.hu.shape) == sorted((SLICES, ROWS, COLUMNS))
    assert sorted(volume.geometry.spacing_mm) == pytest.approx(sorted(way.spacing_mm), rel=1e-6)
    assert volume.acquisition.patient_position == way.position
    stored = volume.stored.stored_geometry(volume.geometry)
    lowest = 0 if np.dot(np.cross(way.axes[2], way.axes[1]), way.axes[0]) > 0 else SLICES - 1
    np.testing.assert_allclose(stored.origin_mm, way.point(lowest, 0, 0), atol=1e-5)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Over the whole stack the least of these angles is more than a pixel: less is left as it is.
@given(
    way=ways(st.floats(8.0, LIMITS.largest_tilt_deg - 0.01), st.sampled_from((0, 90, 180, 270)), gantry=st.just(True))
)
def test_a_scan_of_a_leaning_gantry_is_straightened_onto_its_patient_points(way, write_file):
    volume = read(way, write_file)
    assert "geometry.tilt" in [issue.code for issue in volume.issues]
    points = grid_points(volume)
    judged = np.ones(volume.hu.shape, bool) if volume.valid is None else volume.valid.copy()
    assert judged.sum() > 0.85 * SLICES * ROWS * COLUMNS
    # What lies between two pixels is known only where both are of one tissue.
    for axis, length in zip(way.axes[1:], way.spacing_mm[1:], strict=True):
        for side in (-1.0, -0.5, 0.0, 0.5, 1.0):
            for share in tissues(points + side * length * axis, way.centre_mm):
                judged &= (share == 0.0) | (share == 1.0)
    assert judged.mean() > 0.1
    # Half a unit from rounding what is stored, another half from rounding what is made of it.
    assert np.abs(volume.hu - body_hu(points, way.centre_mm))[judged].max() < 1.02
