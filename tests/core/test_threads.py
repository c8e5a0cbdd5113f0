"""Work is spread over threads without a trace in the results."""

import threading

import pytest
import SimpleITK as sitk
from threadpoolctl import threadpool_info

from cop_imaging.core.threads import on_threads, side_by_side, when_ready


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(request.param)
    yield request.param
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def blas_threads():
    return sorted(info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas")


def test_results_come_in_the_order_of_the_pieces_from_no_more_threads_than_allowed(threads):
    names = set()

    def work(n):
        names.add(threading.get_ident())
        return n**2

    assert on_threads(work, range(100)) == [n**2 for n in range(100)]
    assert 1 <= len(names) <= threads


def test_two_pieces_run_beside_each_other_where_threads_allow_it(threads):
    meet = threading.Barrier(2, timeout=20.0)

    def wait():
        return meet.wait() if threads > 1 else None

    assert side_by_side(lambda: (wait(), "first")[1], lambda: (wait(), 2)[1]) == ("first", 2)


NEEDS = {"a": (), "b": ("a",), "c": (), "d": ("b", "c"), "e": ("a",), "f": ("d", "e")}


def test_what_is_needed_is_there_before_it_is_asked_for_and_results_keep_their_order(threads):
    def work(name, found):
        return name + "".join(found[need] for need in NEEDS[name])

    found = when_ready(work, NEEDS)
    assert list(found) == list(NEEDS)
    assert found["f"] == "f" + "d" + "ba" + "c" + "ea"


def test_what_needs_nothing_of_each_other_runs_at_the_same_time_where_threads_allow_it(threads):
    meet = threading.Barrier(2, timeout=20.0)
    running, most = set(), []

    def work(name, _):
        running.add(name)
        most.append(len(running))
        if threads > 1 and name in ("a", "c"):
            meet.wait()
        running.remove(name)

    when_ready(work, NEEDS)
    assert max(most) <= threads


def test_what_goes_wrong_in_a_thread_is_raised(threads):
    def fail(*_):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        on_threads(fail, [1])
    with pytest.raises(ValueError, match="broken"):
        when_ready(lambda name, _: fail() if name == "b" else name, NEEDS)
    for pair in ((fail, int), (int, fail)):
        with pytest.raises(ValueError, match="broken"):
            side_by_side(*pair)


def test_blas_has_its_threads_back_afterwards(threads):
    before = blas_threads()
    side_by_side(lambda: on_threads(abs, range(4)), lambda: on_threads(abs, range(40)))
    assert blas_threads() == before


def test_what_needs_something_that_is_not_made_is_refused_by_name(threads):
    with pytest.raises(KeyError, match="gone"):
        when_ready(lambda name, found: found["gone"] if name == "b" else name, {"a": (), "b": ("gone",)})
