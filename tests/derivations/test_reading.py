"""What is exported is read back as an equal expression."""

import random

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.free_probability.matrix_function import MatrixFunction
from solvable.analytic.notation import N, T, a, alpha, kappa, sigma_w, z
from solvable.analytic.spectral_functions import D1, D2, h1
from solvable.analytic.typesetting import latex
from solvable.derivations import catalogue
from solvable.derivations.export.reading import argmin, read, skeleton, tokens, words_of
from solvable.derivations.relations import Minimiser

FAST = ("ridge-regression", "test-loss", "scaling-law", "late-time-limit", "matrix-ridge-bias")


def close(x, y):
    """Equal, floating numbers to the digits that are printed."""
    if x == y or sp.expand(x - y) == 0:
        return True
    difference = (x - y) / y if y.is_number and y != 0 else sp.simplify(x - y)
    printed = 1e-5 if y.has(sp.Float) else 1e-12
    return abs(difference.evalf()) < printed if difference.is_number else difference == 0


def returns(claim, names=None, code=None):
    """Whether both sides of the printed claim are what was printed."""
    left, _, right, order = read(code or latex(claim, names), words_of(claim, names))
    wanted = skeleton(claim.rhs)
    if isinstance(claim, Minimiser):
        wanted = argmin(skeleton(claim.args[2]), wanted)
    same = close(left, skeleton(claim.lhs)) and close(right, wanted)
    if order is not None:
        same = same and close(order, skeleton(claim.args[2]))
    return same


def claims(names):
    for name in names:
        for step in catalogue.load(name).claims:
            if not isinstance(step.claim.rhs, sp.BlockMatrix):
                yield name, step


@pytest.mark.parametrize("name", FAST)
def test_round_trip(name):
    for _, step in claims([name]):
        assert returns(step.claim), f"{name}/{step.name}: {latex(step.claim)}"


@pytest.mark.thorough
def test_round_trip_of_the_catalogue():
    wrong = [f"{name}/{step.name}" for name, step in claims(catalogue.names())
             if not returns(step.claim)]  # fmt: skip
    assert not wrong, wrong


def test_the_parts_that_are_read_whole_are_read_too():
    kinds = (sp.Sum, sp.Integral, sp.Limit, sp.Derivative)
    seen = 0
    for _, step in claims(["scaling-law", "late-time-limit", "double-descent", "early-time"]):
        for node in sp.preorder_traversal(step.claim):
            if isinstance(node, kinds):
                inner = node.args[0]
                assert close(read(latex(inner), words_of(inner)), skeleton(inner)), inner
                seen += 1
    assert seen > 5


def test_a_power_is_no_transpose_and_functions_of_matrices_are_read():
    size = sp.Symbol("M", positive=True)
    g, h = sp.MatrixSymbol("G", size, size), sp.MatrixSymbol("B", size, size)
    probability = sp.Function("P")(kappa > z)
    for one in ((1 - kappa) ** T, g.adjoint() * h * g, g.T * h, MatrixFunction("log", g + h.T),
                probability, probability**2 * N, sp.binomial(3 * N, T) / z):  # fmt: skip
        assert read(latex(one), words_of(one)) == skeleton(one), latex(one)


def test_a_renamed_formula_is_read_under_its_names():
    claim = catalogue.load("test-loss")["isotropic-target"].claim
    names = {"kappa": r"\lambda_*", "D_1": r"\mathrm{df}_{1}", "N": "p", "sigma_w": "s"}
    assert returns(claim, names)


def test_a_changed_formula_is_not_the_same():
    claim = catalogue.load("test-loss")["excess-loss"].claim
    code = latex(claim)
    assert not returns(claim, code=code.replace("+", "-", 1))
    assert not returns(claim, code=code.replace("^{2}", "^{3}", 1))
    assert not returns(claim, code=code.replace("h_{2}", "h_{1}", 1))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_random_formulas(seed):
    generator = random.Random(seed)

    def build(depth):
        if depth == 0 or generator.random() < 0.2:
            return generator.choice([N, T, kappa, sigma_w, D1, D2, h1, sp.Integer(3), a, z, sp.pi,
                                     sp.Rational(2, 7)])  # fmt: skip
        x, y = build(depth - 1), build(depth - 1)
        kinds = [x + y, x * y, x - y, x / (1 + y**2), x**2, sp.sqrt(x**2 + 1), sp.exp(-(x**2)),
                 x ** (1 + alpha), sp.log(2 + x**2), sp.sin(x), 1 / (2 + x * y) ** 3]  # fmt: skip
        return generator.choice(kinds)

    expression = build(4)
    back = read(latex(expression), words_of(expression))
    assert close(back, expression), latex(expression)


@pytest.mark.parametrize("code", [r"\frac{N", r"N +", r"\input{x}", "N)", r"q + \kappa", ""])
def test_what_is_not_a_formula_is_refused(code):
    with pytest.raises(InputError):
        read(code)


def test_the_notation_is_known_by_itself():
    assert read(r"\frac{N T \sigma_{w}^{2}}{N + T}") == N * T * sigma_w**2 / (N + T)
    assert tokens(r"a\, b") == ("a", "b")
