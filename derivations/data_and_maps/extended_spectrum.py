"""A nonlinear map extends a spectrum, a linear one does not."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from solvable.analytic.features.maps import map_spectrum
from solvable.analytic.notation import N, T, alpha

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Agrees, Exact, Inequality, Slope
from ..derivation import Step
from ..relations import Equality, Less

if TYPE_CHECKING:
    from ..relations import Relation

theta = sp.Symbol("theta", real=True)
dimension = sp.Symbol("d", positive=True, integer=True)  # of the inputs, on a sphere
inputs = sp.Symbol("N_in", positive=True, integer=True)
kernel_error, equivalent_error = sp.symbols("epsilon_k epsilon_l", positive=True)
even = sp.Symbol("k", positive=True, even=True)
RANK = (3, 40, 60)  # N_in, T, N
EVEN = (2, 4, 6)


@derivation(
    "extended-spectrum",
    "Linear and nonlinear feature maps",
    Reference("talk"),
    Reference("arc-cosine"),
)
def extended_spectrum() -> Parts:
    """A linear map of N_in inputs has min(N_in, N, T) eigenvalues whatever its width. ReLU features
    of the same inputs have min(N, T): on a circle, N_in = 2, the eigenvalues of the kernel are
    Fourier coefficients that fall as a power for ever. Random features of width N follow the
    kernel's eigensystem; the linear Gaussian equivalent follows only where inputs have no
    structure."""
    fourier, falls = _on_circle()
    smooth = (dimension + 2) / (dimension - 1)  # degree^{−(d+2)}, ranks ∝ degree^{d−1}
    steps = [
        *_rank_steps(),
        Step(
            "circle",
            Equality(sp.Function("lambda")(even), fourier),
            "Inputs uniform on a circle: the eigenvectors are cos kθ and sin kθ, the eigenvalues "
            "the Fourier coefficients of κ₁(cos θ), here for even k.",
            Exact(residual=_integrated),
            Reference("arc-cosine"),
        ),
        Step(
            "circle-exponent",
            Equality(alpha, falls - 1),
            "λ(k) falls as k⁻⁴ and each k has two eigenvectors, so that ranks are ∝ k: the slope "
            "of the exact eigenvalues at large k, less one.",
            Slope([({}, _circle_curve)], axes=("J", "J λ_J")),
            wrong=(Equality(alpha, 2),),
        ),
        Step(
            "sphere-exponent",
            Equality(alpha, sp.simplify(smooth - 1)),
            "On a sphere of d inputs: the kink makes eigenvalues of degree k fall as k^−(d+2), and "
            "k^(d−1) of them have at most this degree. The slope of the exact Funk–Hecke "
            "eigenvalues for d = 3 and 4.",
            Slope([({dimension: d}, partial(_sphere_curve, d)) for d in (3, 4)],
                  axes=("J", "J λ_J"), tolerance=0.02),
            wrong=(Equality(alpha, 3 / dimension),),
        ),
        Step(
            "equivalent",
            Less(kernel_error, equivalent_error / 4),
            "The root mean square error of ln μ of two predictions for ReLU features of inputs "
            "with a power-law covariance, in two draws: the kernel's eigensystem, and the linear "
            "Gaussian equivalent.",
            Inequality(_errors),
            wrong=(Less(equivalent_error, kernel_error),),
        ),
    ]  # fmt: skip
    return Parts(
        steps, (steps[0].claim, steps[1].claim, steps[4].claim),
        assumptions=("ReLU features without bias; eigenvalues of even degree",),
    )  # fmt: skip


def _rank_steps() -> list[Step]:
    return [
        Step(
            "linear-rank",
            Equality(sp.Symbol("rank_linear"), sp.Min(inputs, N, T)),
            "φ = W x: the rank of a product is that of its smallest factor. Counted in a draw.",
            Agrees(lambda: _ranks(linear=True), _counted, 1e-12),
            Reference("talk"),
        ),
        Step(
            "nonlinear-rank",
            Equality(sp.Symbol("rank_relu"), sp.Min(N, T)),
            "Kinks of N random directions are linearly independent functions. Counted in a draw "
            f"with N_in = {RANK[0]}.",
            Agrees(lambda: _ranks(linear=False), _counted, 1e-12),
            Reference("talk"),
            (Equality(sp.Symbol("rank_relu"), sp.Min(inputs, N, T)),),
        ),
    ]


def _on_circle() -> tuple[sp.Expr, sp.Expr]:
    """The Fourier coefficient of κ₁(cos θ) at even k, and the power with which it falls."""
    m = sp.Symbol("m", positive=True)
    sine = sp.integrate(sp.sin(m * theta), (theta, 0, sp.pi))
    cosine = sp.integrate((sp.pi - theta) * sp.cos(m * theta), (theta, 0, sp.pi))
    above, below = ({m: even + 1}, {m: even - 1})  # products of waves are sums of waves
    parts = sine.subs(above) - sine.subs(below) + cosine.subs(above) + cosine.subs(below)
    odd = {sp.cos(sp.pi * (even + 1)): -1, sp.cos(sp.pi * (even - 1)): -1}
    fourier = sp.factor(sp.expand(parts / (2 * sp.pi**2), trig=False).subs(odd))
    top, bottom = sp.fraction(sp.together(fourier))
    falls = sp.degree(bottom, even) - sp.degree(top, even)
    return fourier, falls


@cache
def _ranks(linear: bool) -> list[float]:
    width, found = RANK[0], []
    for samples, features in ((40, 60), (60, 30)):
        rng = np.random.default_rng(7)
        drawn = rng.normal(size=(samples, width)) @ rng.normal(size=(width, features))
        found.append(float(np.linalg.matrix_rank(drawn if linear else np.maximum(drawn, 0))))
    return found


def _counted(claim: Relation) -> list[float]:
    right = claim.rhs
    return [float(right.subs({inputs: RANK[0], T: a, N: b})) for a, b in ((40, 60), (60, 30))]


def _integrated(claim: Relation) -> list[sp.Expr]:
    """The claim less the integral at single k, done exactly."""
    right = claim.rhs
    kernel = (sp.sin(theta) + (sp.pi - theta) * sp.cos(theta)) / sp.pi**2
    found = []
    for degree in EVEN:
        value = sp.integrate(sp.expand(kernel * sp.cos(degree * theta)), (theta, 0, sp.pi))
        found.append(sp.simplify(right.subs(even, degree) - value))
    return found


def _circle_curve() -> tuple[np.ndarray, np.ndarray]:
    """Rank and eigenvalue on the circle, by a fast Fourier transform of the kernel."""
    count = 1 << 16
    angle = np.pi - np.abs(np.linspace(-np.pi, np.pi, count, endpoint=False))
    gap = np.pi - angle
    kernel = (np.sin(gap) + angle * np.cos(gap)) / np.pi
    values = np.abs(np.fft.rfft(kernel)) / count
    degree = np.array([100, 400])
    return degree, values[degree] / degree**-1.0


def _sphere_curve(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Rank and eigenvalue of κ₁ on the sphere (Funk–Hecke), times the rank."""
    from scipy.special import eval_gegenbauer

    order = d / 2 - 1
    angle, weights = np.polynomial.legendre.leggauss(600)
    gap = (angle + 1) * np.pi / 2
    kernel = (np.sin(gap) + (np.pi - gap) * np.cos(gap)) / np.pi
    degree = np.array([60, 240])
    values = [
        abs(np.sum(weights * kernel * eval_gegenbauer(n, order, np.cos(gap)) * np.sin(gap)
                   ** (d - 2))) / eval_gegenbauer(n, order, 1.0) for n in degree
    ]  # fmt: skip
    rank = (degree + order) ** (d - 1.0)
    return rank, np.array(values) * rank


@cache
def _errors() -> list[dict[sp.Symbol, float]]:
    found = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        data = rng.normal(size=(200, 40)) * np.arange(1, 41) ** -0.75
        spectrum = map_spectrum(data, "relu", 600, seed=seed)
        found.append({kernel_error: spectrum.kernel_error,
                      equivalent_error: spectrum.equivalent_error})  # fmt: skip
    return found
