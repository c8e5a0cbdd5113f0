"""Named faults of the order and place of slices: read onto the right points, or refused with the right reason.

The body is a function of the patient point: whatever was done to the files, a voxel that is scanned must hold the
density that lies at its place.
"""

from itertools import product

import numpy as np
import pytest
from pydicom.config import disable_value_validation
from pydicom.uid import generate_uid

from cop_imaging.ingest import IngestConfig
from cop_imaging.ingest.geometry_config import GeometryConfig

BRIDGING = IngestConfig(geometry=GeometryConfig(bridge_slices=1, bridge_step_mm=3.0))


def fault(make, **demanded):
    """What is done to a series, and what must come of it: see ``read_right_or_refused``."""
    return {"make": make, **demanded}


def edited(change, **options):
    return lambda write, tmp: write(edit=change, **options)


def key(**values):
    return lambda h, n: [setattr(h, k, v) for k, v in values.items()]


def only(keep):
    return edited(lambda h, n: keep(n))


def beside(**options):
    """A whole series, with other slices beside it."""

    def make(write, tmp):
        folder = write()
        return write(folder.name, **{"uid": "1", "name": "more{:04d}".format, **options})

    return make


def renewed(h, n):
    h.SOPInstanceUID = generate_uid(entropy_srcs=["new", str(n)])


def shifted(steps):
    """Positions off their places by ``steps(n)`` mm along z."""

    def edit(h, n):
        x, y, z = map(float, h.ImagePositionPatient)
        h.ImagePositionPatient = [x, y, z + steps(n)]

    return edit


def no_number(where):
    """Positions of the slices ``where`` as a broken exporter writes them."""

    def make(write, tmp):
        with disable_value_validation():
            return write(edit=edit)

    def edit(h, n):
        if n in where:
            h.ImagePositionPatient = ["nan", "-77.5", "NaN"]

    return make


def tilted(degrees):
    a = np.radians(degrees)
    return lambda write, tmp: write(column=(0, np.cos(a), np.sin(a)), stack=(0, 0, 1 / np.cos(a)))


def two_scans(first, other):
    """Two scans of one place in one series: the second is another body."""

    def make(write, tmp):
        folder = write(edit=first)
        return write(folder.name, edit=other, name="b{:04d}".format, repixel=lambda hu, n: hu + 7)

    return make


def overlapping(denser):
    """A scan of 40 slices and a later one of 35 that begins five slices before the end of the first."""

    def acquisition(number, slices):
        def edit(h, n):
            h.AcquisitionNumber, h.SOPInstanceUID = number, generate_uid(entropy_srcs=[number, str(n)])
            return n in slices

        return edit

    def make(write, tmp):
        folder = write(count=70, edit=acquisition("1", range(40)))
        later = {"edit": acquisition("2", range(35, 70)), "repixel": lambda hu, n: hu + denser}
        return write(folder.name, count=70, name="b{:04d}".format, **later)

    return make


def fewer_rows(which):
    """Slices with fewer rows than the others, at their own places."""

    def edit(h, n):
        if n in which:
            renewed(h, n)
            h.Rows = 30

    return {"repixel": lambda hu, n: hu[:30] if n in which else hu, "edit": edit}


def rotated(row, column, **options):
    return lambda write, tmp: write(row=row, column=column, **options)


def oblique(write, tmp):
    a = np.radians(15.0)
    return write(row=(np.cos(a), 0.0, -np.sin(a)), column=(0, 1, 0))


def flips():
    """Every way to store the same points: rows, columns and slices from either end."""
    axes = ("rows", "columns", "slices")
    for turned in product((False, True), repeat=3):
        rows, columns, slices = (-1 if t else 1 for t in turned)
        if any(turned):
            name = " and ".join(axis for axis, t in zip(axes, turned, strict=True) if t)
            yield f"{name} from the other end", fault(rotated((columns, 0, 0), (0, rows, 0), stack=(0, 0, slices)))


