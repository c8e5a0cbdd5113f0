import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_imaging.core import AIR_HU
from cop_imaging.errors import SeriesError
from cop_imaging.ingest.densities import check_densities, densities_of
from cop_imaging.ingest.density_config import DensityConfig
from cop_imaging.ingest.headers import read_header
from cop_imaging.ingest.hounsfield import same_image
from cop_imaging.ingest.read import read_volume

CONFIG = DensityConfig()


def outside_the_circle(hu):
    y, x = np.indices(hu.shape)
    return (x - 14.5) ** 2 + (y - 15.5) ** 2 > 15.2**2


def padded_with(value):
    def repixel(hu, n):
        hu = hu.copy()
        hu[outside_the_circle(hu)] = value
        return hu

    return repixel


def refusal(source):
    with pytest.raises(SeriesError) as caught:
        read_volume(source)
    return caught.value


@pytest.mark.parametrize(
    ("slope", "intercept", "signed"),
    [("1", "-1024", 1), ("1", "0", 1), ("1", "-1024", 0), ("2", "-1000", 1), ("0.5", "-1024", 1)],
)
def test_the_same_body_has_the_same_densities_however_it_is_scaled(write, body, slope, intercept, signed):
    def scaled(header, n):
        header.RescaleSlope, header.RescaleIntercept, header.PixelRepresentation = slope, intercept, signed

    plain = read_volume(write("plain"))
    volume = read_volume(write("scaled", edit=scaled))
    # A slope of 2 HU cannot hold odd values.
    assert np.abs(volume.hu.astype(int) - plain.hu).max() <= (1 if slope == "2" else 0)


def test_each_slice_has_its_own_scale(write):
    plain = read_volume(write("plain"))
    volume = read_volume(write("own", edit=lambda h, n: setattr(h, "RescaleIntercept", str(-1024 + n))))
    assert volume.digest == plain.digest


@pytest.mark.parametrize("value", [-2000, -2048, -3024])
def test_what_was_not_scanned_is_known_without_a_tag(write, body, value):
    volume = read_volume(write(repixel=padded_with(value)))
    assert volume.valid is not None
    for z in range(40):
        np.testing.assert_array_equal(volume.valid[z], ~outside_the_circle(volume.hu[z]))
    assert (volume.hu[~volume.valid] == AIR_HU).all()
    assert volume.hu[volume.valid].min() == -1000


@pytest.mark.parametrize("tag", [("US", 63536), ("SS", -2000)])
def test_a_padding_tag_of_either_sign_marks_what_was_not_scanned(write, tag):
    # Stored -2000 is -976 HU with this intercept: only the tag tells it from air.
    def tagged(header, n):
        header.RescaleIntercept = "1024"
        header.add_new(0x00280120, *tag)

    volume = read_volume(write(edit=tagged, repixel=padded_with(-976)))
    assert volume.valid is not None
    np.testing.assert_array_equal(volume.valid[20], ~outside_the_circle(volume.hu[20]))


def test_lung_that_happens_to_have_the_padding_value_stays_scanned(write):
    # -850 HU is lung here, and the declared padding value as well.
    def tagged(header, n):
        header.add_new(0x00280120, "SS", -850 + 1024)

    volume = read_volume(write(edit=tagged, repixel=padded_with(-850)))
    lung = (volume.hu == -850) & volume.valid
    assert lung[20].sum() > 50
    np.testing.assert_array_equal(volume.valid[20], ~outside_the_circle(volume.hu[20]))


def test_a_declared_value_that_never_occurs_leaves_everything_scanned(write):
    volume = read_volume(write(edit=lambda h, n: h.add_new(0x00280120, "SS", -2000)))
    assert volume.valid is None


def test_noise_below_air_is_air_and_metal_stays(write):
    def repixel(hu, n):
        hu = hu.copy()
        hu[0, :10] = -1200
        hu[16, 15] = 20000
        return hu

    volume = read_volume(write(repixel=repixel))
    assert volume.valid is None
    assert volume.hu.min() == AIR_HU
    assert volume.hu.max() == 20000


