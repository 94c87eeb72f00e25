"""Inverses of sums of deterministic matrices that do not commute: atoms, numbers, proofs."""

import mpmath
import numpy as np
import sympy as sp
from pytest import approx, fixture, mark, raises

from solvable.analytic.errors import OutsideTheoryError
from solvable.analytic.free_probability import Eigenvalue, derive, parse_declarations
from solvable.analytic.free_probability.spectral_trace import SpectralTrace
from solvable.analytic.free_probability.sum_inverse import SumInverse
from solvable.analytic.notation import kappa, z

DATA = "sqrt(L)*X*X.T*sqrt(L)"
NOISY = "(A + sqrt(L)*X)*(A + sqrt(L)*X).T"
TEXTS = {
    f"tr(inv({DATA} + z*G))": ("L:M", "G:M"),
    f"tr(G*inv({DATA} + G + z*I)*L)": ("L:M", "G:M"),
    f"tr(inv({NOISY} + z*I))": ("L:M", "A:M,T"),
    f"tr(inv({DATA} + z*I + inv(G + L)))": ("L:M", "G:M"),
}


def positive(rng, size):
    root = rng.standard_normal((size, size))
    return root @ root.T / size + 0.3 * np.eye(size)


@fixture
def matrices():
    rng = np.random.default_rng(2)
    return {"L": positive(rng, 12), "G": positive(rng, 12), "A": rng.standard_normal((12, 18)) / 4}


def model_of(fixed):
    return parse_declarations(["X:M,T:1/T"], deterministic=list(fixed))


@mark.parametrize("text", [text for text in TEXTS if "inv(G + L)" not in text])
def test_the_pairings_prove_them_and_reject_others(text):
    equations = derive(text, model_of(TEXTS[text]))
    assert equations.pencil.check() < 1e-9
    assert equations.prove_planar(4).holds
    assert not equations.with_value(equations.value * (1 + 1 / z**2)).prove_planar(4).holds
    for index, relation in enumerate(equations.relations):
        for atom in sorted(relation.atoms(SpectralTrace), key=sp.default_sort_key):
            relations = list(equations.relations)
            relations[index] = relation.xreplace({atom: 2 * atom})
            assert not equations.with_relations(*relations).prove_planar(4).holds


@mark.parametrize("text", TEXTS)
def test_numbers_against_a_large_draw(text, matrices):
    equations = derive(text, model_of(TEXTS[text]))
    given = {name.partition(":")[0]: None for name in TEXTS[text]}
    given = {name: matrices[name] for name in given}
    value = equations.solve({"T": 18, "M": 12, "z": 0.7}, given).value
    rng, scale = np.random.default_rng(3), 30
    large = {n: np.kron(m, np.eye(scale)) for n, m in matrices.items()}
    x = rng.standard_normal((12 * scale, 18 * scale)) / np.sqrt(18 * scale)
    vals, vecs = np.linalg.eigh(large["L"])
    data = (vecs * np.sqrt(vals)) @ vecs.T @ x
    one, g, a = np.eye(12 * scale), large["G"], large["A"]
    drawn = {
        f"tr(inv({DATA} + z*G))": lambda: np.linalg.inv(data @ data.T + 0.7 * g),
        f"tr(G*inv({DATA} + G + z*I)*L)": lambda: (
            g @ np.linalg.inv(data @ data.T + g + 0.7 * one) @ large["L"]
        ),
        f"tr(inv({NOISY} + z*I))": lambda: np.linalg.inv((a + data) @ (a + data).T + 0.7 * one),
        f"tr(inv({DATA} + z*I + inv(G + L)))": lambda: np.linalg.inv(
            data @ data.T + 0.7 * one + np.linalg.inv(g + large["L"])
        ),
    }[text]()
    assert value == approx(np.trace(drawn) / len(drawn), rel=0.02)
    assert value != approx(1.1 * np.trace(drawn) / len(drawn), rel=0.02)


def test_digits_agree_with_floats(matrices):
    equations = derive(f"tr(inv({DATA} + z*G))", model_of(("L:M", "G:M")))
    given = {n: matrices[n][:3, :3] for n in "LG"}
    plain = equations.solve({"T": 5, "M": 3, "z": 0.7}, given).value
    with mpmath.workdps(30):
        exact = equations.solve({"T": 5, "M": 3, "z": mpmath.mpf("0.7")}, given).value
    assert float(exact) == approx(float(plain.real), rel=1e-12)


def test_where_the_matrices_are_diagonal_the_sum_is_a_function():
    """The same equations, written with and without commutation, agree on diagonal matrices."""
    text = f"tr(inv({DATA} + z*G))"
    free = derive(text, model_of(("L:M", "G:M")))
    together = derive(
        text, parse_declarations(["X:M,T:1/T"], deterministic=["L:M", "G:M"], commuting=["L,G"])
    )
    given = {"L": np.array([0.5, 1, 2, 3.0]), "G": np.array([2, 1, 0.3, 0.1])}
    values = [e.solve({"T": 6, "z": 0.7}, given).value for e in (free, together)]
    assert values[0] == approx(values[1], rel=1e-12)


def test_the_derivative_is_the_two_point_trace():
    M = sp.Symbol("M", positive=True)
    a, b = Eigenvalue("lambda"), Eigenvalue("lambda_G")
    inverse = SumInverse(sp.Tuple(1, a), sp.Tuple(kappa, b))
    slope = SpectralTrace(M, a, inverse).diff(kappa)
    assert slope == -SpectralTrace(M, a, inverse, b, inverse)
    assert inverse.commuting() == 1 / (a + kappa * b)


def test_one_penalty_alone_needs_no_sum():
    equations = derive("tr(inv(X*X.T + z*G))", model_of(("G:M",)))
    assert not equations.value.has(SumInverse)
    assert equations.prove_planar(4).holds


def test_a_rectangular_matrix_between_others_is_refused():
    model = parse_declarations(["X:M,T:1/T"], deterministic=["G:M", "A:M,T", "C:T"])
    with raises(OutsideTheoryError, match="stands between"):
        derive("tr(G*A*C*A.T*inv(X*X.T + z*I))", model)
