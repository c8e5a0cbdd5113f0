"""What a person sees of the stages while they run."""

import os
import re
import subprocess
import sys

import pytest

from cop_imaging.cli.stages import shown_stages


def test_each_stage_is_one_plain_line_when_stderr_is_no_terminal(capsys):
    with shown_stages(quiet=False) as progress:
        for name, title in (("ingest", "reading slices"), ("signs", "looking for signs")):
            with progress.stage(name, title):
                pass
    out, err = capsys.readouterr()
    assert re.fullmatch(
        r"\[ingest\] reading slices \.\.\. \d+\.\d s\n\[signs\] looking for signs \.\.\. \d+\.\d s\n", err
    )
    assert out == ""


def test_a_stage_with_stages_inside_is_named_again_with_its_time(capsys):
    with shown_stages(quiet=False) as progress, progress.stage("signs", "looking"), progress.stage("bands", "bands"):
        pass
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub(r"\d+\.\d", "0.0", line) for line in lines] == [
        "[signs] looking ...",
        "[bands] bands ... 0.0 s",
        "[signs] looking ... 0.0 s",
    ]


def test_the_line_of_a_stage_that_fails_is_ended_before_the_error_is_told(capsys):
    with pytest.raises(RuntimeError), shown_stages(quiet=False) as progress, progress.stage("ingest", "reading"):
        raise RuntimeError
    assert capsys.readouterr().err == "[ingest] reading ...\n"


def test_quiet_shows_nothing_and_still_times_the_stages(capsys):
    with shown_stages(quiet=True) as progress, progress.stage("ingest", "reading"):
        pass
    assert capsys.readouterr() == ("", "")
    assert "ingest" in progress.timings_s


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_terminal_shows_each_stage_with_its_running_time():
    code = (
        "from cop_imaging.cli.stages import shown_stages\n"
        "with shown_stages(quiet=False) as progress, progress.stage('ingest', 'reading [1] slices'):\n"
        "    pass\n"
    )
    master, slave = os.openpty()
    subprocess.run(
        [sys.executable, "-c", code], stderr=slave, env={**os.environ, "TERM": "xterm", "COLUMNS": "80"}, check=True
    )
    os.close(slave)
    seen = os.read(master, 100_000).decode()
    os.close(master)
    assert "reading [1] slices" in seen
    assert re.search(r"0\.\d s", seen)
