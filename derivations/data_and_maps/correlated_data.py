"""Why data with power-law correlations have a power-law spectrum."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from solvable.analytic.notation import J, alpha

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact, Slope
from ..derivation import Step
from ..relations import Equality, Equivalent

if TYPE_CHECKING:
    from ..relations import Relation

wave = sp.Symbol("k", positive=True)  # wave number
hurst = sp.Symbol("H", positive=True)  # C(0) − C(r) ∝ r^{2H}
space = sp.Symbol("d", positive=True)  # dimension of the space that the inputs sample
amplitude = sp.Symbol("A", positive=True)
power = sp.Symbol("S_k", positive=True)
SITES, SMALL = 1 << 19, 48
EXPONENTS = (0.3, 0.5, 0.7)
CASES = ((0.3, 1), (0.7, 1), (0.5, 2))  # H, d


@derivation(
    "correlated-data",
    "Why data with power-law correlations have a power-law spectrum",
    Reference("talk"),
)
def correlated_data() -> Parts:
    """Inputs sampled at the points of a space, with correlations that depend on the distance only:
    the eigenvectors of the covariance are waves and its eigenvalues the Fourier transform of the
    correlation. Correlations without a scale, C(0) − C(r) = A r^{2H}, have a Fourier transform
    without a scale, and counting waves turns it into a power of the rank: α = 2H/d."""
    transform = 2 * amplitude * sp.gamma(2 * hurst + 1) * sp.sin(sp.pi * hurst)
    transform *= wave ** (-1 - 2 * hurst)
    exponent = space + 2 * hurst
    rank = sp.Symbol("J", positive=True)
    ranked = sp.solve(sp.Eq(rank, wave**space), wave)[0]  # J ∝ k^d waves are below k
    of_rank = sp.powsimp(sp.powdenest((wave**-exponent).subs(wave, ranked), force=True))
    found = sp.simplify(-sp.diff(sp.log(of_rank), rank) * rank - 1)
    brownian = 1 / (sp.pi * (J - sp.Rational(1, 2))) ** 2
    steps = [
        Step(
            "waves",
            Equality(sp.Symbol("lambda_1"), _fourier_eigenvalue()),
            f"A covariance C(|i−j|) on a ring of {SMALL} sites: the largest eigenvalue but the "
            "constant one is the Fourier sum Σ C(r) cos(2πr/n).",
            Agrees(_numeric_eigenvalue, lambda claim: float(claim.rhs), 1e-10),
        ),
        Step(
            "transform",
            Equivalent(power, transform),
            "One dimension, C(0) − C(r) = A r^{2H} at small r: the Fourier transform at large k. "
            "∫ r^{2H} e^{ikr} dr by analytic continuation; checked on rings of many sites.",
            Agrees(_ring, lambda claim: _claimed_transform(claim.rhs), 0.004),
            wrong=(Equivalent(power, transform.subs(sp.sin(sp.pi * hurst), sp.Integer(1))),),
        ),
        Step(
            "exponent",
            Equality(alpha, found),
            "In d dimensions S(k) ∝ k^−(d+2H), and the number of waves below k is ∝ k^d. The slope "
            "of the ranked eigenvalues on a torus of one and of two dimensions, less one.",
            Slope([({hurst: h, space: d}, partial(_ranked, h, d))
                   for h, d in ((0.3, 1), (0.7, 1), (0.5, 2))], axes=("J", "J λ_J")),
            Reference("talk"),
            (Equality(alpha, 2 * hurst), Equality(alpha, hurst / space)),
        ),
        Step(
            "brownian",
            Equality(sp.Symbol("lambda_J"), brownian),
            "An exact case, H = ½ and d = 1: C = min(s, t) on 0 < s < 1 has the eigenfunctions "
            "sin((J−½)πs), by −λ f″ = f with f = 0 at one end and f′ = 0 at the other.",
            Exact(residual=_brownian_residual),
        ),
        Step(
            "brownian-exponent",
            Equality(sp.Symbol("alpha_1"), sp.limit(-sp.log(brownian) / sp.log(J), J, sp.oo) - 1),
            "Its exponent is that of @exponent at H = ½, d = 1.",
            Exact(value=lambda: found.subs({hurst: sp.Rational(1, 2), space: 1})),
        ),
    ]  # fmt: skip
    return Parts(
        steps, steps[2].claim,
        assumptions=("correlations depend on the distance only, 0 < H < 1",
                     "scales between the sampling and the size of the space"),
        notes=("A correlation that itself decays as r^−η with η < d gives exponents b = 1 − η/d "
               "below one: its variance sits in the largest scales.",),
    )  # fmt: skip


def _correlation(distance: np.ndarray, h: float) -> np.ndarray:
    """1 − r^{2H} at small r, smooth and periodic: r = |sin(πx)|/π on a ring of length 1."""
    return 1 - distance ** (2 * h)


@cache
def _small() -> np.ndarray:
    return _correlation(np.abs(np.sin(np.pi * np.arange(SMALL) / SMALL)) / np.pi, 0.4)


def _fourier_eigenvalue() -> sp.Float:
    terms = _small() * np.cos(2 * np.pi * np.arange(SMALL) / SMALL)
    return sp.Float(float(terms.sum()), 15)


def _numeric_eigenvalue() -> float:
    place = np.abs(np.arange(SMALL)[:, None] - np.arange(SMALL))
    values = np.linalg.eigvalsh(_small()[place])
    return float(values[-2])


WAVES = (80, 320)


@cache
def _ring() -> list[float]:
    """S(2πm) on a ring of length 1 for each H, at two wave numbers."""
    x = np.arange(SITES) / SITES
    distance = np.abs(np.sin(np.pi * x)) / np.pi
    found = []
    for h in EXPONENTS:
        values = np.fft.rfft(_correlation(distance, h)).real / SITES
        found += [float(values[m]) for m in WAVES]
    return found


def _claimed_transform(right: sp.Expr) -> list[float]:
    return [
        float(right.subs({hurst: h, amplitude: 1, wave: 2 * sp.pi * m}))
        for h in EXPONENTS for m in WAVES
    ]  # fmt: skip


@cache
def _ranked(h: float, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Ranks and eigenvalues times the rank, of a torus of d dimensions."""
    side = SITES if d == 1 else 1024
    x = np.sin(np.pi * np.arange(side) / side) / np.pi
    squares = x**2 if d == 1 else x[:, None] ** 2 + x[None] ** 2
    values = np.fft.fftn(_correlation(np.sqrt(squares), h)).real / side**d
    ordered = np.sort(np.abs(values.ravel()))[::-1]
    ranks = np.array([300, 3000])
    smooth = [np.exp(np.mean(np.log(ordered[int(0.9 * j) : int(1.1 * j)]))) for j in ranks]
    return ranks, np.array(smooth) * ranks


def _brownian_residual(claim: Relation) -> list[sp.Expr]:
    """∫ min(s, t) f(t) dt − λ f(s) for the first eigenfunctions."""
    right = claim.rhs
    x, y = sp.symbols("x y", positive=True)
    found = []
    for mode in (1, 2, 3):
        f = sp.sin((mode - sp.Rational(1, 2)) * sp.pi * y)
        image = sp.integrate(y * f, (y, 0, x)) + x * sp.integrate(f, (y, x, 1))
        found.append(sp.simplify(image - right.subs(J, mode) * f.subs(y, x)))
    return found
