"""Digits asked for are right from any thread, and beyond the breakdown of the spectrum."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic import precision
from solvable.analytic.asymptotics.allocation import allocate
from solvable.analytic.formula import Formula
from solvable.analytic.free_probability import derive, parse_declarations
from solvable.analytic.loss import certain_digits, static_loss
from solvable.analytic.notation import N, T
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.power_sums import enclosure, power_sum
from solvable.analytic.resolvent import solve
from solvable.analytic.spectrum import Atoms, ExponentialDecay, Flat, PowerLaw
from solvable.analytic.training.dynamics import dynamics

LAW = PowerLaw(Fraction(1, 2), size=1000)


def direct(modes, power, n, t, z, noise):
    """The loss (4) as it stands, by sums over modes and bisection, at 60 digits."""
    with mpmath.workdps(120):
        modes, power = ([mpmath.mpf(x) for x in list_] for list_ in (modes, power))
        n, t, z, noise = (mpmath.mpf(x) for x in (n, t, z, noise))

        def total(weights, k, p, q):
            return mpmath.fsum(w * x**p / (x + k) ** q for w, x in zip(weights, modes))

        ones = [1] * len(modes)
        low, high = z, z + 2 * mpmath.fsum(modes) * (1 / n + 1 / t)
        for _ in range(420):
            k = (low + high) / 2
            d1 = total(ones, k, 1, 1)
            r3, r1 = 1 - d1 / n, 1 - d1 / t
            above = r3 > 0 and r1 > 0 and k * r3 * r1 > z
            low, high = (low, k) if above else (k, high)
        spread = d1 - total(ones, k, 2, 2)
        weights = [w / x for w, x in zip(power, modes)]
        h1, h2 = (total(weights, k, 1, q) for q in (1, 2))
        m = r3 / (r3 + spread / n)
        q = r1 + spread * m / t
        return (k**2 * h2 * m + k * h1 * (1 - m) + noise) / q - noise


def test_beyond_the_breakdown_no_digit_is_lost():
    """The right value was computed by sums over modes at 60 digits."""
    found = static_loss(LAW, 2000.0, 1e12, ridge=1e-6).excess_loss
    assert found == pytest.approx(2.5329851988662e-35, rel=1e-12)
    exact = static_loss(LAW, 2000, 10**12, ridge=Fraction(1, 10**6), digits=30)
    assert exact.certain_digits >= 30
    assert float(exact.excess_loss) == pytest.approx(found, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 12), st.floats(0.2, 3), st.floats(-1, 9), st.floats(-1, 9),
    st.floats(-40, 2), st.sampled_from([0.0, 1e-20, 0.3]),
)  # fmt: skip
def test_losses_in_every_regime_are_those_of_direct_sums(size, alpha, x, y, ridge, noise):
    law = PowerLaw(alpha, size=size)
    n, t, z = size * 10**x, size * 10**y, 10.0**ridge
    found = static_loss(law, n, t, ridge=z, noise=noise, normalisation="rate")
    with mpmath.workdps(130):
        modes = [law.eigenvalue(mpmath.mpf(j)) for j in range(1, size + 1)]
        expected = direct(modes, modes, n, t, z, noise)
    scale = float(abs(expected))
    assert found.excess_loss == pytest.approx(float(expected), abs=1e-10 * scale)
    exact = static_loss(law, n, t, ridge=z, noise=noise, normalisation="rate", digits=20)
    assert abs(exact.excess_loss / expected - 1) < mpmath.mpf("1e-19")


def test_what_agrees_is_certain_and_nothing_else():
    one, near, zero = mpmath.mpf(1), 1 + mpmath.mpf("1e-10"), mpmath.mpf(0)
    assert certain_digits(one, near, 30) in (9, 10)
    assert certain_digits(zero, zero, 30) == 30
    assert certain_digits(one, zero, 30) == certain_digits(zero, one, 30) == 0
    assert certain_digits(mpmath.mpf("1e-300"), mpmath.mpf("2e-300"), 30) == 0


def test_threads_do_not_disturb_one_another():
    """8 threads at mixed digits, and float64 between them: the serial answers, and no trace."""
    jobs = [(10 + 7 * i % 53, 20 + i, 15 + (11 * i) % 60 if i % 5 else None) for i in range(64)]

    def call(job):
        n, t, digits = job
        return static_loss(LAW, n, 4 * t, ridge=1, noise=1, digits=digits).excess_loss

    before = mpmath.mp.prec
    serial = [call(job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        threaded = list(pool.map(call, jobs))
    assert threaded == serial
    assert mpmath.mp.prec == before
    assert len({float(x) for x in serial}) > 50 and np.all(np.isfinite([float(x) for x in serial]))


def test_the_precision_of_the_caller_is_kept_beside_calls_with_digits():
    """mpmath arguments, and formulas in mpmath, while other threads ask for many digits."""
    x = mpmath.mpf(1) / 3
    mean = Formula("harmonic mean", {"n": N, "t": T}, 2 * N * T / (N + T))
    matrix = derive("tr(inv(X*X.T + z*I))", parse_declarations(["X:N,M:1/M"]), scalars=["z"])
    calls = [
        lambda: solve(LAW, 10, 20, x).value,
        lambda: power_sum(0, 1.5, 1, x),
        lambda: allocate(0.7, 2, 1).at(10**6),
        lambda: mean(n=x, t=2),
        lambda: matrix.solve({"N": 20, "M": 30, "z": x}).value,
        lambda: static_loss(LAW, mpmath.mpf(7), 9, ridge=1).excess_loss,
    ]
    before, over = mpmath.mp.prec, threading.Event()

    def disturb():
        while not over.is_set():
            static_loss(LAW, 10, 20, ridge=1, digits=60)
            enclosure(0, 1.5, 1, 0.1, digits=90)

    serial = [call() for call in calls]
    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(disturb) for _ in range(2)]
        found = pool.submit(lambda: [[call() for call in calls] for _ in range(20)]).result()
        over.set()
        assert [other.result() for other in others] == [None, None]
    assert found == [serial] * 20 and mpmath.mp.prec == before


@pytest.fixture
def often():
    """Threads take turns after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("law", [
    LAW, Flat(12), ExponentialDecay(rate=0.2, size=30), Atoms([1, 0.3], [2, 3]),
], ids=lambda law: type(law).__name__)  # fmt: skip
def test_sums_over_modes_at_the_precision_of_the_caller(law, often):
    """While another thread raises it again and again."""
    x, over = mpmath.mpf(1) / 3, threading.Event()

    def disturb():
        while not over.is_set():
            with precision.workdps(60):
                time.sleep(0)

    def found():
        return law.degrees_of_freedom(x, 2), law.target_sum(x), law.eigenvalue(1 + x)

    serial = found()
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(disturb)
        threaded = [found() for _ in range(400)]
        over.set()
        other.result()
    assert threaded == [serial] * 400


