"""Random expressions in random regimes at random exponents: the first term, and what it leaves.

Every draw is a quantity, a statement and (a, b); in a fifth of them a − 1 is a multiple of b or
a − b whole, where coefficients are infinite and logarithms stand.  The slope of what is left must
not be shallower than claimed, and the quantity must fall as its first term does.
"""

import random
import zlib
from collections import Counter

import pytest
import sympy as sp

from solvable.analytic.asymptotics.balance.limiting_form import limiting_form
from solvable.analytic.asymptotics.balance.places import EdgeIntegral
from solvable.analytic.asymptotics.balance.regime_statement import parse_regime
from solvable.analytic.asymptotics.balance.slope_check import measured_slope
from solvable.analytic.asymptotics.balance.systems import matrix_problem, static_problem
from solvable.analytic.errors import SolvableError
from solvable.analytic.free_probability.models import expression
from solvable.analytic.notation import a, b
from tests.processor_time import Endless, bounded

STATIC = ("loss", "kappa", "noise")
ROWS = ("ridge-bias", "ridge-variance", "gram-matrix", "degrees-of-freedom", "sample-covariance",
        "ridge-training-loss", "random-feature-resolvent", "marchenko-pastur", "sum-of-wisharts",
        "squared-resolvent", "wishart-plus-wigner")  # fmt: skip
SECONDS, LOGARITHMS, FARTHER = 20, (13, 14), (40, 41)


def regime(rng, sizes):
    """A random statement about all sizes: an order of N and T, one of M, and one of z."""
    moving = [s for s in ("N", "T") if s in sizes]
    rng.shuffle(moving)
    parts = ["1 << " + " << ".join(moving)]
    if len(moving) == 2 and rng.random() < 0.3:
        first, second = moving
        parts = [f"1 << {second}", f"{first}/{second} = {rng.choice(('1/2', '2/3', '3'))}"]
    if "M" in sizes:
        last = moving[-1]
        parts.append(rng.choice(("M = inf", "M = inf", f"{last} << M", f"{last}/M = 1/3")))
    if "z" in sizes:
        low = rng.choice(moving or ["M"])
        power = rng.choice(("", "1/2*", "2*"))
        parts.append(rng.choice(("z = 0", f"z ~ {low}^-b", f"z -> 0, z*{low}^(3*b) << 1",
                                 f"z -> 0, 1/{low} << z^({power}1)", "z -> inf")))  # fmt: skip
    return ", ".join(parts).replace("^(1)", "").replace("^(1/2*1)", "^(1/2)").replace("(2*1)", "2")


def exponents(rng):
    """(b, a): rational, resonant in a fifth of the draws."""
    power = 1 + sp.Rational(rng.randint(1, 12), rng.choice((5, 7, 8, 11)))
    if rng.random() < 0.2:
        return power, rng.choice((1 + power, 1 + 2 * power, power + 2))
    return power, 1 + sp.Rational(rng.randint(1, 30), rng.choice((7, 9, 11, 13)))


def draw(seed):
    """A problem, a statement and a point."""
    rng = random.Random(zlib.crc32(f"limits {seed}".encode()))
    name = rng.choice(STATIC * 3 + ROWS)
    power, target = exponents(rng)
    isotropic = rng.random() < 0.15
    point = {b: power} | ({} if isotropic else {a: target})
    problem = (
        static_problem(name, isotropic)
        if name in STATIC
        else matrix_problem(expression(name).derive(), isotropic)
    )
    return name, problem, regime(rng, {s.name for s in problem.sizes}), point


def outcome(seed, wrong=1):
    """("right" | "wrong" | "refused" | "late", what was found)."""
    name, problem, statement, point = draw(seed)
    where = f"{seed}: {name} | {statement} | {point}"
    try:
        with bounded(SECONDS):
            parsed = parse_regime(statement, problem.sizes, point, keep=problem.size)
            form = limiting_form(problem, parsed, point, 1)
            logs = (form.expression.has(sp.log)
                    or bool(form.remainder and form.remainder.expression.has(sp.log)))  # fmt: skip
            for logarithms in (LOGARITHMS, FARTHER):  # further where two terms are close
                found = measured_slope(problem, form, point, logarithms, wrong)
                holds = found.holds(0.05 + 4 * logs / (logarithms[0] * 2.3))
                if holds:
                    break
    except SolvableError as error:
        return "refused", f"{where}: {error}"
    except Endless:
        return "late", where
    return ("right" if holds else "wrong"), f"{where}: {found}"


@pytest.mark.thorough
def test_random_limits_hold():
    results = [outcome(seed) for seed in range(40)]
    wrong = [text for word, text in results if word == "wrong"]
    count = Counter(word for word, _ in results)
    assert not wrong, "\n".join(wrong)
    assert count["right"] > 20, count


def test_a_wrong_prefactor_is_noticed():
    words = [outcome(seed, wrong=sp.Rational(9, 8))[0] for seed in (1, 2, 3, 4)]
    assert "right" not in words, words
    assert "wrong" in words, words


def test_two_terms_that_nearly_cancel_are_told_apart_far_out():
    assert outcome(428)[0] == "right"  # 1/6 − L^{-1/22}/3 behind the lead


def test_a_real_root_is_refused_where_the_physical_one_is_complex():
    word, text = outcome(233)  # zero lies inside the semicircle
    assert word == "refused" and "no real solution is the physical one" in text


@pytest.mark.parametrize(("ratio", "share"), [("2/3", "2/9"), ("3/2", "1/3")])
def test_without_a_ridge_the_smaller_size_is_the_one_that_fits(ratio, share):
    problem, point = static_problem("kappa"), {b: sp.Rational(17, 8), a: 2}
    statement = f"1 << T, N/T = {ratio}, T/M = 1/3, z = 0"
    parsed = parse_regime(statement, problem.sizes, point, keep=problem.size)
    form = limiting_form(problem, parsed, point, 1, remainder=False)
    assert form.where[next(x for x in form.where if x.has(EdgeIntegral))] == sp.Rational(share)


@pytest.mark.parametrize("statement", ["1 << N, T/N = 3, M = inf, z ~ T^-b",
                                       "1 << N << T, M = inf, z ~ N^-b"])  # fmt: skip
@pytest.mark.parametrize("wrong", [1, sp.Rational(9, 8)])
def test_poles_that_cancel_by_the_equation_of_a_constant(statement, wrong):
    """κ₀ solves an equation with y_z, by which the poles at a − 1 = b are of opposite sign."""
    problem, point = static_problem("loss"), {b: sp.Rational(12, 7), a: sp.Rational(19, 7)}
    form = limiting_form(problem, parse_regime(statement, problem.sizes, point), point, 1)
    assert form.expression.has(sp.log)
    found = measured_slope(problem, form, point, LOGARITHMS, wrong)
    assert found.holds(0.2) == (wrong == 1), found
