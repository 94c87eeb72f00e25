"""What `import solvable` adds to `import sympy`, in fresh processes."""

import statistics
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow
REPEATS = 7


def seconds(statement: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def test_import(benchmark, capsys):
    rounds = [
        (seconds("pass"), seconds("import sympy"), seconds("import sympy, solvable"))
        for _ in range(REPEATS)
    ]
    bare, sympy, both = map(statistics.median, zip(*rounds))
    benchmark.extra_info["ratio"] = (both - sympy) / (sympy - bare)
    benchmark.pedantic(seconds, ("import solvable",), rounds=3)
    with capsys.disabled():
        print(f"\nimport solvable adds {benchmark.extra_info['ratio']:.3f} of what sympy costs")