@pytest.mark.thorough
def test_a_thousand_calls_from_each_of_eight_threads():
    """Static and dynamic losses and sums over modes at mixed digits."""
    law, before = PowerLaw(Fraction(1, 2), size=6), mpmath.mp.prec

    def call(job):
        n, digits = 3 + job % 17, (None, 12, 25, 40)[job // 17 % 4]
        if job % 40 == 0:
            return dynamics(law, n, 9, 2, digits=digits and 12).excess_loss
        return static_loss(law, n, 2 * n + 1, ridge=1, noise=1, digits=digits).excess_loss

    expected = {job: call(job) for job in range(17 * 4 * 10)}

    def thousand(start):
        jobs = [(start + step) % len(expected) for step in range(1000)]
        return [job for job in jobs if call(job) != expected[job]]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(thousand, range(0, 680, 85))) == [[]] * 8
    assert mpmath.mp.prec == before


@pytest.mark.parametrize("digits", [None, 20])
@pytest.mark.parametrize(("n", "t"), [(100, 300), (300, 100), (100, 100), (200, 300)])
def test_without_noise_no_ridge_is_best_beyond_the_breakdown(n, t, digits):
    law = PowerLaw(Fraction(1, 2), size=100)
    best = optimal_ridge(law, n, t, digits=digits)
    assert best.ridge == best.excess_loss == 0
    noisy = optimal_ridge(law, n, t, noise=1, digits=digits)
    for factor in (0.9, 1.1):
        ridge = float(noisy.ridge) * factor
        assert static_loss(law, n, t, ridge=ridge, noise=1).excess_loss > noisy.excess_loss > 0
