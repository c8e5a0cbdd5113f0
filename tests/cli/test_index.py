"""``cop-imaging index`` from the outside."""

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

SAMPLE = Path(__file__).parents[2] / "data_samples"


def index(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "cop_imaging", "index", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_sample_series_is_listed_and_the_table_is_not_replaced_unasked(tmp_path):
    out = tmp_path / "index.parquet"
    done = index(SAMPLE, "--out", out, "--workers", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 usable" in done.stdout
    assert done.stdout.splitlines()[-1] == str(out)
    assert pq.read_table(out).num_rows == 1
    again = index(SAMPLE, "--out", out)
    assert again.returncode == 8
    assert "--overwrite" in again.stderr
    assert index(SAMPLE, "--out", out, "--overwrite", "--workers", "2").returncode == 0
