"""Archives of small series, and runs over them with a stand-in for the line."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from cop_imaging.archive import FolderSource
from cop_imaging.batch import Chosen, Settings, run_batch
from cop_imaging.pipeline import Config

# Workers find the stand-in by its module's name, wherever the tests are run from.
spec = importlib.util.spec_from_file_location("standin", Path(__file__).with_name("standin.py"))
assert spec is not None
assert spec.loader is not None
standin = importlib.util.module_from_spec(spec)
sys.modules["standin"] = standin
spec.loader.exec_module(standin)


@pytest.fixture(autouse=True)
def _found_by_workers(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture
def series(tmp_path):
    """Writes a series of two slices with headers alone: enough to be planned."""
    count = iter(range(1000, 9000))

    def write(folder: str, **elements: str) -> Path:
        uid = f"1.2.826.{next(count)}"
        for n in (1, 2):
            meta = FileMetaDataset()
            meta.MediaStorageSOPClassUID = CTImageStorage
            meta.MediaStorageSOPInstanceUID = f"{uid}.{n}"
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            path = tmp_path / "archive" / folder / f"{n}.dcm"
            slice_ = FileDataset(str(path), Dataset(), file_meta=meta, preamble=b"\0" * 128)
            slice_.SOPClassUID, slice_.SOPInstanceUID, slice_.Modality = CTImageStorage, f"{uid}.{n}", "CT"
            slice_.SeriesInstanceUID, slice_.StudyInstanceUID = uid, f"{uid}.0"
            slice_.PatientID, slice_.StudyDate, slice_.SeriesDescription = "DOE-7", "20200301", "Lung 1.0"
            slice_.SliceThickness = "1.0"
            for name, value in elements.items():
                setattr(slice_, name, value)
            path.parent.mkdir(parents=True, exist_ok=True)
            slice_.save_as(path, enforce_file_format=True)
        return tmp_path / "archive" / folder

    return write


@pytest.fixture
def call(tmp_path):
    """Runs over the archive; what the stand-in was asked for is in ``call.seen()``."""
    out, log = tmp_path / "run", tmp_path / "log.txt"

    class Call:
        def __call__(
            self,
            *,
            to=out,
            config=None,
            overwrite=False,
            retry_failed=False,
            limit=None,
            shard=(1, 1),
            memory_mb=1e6,
            **more,
        ):
            engine, tell, said = more.pop("engine", None), more.pop("tell", lambda *_: None), []
            settings = Settings(chosen=Chosen(shard, None, limit, retry_failed, overwrite), memory_mb=memory_mb, **more)
            self.said = said
            return run_batch(
                FolderSource(tmp_path / "archive"),
                to,
                config or Config(),
                settings,
                engine=engine,
                job=standin.StandIn(to, log, settings.kept),
                say=said.append,
                tell=tell,
            )

        def seen(self):
            lines = log.read_text().splitlines() if log.exists() else []
            log.unlink(missing_ok=True)
            return sorted(lines)

        def table(self, to=out):
            rows = pq.read_table(to / "features.parquet").to_pylist()
            return {row["key"]: row for row in rows}

        def states(self, to=out):
            """State and code by the folder of the series."""
            plan = {row["key"]: row["folder"] for row in pq.read_table(to / "plan.parquet").to_pylist()}
            return {plan[key]: (row["state"], row["code"]) for key, row in self.table(to).items()}

    return Call()
