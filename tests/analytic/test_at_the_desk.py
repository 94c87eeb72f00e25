"""What is on a user's desk: printed digits, symbolic spectra, lambdify, derivatives, names."""

import pickle

import mpmath
import numpy as np
import pytest
import sympy as sp

import solvable as sv
from solvable.analytic.notation import symbol

N, T, gamma, sigma_eps, alpha = map(symbol, ("N", "T", "gamma", "sigma_epsilon", "alpha"))
LAW = sv.PowerLaw(alpha=sp.Rational(1, 2), size=2000)
EXACT = "0.4056389163336442642995205835"  # N 100, T 400


def test_results_print_the_digits_they_were_computed_with():
    result = sv.static_loss(LAW, 100, 400, digits=22)
    assert str(result.excess_loss) == EXACT[:24] and EXACT[:24] in repr(result)
    assert EXACT[:20] in result._repr_latex_()
    assert pickle.loads(pickle.dumps(result)) == result
    assert str(pickle.loads(pickle.dumps(result.excess_loss))) == EXACT[:24]


def test_mpf_arguments_are_evaluated_at_their_precision():
    with mpmath.workdps(30):
        found = sv.static_loss(LAW, mpmath.mpf(100), 400).excess_loss
        assert abs(found - mpmath.mpf("0.4056389163336442642995205835")) < 1e-26


def test_a_symbolic_spectrum_gives_formulas_that_numbers_can_be_put_in():
    loss = sv.static_loss(sv.PowerLaw(alpha=alpha, size=2000), N, T).excess_loss
    assert {N, T, alpha} <= loss.free_symbols
    value = loss.subs({alpha: sp.Rational(1, 2), N: 100, T: 400}).evalf(22)
    assert str(value).startswith(EXACT[:22])


def test_a_total_derivative_sees_kappa():
    """dL/dN against a difference quotient of the exact loss; at fixed κ it is another number."""
    formula = sv.excess_loss_formula(spectrum=LAW).subs({gamma: 0, sigma_eps: 0})
    slope = float(sp.lambdify((N, T), formula.diff(N), cse=True)(100, 400))
    losses = sv.static_loss(LAW, np.array([99.9, 100.1]), 400).excess_loss
    assert slope == pytest.approx(float(losses[1] - losses[0]) / 0.2, rel=1e-5)
    frozen = sv.excess_loss_formula(symbol("kappa")).diff(N)
    assert frozen.has(N) and frozen != formula.diff(N)


def test_lambdify_needs_no_modules():
    formula = sv.excess_loss_formula(spectrum=LAW).subs({gamma: 0, sigma_eps: 0})
    face = sp.lambdify((N, T), formula)
    assert float(face(100, 400)) == pytest.approx(float(EXACT), rel=1e-10)


def test_symbols_are_found_by_name():
    assert symbol("N") is N and symbol("N") != sp.Symbol("N")
    with pytest.raises(sv.InputError, match="one of"):
        symbol("nothing")


def test_lists_of_eigenvalues_are_spectra_as_solvers_give_them():
    assert sv.static_loss([1, 0.5], 1, 5) == sv.static_loss(sv.Empirical([1, 0.5]), 1, 5)
    found = np.linalg.eigvalsh(np.diag([2.0, 1.0, 0.0]) - 1e-17)  # ascending, one at -1e-17
    with pytest.warns(UserWarning, match=r"rounding errors|sorted"):
        assert sv.Empirical(found).eigenvalues().tolist() == [2, 1]


@pytest.mark.parametrize("wrong", [[[1.0, 0.5]], [], ["a"], [1, np.nan], [-1, 1]])
def test_what_is_no_spectrum_is_refused_by_the_name_of_the_argument(wrong):
    with pytest.raises(sv.InputError, match="eigenvalues"):
        sv.Empirical(np.array(wrong) if wrong == [[1.0, 0.5]] else wrong)


def test_the_names_that_users_look_for_are_there_and_say_what_they_need():
    for name in ("dynamics", "limit", "allocate", "optimal_ridge", "derive", "static_loss"):
        assert callable(getattr(sv, name)) and name in dir(sv)
    text = " ".join(sv.static_loss.__doc__.split())
    assert "Source: solvable-model paper" in text and "Raises `InputError`" in text
    assert "broadcasting" in text


@pytest.mark.parametrize("number", [sp.Integer, sp.Rational, lambda x: sp.Float(x, 30)])
def test_numbers_of_sympy_are_numbers(number):
    law = sv.PowerLaw(alpha=1, size=200)
    wanted = sv.static_loss(law, 50, 80, ridge=2, noise=1, digits=20).excess_loss
    sizes = {"ridge": number(2), "noise": number(1)}
    assert sv.static_loss(law, number(50), number(80), digits=20, **sizes).excess_loss == wanted
    plain = sv.static_loss(law, number(50), number(80), **sizes).excess_loss
    assert abs(plain / wanted - 1) < 1e-13
    assert mpmath.isfinite(sv.static_loss(law, sp.oo, number(80)).excess_loss)
    with pytest.raises(sv.InputError, match="digits"):
        sv.static_loss(law, 50, sv.symbol("T"), digits=20)
