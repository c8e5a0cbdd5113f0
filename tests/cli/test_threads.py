"""The number of threads holds while a command runs and not longer; no more cores are taken than are lent."""

import os

import SimpleITK as sitk
from threadpoolctl import threadpool_info

from cop_imaging.cli.threads import cores, limited_threads


def itk_threads() -> int:
    return sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info()}


def test_the_libraries_are_held_to_the_number_and_released_again():
    before = itk_threads(), blas_threads()
    with limited_threads(1):
        assert itk_threads() == 1
        assert blas_threads() == {1}
    assert (itk_threads(), blas_threads()) == before


def test_a_process_that_is_lent_few_cores_counts_these_alone(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 4, 9}, raising=False)
    assert cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == 64


def test_without_a_number_nothing_is_changed():
    before = itk_threads(), blas_threads()
    with limited_threads(None):
        assert (itk_threads(), blas_threads()) == before
