r"""What a simulation will need in memory, known before it starts.

Counted are the arrays that live at the same time at the peak: while streaming, the sums over modes
and the tiles in flight; while scoring, the moments in float64, the factors of φ and the products
with them. A cell that does not fit is refused, with the number.
"""

from __future__ import annotations

from dataclasses import replace

from solvable.analytic.errors import InputError
from solvable.analytic.training.learners import OnePassSGD, RidgeRegression

from .cells import Cell
from .entry_laws import TILE

#: What the interpreter and its libraries hold, in bytes.
BASE = 150 * 2**20
#: Where Linux says what this machine, and this control group, may still use.
MEMINFO = "/proc/meminfo"
CGROUP = "/sys/fs/cgroup"


def peak_bytes(cell: Cell, *, threads: int = 1) -> int:
    """Estimate of the peak resident memory of one repetition of the cell, in bytes."""
    if not cell.learner.fresh:
        return BASE + max(streaming_bytes(cell, threads=threads), scoring_bytes(cell))
    steps = int(max(1, *cell.at))
    batch = cell.learner.largest_batch(steps) if isinstance(cell.learner, OnePassSGD) else 1
    if cell.data_law.name == "gaussian":  # Γ, its eigenvectors, its root, and a tile
        width = cell.weights + cell.explicit_targets
        return BASE + 8 * (5 * width**2 + 2 * TILE * width + 2 * width * batch)
    samples = steps * batch
    run = replace(cell, samples=samples, learner=RidgeRegression())
    return BASE + streaming_bytes(run, threads=threads)


def streaming_bytes(cell: Cell, *, threads: int = 1) -> int:
    """The sums of `validation.ensembles.accumulate`, with the tiles that are drawn ahead."""
    rows, columns = cell.feature_draws * cell.features, cell.data_draws * cell.samples
    width = columns if cell.targets == "average" else cell.explicit_targets
    sums = rows * columns + rows**2 + (rows + columns) * width
    tiles = (3 if threads > 1 else 1) * 2 * TILE * (rows + columns)
    wide = cell.dtype == "float64"
    return (8 if wide else 4) * (sums + tiles) + (0 if wide else 8 * sums)


def scoring_bytes(cell: Cell) -> int:
    """Moments, factors and quadratic forms of `validation.training.score`."""
    rows, columns = cell.feature_draws * cell.features, cell.data_draws * cell.samples
    members = cell.feature_draws * cell.data_draws
    rank = members * min(cell.features, cell.samples)
    moments = 2 * rows * columns + rows**2 + columns**2
    factors = rank * (cell.features + cell.samples + columns) + 4 * cell.features * cell.samples
    return 8 * (moments + factors + 7 * rank**2)


def available_bytes() -> int | None:
    """Memory that is free or can be freed for this process, in bytes; None where not known."""
    limits = []
    try:
        with open(MEMINFO) as lines:
            fields = dict(line.split(":", 1) for line in lines)
        limits.append(int(fields["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError):
        pass
    try:
        with open(f"{CGROUP}/memory.max") as most, open(f"{CGROUP}/memory.current") as now:
            limits.append(max(int(most.read()) - int(now.read()), 0))
    except (OSError, ValueError):  # no such group, or its limit is "max"
        pass
    return min(limits, default=None)


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
