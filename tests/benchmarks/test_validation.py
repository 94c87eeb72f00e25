"""What a streamed realisation costs beside the matrix products it must do, and its memory.

The bare products are the same BLAS calls on tiles that were drawn before the clock started.
Ratios are of wall-clock times measured in one run, and of processor times, which do not depend
on what else runs. Run with ``-s`` to see them.
"""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from solvable.analytic.spectrum import PowerLaw
from solvable.validation.cells import Cell
from solvable.validation.ensembles import TileSum, bare_flops, moments
from solvable.validation.entry_laws import TILE, EntryLaw
from solvable.validation.memory import peak_bytes
from solvable.validation.training import simulate

SIZE = 2000
THREADS = os.cpu_count() or 1


def cell_of(modes, law="gaussian", dtype="float64", targets="average"):
    spectrum = PowerLaw(alpha=0.5, size=modes)
    entries = EntryLaw(law)
    return Cell(spectrum, SIZE, SIZE, targets=targets, feature_law=entries, data_law=entries,
                dtype=dtype)  # fmt: skip


def bare_products(cell, modes):
    """φ, K, C, G (or without the last two) over the same number of tiles, drawn beforehand."""
    rng = np.random.default_rng(0)
    u, g = (rng.standard_normal((TILE, SIZE)).astype(cell.dtype) for _ in range(2))
    sums = [TileSum(SIZE, SIZE, cell.dtype) for _ in range(4)]
    for _ in range(modes // TILE):
        sums[0].add(u, g)
        sums[1].add_square(u)
        if cell.targets == "average":
            sums[2].add(u, g)
            sums[3].add_square(g)


def clocks(function, *arguments, **keywords):
    wall, processor = time.perf_counter(), time.process_time()
    function(*arguments, **keywords)
    return time.perf_counter() - wall, time.process_time() - processor


@pytest.mark.slow
@pytest.mark.parametrize("targets", ["average", "fixed"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("law", ["gaussian", "rademacher"])
def test_time_against_the_bare_products(benchmark, law, dtype, targets):
    modes = 8 * TILE
    cell = cell_of(modes, law, dtype, targets)
    moments(cell_of(TILE, law, dtype, targets), 0)  # libraries are loaded
    bare_products(cell, TILE)
    bare = np.min([clocks(bare_products, cell, modes) for _ in range(2)], axis=0)
    streamed = np.min([clocks(moments, cell, 0, threads=THREADS) for _ in range(2)], axis=0)
    ratios = streamed / bare
    rate = bare_flops(cell) / bare[0] / 1e9
    print(
        f"\n{law} {dtype}, targets {targets}: {ratios[0]:.2f} × the bare products on the clock, "
        f"{ratios[1]:.2f} × in processor time ({rate:.0f} Gflop/s bare)"
    )
    benchmark.extra_info.update(wall_ratio=ratios[0], processor_ratio=ratios[1])
    benchmark.pedantic(moments, (cell, 0), {"threads": THREADS}, rounds=1)


CODE = """
import json, sys, time
from solvable.validation.cells import Cell
from solvable.validation.training import simulate
cell = Cell.from_dict(json.loads(sys.argv[1]))
start, processor = time.perf_counter(), time.process_time()
values = simulate(cell, 0, threads=int(sys.argv[2]))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "peak": 1024 * int(status["VmHWM"].split()[0]),  # ru_maxrss keeps the parent's peak over exec
    "wall": time.perf_counter() - start, "processor": time.process_time() - processor,
    "values": values,
}))
"""


def in_a_process(cell):
    command = [sys.executable, "-c", CODE, json.dumps(cell.to_dict()), str(THREADS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_peak_memory_is_estimated_and_does_not_grow_with_the_modes(benchmark):
    """Draw, factorise and score at N = T = 2000; few modes, since memory does not depend on M."""
    peaks = {}
    for modes in (8 * TILE, 32 * TILE):
        cell = cell_of(modes)
        peaks[modes] = in_a_process(cell)["peak"] / 2**30
        estimate = peak_bytes(cell, threads=THREADS) / 2**30
        print(f"\nM = {modes}: peak {peaks[modes]:.2f} GiB, estimated {estimate:.2f} GiB")
        assert peaks[modes] < 1.5
        assert 0.5 < peaks[modes] / estimate < 1.1
    assert peaks[32 * TILE] < 1.1 * peaks[8 * TILE]
    benchmark.extra_info.update({f"peak_gib_{modes}": peak for modes, peak in peaks.items()})
    benchmark.pedantic(lambda: None, rounds=1)


@pytest.mark.slow
@pytest.mark.skipif("SOLVABLE_THOROUGH" not in os.environ, reason="minutes: SOLVABLE_THOROUGH=1")
def test_a_million_modes(benchmark):
    """N = T = 2000, M = 10⁶, Gaussian, float64: memory, and time against the bare products."""
    cell = cell_of(10**6)
    bare_products(cell, TILE)
    bare = np.array(clocks(bare_products, cell, 16 * TILE)) * 10**6 / (16 * TILE)
    found = in_a_process(cell)
    ratios = np.array([found["wall"], found["processor"]]) / bare
    peak = found["peak"] / 2**30
    print(
        f"\nM = 10⁶: {found['wall']:.0f} s, {ratios[0]:.2f} × the bare products on the clock, "
        f"{ratios[1]:.2f} × in processor time, peak {peak:.2f} GiB"
    )
    assert peak < 1.5
    benchmark.extra_info.update(
        wall_ratio=ratios[0], processor_ratio=ratios[1], peak_gib=peak, **found["values"]
    )
    benchmark.pedantic(lambda: None, rounds=1)


def test_many_ridges_cost_little_more_than_one(benchmark):
    """All ridges come from one factorisation."""
    spectrum = PowerLaw(alpha=0.5, size=4 * TILE)
    one, many = (
        Cell(spectrum, 150, 300, at=tuple(np.geomspace(1e-3, 1e3, count))) for count in (1, 100)
    )
    simulate(one, 0)
    seconds = [min(clocks(simulate, cell, 0)[1] for _ in range(5)) for cell in (one, many)]
    ratio = seconds[1] / seconds[0]
    print(f"\n100 ridges take {ratio:.2f} × the time of one")
    benchmark.extra_info["ratio"] = ratio
    benchmark.pedantic(simulate, (many, 0), rounds=3)
