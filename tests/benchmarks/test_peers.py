"""The same tasks with what one would use instead: sympy, mpmath, numpy, and freealg, rmtool,
scikit-rmt and powerlaw where they can be imported.

    python -m pytest -m slow tests/benchmarks/test_peers.py -s

prints one line a task: what each tool gives, how far off that is, and the ratio of processor times
in the same run. Nothing is asserted of times; of this package's numbers it is asserted that they
are right. auto-fpt is not on the package index.
"""

import math
import time

import mpmath
import numpy as np
import pytest
import sympy as sp

import solvable as sv

pytestmark = pytest.mark.slow


def timed(function):
    """The result, and processor seconds; what is raised is a result too."""
    start = time.process_time()
    try:
        result = function()
    except Exception as error:
        result = error
    return result, max(time.process_time() - start, 1e-9)


def line(task, ours, theirs):
    """Print the task: our seconds, and for each other tool its error and its time as a ratio."""
    print(f"\n{task}: solvable {ours:.2g} s")
    for name, (error, seconds) in theirs.items():
        print(f"    {name}: {error}, {seconds / ours:.3g} times as long")


def off(value, right):
    """How far off a value is, in words."""
    if isinstance(value, Exception):
        return f"{type(value).__name__}"
    try:
        return f"relative error {float(abs(value - right) / abs(right)):.1e}"
    except (TypeError, ValueError):
        return "no number"


@pytest.mark.parametrize("modes", [10**6, math.inf])
def test_a_sum_over_modes(modes):
    """D₁ = Σ 1/(1 + κ J^{3/2}) at κ = 10⁻⁶, thirty digits."""
    with mpmath.workdps(30):
        kappa, b = mpmath.mpf("1e-6"), mpmath.mpf(3) / 2
        sv.power_sum(0, b, 1, kappa, modes)  # constants are cached
        ours, seconds = timed(lambda: sv.power_sum(0, b, 1, kappa, modes))
        if modes == math.inf:
            leading = kappa ** (-1 / b) * (mpmath.pi / b) / mpmath.sin(mpmath.pi / b)
            corrections = (mpmath.zeta(-b * j) * (-kappa) ** j for j in range(8))
            right = leading + mpmath.fsum(corrections)
        else:
            right = mpmath.fsum(1 / (1 + kappa * mpmath.mpf(j) ** b) for j in range(1, modes + 1))
        assert abs(ours / right - 1) < mpmath.mpf(10) ** -28
        theirs = {}
        if modes == math.inf:
            for method in ("r+s", "e"):
                value, used = timed(
                    lambda m=method: mpmath.nsum(
                        lambda j: 1 / (1 + kappa * j**b), [1, mpmath.inf], method=m
                    )
                )
                theirs[f"mpmath nsum, method {method!r}"] = off(value, right), used
        else:
            value, used = timed(lambda: np.sum(1 / (1 + 1e-6 * np.arange(1.0, modes + 1) ** 1.5)))
            theirs["numpy, float64, term by term"] = off(value, right), used
    line(f"D₁ at M = {modes:g}, 30 digits", seconds, theirs)


def test_an_expansion_of_a_sum():
    """Σ 1/(1 + κ J^b) for κ → 0, symbolic b."""
    j, kappa, b = (
        sp.Symbol("j", positive=True),
        sp.Symbol("k", positive=True),
        sp.Symbol("b", positive=True),
    )
    ours, seconds = timed(
        lambda: sv.limit("kappa", "1 << N, M = inf, T = inf, z = 0", alpha=0.5, terms=2)
    )
    assert len(ours.terms) == 2
    summed = sp.Sum(1 / (1 + kappa * j**b), (j, 1, sp.oo))
    value, used = timed(lambda: sp.series(summed.doit(), kappa, 0, 2))
    found = (
        "an answer" if not isinstance(value, Exception) and not value.has(sp.Sum) else "unevaluated"
    )
    found = type(value).__name__ if isinstance(value, Exception) else found
    line("κ(N) to two terms, symbolic exponent", seconds, {"sympy series": (found, used)})


def test_the_density_of_white_data():
    """Marchenko and Pastur at ratio ½, 400 points."""
    x = np.linspace(0.2, 2.5, 400)
    timed(lambda: sv.eigenvalue_density(sv.Flat(100), math.inf, 200, x))  # imported once
    ours, seconds = timed(lambda: sv.eigenvalue_density(sv.Flat(100), math.inf, 200, x) / 100)
    low, high = (1 - 0.5**0.5) ** 2, (1 + 0.5**0.5) ** 2
    right = np.sqrt((high - x) * (x - low)) / (math.pi * x)
    assert np.max(np.abs(ours / right - 1)) < 1e-9
    theirs = {}
    for name, density in (
        ("scikit-rmt", _scikit_rmt), ("freealg", _freealg), ("rmtool", _rmtool),
    ):  # fmt: skip
        timed(lambda density=density: density(x))  # what is imported and compiled once
        value, used = timed(lambda density=density: density(x))
        theirs[name] = _worst(value, right), used
    line("Marchenko–Pastur density", seconds, theirs)