FAULTS = {
    "one slice missing": fault(only(lambda n: n != 20), refused="slices.missing"),
    "one slice missing, bridged": fault(only(lambda n: n != 20), config=BRIDGING, issues={"slices.missing"}),
    "three slices missing": fault(only(lambda n: n not in {5, 6, 30}), refused="slices.missing", config=BRIDGING),
    "every second slice missing": fault(only(lambda n: n % 2 == 0), issues={"slices.not_contiguous"}, slices=20),
    "both ends missing": fault(only(lambda n: 3 <= n < 35), slices=32),
    "copies of slices": fault(beside(), issues={"slices.duplicate"}),
    "copies under new identities": fault(beside(edit=renewed), issues={"slices.duplicate"}),
    "two images of one position": fault(
        beside(repixel=lambda hu, n: hu + (20 if n == 17 else 0)), refused="slices.conflicting"
    ),
    "no number in all positions": fault(no_number(range(40)), refused="geometry.missing"),
    "no number in one position": fault(no_number({20}), refused="slices.missing"),
    "no number in the last position": fault(no_number({39}), issues={"slices.stray_dropped"}, slices=39),
    "positions rounded": fault(lambda write, tmp: write(edit=shifted(lambda n: 0.02 * (-1) ** n))),
    "positions jittered": fault(
        lambda write, tmp: write(edit=shifted(lambda n: 0.8 * (-1) ** n)), refused="slices.uneven_spacing"
    ),
    "one slice beside the others": fault(
        lambda write, tmp: write(edit=lambda h, n: n != 9 or setattr(h, "ImagePositionPatient", [0, 0, -31.5])),
        refused="geometry.inconsistent",
    ),
    "gantry tilted by 12 degrees": fault(tilted(12.0), issues={"geometry.tilt"}, between_pixels=True),
    "gantry tilted the other way": fault(tilted(-12.0), issues={"geometry.tilt"}, between_pixels=True),
    "gantry tilted by 40 degrees": fault(tilted(40.0), refused="geometry.not_axial"),
    "feet first": fault(
        lambda write, tmp: write(number=lambda n: 40 - n, edit=lambda h, n: setattr(h, "PatientPosition", "FFS"))
    ),
    "prone": fault(rotated((-1, 0, 0), (0, -1, 0), edit=key(PatientPosition="HFP"))),
    "decubitus": fault(rotated((0, 1, 0), (-1, 0, 0), edit=key(PatientPosition="HFDR"))),
    "rows and columns exchanged": fault(rotated((0, 1, 0), (1, 0, 0))),
    "oblique by 15 degrees": fault(oblique),
    "coronal reformat": fault(rotated((1, 0, 0), (0, 0, -1)), refused="geometry.not_axial"),
    "coronal series inside": fault(
        beside(uid="2", row=(1, 0, 0), column=(0, 0, -1)), issues={"series.mixed"}
    ),
    "a few coronal slices in the series": fault(
        beside(count=3, row=(1, 0, 0), column=(0, 0, -1)), issues={"slices.stray_dropped"}
    ),
    "lower half in another matrix": fault(
        lambda write, tmp: write(**fewer_rows(range(20))), refused="geometry.inconsistent"
    ),
    "every second slice in another matrix": fault(
        lambda write, tmp: write(**fewer_rows(range(0, 40, 2))), refused="geometry.inconsistent"
    ),
    "whole scan in two matrices": fault(beside(**fewer_rows(range(40))), issues={"series.mixed"}),
    "two acquisitions that overlap by five slices": fault(
        overlapping(denser=7), issues={"series.multiple_phases"}, other_hu=7
    ),
    "two acquisitions that agree where they overlap": fault(
        overlapping(denser=0), issues={"series.multiple_phases"}
    ),
    "two phases by temporal position": fault(
        two_scans(key(TemporalPositionIdentifier="1"), key(TemporalPositionIdentifier="2")),
        issues={"series.multiple_phases"}, other_hu=7,
    ),
    "two phases by acquisition number": fault(
        two_scans(key(AcquisitionNumber="1"), key(AcquisitionNumber="2")),
        issues={"series.multiple_phases"}, other_hu=7,
    ),
    "interleaved phases": fault(
        two_scans(
            key(AcquisitionNumber="1"),
            lambda h, n: [setattr(h, "AcquisitionNumber", "2"), shifted(lambda n: 0.7)(h, n)],
        ),
        issues={"series.multiple_phases"}, other_hu=7,
    ),
    "two kernels in one series": fault(
        two_scans(key(ConvolutionKernel="B70f"), key(ConvolutionKernel="B30f")),
        issues={"series.mixed"}, other_hu=7,
    ),
    "two series, one thick": fault(beside(uid="2", count=24, step_mm=5.0), issues={"series.mixed"}),
    "exposure that changes from slice to slice": fault(
        lambda write, tmp: write(edit=lambda h, n: setattr(h, "Exposure", str(50 + n)))
    ),
    "acquisition number that changes in one stack": fault(
        lambda write, tmp: write(edit=lambda h, n: setattr(h, "AcquisitionNumber", str(1 + n // 10)))
    ),
    "one slice": fault(only(lambda n: n == 0), refused="slices.single"),
    "five slices": fault(only(lambda n: n < 5), refused="slices.too_few"),
    "1 mm every 10 mm": fault(
        lambda write, tmp: write(step_mm=10.0, count=25, edit=lambda h, n: setattr(h, "SliceThickness", "1")),
        issues={"slices.not_contiguous"}, slices=25,
    ),
    "thick slices": fault(
        lambda write, tmp: write(step_mm=6.0, count=30), issues={"slices.thick"}, slices=30
    ),
    **dict(flips()),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_read_right_or_refused_with_its_reason(name, read_right_or_refused):
    read_right_or_refused(**FAULTS[name])
