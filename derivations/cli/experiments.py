"""What `solvable check` and `solvable figure` share: options, workers, the store, one sweep."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from solvable.analytic.arguments import meant
from solvable.analytic.errors import InputError
from solvable.validation.executors import (
    SerialExecutor,
    affordable_workers,
    dask_cluster,
    process_pool,
    worker_count,
)
from solvable.validation.experiments import catalogue as experiments
from solvable.validation.experiments.evaluate import Evidence, evaluate, is_repetition
from solvable.validation.progress import progress_bar
from solvable.validation.store import Store
from solvable.validation.sweep import Function, SweepResult, sweep

from . import bounds
from . import options as types

#: options of experiments alone
OWN = ("seeds", "size", "thorough", "root_seed", "store")
#: modules whose code decides the simulated numbers; a store belongs to one state of them
SIMULATION = (
    "solvable.analytic.spectrum", "solvable.validation.cells", "solvable.validation.ensembles",
    "solvable.validation.entry_laws", "solvable.analytic.training.learners",
    "solvable.analytic.training.training_rule", "solvable.analytic.training.stochastic_rules",
    "solvable.validation.replicas", "solvable.validation.stochastic",
    "solvable.validation.training", "solvable.validation.typical",
    "solvable.validation.experiments.spectra",
)  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of everything that simulates."""
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="what to do (see: solvable check --list)")
    add("--all", action="store_true", help="everything")
    add("--seeds", type=types.several, metavar="K", help="of experiments: repetitions of the "
        "larger cells")  # fmt: skip
    add("--size", type=types.positive, metavar="S", help="of experiments: scale of N, T and M; 1 "
        "is the source's")  # fmt: skip
    add("--thorough", action="store_true", help="of experiments: sizes of the source, narrow "
        "intervals, long runs")  # fmt: skip
    add("--root-seed", type=types.count_from_zero, metavar="R", help="of experiments: integer that "
        "all random numbers derive from (default: 0)")  # fmt: skip
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=types.count, metavar="W",
                       help="processes (default: one for each core)")  # fmt: skip
    where.add_argument("--dask", metavar="ADDRESS", help="scheduler of a dask cluster")
    add("--store", metavar="FILE", help="keep finished cells of experiments here, and resume "
        "from it")  # fmt: skip


def no_choice(arguments: argparse.Namespace, option: str) -> None:
    """`InputError` where what to do, or how, is chosen beside ``option``, which does nothing."""
    if arguments.names:
        raise InputError("NAME", " ".join(arguments.names), f"nothing with {option}")
    types.unused(arguments, option, *OWN, "all", "workers", "dask", "report")


def chosen(arguments: argparse.Namespace, available: Sequence[str]) -> list[str]:
    """The names asked for, each of which must be available."""
    if arguments.all == bool(arguments.names):
        raise InputError("NAME", " ".join(arguments.names) or None, "one or more names, or --all")
    for name in arguments.names:
        if name not in available:
            hint = meant(name, available)
            raise InputError("NAME", name, f"a name that `solvable check --list` prints{hint}")
    return list(available) if arguments.all else list(dict.fromkeys(arguments.names))


def identity(arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """What the cells of a store belong to."""
    import numpy

    try:
        program = version("solvable")
    except PackageNotFoundError:
        program = "not installed"
    code = hashlib.sha256()
    for module in SIMULATION:
        found = importlib.util.find_spec(module)
        if found is not None and found.origin:
            code.update(Path(found.origin).read_bytes())
    return {
        "experiment": "--all" if arguments.all else " ".join(sorted(names)),
        "root_seed": arguments.root_seed or 0, "solvable": program,
        "simulation": code.hexdigest()[:16], "numpy": numpy.__version__,
    }  # fmt: skip


@contextlib.contextmanager
def workers(arguments: argparse.Namespace, alone: bool = False) -> Iterator[Executor]:
    """The executor that the options ask for; ``alone``: one task, for which no pool is started."""
    if arguments.dask is not None:
        with dask_cluster(arguments.dask) as executor:
            yield executor
    elif alone and arguments.workers is None:
        yield SerialExecutor()
    else:
        number, said = affordable_workers(arguments.workers)
        if said:
            print(f"--workers: {said}", file=sys.stderr)
        with process_pool(number) as executor:
            yield executor


@contextlib.contextmanager
def opened_store(arguments: argparse.Namespace, names: Sequence[str]) -> Iterator[Store | None]:
    """The store, or None; says on standard error what had to be repaired."""
    if arguments.store is None or not names:
        yield None
        return
    with Store(arguments.store, identity(arguments, names)) as store:
        for message in store.messages:
            print(message, file=sys.stderr)
        if len(store):
            print(f"{store.path}: {len(store)} finished cells", file=sys.stderr)
        yield store


def experiment_runner(
    arguments: argparse.Namespace, executor: Executor, store: Store | None
) -> Callable[[str], Evidence]:
    """A function that runs one experiment by name."""
    local = 0 if arguments.dask is not None else worker_count(executor)

    def run(name: str) -> Evidence:
        with bounds.bar_is_drawn(), progress_bar(name) as progress:

            def simulate(
                function: Function, cells: Sequence[Any], seeds: Sequence[int]
            ) -> SweepResult:
                return sweep(
                    function, cells, seeds, root_seed=arguments.root_seed or 0, executor=executor,
                    store=store, progress=progress, valid=is_repetition,
                )  # fmt: skip

            return evaluate(
                experiments()[name], simulate,
                scale=None if arguments.size is None else float(arguments.size),
                seeds=arguments.seeds, thorough=arguments.thorough,
                root_seed=arguments.root_seed or 0, workers=local,
            )  # fmt: skip

    return run