@pytest.mark.parametrize("offset", [1024, 1000, 300, 250, -1024, -300])
def test_a_lost_offset_is_refused_with_what_was_found(write, offset):
    error = refusal(write(edit=lambda h, n: h.update({"RescaleIntercept": "-1024"}), repixel=lambda hu, n: hu + offset))
    assert error.code == "hu.offset"
    assert "HU" in str(error)


def test_the_measured_density_is_that_of_the_tissue(write):
    # Air at -700 stands for an offset of 300.
    assert "-690 HU" in str(refusal(write(repixel=lambda hu, n: np.where(hu < -500, -700, hu))))


@pytest.mark.parametrize("lost", ["RescaleSlope", "RescaleIntercept"])
def test_a_slice_without_its_scale_is_refused_by_name(write, lost):
    error = refusal(write(edit=lambda h, n: n != 7 or delattr(h, lost)))
    assert error.code == "hu.rescale_missing"
    assert "IM0007.dcm" in str(error)


def test_the_first_bad_slice_is_named_whatever_the_threads(write):
    folder = write(edit=lambda h, n: n not in {9, 30} or delattr(h, "RescaleSlope"))
    for threads in (1, 4):
        with pytest.raises(SeriesError, match=r"IM0009\.dcm"):
            read_volume(folder, threads=threads)


@given(
    air=st.floats(-1010, -800),
    tissue=st.floats(-110, 110),
    noise=st.floats(0, 60),
    air_share=st.floats(0.05, 0.9),
    seed=st.integers(0, 9),
)
def test_every_body_of_air_and_tissue_passes(air, tissue, noise, air_share, seed):
    generator = np.random.default_rng(seed)
    hu = np.where(generator.random((40, 40, 40)) < air_share, air, tissue)
    hu = np.clip(hu + noise * generator.standard_normal(hu.shape), AIR_HU, 3071).astype(np.int16)
    check_densities(densities_of(hu, None), CONFIG)


def test_water_alone_is_no_body():
    with pytest.raises(SeriesError, match="air is missing"):
        check_densities(densities_of(np.zeros((20, 20, 20), np.int16), None), CONFIG)


def test_air_alone_is_no_body():
    with pytest.raises(SeriesError, match="soft tissue is missing"):
        check_densities(densities_of(np.full((20, 20, 20), -1000, np.int16), None), CONFIG)


def test_nothing_scanned_is_no_body():
    nothing = np.zeros((20, 20, 20), bool)
    with pytest.raises(SeriesError, match="air is missing"):
        check_densities(densities_of(np.full(nothing.shape, AIR_HU, np.int16), nothing), CONFIG)


def test_a_volume_of_hounsfield_units_is_16_bit(write):
    volume = read_volume(write(repixel=padded_with(-3024)))
    assert (volume.hu.dtype, volume.valid.dtype) == (np.int16, np.bool_)


def test_a_canvas_of_water_around_the_field_is_not_tissue(write):
    volume = read_volume(write(repixel=padded_with(0)))
    np.testing.assert_array_equal(volume.valid[20], ~outside_the_circle(volume.hu[20]))
    (issue,) = [i for i in volume.issues if i.code == "pixels.padding"]
    assert "canvas" in issue.message


@pytest.mark.parametrize(
    ("repixel", "cause"),
    [
        (lambda hu, n: hu + 1024, "the intercept was not applied"),
        (lambda hu, n: hu - 1024, "applied twice"),
        (lambda hu, n: hu - 8192, "-8192 HU off"),
    ],
)
def test_a_known_shift_is_named(write, repixel, cause):
    assert cause in str(refusal(write(repixel=repixel)))


def with_noise(hu, n):
    return hu + 12.0 * np.random.default_rng(n).standard_normal(hu.shape)


