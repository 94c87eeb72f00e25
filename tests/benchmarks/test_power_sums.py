"""What a power sum costs beside adding its terms, and the losses made of such sums.

Ratios of processor times measured in one run; they are printed, and no time is asserted.
"""

import math
import time
import tracemalloc

import mpmath
import numpy as np
import pytest

from solvable.analytic.loss import static_loss
from solvable.analytic.power_sums import power_sum
from solvable.analytic.spectrum import PowerLaw

pytestmark = [pytest.mark.slow, pytest.mark.benchmark(timer=time.process_time)]


def seconds(function, repeat=5):
    """Best processor time of several runs, after one to fill the caches of constants."""
    function()
    times = []
    for _ in range(repeat):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return max(min(times), 1e-9)


def report(benchmark, name, ratio, detail):
    benchmark.extra_info[name] = ratio
    print(f"\n{name}: {ratio:.3g} ({detail})")


def test_fifty_digits_against_an_mpmath_loop(benchmark):
    size = 10**6
    with mpmath.workdps(50):
        kappa, b = mpmath.mpf("1e-6"), mpmath.mpf(3) / 2

        def loop():
            total = mpmath.mpf(0)
            for j in range(1, size + 1):
                total += 1 / (1 + kappa * mpmath.mpf(j) ** b)
            return total

        start = time.process_time()
        direct = loop()
        slow = time.process_time() - start
        value = benchmark(power_sum, 0, b, 1, kappa, size)
        fast = seconds(lambda: power_sum(0, b, 1, kappa, size), 20)
        assert abs(value - direct) < mpmath.mpf(10) ** -40 * value
    detail = f"{slow:.2f} s against {1e3 * fast:.3f} ms"
    report(benchmark, "50-digit D₁ at M = 10⁶, mpmath loop / power sum", slow / fast, detail)


@pytest.mark.parametrize("angle", [0.0, 0.8])
def test_float64_against_numpy_sums(benchmark, angle):
    kappa = np.logspace(-8, 2, 20_000) * (np.exp(1j * math.pi * angle) if angle else 1.0)
    grown = np.arange(1.0, 10**6 + 1) ** 1.5
    values = benchmark(power_sum, 0, 1.5, 1, kappa, 10**6)
    slow = seconds(lambda: (1 / (1 + kappa[0] * grown)).sum())
    fast = seconds(lambda: power_sum(0, 1.5, 1, kappa, 10**6)) / len(kappa)
    np.testing.assert_allclose((1 / (1 + kappa[0] * grown)).sum(), values[0], rtol=1e-12)
    detail = f"{1e3 * slow:.2f} ms against {1e6 * fast:.2f} µs per κ, arg κ = {angle}π"
    report(benchmark, "float64 D₁ at M = 10⁶, numpy sum / power sum", slow / fast, detail)


def test_memory_does_not_grow_with_the_number_of_modes(benchmark):
    kappa = np.logspace(-8, 2, 1000)

    def both(size):
        power_sum(0, 1.5, 1, kappa, size)
        power_sum(0, 1.5, 1, mpmath.mpf("1e-6"), size)

    peaks = {}
    for size in (10**3, 10**6, 10**18, math.inf):
        both(size)
        tracemalloc.start()
        both(size)
        peaks[size] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    benchmark(both, 10**18)
    detail = ", ".join(f"M = {m:.0e}: {p / 2**20:.2f} MiB" for m, p in peaks.items())
    report(benchmark, "peak memory at M = 10¹⁸ / at M = 10³", peaks[10**18] / peaks[10**3], detail)
    assert max(peaks.values()) < 2 * peaks[10**3]


def test_fifty_digit_loss_at_any_size(benchmark):
    alpha, ridge = mpmath.mpf(1) / 2, mpmath.mpf(1) / 2

    def loss(size):
        return static_loss(PowerLaw(alpha, size=size), 100, 400, ridge=ridge, digits=50)

    time_at = {size: seconds(lambda s=size: loss(s)) for size in (10**3, 10**18, math.inf)}
    benchmark(loss, 10**18)
    detail = ", ".join(f"M = {m:.0e}: {1e3 * t:.1f} ms" for m, t in time_at.items())
    ratio = time_at[10**18] / time_at[10**3]
    report(benchmark, "50-digit loss, M = 10¹⁸ / M = 10³", ratio, detail)


class Summed(PowerLaw):
    """A power law whose sums are added term by term in numpy."""

    def resolvent_sum(self, kappa, p, q, target=False):
        modes = self.eigenvalues()
        rows = [(modes**p / (modes + k) ** q).sum() for k in np.ravel(kappa)]
        return np.reshape(rows, np.shape(kappa))[()]

    def eigenvalues(self, start=0, stop=None):
        if not hasattr(self, "_kept"):
            self._kept = super().eigenvalues()
        return self._kept


def test_float64_losses_against_numpy_sums(benchmark):
    sizes = np.logspace(1, 5, 100)
    n, t = sizes[:, None], 1.03 * sizes
    exact, summed = PowerLaw(0.5), Summed(0.5, size=10**6)
    benchmark(static_loss, exact, n, t, ridge=1e-3)
    fast = seconds(lambda: static_loss(exact, n, t, ridge=1e-3), 3) / n.size / t.size
    few = np.array([20.0, 300.0, 4000.0])
    slow = seconds(lambda: static_loss(summed, few, 2 * few, ridge=1e-3), 1) / len(few)
    same = static_loss(PowerLaw(0.5, size=10**6), few, 2 * few, ridge=1e-3)
    expected = static_loss(summed, few, 2 * few, ridge=1e-3)
    np.testing.assert_allclose(same.excess_loss, expected.excess_loss, rtol=1e-9)
    detail = f"{slow:.3f} s (mean of {len(few)} pairs) against {1e6 * fast:.2f} µs per pair"
    report(benchmark, "float64 loss, numpy sums / power sums, 10⁴ pairs", slow / fast, detail)
