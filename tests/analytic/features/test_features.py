"""Activations read safely, Hermite coefficients, dual kernels, spectra of maps."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.features import (
    activation,
    arc_cosine,
    closed_form,
    coefficient_mp,
    coefficients,
    dual_kernel,
    network_kernel,
    tangent_kernel,
)
from solvable.analytic.features.activation import NAMES
from solvable.analytic.features.dual_kernels import U, arc_cosine_formula, erf_formula
from solvable.analytic.features.hermite import _quadrature
from solvable.analytic.features.maps import map_spectrum

FORMULAS = ("relu(x)**2", "x**3 - 3*x", "max(x - 1, 0)", "cos(2*x + 1)", "x*erf(x)", "min(x, 1/2)")


@pytest.mark.parametrize("text", [
    "__import__('os')", "x.real", "lambda: x", "y", "x**x", "9**9**9", "relu()", "relu(x, x)", "",
    "1/x*0+log(x)", "sqrt(x)", "x if x else 1", "x;x", "'x'", "x**1000", "[x]", "x @ x", "(" * 300,
    "erf(x=1)", "1j*x", "1e999",
])  # fmt: skip
def test_what_is_no_function_is_refused(text):
    with pytest.raises(InputError, match="map"):
        activation(text)


@pytest.mark.parametrize("text", [*NAMES, *FORMULAS])
def test_three_faces_of_the_coefficients(text):
    numbers = coefficients(text, 6)
    for k in (0, 1, 2, 5):
        by_quadrature = coefficient_mp(activation(text), k, digits=16)
        assert float(by_quadrature) == pytest.approx(numbers[k], abs=2e-13)
        exact = closed_form(text, k)
        if exact is not None:
            assert float(sp.N(exact, 20)) == pytest.approx(numbers[k], abs=2e-13)
    assert (closed_form(text, 1) is None) == (text in ("tanh", "sigmoid", "softplus"))


def test_closed_forms_hold_for_symbolic_scales_and_wrong_ones_are_seen():
    s = sp.Symbol("s", positive=True)
    for text in ("relu", "erf", "sin", "gelu"):
        formula = closed_form(text, 3, s)
        for value in (0.5, 2.0):
            found = coefficients(text, 4, value)[3]
            assert float(formula.subs(s, value)) == pytest.approx(found, abs=1e-12)
    wrong = closed_form("erf", 3, s) * 2 / 3
    assert abs(float(wrong.subs(s, 1)) - coefficients("erf", 4)[3]) > 1e-2


def test_digits_are_right():
    with mpmath.workdps(40):
        known = mpmath.quad(lambda x: mpmath.tanh(x) * x * mpmath.npdf(x), range(-15, 16))
    assert abs(coefficient_mp("tanh", 1, digits=30) - known) < mpmath.mpf(10) ** -29
    assert coefficient_mp("relu", 2, digits=40) == pytest.approx(1 / (2 * np.sqrt(np.pi)))


@pytest.mark.parametrize("kink", ["1/3", "-5/7"])
@pytest.mark.parametrize("scale", [0.5, 3, 60])
def test_quadrature_ends_its_panels_at_the_kinks(kink, scale):
    """E max(s x − c, 0) = s φ(c/s) − c Φ(−c/s), to all digits although the slope jumps."""
    with mpmath.workdps(45):
        c, s = mpmath.mpf(sp.Rational(kink).p) / sp.Rational(kink).q, mpmath.mpf(scale)
        known = s * mpmath.npdf(c / s) - c * mpmath.ncdf(-c / s)
        found = _quadrature(activation(f"max(x - ({kink}), 0)"), 0, s, 15)
        assert abs(found / known - 1) < mpmath.mpf(10) ** -14


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=6), st.floats(0.2, 2))
@settings(max_examples=25, deadline=None)
def test_parseval_for_polynomials(parts, scale):
    text = " + ".join(f"({c})*x**{i}" for i, c in enumerate(parts))
    a = coefficients(text, len(parts), scale)
    x, w = np.polynomial.hermite_e.hermegauss(20)
    mean = w @ activation(text)(scale * x) ** 2 / np.sqrt(2 * np.pi)
    assert np.sum(a**2) == pytest.approx(mean, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("order", range(6))
def test_arc_cosine_kernels(order):
    u = np.linspace(-1, 1, 11)
    values = arc_cosine(order, u)
    assert values[0] == pytest.approx(0, abs=1e-12) and values[-1] == pytest.approx(1, abs=1e-9)
    formula = arc_cosine_formula(order)
    exact = [float(sp.N(formula.subs(U, sp.Rational(i, 5)), 40)) for i in range(-4, 5)]
    assert np.allclose(values[1:-1], exact, rtol=1e-9, atol=1e-13)
    assert float(arc_cosine(order, mpmath.mpf("-0.6"))) == pytest.approx(values[2], rel=1e-9)
    a = coefficients(activation(f"relu(x)**{order}" if order else "step"), 60)
    terms = 2 * np.sum(a**2 * 0.5 ** np.arange(60)) / sp.factorial2(2 * order - 1)
    assert float(terms) == pytest.approx(arc_cosine(order, np.array(0.5)), rel=1e-7)


@pytest.mark.parametrize("text", ["relu", "step", "erf", "tanh", "x**2 - 1"])
def test_dual_kernels_are_averages(text):
    rng = np.random.default_rng(4)
    inputs = rng.normal(size=(3, 5)) / 2
    drawn = activation(text)(rng.normal(size=(400_000, 5)) @ inputs.T)
    kernel = dual_kernel(inputs @ inputs.T, text)
    error = np.std(drawn[:, :, None] * drawn[:, None, :], axis=0) / np.sqrt(len(drawn))
    assert np.all(np.abs(drawn.T @ drawn / len(drawn) - kernel) < 5 * error + 1e-12)


def test_closed_dual_kernels_are_their_series():
    gram = np.cov(np.random.default_rng(1).normal(size=(5, 9)))
    for text in ("relu", "erf"):
        same = activation(f"{text}(x)")
        assert np.allclose(dual_kernel(gram, same), dual_kernel(gram, text), atol=1e-8)
    pair = erf_formula(gram[0, 1], gram[0, 0], gram[1, 1])
    assert float(pair) == pytest.approx(dual_kernel(gram, "erf")[0, 1])
    with pytest.raises(InputError, match="gram"):
        dual_kernel(np.ones((2, 3)), "relu")
    with pytest.raises(InputError, match="not zero"):
        dual_kernel(np.zeros((2, 2)), "relu")


def test_tangent_kernels():
    u = np.linspace(-1, 1, 7)
    one = (arc_cosine(1, u) + u * arc_cosine(0, u)) / 2
    assert np.allclose(tangent_kernel(u), one)
    for depth in (1, 3, 10):
        assert tangent_kernel(np.array(1.0), depth) == pytest.approx(1)
        assert network_kernel(np.array(1.0), depth) == pytest.approx(1)
    shown = sp.lambdify(U, tangent_kernel(U, 2))(0.3)
    assert shown == pytest.approx(float(tangent_kernel(np.array(0.3), 2)))
    assert float(tangent_kernel(mpmath.mpf("0.3"), 2)) == pytest.approx(shown)
    # the derivative of κ₁ is κ₀, which is what the tangent kernel multiplies by
    assert sp.simplify(sp.diff(arc_cosine(1, U), U) - arc_cosine(0, U)) == 0


def test_nonlinear_maps_extend_the_spectrum_and_the_equivalent_holds_only_without_structure():
    rng = np.random.default_rng(0)
    white = map_spectrum(rng.normal(size=(200, 120)), "relu", 400)
    assert white.kernel_error < 0.05 and white.equivalent_error < 0.05
    structured = rng.normal(size=(200, 40)) * np.arange(1, 41) ** -0.75
    found = map_spectrum(structured, "relu", 600)
    assert len(found.linear) == 40 and len(found.features) == 200
    assert found.kernel_error < 0.1 < 0.3 < found.equivalent_error
    linear = map_spectrum(structured, "linear", 600)
    assert len(linear.features) == 40 and linear.extension == 1


def test_bad_data_for_maps():
    rows = np.ones((10, 3))
    rows[4] = 0
    with pytest.raises(InputError, match="row 5"):
        map_spectrum(rows, "relu", 10)
    with pytest.raises(InputError, match="eight"):
        map_spectrum(rows[:3], "relu", 10)
    with pytest.raises(InputError, match="width"):
        map_spectrum(np.ones((10, 3)), "relu", 0)


@pytest.mark.parametrize("text", ["relu", "step", "erf", "tanh"])
def test_parallel_inputs_stay_in_the_domain(text):
    """Their cosines are ±1 up to rounding, on either side."""
    rng = np.random.default_rng(5)
    for scale in rng.uniform(0.1, 9, 40):
        x = rng.standard_normal(7) * scale
        inputs = np.stack([x, 3 * x, -x, 0.7 * x])
        with np.errstate(invalid="raise"):
            kernel = dual_kernel(inputs @ inputs.T, text)
        assert np.all(np.isfinite(kernel))


def test_kernels_of_depth_are_the_first_kernel_again_and_again():
    u = np.linspace(-1, 1, 9)
    once = (np.sqrt(1 - u**2) + (np.pi - np.arccos(u)) * u) / np.pi
    assert network_kernel(u) == pytest.approx(once, abs=1e-12)
    assert network_kernel(u, 3) == pytest.approx(network_kernel(network_kernel(once)), abs=1e-12)
