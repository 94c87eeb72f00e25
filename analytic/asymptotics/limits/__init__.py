r"""Limits of the static loss: `limit(regime, …)`, for a name in `REGIMES` or any statement.

A name is short for a statement, which the one mechanism of `balance` expands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import arguments
from ...arguments import checked, meant
from ...errors import InputError
from ...spectrum import Spectrum
from ..balance.exact_value import Comparison
from ..balance.limiting_form import LimitingForm
from ..balance.problem import Problem
from ..balance.systems import DERIVED, matrix_problem, named_problem
from ..expansion import exact_number
from .named import PARTS, Limit, Setting, named_limit, ratio
from .regime_names import EITHER_SIDE, REGIMES, SCALING, regime_name
from .stated import given_exponent, stated_limit

__all__ = [
    "EITHER_SIDE",
    "PARTS",
    "REGIMES",
    "Comparison",
    "Limit",
    "LimitingForm",
    "Setting",
    "limit",
    "ratio",
    "regime_name",
]


@checked
def limit(
    quantity: Any,
    regime: str | None = None,
    *,
    alpha: Any = None,
    exponent: Any = None,
    target_exponent: Any = None,
    smaller: str | None = None,
    terms: int = 3,
    at: Mapping[str, Any] | None = None,
    spectrum: Spectrum | None = None,
) -> Any:
    """A limit: of the static loss in a named regime, or of anything in any statement.

    Parameters
    ----------
    quantity: with ``regime``, what the limit is of: "static-loss" (or "loss"), "kappa", "noise",
        "optimal-loss" or "optimal-kappa" ("optimal-noisy-…" with noise), "flow-loss",
        "flow-train-loss", "sgd-loss", a row of the matrix table, or equations; alone, a name.
    regime: a statement (see `balance.regime_statement`); the result is a `LimitingForm`.  With a
        name it is the series of that part, as in ``limit(name, …).series("kappa")``.
    alpha, exponent: α or b = 1 + α, the representative point at which terms are ordered; every
        coefficient stays symbolic.  Not needed where the series has integer powers anyway.
    target_exponent: a; None means isotropic weights (a = b), which also simplifies the formulas.
    smaller: "N" (the default) or "T", for the named regimes that hold on either side.
    terms: number of terms that are not zero, leading one included.
    at: sizes by name, near which the terms of a statement are ordered, and exponents b and a.
    spectrum: of every deterministic matrix, in a statement: a power law (the default, symbolic in
        b and a), white data (`Flat`), or any other list of modes.

    Raises `InputError` for an unknown regime and for missing or inadmissible exponents,
    `OutsideTheoryError` on a wall between two regimes and for what has no series. Sources:
    solvable-model paper, eqs. (163), (186), (188); dynamical paper, eqs. (13), (14).

    >>> print(limit("N<<T", alpha=0.5).kappa)
    c**b*lambda_+*N**(-b) - b*c**b*lambda_+/2*N**(-b - 1) + b*c**b*lambda_+*(b + 1)/8*N**(-b - 2) \
+ O(N**(-2*b - 1))
    >>> limit("flow-loss", "1 << t << N, T = inf, M = inf", alpha=0.5, terms=1).remainder.monomial
    2**(-1 + 2/b)*c**2*lambda_+**(2/b)*t**(-1 + 2/b)/N
    >>> form = limit("loss", "1 << N << T, M = inf, z = 0", alpha=0.5, terms=2)
    >>> print(form.terms[0].expression, form.conditions)
    N**(1 - b)*c**b*lambda_+*sigma_w**2 (N**2/T < 1,)
    """
    options = {"alpha": alpha, "exponent": exponent, "target_exponent": target_exponent}
    part = DERIVED.get(quantity, quantity) if isinstance(quantity, str) else ""
    if regime is None or (part in PARTS and regime_name(regime)):
        _unread("a named regime, but with a statement", at=at, spectrum=spectrum)
        law = _named(quantity if regime is None else regime, smaller, terms, **options)
        return law if regime is None else law.series(part)
    _unread("a statement, which orders the sizes", smaller=smaller)
    return stated_limit(lambda isotropic: _problem(quantity, isotropic), regime, terms=terms,
                        at=at, spectrum=spectrum, **options)  # fmt: skip


def _named(
    regime: str, smaller: str | None, terms: int, *, alpha: Any, exponent: Any,
    target_exponent: Any,
) -> Limit:  # fmt: skip
    """The limit in a named regime."""
    name = regime_name(regime)
    terms = arguments.count("terms", terms)
    if name is None:
        allowed = f"one of {', '.join(REGIMES)}; a statement needs a quantity first"
        raise InputError("regime", repr(regime), f"{allowed}{meant(str(regime), REGIMES, 1)}")
    _check_smaller(name, smaller)
    b_value = _exponent(name, alpha, exponent)
    a_value = None if target_exponent is None else exact_number(target_exponent, "target_exponent")
    if a_value is not None and not a_value > 1:
        raise InputError("target_exponent", target_exponent, "a > 1: the target power diverges")
    return named_limit(name, b_value, a_value, smaller or "N", terms)


def _unread(where: str, **given: Any) -> None:
    """`InputError` for an argument that is given and would not be read."""
    for argument, value in given.items():
        if value is not None:
            raise InputError(argument, value, f"nothing with {where}")


def _check_smaller(name: str, smaller: str | None) -> None:
    """`InputError` unless it is a size, of a regime that holds on either side."""
    if name not in EITHER_SIDE:
        _unread(f"{name}, which says it", smaller=smaller)
    arguments.choice("smaller", smaller or "N", ("N", "T"))


def _exponent(name: str, alpha: Any, exponent: Any) -> Any:
    value = given_exponent(alpha, exponent)
    if value is None:
        if name in SCALING:
            raise InputError(
                "alpha",
                None,
                f"alpha or exponent: the order of terms in the regime {name} depends on it",
            )
        return None
    if not value > 1:
        raise InputError(
            "alpha",
            alpha if exponent is None else value - 1,
            "α > 0 (b > 1), else the trace of an infinite spectrum diverges",
        )
    return value


def _problem(quantity: Any, isotropic: bool) -> Problem:
    """The equations of a quantity by its name, of a row of the matrix table, or those given."""
    if not isinstance(quantity, str):
        return matrix_problem(quantity, isotropic)
    from ...free_probability.models import EXPRESSIONS

    if quantity in EXPRESSIONS:
        return matrix_problem(EXPRESSIONS[quantity].derive(), isotropic)
    return named_problem(quantity, isotropic)
