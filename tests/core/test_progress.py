"""Stages are timed, and told to whoever listens."""

import pytest

from cop_imaging.progress import Progress


def test_a_listener_hears_a_stage_begin_and_end():
    heard = []
    progress = Progress(heard.append)
    with progress.stage("ingest", "reading slices"):
        assert [(s.name, s.seconds) for s in heard] == [("ingest", None)]
    assert heard[1].title == "reading slices"
    assert heard[1].seconds == progress.timings_s["ingest"]


def test_a_stage_that_fails_is_timed_and_never_told_as_done():
    heard = []
    progress = Progress(heard.append)
    with pytest.raises(RuntimeError), progress.stage("anatomy", "finding the lungs"):
        raise RuntimeError
    assert [s.seconds for s in heard] == [None]
    assert "anatomy" in progress.timings_s


def test_a_stage_that_runs_twice_counts_both_times():
    progress = Progress()
    with progress.stage("signs", "looking"):
        pass
    once_s = progress.timings_s["signs"]
    with progress.stage("signs", "looking"):
        pass
    assert progress.timings_s["signs"] > once_s
