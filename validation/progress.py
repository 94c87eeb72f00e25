"""A progress bar for sweeps: cells done, time left, cells failed and why (on standard error)."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from .sweep import Status

REFRESHES_PER_SECOND = 2  # drawing takes time from the workers


@contextlib.contextmanager
def progress_bar(title: str, show: bool | None = None) -> Iterator[Callable[[Status], None]]:
    """A function to give to `sweep` as ``progress``, drawing a bar while the block runs.

    Each failed cell is printed above the bar with its reason. With ``show`` None the bar is drawn
    only when standard error is a terminal; failures are printed in any case.
    """
    show = sys.stderr.isatty() if show is None else show
    if not show:
        yield _Failures(lambda text: print(text, file=sys.stderr))
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cells"),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        TextColumn("{task.fields[failed]}"),
    )
    bar = Progress(
        *columns,
        console=Console(stderr=True),
        refresh_per_second=REFRESHES_PER_SECOND,
        transient=True,
    )
    with bar:
        task = bar.add_task(title, total=None, failed="")
        failures = _Failures(lambda text: bar.console.print(text, markup=False, highlight=False))

        def show_status(status: Status) -> None:
            failures(status)
            failed = f"[red]{len(status.failures)} failed" if status.failures else ""
            bar.update(task, completed=status.done, total=status.total, failed=failed)

        yield show_status


class _Failures:
    """Prints each failure once."""

    def __init__(self, write: Callable[[str], Any]) -> None:
        self.write, self.printed = write, 0

    def __call__(self, status: Status) -> None:
        for failure in status.failures[self.printed :]:
            self.write(f"cell {failure.cell}, seed {failure.seed} failed: {failure.reason}")
        self.printed = len(status.failures)
