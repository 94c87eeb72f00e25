"""Training rules: contours against their filters, and stability."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.spectrum import Empirical, Flat, PowerLaw
from solvable.analytic.training import training_rule
from solvable.analytic.training.learners import (
    GradientDescent,
    GradientFlow,
    HeavyBall,
    OnePassSGD,
    PreconditionedDescent,
    RidgeRegression,
)
from solvable.analytic.training.stability import (
    branch_point,
    exterior_kappa,
    spectral_edge,
)

FLOWS = [GradientFlow(), GradientFlow(decay=1e-6), GradientFlow(decay=0.3)]
RULES = [
    GradientDescent(0.3), GradientDescent(1.3), HeavyBall(0.4, 0.5), HeavyBall(1.7, 0.5),
    HeavyBall(0.05, 0.9),
]  # fmt: skip
EVERY = [
    kind(*kind.example) for kind in training_rule.RULES.values()
    if issubclass(kind, training_rule.Filter) and kind.scored != "ridge"
]  # fmt: skip
LARGEST = 1.5
EIGENVALUES = np.array([0.0, 1e-9, 1e-3, 0.1, 0.77, 1.2, LARGEST])


def from_contours(rule, times, critical, eigenvalues=EIGENVALUES, accuracy=1e-15):
    out = np.empty((len(times), len(eigenvalues)))
    for quadrature in rule.quadratures(times, accuracy, critical):
        resolvents = 1 / (quadrature.z[:, None] + eigenvalues)
        out[quadrature.index] = 2 * (quadrature.weights @ resolvents).real
    return out


def critical_of(rule):
    return 2 * (1 + rule.momentum) / LARGEST if isinstance(rule, GradientDescent) else math.inf


@pytest.mark.parametrize("rule", FLOWS + RULES + EVERY, ids=repr)
def test_contours_give_the_filter(rule):
    times = np.array([1.0, 2, 3, 10, 33, 40, 150, 1000, 4000])
    expected = rule.residual(EIGENVALUES, times[:, None])
    found = from_contours(rule, times, critical_of(rule))
    assert np.max(np.abs(found - expected)) < 1e-12
    later = rule.residual(EIGENVALUES, times[:, None] + 1)
    assert np.max(np.abs(found - later)) > 1e-4  # one step off is noticed


@pytest.mark.parametrize("rule", [GradientDescent(0.3), GradientDescent(1.2), HeavyBall(0.3, 0.4)])
@pytest.mark.parametrize("steps", [1e6, 1e15])
def test_huge_numbers_of_steps(rule, steps):
    """Compared with e^{−λ'n}, λ' = −ln |μ| of the dominant root: exact for real roots."""
    eigenvalues = np.array([0.0, 0.3 / steps, 2 / steps, 10 / steps, 0.5])
    beta, step = float(rule.momentum), float(rule.step)
    found = from_contours(rule, np.array([steps]), critical_of(rule), eigenvalues)[0]
    rates = step * eigenvalues[:4] / (1 - beta)  # of the slow root, to leading order in 1/steps
    assert np.allclose(found[:4], np.exp(-rates * steps), rtol=3 / steps * 100 + 1e-12)
    assert abs(found[4]) < 1e-12


@settings(max_examples=30, deadline=None)
@given(
    step=st.floats(0.01, 1.3),
    momentum=st.floats(0, 0.9),
    steps=st.integers(1, 60),
    eigenvalue=st.floats(0, LARGEST),
)
def test_any_heavy_ball(step, momentum, steps, eigenvalue):
    rule = HeavyBall(step, momentum)
    found = from_contours(rule, np.array([float(steps)]), critical_of(rule), np.array([eigenvalue]))
    assert abs(found[0, 0] - rule.residual(eigenvalue, steps)) < 1e-12


def test_diverging_descent_is_followed():
    rule = GradientDescent(2.0)  # 1 − ηλ = −2 at the largest eigenvalue
    times = np.array([1.0, 5, 50, 200])
    expected = rule.residual(EIGENVALUES, times[:, None])
    found = from_contours(rule, times, critical_of(rule))
    assert np.max(np.abs(found - expected), axis=1) / np.max(np.abs(expected), axis=1) == (
        pytest.approx(0, abs=1e-11)
    )


def test_contours_in_mpmath():
    eigenvalues = [mpmath.mpf(x) for x in ("0", "0.25", "1.5")]
    half = mpmath.mpf(1) / 2
    for rule, time in ((GradientFlow(decay=half / 5), 7), (HeavyBall(1, half), 9)):
        with mpmath.workdps(60):
            moment = np.array([mpmath.mpf(time)], dtype=object)
            (one,) = rule.quadratures(moment, mpmath.mpf(10) ** -30, critical_of(rule), mp=True)
            for x in eigenvalues:
                value = 2 * np.sum(one.weights[0] / (one.z + x)).real
                if time == 9:
                    before = now = mpmath.mpf(1)
                    for _ in range(time):
                        before, now = now, now - x * now + (now - before) / 2
                else:
                    g = rule.decay
                    now = (g + x * mpmath.exp(-(x + g) * time)) / (x + g)
                assert abs(value - now) < mpmath.mpf(10) ** -28


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: GradientDescent(0), "step"), (lambda: GradientDescent(-1), "step"),
        (lambda: HeavyBall(1, 1), "momentum"), (lambda: HeavyBall(1, -0.1), "momentum"),
        (lambda: OnePassSGD(1, 0), "batch"), (lambda: OnePassSGD(0, 1), "step"),
        (lambda: GradientFlow(-1), "decay"), (lambda: GradientDescent(math.nan), "step"),
    ],
)  # fmt: skip
def test_bad_parameters(make, argument):
    with pytest.raises(InputError, match=argument):
        make()


# ---- stability ------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "t"), [(20, math.inf), (math.inf, 70), (20, 45), (60, 60)])
def test_edge_of_random_matrices(n, t):
    """The largest eigenvalue of one large random matrix, all sizes scaled up together."""
    rng = np.random.default_rng(5)
    factor, modes = 12, np.array([1.0] * 8 + [0.3] * 30)
    scale = np.sqrt(np.repeat(modes, factor))
    kernel = np.diag(scale)
    if t < math.inf:
        kernel = rng.standard_normal((t * factor, len(scale))) * scale / math.sqrt(t * factor)
    if n < math.inf:
        kernel = kernel @ rng.standard_normal((len(scale), n * factor)) / math.sqrt(n * factor)
    largest = np.linalg.norm(kernel, 2) ** 2
    sizes = [s * factor if s < math.inf else s for s in (n, t)]
    edge = spectral_edge(Empirical(scale**2), *sizes)
    assert abs(largest / edge - 1) < 0.04, (largest, edge)
    assert abs(largest - 1) > 0.1  # the population's own edge would be far off


def test_marchenko_pastur_edge():
    for ratio in (0.1, 1, 5):
        edge = spectral_edge(Flat(100), math.inf, 100 / ratio)
        assert edge == pytest.approx((1 + math.sqrt(ratio)) ** 2, rel=1e-12)


def test_edge_is_symmetric_and_infinite_spectra_are_summed():
    infinite, long = PowerLaw(alpha=0.6), PowerLaw(alpha=0.6, size=3000)
    assert spectral_edge(infinite, 30, 70) == pytest.approx(
        spectral_edge(infinite, 70, 30), rel=1e-13
    )
    tail = sum(j**-1.6 for j in range(3001, 200000)) + 199999.5**-0.6 / 0.6
    shift = spectral_edge(infinite, 30, 70) - spectral_edge(long, 30, 70)
    assert 0 < shift < 3 * tail * (1 / 30 + 1 / 70)
    direct = np.sum(np.arange(1, 10**6) ** -1.6 / (1.5 - np.arange(1, 10**6) ** -1.6))
    assert -infinite.degrees_of_freedom(-1.5) == pytest.approx(
        direct + (10.0**6 - 0.5) ** -0.6 / 0.6 / 1.5, rel=1e-10
    )


def test_exterior_solution_is_continuous_with_the_edge():
    spectrum = PowerLaw(alpha=0.5, size=60)
    y, largest = branch_point(spectrum, 20, 50)
    k, d1 = exterior_kappa(spectrum, 20, 50, -1.5 * largest)
    assert k < -y
    assert k * (1 - d1 / 20) * (1 - d1 / 50) == pytest.approx(-1.5 * largest, rel=1e-12)
    slope = [exterior_kappa(spectrum, 20, 50, -(1 + h) * largest)[0] + y for h in (1e-6, 4e-6)]
    assert slope[1] / slope[0] == pytest.approx(2, rel=0.01)  # a square root: a branch point


@example(rate=0.0, ridge=2.3e-309)  # its inverse is no float
@given(rate=st.floats(0, 10), ridge=st.floats(0, 10))
def test_ridge_inverts_what_is_no_null_space(rate, ridge):
    gain, total = float(RidgeRegression().gain(rate, np.array(ridge))), rate + ridge
    assert gain == (1 / total if total >= np.finfo(float).tiny else 0)


def test_the_preconditioner_left_out_lets_slow_modes_learn_faster_but_last():
    assert -1 < PreconditionedDescent(0.2).preconditioner < 0
