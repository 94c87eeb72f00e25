"""Run a grid of cells, each for several seeds, on any executor, losing nothing.

A *cell* is one point of an experiment's grid: a `validation.cells.Cell`, or any dataclass or
mapping of plain parameters. A *task* is one cell with one seed index, and is what is computed,
stored and resumed:

    value = function(cell, seed),   seed = SeedSequence(root, spawn_key = (digest of cell, index)).

The seed depends on what the cell *is* and not on its place in the grid, on the number of workers,
or on the order in which tasks finish. So the numbers are the same on one worker and on many; a
grid that is extended, or given more seeds, keeps the numbers that it had.

Tasks are submitted as a stream: twice as many batches as workers are in flight, which keeps
every worker busy while the parent stores what has come back. A batch is one task, or as many
as fill `BATCH_SECONDS` when tasks are shorter than that. A task that raises is reported with its
reason and the others go on. When a worker dies, the tasks that were in flight are suspects: they
run again when all others are done, one at a time, and the one that loses its worker again failed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import queue
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Executor
from typing import Any

import numpy as np

from solvable.analytic.arguments import count
from solvable.analytic.errors import InputError, SolvableError

from .executors import SerialExecutor, limit_this_worker, one_blas_thread, worker_count
from .store import Store

BATCH_SECONDS = 0.04
POLL_SECONDS = 1.0  # between two questions whether the executor is well

Function = Callable[[Any, np.random.SeedSequence], Any]


class SweepError(SolvableError):
    """The executor itself gave up; what was finished is in the store."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """A task that gave no value: index of its cell, seed index, and why."""

    cell: int
    seed: int
    reason: str


@dataclasses.dataclass(frozen=True)
class Status:
    """Where a running sweep stands: tasks done (failed ones included), in total, failures."""

    done: int
    total: int
    failures: tuple[Failure, ...]


@dataclasses.dataclass(frozen=True)
class SweepResult:
    """``values[i][k]``: value of cell i with seed index k, None where it failed.

    ``computed`` and ``resumed`` count the tasks that were run now and found in the store.
    """

    values: list[list[Any]]
    failures: tuple[Failure, ...]
    computed: int
    resumed: int
    seconds: float

    def finished(self, cell: int) -> list[Any]:
        """The values of one cell, over the seeds that gave one."""
        return [value for value in self.values[cell] if value is not None]


@dataclasses.dataclass
class _Task:
    cell: int
    seed: int
    key: str
    sequence: np.random.SeedSequence
    suspect: bool = False  # it was with a worker that died


def plain(value: Any) -> Any:
    """The JSON form of a value: numpy arrays as lists, dataclasses as mappings with their type.

    A value read back from a store is equal to the one that was computed, bit for bit.

    >>> plain({"N": np.int64(3), "loss": np.array([0.5, 0.25]), "M": math.inf})
    {'N': 3, 'loss': [0.5, 0.25], 'M': inf}
    """
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    raise InputError("cell", repr(value), "plain numbers, texts, arrays, mappings, dataclasses")


def digest(cell: Any) -> str:
    """Name of a cell, 32 hexadecimal digits: its own ``key``, or a hash of its plain form."""
    key = getattr(cell, "key", None)
    if isinstance(key, str):
        return key
    text = json.dumps(plain(cell), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def task_key(function: Function, cell: Any, index: int) -> str:
    """Name under which a task is stored: what is computed, of which cell, with which seed."""
    name = getattr(function, "__qualname__", type(function).__name__)
    return f"{function.__module__}.{name}/{digest(cell)}/{index}"


def seed_sequence(root: int, cell: Any, index: int) -> np.random.SeedSequence:
    """The seed of one task, spawned from the root seed for this cell and this seed index."""
    name = digest(cell)
    words = [int(name[i : i + 8], 16) for i in range(0, len(name), 8)]
    return np.random.SeedSequence(root, spawn_key=(*words, index))


def run_batch(
    function: Function, batch: Sequence[tuple[Any, np.random.SeedSequence]]
) -> list[tuple[Any, str | None, float]]:
    """In a worker: (value, reason of failure, seconds) of each task of the batch."""
    limit_this_worker()
    outcomes: list[tuple[Any, str | None, float]] = []
    for cell, sequence in batch:
        start = time.perf_counter()
        try:
            value, reason = plain(function(cell, sequence)), None
            if value is None:
                reason = "returned nothing"
        except Exception as error:
            value, reason = None, explain(error)
        outcomes.append((value, reason, time.perf_counter() - start))
    return outcomes


def explain(error: BaseException) -> str:
    """One line that says what was raised and where.

    >>> explain(ValueError("no"))
    'ValueError: no'
    """
    text = " ".join("".join(traceback.format_exception_only(error)).split())
    frames = traceback.extract_tb(error.__traceback__)
    return f"{text} (in {frames[-1].name}, line {frames[-1].lineno})" if frames else text


class _Run:
    """One sweep in progress: what waits, what is in flight, what has come back."""

    def __init__(self, function: Function, cells: Sequence[Any], executor: Executor) -> None:
        self.function, self.cells, self.executor = function, cells, executor
        self.workers = worker_count(executor)
        self.window = 1 if isinstance(executor, SerialExecutor) else 2 * self.workers
        self.waiting: deque[_Task] = deque()
        self.suspects: deque[_Task] = deque()
        self.in_flight: dict[Any, list[_Task]] = {}
        self.arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.seconds = math.nan  # running mean of the time of one task

    def enqueue(
        self, repeats: Sequence[int], root_seed: int, known: Mapping[str, Any]
    ) -> list[list[Any]]:
        """The values in ``known``, by cell and seed; the other tasks wait."""
        values: list[list[Any]] = [[None] * repeat for repeat in repeats]
        for i, cell in enumerate(self.cells):
            for k in range(repeats[i]):
                key = task_key(self.function, cell, k)
                if key in known:
                    values[i][k] = known[key]
                else:
                    self.waiting.append(_Task(i, k, key, seed_sequence(root_seed, cell, k)))
        return values

    def batch_size(self) -> int:
        """As many tasks as fill `BATCH_SECONDS`, but leave some for the other workers."""
        if math.isnan(self.seconds) or self.window == 1:
            return 1
        fair = max(len(self.waiting) // (2 * self.workers), 1)
        return max(1, min(fair, int(BATCH_SECONDS / max(self.seconds, 1e-6))))

    def fill(self) -> None:
        """Submit batches until the window is full; suspects at the end, one at a time."""
        while self.waiting and len(self.in_flight) < self.window:
            size = min(self.batch_size(), len(self.waiting))
            self.submit([self.waiting.popleft() for _ in range(size)])
        if self.suspects and not self.in_flight:
            self.submit([self.suspects.popleft()])

    def submit(self, batch: list[_Task]) -> None:
        """Hand a batch to the executor."""
        work = [(self.cells[task.cell], task.sequence) for task in batch]
        try:
            future = self.executor.submit(run_batch, self.function, work)
        except (RuntimeError, OSError) as error:  # shut down, broken, or no process can start
            left = len(self.waiting) + len(self.suspects) + len(batch)
            raise SweepError(
                f"the executor takes no more work ({explain(error)}); {left} cells remain"
            ) from error
        self.in_flight[future] = batch
        future.add_done_callback(self.arrived.put)

    def outcomes(self) -> Iterator[tuple[_Task, Any, str | None, float]]:
        """(task, value, reason of failure, seconds) of each task, as they finish."""
        self.fill()
        while self.in_flight:
            future = self.next_arrival()
            batch = self.in_flight.pop(future)
            try:
                results = future.result()
            except (Exception, CancelledError) as error:  # the worker, not the task
                if reason := getattr(self.executor, "trouble", lambda: None)():
                    raise SweepError(reason) from error
                results = []
                if batch[0].suspect:
                    yield batch[0], None, f"its worker was lost: {explain(error)}", 0.0
                else:
                    self.suspects.extend(batch)
                    for task in batch:
                        task.suspect = True
            for task, (value, reason, seconds) in zip(batch, results, strict=False):
                if math.isnan(self.seconds):
                    self.seconds = seconds
                self.seconds += 0.1 * (seconds - self.seconds)
                yield task, value, reason, seconds
            self.fill()

    def next_arrival(self) -> Any:
        """The next future that is done; `SweepError` where the executor expects no more."""
        trouble = getattr(self.executor, "trouble", lambda: None)
        while True:
            try:
                return self.arrived.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if reason := trouble():
                    left = len(self.waiting) + len(self.suspects) + len(self.in_flight)
                    raise SweepError(f"{reason}; {left} batches of cells remain") from None

    def cancel(self) -> None:
        """Drop what has not begun."""
        self.waiting.clear()
        self.suspects.clear()
        for future in self.in_flight:
            future.cancel()


def sweep(
    function: Function, cells: Sequence[Any], seeds: int | Sequence[int] = 1, *,
    root_seed: int = 0, executor: Executor | None = None, store: Store | None = None,
    progress: Callable[[Status], None] | None = None,
    valid: Callable[[Any], bool] = lambda value: True,
) -> SweepResult:  # fmt: skip
    """``function(cell, SeedSequence)`` for every cell and seed index 0, …, seeds − 1.

    Parameters
    ----------
    function : module-level function (it is pickled), returning numbers, arrays or mappings of
        them; see `plain` for what is kept of them.
    cells : dataclasses or mappings of plain parameters; equal cells give equal numbers.
    seeds : how many seed indices, for all cells or for each.
    root_seed : integer ≥ 0 that all seeds derive from.
    executor : `concurrent.futures.Executor` or like it; None runs in this process.
    store : finished tasks are read from it and appended to it.
    progress : called with a `Status` after every task.
    valid : whether a value of the store can be one of ``function``; if not it is computed again.

    A failing task never stops the sweep; a `StoreError` does, as does an interrupt: what was
    finished is in the store. Numbers are identical on every executor.

    >>> draw = sweep(_example, [{"scale": 1.0}, {"scale": 2.0}], seeds=2).values
    >>> draw[1][0] == sweep(_example, [{"scale": 2.0}], seeds=1).values[0][0]
    True
    """
    started = time.perf_counter()
    root_seed = count("root_seed", root_seed, at_least=0)
    given = list(seeds) if isinstance(seeds, Sequence) else [seeds] * len(cells)
    repeats = [count("seeds", repeat) for repeat in given]
    if len(repeats) != len(cells):
        allowed = f"one number, or one for each of {len(cells)} cells"
        raise InputError("seeds", len(repeats), allowed)
    run = _Run(function, cells, executor or SerialExecutor())
    stored = {} if store is None else store.results
    known = {key: value for key, value in stored.items() if valid(value)}
    values = run.enqueue(repeats, root_seed, known)
    total, resumed = sum(repeats), sum(repeats) - len(run.waiting)
    done = resumed
    failures: list[Failure] = []
    try:
        with one_blas_thread():
            for task, value, reason, seconds in run.outcomes():
                done += 1
                if reason is None:
                    values[task.cell][task.seed] = value
                    if store is not None:
                        store.append(task.key, value, seconds=round(seconds, 6))
                else:
                    failures.append(Failure(task.cell, task.seed, reason))
                if progress is not None:
                    progress(Status(done, total, tuple(failures)))
    finally:
        run.cancel()
    failures.sort(key=lambda failure: (failure.cell, failure.seed))
    elapsed = time.perf_counter() - started
    return SweepResult(values, tuple(failures), done - resumed, resumed, elapsed)


def _example(cell: Mapping[str, float], seed: np.random.SeedSequence) -> float:
    return float(cell["scale"] * np.random.default_rng(seed).standard_normal())
