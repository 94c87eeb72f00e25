"""Rows of the matrix table in regimes: the slope of what is left is the claimed one.

White edges (z − z₀ small), ridgeless peaks, breakdown and training at z ~ T^-b are among them.
"""

import pytest
import sympy as sp

from solvable.analytic.asymptotics.balance.limiting_form import limiting_form
from solvable.analytic.asymptotics.balance.regime_statement import parse_regime
from solvable.analytic.asymptotics.balance.slope_check import measured_slope
from solvable.analytic.asymptotics.balance.systems import matrix_problem
from solvable.analytic.free_probability.models import expression
from solvable.analytic.notation import a, b

POINT = {b: sp.Rational(3, 2), a: sp.Integer(2)}
MATURE, STEEP = "M = inf, z = 0", "z -> 0, z^-1 << T"
REGIMES = {
    "marchenko-pastur": (
        "T/M = 2, 1 << M, z -> 0", "M/T = 2, 1 << M, z -> 0", "T = M, 1 << M, z -> 0",
        "1 << M << T, z = 0"
    ),
    "sample-covariance": (
        "z -> inf, T < M", "T/M = 1/2, 1 << M, z ~ M^-b", "1 << T, M = inf, z -> 0, z*T^2 << 1",
        "1 << T << M, z ~ T^-b"
    ),
    "deformed-wigner": ("1 << M, z -> inf",),
    "wishart-plus-wigner": (
        "T/M = 2, 1 << M, z -> inf", "1 << M << T, z -> inf", "1 << T << M, z -> inf, M/T << z",
        "T/M = 1/2, 1 << M, z -> inf"
    ),
    "information-plus-noise": (
        "z -> inf, T < M", "1 << T << M, z -> inf, M/T << z", "T/M = 1/2, 1 << M, z -> inf",
        "1 << M << T, z -> inf"
    ),
    "random-feature-resolvent": (
        "N < T < M, z -> inf", "1 << N << T, M = inf, z -> 0, z*T^3 << 1",
        "1 << T << N, M = inf, z -> inf", "N/M = 1/2, T/M = 2, 1 << M, z -> inf"
    ),
    "ridge-bias": (
        f"1 << T, {MATURE}", "1 << T, M = inf, z ~ T^-b", f"1 << T, M = inf, {STEEP}",
        "T/M = 1/2, 1 << M, z = 0"
    ),
    "ridge-variance": (
        f"1 << T, {MATURE}", "1 << T, M = inf, z ~ T^-b", f"1 << T, M = inf, {STEEP}",
        "T/M = 1/2, 1 << M, z = 0"
    ),
    "random-feature-loss": (
        f"1 << N << T, {MATURE}", f"1 << T << N, {MATURE}", "1 << N << T << M, z -> inf",
        "N/M = 1/2, T/M = 2, 1 << M, z -> inf"
    ),
    "structured-nonlinear-features": (
        "N/M = 1/2, T/M = 2, 1 << M, z -> inf", f"1 << N << T, {MATURE}",
        "1 << T << N, M = inf, z -> 0", "1 << T, N = T, M = inf, z -> 0, 1 << z*T"
    ),
    "nonlinear-features": (
        "N/M = 1/2, T/M = 2, 1 << M, z -> inf", "1 << N << T << M, z -> inf",
        "N/M = 2, T/M = 3, 1 << M, z -> inf", "1 << M << N << T, z -> inf"
    ),
    "complex-marchenko-pastur": (
        "T = M, 1 << M, z -> 0", "M/T = 2, 1 << M, z -> 0", "T/M = 2, 1 << M, z -> 0",
        "1 << M << T, z = 0"
    ),
    "fuss-catalan": ("z -> 0", "z -> inf"),
    "gram-matrix": (
        "1 << T, M = inf, z -> 0, z*T^2 << 1", "1 << T, M = inf, z ~ T^-b",
        "1 << T << M, z -> 0, z*T^2 << 1", "T/M = 1/3, 1 << M, z -> inf"
    ),
    "degrees-of-freedom": (
        f"1 << T, M = inf, {STEEP}", "1 << T, M = inf, z ~ T^-b", "T/M = 1/2, 1 << M, z ~ M^-b",
        "z -> inf, T < M"
    ),
    "ridge-training-loss": (
        f"1 << T, M = inf, {STEEP}", "1 << T, M = inf, z ~ T^-b", "z -> inf, T < M",
        "T/M = 1/2, 1 << M, z -> inf"
    ),
    "sum-of-wisharts": (
        "1 << N << T << M, z -> 0", "T/M = 1/3, N/M = 1/3, 1 << M, z -> 0",
        "T/M = 1/2, N/M = 1/2, 1 << M, z -> 0", "N/M = 1/2, T/M = 2, 1 << M, z -> inf"
    ),
    "difference-of-wisharts": (
        "T/M = 1/3, N/M = 1/3, 1 << M, z -> inf", "1 << M << N << T, z -> inf",
        "1 << N << T, M = inf, z -> inf", "N/M = 1/2, T/M = 2, 1 << M, z -> inf"
    ),
    "separable-covariance": (
        "1 << T << M, z -> inf", "1 << M << T, z -> inf", "1 << T << M, z -> 0, z*T^2 << 1",
        "1 << M << T, z -> 0, z*T^2 << 1"
    ),
    "semicircle": ("z -> inf",),
    "squared-resolvent": (
        "1 << T, M = inf, z -> inf", "1 << T << M, z -> inf", "T/M = 1/2, 1 << M, z -> inf",
        "T/M = 2, 1 << M, z -> inf"
    ),
    "ridge-test-loss": (
        "1 << T, M = inf, z -> inf", "1 << T << M, z -> inf", "T/M = 1/2, 1 << M, z -> inf",
        "T/M = 2, 1 << M, z -> inf"
    ),
    "generalised-cross-validation": (
        "1 << T, M = inf, z -> inf", "1 << T << M, z -> inf", "T/M = 1/2, 1 << M, z -> inf",
        "T/M = 2, 1 << M, z -> inf"
    ),
    "rotated-features": (
        "1 << T << M, z -> inf", "T/M = 1/2, 1 << M, z -> inf", "T/M = 2, 1 << M, z -> inf",
        "1 << M << T, z -> inf"
    ),
    "neural-tangent-kernel": (
        "1 << N << T << M, z -> inf", "N/M = 1/2, T/M = 2, 1 << M, z -> inf",
        "N/M = 2, T/M = 3, 1 << M, z -> inf", "1 << M << N << T, z -> inf"
    ),
    "nonlinear-features-loss": (
        "1 << N << T << M, z -> inf", "N/M = 1/2, T/M = 2, 1 << M, z -> inf",
        "N/M = 2, T/M = 3, 1 << M, z -> inf", "1 << M << N << T, z -> inf"
    ),
    "whitened-covariance": (
        "N/M = 1/2, T/M = 2, 1 << M, z -> inf", "1 << M << T << N, z -> inf",
        "N/M = 1/2, T/M = 2, 1 << M, z -> 0", "N/M = 2, T/M = 3, 1 << M, z ~ T^-b",
        "1 << M << N << T, z -> 0"
    ),
    "federated-ridge": (
        f"1 << N << T, {MATURE}", "1 << N << T, M = inf, z -> inf", "1 << N << T << M, z -> inf",
        "N/M = 1/2, T/M = 2, 1 << M, z -> inf"
    ),
}  # fmt: skip
CASES = [(name, statement) for name, statements in REGIMES.items() for statement in statements]
FAST = [("ridge-bias", f"1 << T, {MATURE}"), ("fuss-catalan", "z -> 0"),
        ("marchenko-pastur", "T/M = 2, 1 << M, z -> 0"),
        ("structured-nonlinear-features", "1 << N << T, M = inf, z = 0"),
        ("whitened-covariance", "N/M = 1/2, T/M = 2, 1 << M, z -> inf"),  # roots 1/z apart by 1/z²
        ("federated-ridge", "1 << N << T << M, z -> inf")]  # fmt: skip  # κ₁ − κ₂ below 10⁻²⁰


def check(name, statement, wrong=1):
    problem = matrix_problem(expression(name).derive())
    regime = parse_regime(statement, problem.sizes, POINT, keep=problem.size)
    return measured_slope(problem, limiting_form(problem, regime, POINT, 1), POINT, (12, 13), wrong)


@pytest.mark.parametrize(("name", "statement"), FAST)
def test_what_is_left_falls_as_claimed(name, statement):
    found = check(name, statement)
    assert found.holds(), found
    assert not check(name, statement, wrong=sp.Rational(9, 8)).holds()


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "statement"), CASES)
def test_what_is_left_falls_as_claimed_everywhere(name, statement):
    found = check(name, statement)
    assert found.holds(), found


def test_there_are_twenty_rows_of_four():
    assert sum(len(statements) >= 4 for statements in REGIMES.values()) >= 20
