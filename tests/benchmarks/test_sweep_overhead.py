"""What a sweep costs beside its cells, and what a second worker brings. Ratios are printed."""

import time

import numpy as np
import pytest

from solvable.validation.executors import process_pool
from solvable.validation.store import Store
from solvable.validation.sweep import sweep

CELL_SECONDS = 0.05
CELLS = [{"k": k} for k in range(80)]


def busy(cell, seed):
    """Work for 50 ms of processor time, whatever else runs."""
    start, total = time.process_time(), 0.0
    generator = np.random.default_rng(seed)
    while time.process_time() - start < CELL_SECONDS:
        total += float(generator.standard_normal(1000).sum())
    return total


def waiting(cell, seed):
    time.sleep(CELL_SECONDS)
    return cell["k"]


def timed(function, path, executor):
    start = time.perf_counter()
    with Store(path, {"experiment": "benchmark"}) as store:
        sweep(function, CELLS, executor=executor, store=store)
    return time.perf_counter() - start


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_overhead_for_cells_of_50_ms(benchmark, tmp_path, workers):
    """Cells that wait: everything above cells × 50 ms / workers is scheduling and storing."""
    with process_pool(workers) as pool:
        sweep(waiting, CELLS[: 2 * workers], executor=pool)  # workers have started
        seconds = benchmark.pedantic(timed, (waiting, tmp_path / "store", pool), rounds=1)
    overhead = seconds / (len(CELLS) * CELL_SECONDS / workers) - 1
    print(f"\n{workers} workers: {100 * overhead:.2f} % above the cells themselves")
    benchmark.extra_info["overhead"] = overhead


@pytest.mark.slow
def test_two_workers_against_one(benchmark, tmp_path):
    seconds = {}
    for workers in (1, 2):
        with process_pool(workers) as pool:
            sweep(busy, CELLS[: 2 * workers], executor=pool)
            seconds[workers] = timed(busy, tmp_path / f"store{workers}", pool)
    ratio = seconds[1] / seconds[2]
    print(f"\ntwo workers are {ratio:.2f} times as fast as one")
    benchmark.extra_info["ratio"] = ratio
    benchmark.pedantic(lambda: None, rounds=1)


def test_time_to_store_one_cell(benchmark, tmp_path):
    value = {"loss": list(np.linspace(0, 1, 20))}
    with Store(tmp_path / "store", {"experiment": "benchmark"}) as store:
        numbers = iter(range(10**9))
        benchmark(lambda: store.append(f"cell/{next(numbers)}", value))
