# SPDX-License-Identifier: Apache-2.0
"""Compiled work runs on the threads it is given, does all parts once and tells what goes wrong in one."""

import multiprocessing
import threading

import numpy as np
import pytest
from numba.core.caching import CacheImpl

from anygrasp_perception import compiled
from anygrasp_perception.compiled import in_parts, thread_count


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(("count", "step"), [(0, 4), (1, 4), (4, 4), (10, 3), (7, 1)])
def test_every_number_is_in_one_part(count, step, threads):
    done, sizes = [], []

    def work(start, stop):
        done.extend(range(start, stop))
        sizes.append(stop - start)

    in_parts(work, count, step, threads)
    assert sorted(done) == list(range(count))
    assert all(size <= step for size in sizes)


def test_two_threads_work_at_once():
    together = threading.Barrier(2, timeout=30)
    in_parts(lambda _start, _stop: together.wait(), 2, 1, 2)  # one alone would wait for ever


def test_one_thread_is_the_callers_own():
    names = set()
    in_parts(lambda _start, _stop: names.add(threading.current_thread().name), 4, 1, 1)
    assert names == {threading.current_thread().name}


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_a_part_is_raised(threads):
    def work(start, _stop):
        if start == 5:
            raise ValueError("part 5")

    with pytest.raises(ValueError, match="part 5"):
        in_parts(work, 8, 1, threads)


def test_a_forked_process_has_threads_of_its_own():
    in_parts(lambda _start, _stop: None, 4, 1, 2)  # the pool is there
    context = multiprocessing.get_context("fork")
    child = context.Process(target=in_parts, args=(lambda _start, _stop: None, 4, 1, 2))
    child.start()
    child.join(timeout=60)
    alive = child.is_alive()
    child.kill()
    assert not alive
    assert child.exitcode == 0


def test_threads_hold_within_the_context_only():
    assert thread_count() == 1
    with compiled.threads(3):
        assert thread_count() == 3
        with compiled.threads(2):
            assert thread_count() == 2
        assert thread_count() == 3
    assert thread_count() == 1


def test_a_folder_that_cannot_be_written_is_no_hindrance(monkeypatch):
    def total(numbers):
        found = 0.0
        for number in numbers:
            found += number
        return found

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])  # as where neither folder can be written
    assert compiled.compiled(total)(np.arange(4.0)) == 6.0