@pytest.mark.parametrize(
    ("low", "high", "code"), [(-600, 3000, "hu.clipped"), (-1024, 60, "hu.clipped"), (-1024, 3000, None)]
)
def test_a_window_is_no_measurement(write, low, high, code):
    folder = write(repixel=lambda hu, n: np.clip(with_noise(hu, n), low, high))
    if code is None:
        assert read_volume(folder).hu.min() == AIR_HU
        return
    assert refusal(folder).code in {code, "hu.offset"}


def test_values_that_end_at_air_are_remarked_on(write):
    volume = read_volume(write(repixel=lambda hu, n: np.clip(with_noise(hu, n), -1000, 3000)))
    (issue,) = [i for i in volume.issues if i.code == "hu.clipped"]
    assert issue.measured == -1000


@pytest.mark.parametrize(("unit", "fits"), [("HU", True), ("US", True), ("Hounsfield Unit", True), ("OD", False)])
def test_values_in_another_unit_are_refused(write, unit, fits):
    folder = write(edit=lambda h, n: setattr(h, "RescaleType", unit))
    if fits:
        assert read_volume(folder).valid is None
    else:
        assert refusal(folder).code == "hu.rescale_missing"


def test_a_lossy_series_is_flagged_with_its_ratio(write):
    def lossy(header, n):
        header.LossyImageCompression, header.LossyImageCompressionRatio = "01", "15"

    (issue,) = [i for i in read_volume(write(edit=lossy)).issues if i.code == "pixels.lossy"]
    assert (issue.measured, issue.affects) == (15.0, ("signs", "likelihood"))


def body_with_air_at(air, *, trachea=-1000):
    generator = np.random.default_rng(3)
    hu = np.full((20, 64, 64), 40.0)
    hu[:, :30] = air
    hu[:, 32:34] = trachea
    return np.clip(hu + 10.0 * generator.standard_normal(hu.shape), -1300, 3000).astype(np.int16)


def offsets(hu):
    return [i for i in check_densities(densities_of(hu, None), CONFIG) if i.code == "hu.offset"]


@pytest.mark.parametrize("air", [-1080, -1050, -930, -910])
def test_a_small_offset_of_all_air_is_remarked_on_with_its_value(air):
    (issue,) = offsets(body_with_air_at(air, trachea=air))
    assert issue.measured == pytest.approx(air, abs=3)


@pytest.mark.parametrize("air", [-1020, -1000, -980, -850])
def test_air_where_it_belongs_and_lung_are_no_offset(air):
    assert not offsets(body_with_air_at(air))


def test_emphysema_beside_a_trachea_of_air_is_no_offset():
    assert not offsets(body_with_air_at(-930))


def test_air_whose_noise_is_cut_off_is_no_offset():
    assert not offsets(np.maximum(body_with_air_at(-1000), -1010))


def test_a_peak_of_air_near_minus_2024_is_not_taken_for_padding(write):
    error = refusal(write(repixel=lambda hu, n: with_noise(hu, n) - 1024))
    assert error.code == "hu.offset"
    assert "applied twice" in str(error)


def test_an_eight_bit_picture_is_no_measurement(write):
    def eight(header, n):
        header.BitsStored, header.HighBit = 8, 7

    assert refusal(write(edit=eight)).code == "series.secondary_capture"


@pytest.mark.parametrize("slope", ["2", "0.5"])
def test_a_wrong_slope_is_named(write, slope):
    folder = write(repixel=lambda hu, n: (hu + 1024) * float(slope) - 1024)
    error = refusal(folder)
    assert error.code == "hu.offset"
    assert "slope" in str(error)


def test_whether_two_images_are_the_same_is_judged_with_the_limits_in_force(write):
    one, other = (
        read_header(write(str(around), repixel=padded_with(around)) / "IM0020.dcm") for around in (-500, -600)
    )
    assert same_image(one, other, DensityConfig())
    assert not same_image(one, other, DensityConfig(canvas_above_hu=-300.0))
