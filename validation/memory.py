r"""What a simulation will need in memory, known before it starts.

Counted are the arrays that live at the same time at the peak: while streaming, the moments and
the tiles in flight; while scoring, the moments in float64, the factors of φ and the products
with them. A cell that does not fit is refused, with the number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytic.errors import InputError

if TYPE_CHECKING:
    from .cells import Cell

#: What the interpreter and its libraries hold, in bytes.
BASE = 150 * 2**20


def peak_bytes(cell: Cell, *, threads: int = 1) -> int:
    """Estimate of the peak resident memory of one repetition of the cell, in bytes."""
    from .ensembles import TILE

    rows, columns = cell.feature_draws * cell.features, cell.data_draws * cell.samples
    real = 8 if cell.dtype == "float64" else 4
    moments = 2 * rows * columns + rows**2 + columns**2
    tiles = (3 if threads > 1 else 1) * 2 * TILE * (rows + columns)
    streaming = real * (moments + tiles)
    members = cell.feature_draws * cell.data_draws
    rank = members * min(cell.features, cell.samples)
    factors = 2 * rank * (cell.features + cell.samples) + 4 * cell.features * cell.samples
    scoring = 8 * (moments + factors + 5 * rank**2)
    return BASE + max(streaming, scoring)


def available_bytes() -> int | None:
    """Physical memory that is free or can be freed, in bytes; None where it is not known."""
    try:
        with open("/proc/meminfo") as lines:
            fields = dict(line.split(":", 1) for line in lines)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def check_memory(cell: Cell, *, threads: int = 1, limit: int | None = None) -> int:
    """The estimate, or an `InputError` with the number when it exceeds ``limit`` bytes.

    The limit is the memory available on this machine when it is not given.
    """
    needed = peak_bytes(cell, threads=threads)
    limit = available_bytes() if limit is None else limit
    if limit is not None and needed > limit:
        sizes = f"features {cell.features}, samples {cell.samples}"
        if cell.feature_draws * cell.data_draws > 1:
            sizes += f", {cell.feature_draws} × {cell.data_draws} draws"
        allowed = f"sizes that need at most {limit / 2**30:.2f} GiB, not {needed / 2**30:.2f} GiB"
        raise InputError("size", f"({sizes})", allowed)
    return needed
