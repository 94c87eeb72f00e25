"""The static loss against direct evaluation of the same sums, as ratios inside one run."""

import time

import mpmath
import numpy as np
import pytest

from solvable.analytic.loss import static_loss
from solvable.analytic.spectrum import Empirical, PowerLaw

pytestmark = pytest.mark.slow
MODES, ALPHA = 2000, 0.5


def seconds(call, rounds=3):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return sorted(times)[rounds // 2]


def report(benchmark, capsys, what, ratio, detail):
    benchmark.extra_info["ratio"] = ratio
    with capsys.disabled():
        print(f"\n{what}: {ratio:.3g} ({detail})")


def test_grid_against_plain_numpy_sums(benchmark, capsys):
    """The grid once by power sums, once with every sum added up in numpy (same solver)."""
    sizes = np.unique(np.logspace(0.7, 3, 140).astype(int))[:100]
    n, t = sizes[:, None], sizes[None, :]
    law = PowerLaw(ALPHA, size=MODES)
    plain = Empirical(law.eigenvalues())
    benchmark.pedantic(static_loss, (law, n, t), {"ridge": 1e-3}, rounds=3)
    fast = seconds(lambda: static_loss(law, n, t, ridge=1e-3))
    slow = seconds(lambda: static_loss(plain, n, t, ridge=1e-3), 1)
    ours, direct = (static_loss(s, n, t, ridge=1e-3).excess_loss for s in (law, plain))
    np.testing.assert_allclose(ours, direct, rtol=1e-9)
    detail = f"{slow:.2f} s against {fast:.3f} s for {n.size} × {t.size} pairs, M = {MODES}"
    report(benchmark, capsys, "float64 grid, numpy sums / power sums", slow / fast, detail)


def test_fifty_digits_against_a_plain_mpmath_loop(benchmark, capsys):
    """κ by findroot and the closed form (3), every sum a generator over 2000 modes."""
    n, t = 100, 400

    def loop():
        with mpmath.workdps(55):
            modes = [mpmath.mpf(j) ** (-mpmath.mpf(3) / 2) for j in range(1, MODES + 1)]

            def degrees(k, q):
                return mpmath.fsum((x / (x + k)) ** q for x in modes)

            k = mpmath.exp(mpmath.findroot(lambda u: degrees(mpmath.exp(u), 1) - n, -6))
            d1, d2 = degrees(k, 1), degrees(k, 2)
            return k * n * t * (d1 - d2) / (n * t - d2 * (n + t) + 2 * d1 * d2 - d1**2)

    def ours():
        return static_loss(PowerLaw(mpmath.mpf(1) / 2, size=MODES), n, t, digits=50)

    benchmark(ours)
    fast, slow = seconds(ours), seconds(loop, 1)
    with mpmath.workdps(50):
        assert abs(ours().excess_loss / loop() - 1) < mpmath.mpf(10) ** -48
    detail = f"{slow:.2f} s against {1e3 * fast:.1f} ms, M = {MODES}"
    report(benchmark, capsys, "50 digits, mpmath loop / static_loss", slow / fast, detail)
