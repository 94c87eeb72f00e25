"""What the loss against time costs: one simulated instance, late against early times, the oracle.

Ratios of times measured in one run are printed; nothing is asserted about them.
"""

import time

import numpy as np
import pytest

from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.complex_modes import complex_modes
from solvable.analytic.training.dynamics import dynamics
from solvable.analytic.training.scheduled_training import scheduled_dynamics
from solvable.analytic.training.schedules import schedule
from solvable.validation.time_stepping import (
    flow_update,
    graded_times,
    gradient_flow,
    solve_mean_field,
)

EXPONENTS = {"exponent": 1.25, "target_exponent": 1.5}
SMALL, LARGE = PowerLaw(size=200, **EXPONENTS), PowerLaw(size=3000, **EXPONENTS)
INFINITE = PowerLaw(**EXPONENTS)


def fastest(function, rounds=5):
    """(seconds of processor time, value) of the fastest of several calls."""
    best, value = np.inf, None
    for _ in range(rounds):
        start = time.process_time()
        value = function()
        best = min(best, time.process_time() - start)
    return best, value


def kernel_of_modes(rng, features, samples, modes):
    """Ψ Aᵀ/√(NP), whose squared singular values are the eigenvalues of the training kernel."""
    data = rng.standard_normal((samples, modes)) * np.sqrt(LARGE.eigenvalues())
    return data @ rng.standard_normal((features, modes)).T / np.sqrt(features * samples), data


def diagonalise_modes():
    """One instance at M = 3000, diagonalised in the space of the M modes."""
    rng = np.random.default_rng(0)
    kernel, data = kernel_of_modes(rng, 300, 600, 3000)
    return np.linalg.eigh(data.T @ (kernel @ kernel.T) @ data)


def diagonalise_kernel():
    """The same instance, diagonalised in the smaller space of the features."""
    kernel, _ = kernel_of_modes(np.random.default_rng(0), 300, 600, 3000)
    return np.linalg.svd(kernel, full_matrices=False)


@pytest.mark.slow
def test_two_hundred_times_against_one_simulated_instance(benchmark):
    times = np.geomspace(1, 1e6, 200)

    def evaluate():
        return dynamics(LARGE, 300, 600, times)

    curve, result = fastest(evaluate)
    modes, _ = fastest(diagonalise_modes, rounds=1)
    kernel, _ = fastest(diagonalise_kernel, rounds=3)
    print(
        f"\n200 times, M = 3000, in {1e3 * curve:.0f} ms (errors below "
        f"{result.error_estimate.max():.0e}); one draw diagonalised in mode space takes "
        f"{modes / curve:.1f} times, in feature space {kernel / curve:.1f} times as long"
    )
    benchmark.extra_info.update(modes=modes / curve, kernel=kernel / curve)
    benchmark.pedantic(evaluate, rounds=3)


@pytest.mark.parametrize("spectrum", [SMALL, LARGE, INFINITE], ids=["200", "3000", "inf"])
def test_late_against_early_times(benchmark, spectrum):
    sizes = (60, 120)
    dynamics(spectrum, *sizes, 1.0)
    seconds = {t: fastest(lambda t=t: dynamics(spectrum, *sizes, t), 30)[0] for t in (1.0, 1e12)}
    ratio = seconds[1e12] / seconds[1.0]
    print(f"\nM = {spectrum.size}: t = 1e12 takes {ratio:.2f} times as long as t = 1 "
          f"({1e3 * seconds[1.0]:.1f} ms)")  # fmt: skip
    benchmark.extra_info["ratio"] = ratio
    benchmark.pedantic(dynamics, (spectrum, *sizes, 1e12), rounds=5)


@pytest.mark.slow
@pytest.mark.parametrize("moment", [10.0, 1000.0])
def test_contour_against_time_stepping(benchmark, moment):
    """Time-stepping alone, then extrapolated; contours at their own (higher) accuracy."""
    values, power = SMALL.eigenvalues(), SMALL.target_power()
    quick, exact = fastest(lambda: dynamics(SMALL, 60, 120, moment), 15)

    def stepped():
        update = flow_update(graded_times(moment, 192))
        return solve_mean_field(values, power, update, features=60, samples=120).excess_loss[-1]

    slow, stepped_loss = fastest(stepped, 1)
    smart, (extrapolated, _) = fastest(
        lambda: gradient_flow(values, power, moment, features=60, samples=120), 1
    )
    errors = [abs(x - exact.excess_loss) for x in (stepped_loss, extrapolated[0])]
    print(
        f"\nt = {moment:g}: contours {1e3 * quick:.1f} ms, error {exact.error_estimate:.0e}; "
        f"192 steps {slow / quick:.0f} times as long, error {errors[0]:.0e}; three grids "
        f"extrapolated {smart / quick:.0f} times as long, error {errors[1]:.0e}. "
        f"At second order the error of the contours needs {_steps(errors[0]):.0e} steps, "
        f"{slow / quick * (_steps(errors[0]) / 192) ** 2:.0e} times as long or more"
    )
    benchmark.extra_info.update(stepping=slow / quick, extrapolated=smart / quick)
    benchmark.pedantic(dynamics, (SMALL, 60, 120, moment), rounds=5)


def _steps(error, steps=192, wanted=1e-12):
    """Steps at which a second-order rule has the ``wanted`` error."""
    return steps * np.sqrt(error / wanted)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cosine", "wsd"])
@pytest.mark.parametrize("features", [np.inf, 200])
def test_schedules_against_every_single_step(benchmark, name, features):
    """10⁶ steps of SGD under a schedule, against the same complex modes step by step."""
    steps = 10**6
    rates = schedule(name, 0.4, steps)

    def evaluate():
        return scheduled_dynamics(SMALL, features, np.inf, [steps], rates, batch=8, noise=0.1)

    def stepped():
        modes = complex_modes(SMALL, features, np.inf, rates.total(), 0.45)
        y, values = modes.power, rates(np.arange(steps))
        for rate in values:
            drive = rate**2 / 8 * (y.real.sum() + 0.1)
            y = y + (2 + 1.125 * rate * modes.z) * (rate * modes.z) * y + drive * modes.response
        return y.real.sum()

    evaluate()
    quick, found = fastest(evaluate, 3)
    slow, expected = fastest(stepped, 1)
    error = abs(found.excess_loss[0] / expected - 1)
    print(
        f"\n{name}, N = {features}: {quick:.2f} s, {slow / quick:.0f} times as fast as steps, "
        f"off by {error:.0e}"
    )
    assert error < 1e-8
    benchmark.extra_info.update(ratio=slow / quick, error=error)
    benchmark.pedantic(evaluate, rounds=1)
