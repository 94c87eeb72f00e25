"""A bound on the processor time of one call, for tests that try many."""

import signal
from contextlib import contextmanager

AGAIN = 0.5  # seconds of processor time, after which a call that went on is stopped once more


class Endless(BaseException):
    """The processor time of one call is over."""


@contextmanager
def bounded(seconds):
    """`Endless` after so many seconds of processor time of this process.

    It comes out at the end whatever the call made of it: of a call that caught it, or raised
    another exception for it, too.
    """
    late, left = False, False

    def stop(*_):
        nonlocal late
        late = True
        if not left:
            raise Endless

    before = signal.signal(signal.SIGPROF, stop)
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
        try:
            yield
        finally:
            left = True
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        if late:
            raise Endless
