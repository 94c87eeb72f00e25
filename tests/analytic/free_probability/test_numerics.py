"""Numbers: closed forms, the papers' reference values, precision, branches and densities."""

import mpmath
import numpy as np
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import approx, mark, raises

from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.free_probability import derive, parse_declarations
from solvable.analytic.free_probability.declarations import Eigenvalue
from solvable.analytic.free_probability.models import EXPRESSIONS, expression
from solvable.analytic.free_probability.numerics import unreduced
from solvable.analytic.free_probability.spectral_trace import SpectralTrace
from solvable.analytic.free_probability.trace_values import (
    DeterministicValues,
    compile_trace,
    exact_trace,
)
from solvable.analytic.notation import kappa
from solvable.analytic.resolvent import solve
from solvable.analytic.spectrum import PowerLaw

GRID = np.array([1e-3, 0.1, 2.0, -0.3 + 1e-3j, -1.5 - 0.2j, 3j, -40.0 + 1e-4j])


def marchenko_pastur(z, c):
    """The root of c z g² + (z + 1 − c) g − 1 = 0 with positive density."""
    b = z + 1 - c
    root = np.sqrt(b * b + 4 * c * z + 0j)
    options = np.array([(-b + root) / (2 * c * z), (-b - root) / (2 * c * z)])
    herglotz = np.where(z.imag == 0, options.real, -np.sign(z.imag) * options.imag)
    return np.take_along_axis(options, herglotz.argmax(axis=0)[None], axis=0)[0]


@mark.parametrize(("m", "t"), [(30, 90), (80, 80), (90, 30)])
def test_marchenko_pastur(m, t):
    solution = expression("marchenko-pastur").derive().solve({"M": m, "T": t, "z": GRID})
    assert np.allclose(solution.value, marchenko_pastur(GRID, m / t), rtol=1e-9)
    assert np.all(solution.residual < 1e-9)


@settings(max_examples=15, deadline=None)
@given(st.floats(-3, 3), st.floats(1e-4, 3), st.floats(0.2, 2))
def test_the_semicircle_has_the_decaying_branch(real, imaginary, sigma):
    z = complex(real, imaginary)
    equations = expression("semicircle").derive()
    value = equations.solve({"z": z, "sigma": sigma, "M": 10}).value
    assert value.imag < 0  # Im z > 0 ⇒ Im tr(z − W)^{-1} < 0
    assert abs(sigma**2 * value**2 - z * value + 1) < 1e-9


def test_the_resolvent_module_agrees():
    law = PowerLaw(alpha=0.5, size=300)
    equations = expression("random-feature-resolvent").derive()
    z = np.array([0.0, 1e-6, 1e-3, 0.1])
    solution = equations.solve({"N": 40, "T": 90, "z": z[1:]}, {"L": law.eigenvalues()})
    stated = solve(law, 40, 90, z)
    assert np.allclose(solution.unknowns[kappa], stated.value[1:], rtol=1e-10)
    ridgeless = equations.solve({"N": 40, "T": 90, "z": 0.0}, {"L": law.eigenvalues()})
    assert ridgeless.unknowns[kappa] == approx(stated.value[0], rel=1e-10)


@mark.parametrize(
    ("n", "t", "ridge", "noise", "loss"),
    [
        (100, 400, "0.5", "0", "0.4041909336693050489204"),
        (150, 300, "0.01", "0.001", "0.4722514894992058037949"),
        (300, 100, "0.01", "0.1", "0.5671994254834826340836"),
    ],
)
def test_reference_losses_to_22_digits(n, t, ridge, noise, loss):
    """b = a = 3/2, M = 2000: from the matrices to the last digit, with nothing in between."""
    with mpmath.workdps(30):
        eigenvalues = [mpmath.mpf(j) ** mpmath.mpf("-1.5") for j in range(1, 2001)]
        parameters = {
            "N": n,
            "T": t,
            "z": mpmath.mpf(ridge) / (n * t),
            "sigma": mpmath.sqrt(mpmath.mpf(noise)),
        }
        equations = expression("random-feature-loss").derive()
        value = equations.solve(parameters, {"L": eigenvalues, "W": [1] * 2000}).value
        assert abs(value / mpmath.mpf(loss) - 1) < mpmath.mpf(10) ** -20


