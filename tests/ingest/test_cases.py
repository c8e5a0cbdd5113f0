"""What stands for a patient in every output."""

from cop_imaging.ingest.cases import patient_case
from cop_imaging.ingest.read import read_volume

KEY = b"0123456789abcdef"


def test_scans_of_one_patient_share_a_case_that_the_key_alone_explains(write):
    one, other = (write(name, uid=name, repixel=lambda hu, n, k=k: hu + k) for k, name in enumerate("ab"))
    volumes = [read_volume(folder, case_key=KEY) for folder in (one, other)]
    assert volumes[0].case == volumes[1].case
    assert volumes[0].digest != volumes[1].digest
    assert read_volume(one, case_key=KEY + b"!").case != volumes[0].case
    assert read_volume(one).case == volumes[0].digest[:12]
    assert len(volumes[0].case) == 12


def test_another_patient_or_issuer_is_another_case(write):
    folders = [
        write("a"),
        write("b", edit=lambda h, n: setattr(h, "PatientID", "OTHER")),
        write("c", edit=lambda h, n: setattr(h, "IssuerOfPatientID", "elsewhere")),
    ]
    assert len({patient_case(folder / "IM0001.dcm", KEY) for folder in folders}) == 3


def test_without_a_patient_the_case_stands_for_the_scan(write):
    volume = read_volume(write(edit=lambda h, n: setattr(h, "PatientID", "")), case_key=KEY)
    assert volume.case == volume.digest[:12]
    assert any("no patient" in issue.message for issue in volume.issues)
