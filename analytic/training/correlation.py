r"""The two-point function: correlations of the training residual at two frequencies.

For frequencies z and z' put ρ = R₁R₃ and H_k = 1/(z + λ_kρ) = (κ/z)/(λ_k+κ), and write
S[f] = Σ_k f_k H_k(z) H_k(z'). The correlations of the chain v⁰ → v¹ → v² → v³ solve

    C₀ = S[w²λ] + S[λ] C₃/N + R₃R₃' S[λ²] C₁/T
    C₁ = R₁R₁' (C₀ + σ²/(z z'))
    C₂ = z z' S[λ] C₁/T + R₁R₁' (S[w²λ²] + S[λ²] C₃/N)                              (2)
    C₃ = R₃R₃' C₂,

v⁰ being the error of the learned weights and v¹ the residual on the training data. The term
C₃/N is the variance due to the finite number of features: it is absent between two members
of an ensemble that have different features; C₁/T likewise between different data.

Since S[f] = κκ'/(zz') Σ f/((λ+κ)(λ+κ')) and κR₁R₃ = z, two sums over modes are enough,

    A = Σ w²λ/((λ+κ)(λ+κ')),   B = Σ λ/((λ+κ)(λ+κ')),

both divided differences of sums with one κ, so that n frequencies need n one-point sums:

    A = (h₁(κ) − h₁(κ'))/(κ' − κ),     B = (d₁(κ) − d₁(κ'))/(κ' − κ),     d₁ = D₁.

Where κ and κ' are so close that the difference loses digits, the two-point Hermite form of
the divided difference replaces it: with δ = κ' − κ, f the sum with one κ and g that with κ',

    f[κ,κ'] = (f' + g')/2 + δ (f'' − g'')/10 + δ² (f''' + g''')/120 + O(δ⁶).

The solution of (2), rewritten with d₁ = N(1 − R₃) = T(1 − R₁) so that no digits are lost
when the brackets R₁, R₃ or the frequencies are small, reads (ν = 1/N, τ = 1/T)

    Δ = R₃R₁' + κ B R₃ τ + κ' B R₁' ν         ( = (z − z')/(κ − κ') )
    C₀ = [κκ'/(zz') (A R₃ + ν h₁ B) + σ²/(zz') (τ D φ + κκ'B² ντ)]/Δ,
    φ = R₃ + κ' B ν,   D = Σ λ²/((λ+κ)(λ+κ')) = d₁ − κ' B.

Source: dynamical paper, eq. (35), and eqs. (110)–(115) for the switched terms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from ..formula import Formula, as_objects
from ..notation import kappa, kappa_prime, z, z_prime
from ..resolvent import ResolventSolution
from ..spectrum import Spectrum

#: relative distance of κ and κ' below which the Hermite form replaces the difference
CLOSE = 0.01
PAIRS = 1 << 20  # whose distances are formed at once
#: divisors of the two-point Hermite form with 1, 2, 3 derivatives at each end
HERMITE = ((2,), (2, 12), (2, 10, 120))
#: relative distance up to which 1 and 2 derivatives are enough: errors ε²/2 and ε⁴/6
ENOUGH = (1e-8, 1e-4)

S_TARGET, S_MODE, S_MODE2, S_TARGET2 = sp.symbols("S[w^2λ] S[λ] S[λ^2] S[w^2λ^2]")
C = sp.symbols("C_0:4")
R1, R1_PRIME, R3, R3_PRIME = sp.symbols("R_1 R_1' R_3 R_3'", positive=True)
NU, TAU = sp.symbols("nu tau", nonnegative=True)  # 1/N, 1/T
NOISE = sp.Symbol("sigma^2", nonnegative=True)
A, B, D, E = sp.symbols("A B D E")  # sums of w²λ, λ, λ², w²λ² over 1/((λ+κ)(λ+κ'))
H1 = sp.Symbol("h_1")  # Σ w²λ/(λ+κ), at κ and not at κ'
PHI, PSI = sp.symbols("phi psi")  # 1 − νD, 1 − τD
#: Python names of the quantities in which C₀ and C₁ are evaluated
ARGUMENTS = {
    "kappa": kappa, "kappa_prime": kappa_prime, "R1": R1, "R1_prime": R1_PRIME, "R3": R3,
    "R3_prime": R3_PRIME, "A": A, "B": B, "D": D, "h1": H1, "nu": NU, "tau": TAU, "noise": NOISE,
}  # fmt: skip


def correlation_system(*, shared_features: bool = True, shared_data: bool = True) -> list[sp.Eq]:
    """System (2), with C₃/N dropped unless features are shared and C₁/T unless data are.

    >>> correlation_system(shared_data=False)[0]
    Eq(C_0, C_3*S[λ]*nu + S[w^2λ])
    """
    features = NU * C[3] if shared_features else sp.Integer(0)
    data = TAU * C[1] if shared_data else sp.Integer(0)
    r1, r3 = R1 * R1_PRIME, R3 * R3_PRIME
    noise = NOISE / (z * z_prime)
    return [
        sp.Eq(C[0], S_TARGET + S_MODE * features + r3 * S_MODE2 * data),
        sp.Eq(C[1], r1 * (C[0] + noise)),
        sp.Eq(C[2], z * z_prime * S_MODE * data + r1 * (S_TARGET2 + S_MODE2 * features)),
        sp.Eq(C[3], r3 * C[2]),
    ]


@cache
def correlation_solution(
    *, shared_features: bool = True, shared_data: bool = True
) -> tuple[sp.Expr, sp.Expr]:
    """(C₀, C₁) of system (2) in the sums S[f], the responses and the frequencies.

    >>> correlation_solution(shared_features=False, shared_data=False)[0]
    S[w^2λ]
    """
    system = correlation_system(shared_features=shared_features, shared_data=shared_data)
    ((c0, c1, _, _),) = sp.linsolve(system, C)
    return c0, c1


@cache
def two_point_formula(
    *, shared_features: bool = True, shared_data: bool = True
) -> tuple[Formula, Formula]:
    """C₀ and C₁ in the form of the module's docstring, which loses no digits.

    System (2) is solved with S[f] in terms of A, B, D, E and with z = κR₁R₃, the sum D being
    kept as φ = 1 − νD where the features bring it in, as ψ = 1 − τD where the data do.
    Then E = h₁ − κ'A, φ = R₃ + κ'νB and ψ = R₁' + κτB turn every difference into a sum of
    products that are positive at real z > 0.

    >>> two_point_formula(shared_features=False, shared_data=False)[0].expression
    A/(R_1*R_1'*R_3*R_3')
    """
    unit = 1 / (R1 * R1_PRIME * R3 * R3_PRIME)  # κκ'/(zz')
    features, data = (1 - PHI) / NU, (1 - PSI) / TAU  # D twice
    system = correlation_system(shared_features=shared_features, shared_data=shared_data)
    system = [
        equation.subs({S_MODE2: unit * total}).subs(
            {S_TARGET: unit * A, S_MODE: unit * B, S_TARGET2: unit * E,
             z: kappa * R1 * R3, z_prime: kappa_prime * R1_PRIME * R3_PRIME}
        )
        for equation, total in zip(system, (data, data, features, features))
    ]  # fmt: skip
    ((c0, c1, _, _),) = sp.linsolve(system, C)
    return Formula("C_0", ARGUMENTS, _positive(c0)), Formula("C_1", ARGUMENTS, _positive(c1))


def _positive(value: sp.Expr) -> sp.Expr:
    """A correlation in φ, ψ, E, rewritten without differences."""
    brackets = {PHI: R3 + kappa_prime * NU * B, PSI: R1_PRIME + kappa * TAU * B}
    numerator, denominator = (sp.expand(part) for part in sp.fraction(sp.cancel(value)))
    clean = numerator.coeff(NOISE, 0).subs(E, H1 - kappa_prime * A).subs(brackets)
    noisy = numerator.coeff(NOISE, 1).subs(PSI, 1 - TAU * D).expand().subs(brackets)
    scale = denominator.subs(brackets)
    clean, noisy, scale = (sp.factor(sp.expand(part)) for part in (clean, noisy, scale))
    return sp.cancel(clean / scale, expand=False) + NOISE * noisy / scale


@dataclass(frozen=True)
class Points:
    """The resolvent at n frequencies: all that the two-point function needs of them.

    Arrays of shape *(…, n)*, float64/complex128 or objects that hold mpmath numbers:
    ``z``; ``kappa``; ``R1`` and ``R3``, the responses of data and features; ``degrees`` d₁
    and ``target`` h₁; ``distance`` of −κ from the spectrum. ``derivatives`` holds those of d₁
    and those of h₁: the first, and where two of the κ are close also the second and third.
    """

    z: np.ndarray
    kappa: np.ndarray
    R1: np.ndarray
    R3: np.ndarray
    degrees: np.ndarray
    target: np.ndarray
    distance: np.ndarray
    derivatives: tuple[tuple[np.ndarray, ...], ...]

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> Points:
        """The points whose arrays are changed in the same way."""
        arrays = {name: change(x) for name, x in vars(self).items() if name != "derivatives"}
        derivatives = tuple(tuple(change(x) for x in family) for family in self.derivatives)
        return Points(**arrays, derivatives=derivatives)

    def part(self, nodes: slice) -> Points:
        """Some of the nodes."""
        return self.each(lambda x: x[..., nodes])

    def mirrored(self) -> Points:
        """The same points followed by their complex conjugates, shape *(…, 2n)*."""
        return self.each(lambda x: np.concatenate([x, np.conjugate(x)], axis=-1))


def points(
    spectrum: Spectrum,
    solution: ResolventSolution,
    z: Any,
    groups: Sequence[slice] = (slice(None),),
) -> Points:
    """The one-point sums at the solutions κ(z) of equation (1), shape *(…, n)*.

    ``groups`` are the sets of nodes that will be paired with one another.
    """
    k = np.asarray(solution.value)
    exact = k.dtype == object
    degrees = np.asarray(solution.degrees)
    weighted = mode_sum(spectrum, k, 1, target=True)
    distance = np.ones(k.shape) if exact else distance_to_spectrum(spectrum, k)
    needed = [_derivatives_needed(k[..., g], distance[..., g]) for g in groups if not exact]
    signs = (-1, 2, -6)[: max(needed, default=1)]
    derivatives = tuple(
        tuple(
            sign * mode_sum(spectrum, k, q, target=target) for q, sign in enumerate(signs, start=2)
        )
        for target in (False, True)
    )  # of 1/(λ+κ): −1/(λ+κ)², 2/(λ+κ)³, −6/(λ+κ)⁴
    r1, r3 = (np.asarray(x) for x in (solution.sample_response, solution.feature_response))
    return Points(np.broadcast_to(z, k.shape), k, r1, r3, degrees, weighted, distance, derivatives)


def mode_sum(spectrum: Spectrum, k: np.ndarray, q: int, *, target: bool = False) -> np.ndarray:
    """Σ λ/(λ+κ)^q, with a factor w² if ``target``, also for objects that are mpmath numbers."""
    if k.dtype != object:
        return spectrum.resolvent_sum(k, 1, q, target)
    values = [spectrum.resolvent_sum(x, 1, q, target) for x in k.flat]
    return as_objects(values).reshape(k.shape)


def distance_to_spectrum(spectrum: Spectrum, k: np.ndarray) -> np.ndarray:
    """A lower bound of min_J |κ + λ_J|, the radius in which sums over modes are analytic.

    >>> from solvable.analytic.spectrum import PowerLaw
    >>> distance_to_spectrum(PowerLaw(alpha=1, size=2), np.array([1.0, -0.5 + 0.1j, -2.0]))
    array([1.25, 0.1 , 1.  ])
    """
    largest = float(spectrum.eigenvalue(1))
    smallest = float(spectrum.eigenvalue(spectrum.size)) if spectrum.size != math.inf else 0.0
    right = k.real > -(largest + smallest) / 2
    outside = np.where(right, np.abs(k + smallest), np.abs(k + largest))
    inside = (k.real < -smallest) & (k.real > -largest)
    return np.where(inside, np.abs(k.imag), outside)


def _derivatives_needed(k: np.ndarray, distance: np.ndarray) -> int:
    """Derivatives that bring the confluent form of all close pairs to rounding error."""
    rows, largest = max(1, PAIRS // max(1, k.size)), 0.0
    for start in range(0, k.shape[-1], rows):
        part = slice(start, start + rows)
        gap = np.abs(k[..., part, None] - k[..., None, :]) / distance[..., part, None]
        largest = max(largest, float(np.max(gap, where=gap < CLOSE, initial=0.0)))
    return 1 + sum(largest > limit for limit in ENOUGH)


def pair_sums(x: Points, y: Points) -> tuple[np.ndarray, np.ndarray]:
    """A = Σ w²λ/((λ+κ)(λ+κ')) and B = Σ λ/((λ+κ)(λ+κ')), shape *(…, n, n')*."""
    k, kp = x.kappa[..., :, None], y.kappa[..., None, :]
    delta = kp - k
    sums = ((x.target, y.target), (x.degrees, y.degrees))
    differences = [f[..., :, None] - g[..., None, :] for f, g in sums]
    exact = delta.dtype == object
    close = delta == 0 if exact else np.abs(delta) < CLOSE * x.distance[..., :, None]
    far = np.where(close, 1, delta)
    a, b = (difference / far for difference in differences)
    if close.any():
        *lead, i, j = np.nonzero(close)
        for total, f, g in zip((b, a), x.derivatives, y.derivatives):
            ends = ([z[(*lead, node)] for z in side] for side, node in ((f, i), (g, j)))
            total[close] = _confluent(delta[close], *ends)
    return a, b


def _confluent(delta: np.ndarray, f: list[np.ndarray], g: list[np.ndarray]) -> np.ndarray:
    """−f[κ,κ'] from as many derivatives at both ends as are known."""
    total: Any = 0
    for order, (weight, x, y) in enumerate(zip(HERMITE[len(f) - 1], f, g)):
        total = total - (x + (-1) ** order * y) * delta**order / weight
    return total


def two_point(
    x: Points, y: Points, features: Any, samples: Any, noise: Any = 0, *,
    shared_features: bool = True, shared_data: bool = True,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """C₀ and C₁ on all pairs of two sets of points, shape *(…, n, n')*.

    ``features``, ``samples`` (N, T) and ``noise`` σ_ε² are scalars, or arrays of the leading
    shape. ``shared_features=False`` is the correlation between models with different features
    on the same data, ``shared_data=False`` between models with the same features on different
    data (whose C₁ is of no use: training residuals then belong to different samples).
    """
    if x.kappa.dtype == object and shared_features and shared_data:
        return _as_divided_difference(x, y, features, samples, noise)
    a, b = pair_sums(x, y)
    k, kp = x.kappa[..., :, None], y.kappa[..., None, :]
    values = {
        "kappa": k, "kappa_prime": kp, "R1": x.R1[..., :, None], "R1_prime": y.R1[..., None, :],
        "R3": x.R3[..., :, None], "R3_prime": y.R3[..., None, :], "A": a, "B": b,
        "D": x.degrees[..., :, None] - kp * b, "h1": x.target[..., :, None],
        "nu": 1 / _outer(features, 2), "tau": 1 / _outer(samples, 2), "noise": _outer(noise, 2),
    }  # fmt: skip
    evaluate = _compiled(shared_features, shared_data)
    c0, c1 = evaluate(*(values[name] for name in ARGUMENTS))
    return c0, c1


def _as_divided_difference(
    x: Points, y: Points, features: Any, samples: Any, noise: Any
) -> tuple[np.ndarray, np.ndarray]:
    """C₁ = −(F − F')/(z − z') with F = R₁(κh₁ + σ²)/z, and C₀ = C₁/(R₁R₁') − σ²/(zz').

    The same in few operations, which lose digits where z is small: for mpmath, where the loss
    shows in the comparison of two precisions.
    """
    delta = y.z[None, :] - x.z[:, None]
    same = delta == 0
    f, g = (p.R1 * (p.kappa * p.target + noise) / p.z for p in (x, y))
    c1 = (f[:, None] - g[None, :]) / np.where(same, 1, delta)
    if same.any():
        rows, _ = np.nonzero(same)
        c1[same] = confluent_two_point(x, features, samples, noise)[1][rows]
    c0 = c1 * (1 / x.R1)[:, None] * (1 / y.R1)[None, :]
    return c0 - (noise / x.z)[:, None] * (1 / y.z)[None, :], c1


def confluent_two_point(
    x: Points, features: Any, samples: Any, noise: Any
) -> tuple[np.ndarray, np.ndarray]:
    """C₀(z, z) and C₁(z, z) at each point, shape *(…, n)*."""
    k, b = x.kappa, -x.derivatives[0][0]
    values = {
        "kappa": k, "kappa_prime": k, "R1": x.R1, "R1_prime": x.R1, "R3": x.R3, "R3_prime": x.R3,
        "A": -x.derivatives[1][0], "B": b, "D": x.degrees - k * b, "h1": x.target,
        "nu": 1 / _outer(features, 1), "tau": 1 / _outer(samples, 1), "noise": _outer(noise, 1),
    }  # fmt: skip
    c0, c1 = _compiled(True, True)(*(values[name] for name in ARGUMENTS))
    return c0, c1


@cache
def _compiled(shared_features: bool, shared_data: bool) -> Callable[..., list[Any]]:
    """Both formulas as one function of arrays, in which common parts are computed once."""
    formulas = two_point_formula(shared_features=shared_features, shared_data=shared_data)
    plain = {symbol: sp.Dummy(name) for name, symbol in ARGUMENTS.items()}
    bodies = [formula.expression.xreplace(plain) for formula in formulas]
    return sp.lambdify(list(plain.values()), bodies, "numpy", cse=True)


def _outer(size: Any, axes: int) -> Any:
    """An array of the leading shape with axes appended; a scalar as an array."""
    if isinstance(size, mpmath.mpf):
        return np.array(size, dtype=object)
    if isinstance(size, np.ndarray) and size.ndim:
        return size.reshape(*size.shape, *(1,) * axes)
    return size
