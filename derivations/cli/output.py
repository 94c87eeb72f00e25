"""What commands print: aligned tables, JSON, decimal strings, and a progress bar on stderr."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np

from . import bounds

if TYPE_CHECKING:
    from rich.console import Console

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
    """Print an aligned table; numbers are set flush right, and neither they nor words are broken.

    Where they do not fit beside one another, each row becomes a list of names and values.
    """
    from rich.table import Table

    cells, target = [[str(cell) for cell in row] for row in rows], console()
    by_column = list(zip(*cells)) if cells else [() for _ in columns]
    numeric = [bool(cells) and all(map(_looks_numeric, column)) for column in by_column]
    widths = _widths(columns, by_column, numeric, target.width - 3 * len(columns) + 1)
    if widths is None:
        _print_records(columns, cells, title, target.width)
        return
    table = Table(title=title, title_justify="left", header_style="bold", pad_edge=False)
    for name, width, is_number in zip(columns, widths, numeric):
        table.add_column(name, width=width, justify="right" if is_number else "left")
    for row in cells:
        table.add_row(*map(_escape, row))
    target.print(table)


def _widths(
    names: Sequence[str], columns: Sequence[Sequence[str]], numeric: Sequence[bool], room: int
) -> list[int] | None:
    """The widths of columns that fit into ``room`` without breaking a number or a word, if any do.

    >>> _widths(["size", "what it is"], [["1000"], ["a size of the model"]], [True, False], 16)
    [4, 12]
    """
    from rich.cells import cell_len

    def widest(texts: Sequence[str]) -> int:
        return max(map(cell_len, texts), default=1)

    least, most = [], []
    for name, column, is_number in zip(names, columns, numeric):
        words = column if is_number else [word for cell in column for word in cell.split()]
        least.append(widest([*name.split(), *words]))
        most.append(widest([name, *column]))
    if sum(least) > room:
        return None
    for cap in range(max(most), 0, -1):
        found = [min(high, max(low, cap)) for low, high in zip(least, most)]
        if sum(found) <= room:
            return found
    return least


def _print_records(
    columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None, width: int
) -> None:
    """Each row as lines of a name and its value; only texts with spaces go on below."""
    if title:
        print(title)
    label = max(map(len, columns)) + 2
    for index, row in enumerate(rows):
        if index:
            print()
        for name, cell in zip(columns, row):
            print(name.ljust(label) + paragraph(cell, label, width).lstrip())


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


def say(text: str) -> None:
    """Print a sentence, in lines that are no wider than the terminal or COLUMNS says."""
    print(paragraph(text, width=console().width))


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _looks_numeric(cell: Any) -> bool:
    try:
        float(str(cell).split(" ")[0])
    except ValueError:
        return False
    return True


def console(stderr: bool = False) -> Console:
    """A rich console: as wide as the terminal or COLUMNS says, else too wide to fold tables."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            """Leave a closed pipe to the command, which is quiet about it: rich would exit 1."""
            raise

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS", "").isdigit() else 140
    return Plain(file=stream, width=width, highlight=False)


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
