"""What commands print: aligned tables, JSON, decimal strings, and a progress bar on stderr."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import mpmath
import numpy as np

from . import bounds

FLOAT_DIGITS = 15


def decimal(value: Any, digits: int = FLOAT_DIGITS) -> str:
    """The value with ``digits`` significant digits.

    >>> decimal(mpmath.mpf(1) / 3, 5)
    '0.33333'
    """
    with mpmath.workdps(digits + 5):
        number = mpmath.mpmathify(value)
        if mpmath.isinf(number):
            return "inf" if number > 0 else "-inf"
        return mpmath.nstr(number, digits, strip_zeros=False, min_fixed=-4, max_fixed=digits)


def json_number(value: Any, digits: int = FLOAT_DIGITS) -> Any:
    """A JSON value: a number up to 15 digits, a decimal string beyond; "inf" for infinity."""
    if isinstance(value, np.ndarray | list | tuple):
        return [json_number(x, digits) for x in value]
    if digits > FLOAT_DIGITS or mpmath.isinf(mpmath.mpmathify(value)):
        return decimal(value, digits)
    return float(value)


def print_json(data: Any) -> None:
    """Print strictly valid JSON."""
    print(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None
) -> None:
    """Print an aligned table; numbers are set flush right."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold", pad_edge=False)
    for index, column in enumerate(columns):
        numeric = rows and all(_looks_numeric(row[index]) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_escape(str(cell)) for cell in row))
    console().print(table)


def paragraph(text: str, indent: int = 0, width: int = 80) -> str:
    """The text in lines that are no longer than ``width``; numbers and relations stay whole.

    >>> print(paragraph("all of it inside, widest interval ± 2.1 % ≤ 5.0 %", indent=2, width=34))
      all of it inside, widest
      interval ± 2.1 % ≤ 5.0 %
    """
    whole = r" (?=[%≤<>=±])|(?<=[≤<>=±]) |(?<=,) (?=[^\[\]]*\])|(?<=χ²) |(?<=z\|) "
    kept = re.sub(whole, "\N{NO-BREAK SPACE}", text)
    filled = textwrap.fill(
        kept, width, initial_indent=" " * indent, subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return filled.replace("\N{NO-BREAK SPACE}", " ")


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _looks_numeric(cell: Any) -> bool:
    try:
        float(str(cell).split(" ")[0])
    except ValueError:
        return False
    return True


def console(stderr: bool = False) -> Any:
    """A rich console; without a terminal it is wide enough not to fold tables."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 140, highlight=False)


@contextmanager
def progress(description: str, total: int) -> Iterator[Any]:
    """A progress bar on standard error: call the value that is yielded once per unit of work.

    Called with a text it also changes the description. Silent without a terminal.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
    )  # fmt: skip
    with bounds.bar_is_drawn(), bar:
        task = bar.add_task(description, total=total)

        def advance(text: str | None = None, by: int = 1) -> None:
            bar.update(task, advance=by, description=_escape(text) if text else None)

        yield advance