def _worst(value, right):
    if isinstance(value, Exception):
        return f"{type(value).__name__} ({value})"
    if np.shape(value) != np.shape(right):
        return f"{np.shape(value)[1]} roots at each point, to be told apart by hand"
    return f"largest error {np.max(np.abs(np.asarray(value) - right)):.1e}"


def _scikit_rmt(x):
    from skrmt.ensemble.spectral_law import MarchenkoPasturDistribution as Law

    return Law(beta=1, ratio=0.5).pdf(x)


def _freealg(x):
    from freealg.distributions import MarchenkoPastur

    return MarchenkoPastur(0.5).density(x)


def _rmtool(x):
    import rmtool

    return rmtool.Lmz2pdf(rmtool.wishartpol(0.5), x).density


ATOMS, WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0), (0.2,) * 5


def test_the_density_of_five_atoms():
    """A sample covariance of five population eigenvalues, M/T = ½, 300 points."""
    x = np.linspace(0.02, 9, 300)
    law = sv.Empirical(sorted(20 * ATOMS, reverse=True))
    sv.eigenvalue_density(law, math.inf, 200, x[:3])
    ours, seconds = timed(lambda: sv.eigenvalue_density(law, math.inf, 200, x) / 100)
    g = -1 / (x + 1e-9j)  # the fixed point of Silverstein's equation, damped
    for _ in range(20000):
        step = sum(w * a / (1 + a * g) for a, w in zip(ATOMS, WEIGHTS))
        g = 0.5 * g + 0.5 / (-(x + 1e-9j) + 0.5 * step)
    right = g.imag / math.pi / 0.5
    inside = right > 1e-3
    assert np.max(np.abs(ours - right)[inside]) < 1e-4
    theirs = {}
    for name, density in (("freealg", _freealg_atoms), ("rmtool", _rmtool_atoms)):
        timed(lambda density=density: density(x))  # what is imported and compiled once
        value, used = timed(lambda density=density: density(x))
        theirs[name] = _worst(value, ours), used
    line("density of a sample covariance of five atoms", seconds, theirs)


def _freealg_atoms(x):
    from freealg.distributions import DeformedMarchenkoPastur

    return DeformedMarchenkoPastur(list(ATOMS), list(WEIGHTS), 0.5).density(x)


def _rmtool_atoms(x):
    import rmtool

    m, z = rmtool.m, rmtool.z
    atoms = sum(sp.nsimplify(w) / (sp.nsimplify(a) - z) for a, w in zip(ATOMS, WEIGHTS))
    polynomial = rmtool.AtimesWish(sp.numer(sp.together(m - atoms)), sp.Rational(1, 2))
    return rmtool.Lmz2pdf(polynomial, x).density


def test_the_density_of_a_power_law():
    """1000 modes J^{-3/2}, N = 300, T = 700: against the histogram of twenty draws."""
    law, n, t = sv.PowerLaw(alpha=0.5, size=1000), 300, 700
    grid = np.geomspace(2e-4, 1.5, 60)
    middle = np.sqrt(grid[1:] * grid[:-1])
    ours, seconds = timed(lambda: sv.eigenvalue_density(law, n, t, middle))
    rng, counts = np.random.default_rng(0), np.zeros(len(middle))
    root = np.arange(1, 1001) ** -0.75
    for _ in range(20):
        phi = rng.standard_normal((n, 1000)) @ (root[:, None] * rng.standard_normal((1000, t)))
        counts += np.histogram(np.linalg.svd(phi, compute_uv=False) ** 2 / (n * t), grid)[0] / 20
    distance = np.sum(np.abs(ours * np.diff(grid) - counts)) / counts.sum()
    assert distance < 0.05
    print(
        f"\ndensity of a power law of 1000 modes: solvable {seconds:.2g} s, L1 distance to "
        f"20 draws {distance:.3f}; scikit-rmt, rmtool and freealg do not take this spectrum"
    )


def test_an_exponent_from_eigenvalues():
    """α of a power law from the spectrum of T samples."""
    law, samples = sv.PowerLaw(alpha=0.5, size=4000), 400
    rng = np.random.default_rng(1)
    data = np.arange(1, 4001)[:, None] ** -0.75 * rng.standard_normal((4000, samples))
    eigenvalues = np.linalg.svd(data, compute_uv=False) ** 2 / samples
    rank = np.arange(1, samples + 1)
    ours, seconds = timed(lambda: sv.expected_eigenvalues(law, math.inf, samples, rank))
    middle = slice(10, 300)
    assert np.max(np.abs(np.log(eigenvalues[middle] / ours[middle]))) < 0.2
    slope = -np.polyfit(np.log(rank[10:100]), np.log(eigenvalues[10:100]), 1)[0] - 1
    theirs = {"straight line through log–log, ranks 10–100": (f"α = {slope:.3f} for 0.5", seconds)}
    try:
        import powerlaw
    except ImportError:
        theirs["powerlaw"] = "not installed", seconds
    else:
        fit, used = timed(lambda: powerlaw.Fit(eigenvalues, verbose=False))
        # density of eigenvalues λ^{-1-1/(1+α)}
        found = 1 / (fit.power_law.alpha - 1) - 1
        theirs["powerlaw"] = f"α = {found:.3f} for 0.5", used
    line("eigenvalues of 400 samples by rank, from α", seconds, theirs)
