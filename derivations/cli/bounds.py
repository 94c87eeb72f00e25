"""What bounds a command: signals, the time limit, and a sign of life when it takes long.

A signal that asks the program to end (SIGINT, SIGTERM, SIGHUP, SIGQUIT) and the time limit become
exceptions of the main thread, so that files are closed, workers stopped, and a sentence printed.
They are no `Exception`: code that copes with errors does not swallow them.

A command that runs for more than `PATIENCE` seconds shows on a terminal how long it has been at
work, unless it draws a progress bar of its own; with ``--progress`` it says so line by line
wherever standard error goes.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

PATIENCE = 2.0
LINE_SECONDS = 10.0
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT")
               if hasattr(signal, name))  # fmt: skip

_bars = 0  # progress bars that are being drawn now


class Ended(BaseException):
    """A signal asked the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.status = 128 + number


class TimeIsUp(BaseException):
    """The time limit is over."""


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """Within the block, signals that ask to end raise `Ended` (in the main thread only).

    Some code makes another exception of any that passes it (Python 3.11 one of `__set_name__` a
    RuntimeError); what comes out of the block after a signal is the signal's all the same.
    """
    asked: list[int] = []

    def raised(number: int) -> BaseException:
        return KeyboardInterrupt() if number == signal.SIGINT else Ended(number)

    def end(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        raise raised(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = [n for n in ENDING if signal.getsignal(n) is not signal.SIG_IGN]  # not under nohup
    before = {number: signal.signal(number, end) for number in wanted}
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, end)
    try:
        yield
    except Exception as error:
        if not asked:
            raise
        raise raised(asked[0]) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """`TimeIsUp` in the main thread once the seconds are over; None: no limit."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again, should a callback swallow it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def bar_is_drawn() -> Iterator[None]:
    """Within the block a progress bar is a sign of life enough."""
    global _bars
    _bars += 1
    try:
        yield
    finally:
        _bars -= 1


@contextlib.contextmanager
def sign_of_life(command: str, lines: bool = False) -> Iterator[None]:
    """Say how long the command has been at work, on a terminal or (``lines``) line by line."""
    terminal = sys.stderr.isatty()
    if not (terminal or lines):
        yield
        return
    over, started = threading.Event(), time.monotonic()

    def watch() -> None:
        wait, shown = PATIENCE, False
        while not over.wait(wait):
            seconds = time.monotonic() - started
            if lines:
                print(f"solvable {command}: at work for {seconds:.0f} s", file=sys.stderr)
            elif not _bars:
                print(f"\rsolvable {command}: {seconds:.0f} s", end="", file=sys.stderr)
                shown = True
            wait = LINE_SECONDS if lines else 1.0
        if shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def add_options(parser: argparse.ArgumentParser) -> None:
    """--time-limit and --progress, which every command has."""
    from . import options as types

    parser.add_argument("--time-limit", type=types.seconds, metavar="SECONDS",
                        help="stop with a message after so long")  # fmt: skip
    parser.add_argument("--progress", action="store_true",
                        help="say on standard error, line by line, that work goes on")  # fmt: skip


@contextlib.contextmanager
def bounded(arguments: argparse.Namespace) -> Iterator[None]:
    """All of the above, as the options of a command ask for."""
    with time_limit(arguments.time_limit), sign_of_life(arguments.command, arguments.progress):
        yield


def resume_hint(arguments: argparse.Namespace) -> str:
    """How to go on after an interrupt."""
    store = getattr(arguments, "store", None)
    if store is None:
        return ""
    return f"; finished cells are in {store}: the same command resumes"
