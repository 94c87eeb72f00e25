r"""Power sums P(s, b, q; κ, M) = Σ_{J=1}^{M} J^{-s}/(1+κJ^b)^q at any scale.

Everything that the theory needs of a power-law spectrum is such a sum: with λ_J = J^{-b},
Σ λ^p/(λ+κ)^q is P(b(p−q), b, q; κ, M). The cost does not depend on M, which may be 10, 10^300
or infinite; κ ≥ 0 or complex off the negative real axis. Euler–Maclaurin after a few direct
terms, with the integral in closed form (₂F₁), replaces the sum.

Three faces of one definition, by the type of κ:

- an mpmath number: correct at the current mpmath precision (`certified`, rounded once);
- a float, complex or array: float64/complex128, vectorised (`vectorised`);
- `enclosure`: a ball that provably holds the value (`certified`).

κ = 0 (or q = 0) gives zeta values and generalised harmonic numbers.
"""

from __future__ import annotations

import math
from typing import Any

import mpmath

from .. import precision
from ..arguments import checked
from .exponents import Exponents, count, exponents

__all__ = ["enclosure", "power_sum", "power_sum_with_error"]

BITS_PER_DIGIT = math.log2(10)


def power_sum(s: Any, b: Any, q: Any, kappa: Any, size: Any = math.inf) -> Any:
    """P(s, b, q; κ, M) = Σ_{J=1}^{M} J^{-s}/(1+κJ^b)^q.

    Parameters
    ----------
    s, b, q: real s, b > 0, q ≥ 0; ints, floats, Fractions, mpmath or rational sympy numbers,
        taken at their exact value.
    kappa: κ ≥ 0 or complex off the negative real axis. An mpmath number gives an mpmath number
        correct at the current precision; a float, complex or array (any shape) gives float64
        or complex128, to about 1e-14 of the sum of the magnitudes of its terms.
    size: M, a count or infinity; in the float64 face an array that broadcasts with κ.

    Raises `InputError` for arguments that are not allowed, among them infinite sums that
    diverge (s + bq ≤ 1, or s ≤ 1 at κ = 0).

    Source: DLMF 2.10(i), Euler–Maclaurin; 15.6.1 for the integral.

    >>> power_sum(0, 1.5, 1, [0.01, 0.0001]).round(6)
    array([  51.603086, 1122.021453])
    >>> with mpmath.workdps(40):
    ...     print(power_sum(0, 1.5, 1, mpmath.mpf("0.01"), 10**18))
    51.60308576929656494107162896355149072446
    """
    return power_sum_with_error(s, b, q, kappa, size)[0]


def power_sum_with_error(s: Any, b: Any, q: Any, kappa: Any, size: Any = math.inf) -> Any:
    """`power_sum` and a bound on its absolute error.

    The bound is proved for an mpmath κ, and an estimate (rounding and truncation) otherwise.

    Arguments, shapes and errors are those of `power_sum`. Source: DLMF 2.10(i).

    >>> value, error = power_sum_with_error(0, 2, 1, 0.01, 3)
    >>> bool(abs(value - (1 / 1.01 + 1 / 1.04 + 1 / 1.09)) <= error < 1e-13)
    True
    """
    exps = exponents(s, b, q)
    if isinstance(kappa, mpmath.mpf | mpmath.mpc):
        from .certified import from_ball

        with precision.kept_for(kappa):
            return from_ball(_enclose(exps, kappa, size, mpmath.mp.prec + 8))
    from .vectorised import power_sum_array

    return power_sum_array(exps, kappa, size)


@checked
def enclosure(s: Any, b: Any, q: Any, kappa: Any, size: Any = math.inf, digits: int = 30) -> Any:
    """A python-flint ball, `arb` or `acb`, that holds P(s, b, q; κ, M) for certain.

    ``digits`` is the relative accuracy (of the modulus, for complex κ). κ may be any number
    that `power_sum` takes, or a ball; then the result holds the sum at every κ in it.

    Raises `InputError` as `power_sum` does. Source: DLMF 2.10(i) and 25.2(iii), Euler–Maclaurin
    with its remainder bounded; 15.6.1 for the integral.

    >>> enclosure(0, 1.5, 1, 0.01, 10**6, digits=20).str(15)
    '[51.4030860242965 +/- 4.65e-14]'
    """
    return _enclose(exponents(s, b, q), kappa, size, math.ceil(digits * BITS_PER_DIGIT) + 1)


def _enclose(exps: Exponents, kappa: Any, size: Any, bits: int) -> Any:
    from .certified import enclose, to_ball

    size, kappa = count(size), to_ball(kappa)
    if size == math.inf:
        exps.check_convergence(bool(kappa == 0) and exps.q != 0)
    return enclose(exps, kappa, size, bits)