def test_two_frequencies_that_coincide_give_the_ridge_loss():
    """z² C₀(z, z) is the test loss of ridge regression."""
    lam = PowerLaw(alpha=0.5, size=120).eigenvalues()
    sizes = {"N": 30, "T": 70, "z": 0.01, "sigma": 0.3}
    matrices = {"L": lam, "W": np.ones(120)}
    flow = expression("gradient-flow").derive().solve({**sizes, "z'": 0.01}, matrices).value
    ridge = expression("random-feature-loss").derive().solve(sizes, matrices).value
    assert 0.01**2 * flow == approx(ridge, rel=1e-10)


def test_mpmath_and_float_agree_and_precision_grows():
    equations = expression("deep-random-features").derive()
    lam = [1.0, 0.5, 0.25, 0.125] * 5
    sizes = {"N": 9, "T": 13, "K": 11}
    rough = equations.solve({**sizes, "z": 0.125}, {"L": lam})
    values = {}
    for digits in (20, 40):
        with mpmath.workdps(digits):
            solution = equations.solve({**sizes, "z": mpmath.mpf("0.125")}, {"L": lam})
            values[digits] = solution.value
            assert solution.residual < mpmath.mpf(10) ** -digits
    assert float(values[20]) == approx(float(rough.value), rel=1e-12)
    with mpmath.workdps(45):
        assert abs(values[20] / values[40] - 1) < mpmath.mpf(10) ** -19


def test_arrays_broadcast():
    equations = expression("random-feature-resolvent").derive()
    lam = PowerLaw(alpha=0.5, size=60).eigenvalues()
    n, z = np.array([[10], [20], [80]]), np.array([0.01, 0.1])
    table = equations.solve({"N": n, "T": 33, "z": z}, {"L": lam}).value
    assert table.shape == (3, 2)
    for i, j in np.ndindex(3, 2):
        single = equations.solve({"N": int(n[i, 0]), "T": 33, "z": z[j]}, {"L": lam}).value
        assert single == approx(table[i, j], rel=1e-10)


@mark.parametrize("name", ["marchenko-pastur", "semicircle", "sample-covariance"])
def test_densities_are_normalised(name):
    equations = EXPRESSIONS[name].derive()
    x = np.linspace(-3, 6, 3000)
    parameters = {"M": 40, "T": 90, "sigma": 1.0}
    parameters = {s.name: parameters[s.name] for s in equations.all_scalars() if s.name != "z"}
    matrices = {"L": np.linspace(0.5, 1.5, 40)} if name == "sample-covariance" else {}
    density = equations.density(x, parameters, matrices)
    assert np.trapezoid(density, x) == approx(1, abs=3e-3)
    if name == "semicircle":
        exact = np.sqrt(np.maximum(4 - x**2, 0)) / (2 * np.pi)
        assert np.abs(density - exact).max() < 1e-3


def test_a_density_needs_a_resolvent():
    with raises(OutsideTheoryError, match="resolvent"):
        expression("ridge-bias").derive().density([1.0], {"M": 4, "T": 5}, {"L": [1] * 4})


def test_bad_numbers_are_named():
    equations = expression("random-feature-resolvent").derive()
    lam = {"L": [1.0, 0.5]}
    with raises(InputError, match="also T"):
        equations.solve({"N": 3, "z": 1.0}, lam)
    with raises(InputError, match="value of L"):
        equations.solve({"N": 3, "T": 3, "M": 2, "z": 1.0})
    with raises(InputError, match="parameters = q"):
        equations.solve({"N": 3, "T": 3, "z": 1.0, "q": 1}, lam)
    with raises(InputError, match="finite"):
        equations.solve({"N": 3, "T": 3, "z": float("nan")}, lam)
    with raises(InputError, match="size of the matrices"):
        equations.solve({"N": 3, "T": 3, "M": 5, "z": 1.0}, lam)
    with raises(InputError, match="symmetric"):
        equations.solve({"N": 3, "T": 3, "z": 1.0}, {"L": [[1.0, 2.0], [0.0, 1.0]]})


def test_a_square_root_needs_eigenvalues_that_have_one():
    sizes = {"T": 30, "z": 3.0}
    with raises(InputError, match="square root"):
        expression("sample-covariance").derive().solve(sizes, {"L": [1.0, -0.1]})
    model = parse_declarations(symmetric=["W:M:1/M"], deterministic=["L:M"])
    shifted = derive("tr(inv(z*I + L + W))", model).solve({"z": 4.0}, {"L": [1.0, -0.1]})
    assert np.isfinite(shifted.value)


def test_a_point_on_the_spectrum_is_refused():
    equations = expression("marchenko-pastur").derive()
    with raises(OutsideTheoryError, match="spectrum"):
        equations.solve({"M": 40, "T": 90, "z": -1.0})


