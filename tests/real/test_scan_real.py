"""The bounded header scanner on every real file: what it says is what pydicom says."""

import os
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataelem import RawDataElement

from cop_imaging.ingest.headers import WANTED
from cop_imaging.ingest.parsing import quiet_parser
from cop_imaging.ingest.scan import scan

FOLDER = os.environ.get("COP_IMAGING_REAL_CT", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="COP_IMAGING_REAL_CT names no folder of real CT series")


def judged(path):
    dataset = dcmread(path, stop_before_pixels=True, force=True, specific_tags=sorted(WANTED))
    items = {tag: dataset.get_item(tag) for tag in WANTED if tag in dataset}
    # An empty element is not left raw.
    return {tag: (item.value or b"") if isinstance(item, RawDataElement) else b"" for tag, item in items.items()}


def test_every_header_that_is_scanned_is_read_as_pydicom_reads_it():
    left = []
    files = sorted(Path(FOLDER).rglob("*.dcm"))
    with quiet_parser():
        for path in files:
            found = scan(path.read_bytes()[: 256 << 10], WANTED, whole=path.stat().st_size <= 256 << 10)
            if found is None:
                left.append(path.name)
            else:
                assert found.elements == judged(path), path.name
    assert len(files) > 900
    # Big-endian and deflated files are pydicom's.
    assert len(left) == 4
