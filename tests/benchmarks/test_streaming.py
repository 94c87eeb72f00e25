"""The streaming spectrum of a file: time as a ratio to the bare matrix product, and memory."""

import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.linalg.blas import dsyrk

from solvable.analytic.data import open_samples, sample_spectrum

pytestmark = pytest.mark.slow
ROWS, WIDTH, BLOCK = 100_000, 1000, 10_000

ALONE = """
import sys
from solvable.analytic.data import open_samples, sample_spectrum
spectrum = sample_spectrum(open_samples(sys.argv[1]))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(len(spectrum.eigenvalues), status["VmHWM"].split()[0])  # ru_maxrss keeps the parent's peak
"""


@pytest.fixture
def stored(tmp_path):
    """A float32 file of a power-law spectrum, written in blocks."""
    path, rng = tmp_path / "rows.npy", np.random.default_rng(0)
    scale = np.arange(1, WIDTH + 1, dtype=np.float32) ** -0.75
    file = np.lib.format.open_memmap(path, "w+", np.float32, (ROWS, WIDTH))
    for start in range(0, ROWS, BLOCK):
        file[start : start + BLOCK] = rng.standard_normal((BLOCK, WIDTH), np.float32) * scale
    file.flush()
    del file
    yield path
    path.unlink()


def bare_product(path):
    """Reading, conversion and the symmetric product alone."""
    rows = np.load(path, mmap_mode="r")
    products = np.zeros((WIDTH, WIDTH), order="F")
    for start in range(0, ROWS, 1000):
        block = np.asarray(rows[start : start + 1000], float)
        products = dsyrk(1.0, block.T, beta=1.0, c=products, overwrite_c=1)
    return products


def seconds(call):
    start = time.process_time()
    call()
    return time.process_time() - start


def test_time_and_memory_of_a_streamed_spectrum(stored, benchmark, capsys):
    bare = min(seconds(lambda: bare_product(stored)) for _ in range(2))
    whole = min(seconds(lambda: sample_spectrum(open_samples(stored))) for _ in range(2))
    benchmark.pedantic(lambda: sample_spectrum(open_samples(stored)), rounds=1)
    found = subprocess.run(
        [sys.executable, "-c", ALONE, str(stored)], capture_output=True, text=True, check=True
    ).stdout.split()
    memory = 1024 * int(found[1]) / 1e9
    benchmark.extra_info["ratio"] = whole / bare
    with capsys.disabled():
        print(f"\nstreamed spectrum of {ROWS} × {WIDTH} / bare product: {whole / bare:.3g} "
              f"({whole:.1f} s against {bare:.1f} s of processor), {memory:.2f} GB")  # fmt: skip
    assert int(found[0]) == WIDTH and memory < 1
