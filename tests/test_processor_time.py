"""A call beyond its time fails its test, whatever it makes of the exception that stops it."""

import contextlib
import signal
import time

import pytest

from tests.processor_time import AGAIN, Endless, bounded


def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_call_within_its_time_returns_and_leaves_nothing():
    before = signal.getsignal(signal.SIGPROF)
    with bounded(2):
        work(0.01)
    assert signal.getsignal(signal.SIGPROF) == before
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)


def test_a_call_beyond_its_time_is_stopped():
    started = time.process_time()
    with pytest.raises(Endless), bounded(0.1):
        work(5)
    assert time.process_time() - started < 1
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)


def test_one_that_catches_everything_is_stopped_again():
    started, stopped = time.process_time(), 0
    with pytest.raises(Endless), bounded(0.1):
        while stopped < 2:
            try:
                work(5)
            except BaseException:
                stopped += 1
    assert time.process_time() - started < 1 + AGAIN


def test_what_is_made_of_it_does_not_pass_for_an_answer():
    with pytest.raises(Endless), bounded(0.1):
        try:
            work(5)
        except BaseException:
            raise ValueError from None
    with pytest.raises(Endless), bounded(0.1), contextlib.suppress(BaseException):
        work(5)
