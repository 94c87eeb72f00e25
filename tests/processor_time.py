"""A bound on the processor time of one call, for tests that try many."""

import signal
from contextlib import contextmanager


class Endless(BaseException):
    """The processor time of one call is over."""


@contextmanager
def bounded(seconds):
    """`Endless` after so many seconds of processor time of this process."""

    def stop(*_):
        raise Endless

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