def rotated(rng, eigenvalues):
    basis, _ = np.linalg.qr(rng.standard_normal((len(eigenvalues),) * 2))
    return (basis * eigenvalues) @ basis.T


def test_traces_of_matrices_that_do_not_commute():
    rng = np.random.default_rng(2)
    model = parse_declarations(deterministic=["L:M", "G:M", "B:M"])
    M = model.fixed["L"].symbol.rows
    matrices = {name: rotated(rng, rng.uniform(0.5, 2, 6)) for name in "LGB"}
    given_values = DeterministicValues.read(model, matrices)
    lam, g, b = (model.fixed[name].eigenvalue for name in "LGB")
    cases = [
        ((lam / (lam + kappa),), "L"),
        ((lam / (lam + kappa) ** 2, g), "LG"),
        ((1 / (lam + kappa), g, 1 / (lam + kappa), b), "LGLB"),
        ((1 / (lam + kappa), g, lam / (lam + kappa), g, 1 / (lam + kappa), b), "LGLGLB"),
    ]
    point = np.array([0.3, 1.5])
    for factors, _ in cases:
        atom = SpectralTrace(M, *factors)
        values = compile_trace(atom, given_values)({kappa: point}, {})
        for value, k in zip(np.atleast_1d(values), point):
            product = np.eye(6)
            for factor in factors:
                product = product @ direct(factor, matrices, k, {lam: "L", g: "G", b: "B"})
            assert value == approx(np.trace(product), rel=1e-10)
            exact = exact_trace(atom, given_values, {kappa: mpmath.mpf(float(k))})
            assert float(exact) == approx(np.trace(product), rel=1e-10)


def direct(factor, matrices, k, names):
    top, below = sp.fraction(factor)
    ((letter, name),) = [(x, n) for x, n in names.items() if factor.has(x)]
    lam = matrices[name]
    power = sp.degree(below, letter) if below.has(letter) else 0
    value = lam if top.has(letter) else np.eye(len(lam))
    return value @ np.linalg.matrix_power(np.linalg.inv(lam + k * np.eye(len(lam))), int(power))


def test_commuting_matrices_must_commute():
    model = parse_declarations(deterministic=["L:M", "W:M"], commuting=["L,W"])
    rng = np.random.default_rng(4)
    with raises(InputError, match="commutes"):
        DeterministicValues.read(
            model, {"L": rotated(rng, [1, 2, 3]), "W": rotated(rng, [1, 2, 4])}
        )
    lam = rotated(rng, [1.0, 2.0, 3.0])
    read = DeterministicValues.read(model, {"L": lam, "W": lam @ lam})
    assert np.allclose(
        read.eigenvalues[Eigenvalue("lambda_W")], read.eigenvalues[Eigenvalue("lambda")] ** 2
    )


def test_reduced_and_unreduced_equations_agree():
    equations = expression("separable-covariance").derive()
    rng = np.random.default_rng(1)
    matrices = {"L": rng.uniform(0.2, 2, 12), "C": rng.uniform(0.2, 2, 18)}
    parameters = {"z": 2.0}
    reduced = equations.solve(parameters, matrices).unknowns
    raw = unreduced(equations, parameters, matrices)
    for symbol, definition in equations.system.shifts.items():
        value = complex(definition.subs({**raw, sp.Symbol("z"): 2.0}))
        assert value == approx(reduced[equations.renamed(symbol)], rel=1e-9)


def test_a_thousand_modes_as_a_curve():
    lam = PowerLaw(alpha=0.5, size=1000).eigenvalues()
    equations = expression("random-feature-resolvent").derive()
    x = np.geomspace(1e-4, 2, 60)
    density = equations.density(x, {"N": 300, "T": 700}, {"L": lam})
    assert np.all(density >= 0) and density.max() > 0


def test_two_shifts_at_large_and_small_z():
    model = parse_declarations(["Z:M,T:1/T"], deterministic=["L:M", "C:T"])
    equations = derive("tr(inv(z*I + sqrt(L)*Z*C*Z.T*sqrt(L)))", model)
    z = np.array([1e-3, 1.0, 1e6])
    values = equations.solve({"z": z}, {"L": np.ones(10), "C": np.ones(30)}).value
    white = expression("marchenko-pastur").derive().solve({"M": 10, "T": 30, "z": z}).value
    assert np.allclose(values, white, rtol=1e-9)
