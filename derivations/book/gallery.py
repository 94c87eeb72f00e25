"""Figures of the quantities that derivations derive, each computed by the library it belongs to."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import sympy as sp

from solvable.analytic.asymptotics.limits.breakdown_fit import fit_ratio
from solvable.analytic.features.dual_kernels import arc_cosine, erf_formula, tangent_kernel
from solvable.analytic.loss import static_loss
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.resolvent import eigenvalue_density, expected_eigenvalues, solve
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics

from .pictures import DASHED, Picture, PictureCurve

GALLERY: dict[str, Callable[[], Picture]] = {}
HALF = PowerLaw(alpha=Fraction(1, 2), size=1000)


def shows(name: str) -> Callable[[Callable[[], Picture]], Callable[[], Picture]]:
    """The decorated function draws the derivation of this name."""

    def register(draw: Callable[[], Picture]) -> Callable[[], Picture]:
        GALLERY[name] = draw
        return draw

    return register


def logarithmic(low: float, high: float, count: int = 120) -> np.ndarray:
    """Points at equal ratios."""
    return np.geomspace(low, high, count)


def hard_task(size: float) -> PowerLaw:
    """The spectrum and task of the dynamical paper: b = 5/4, a = 3/2."""
    return PowerLaw(exponent=Fraction(5, 4), target_exponent=Fraction(3, 2), size=size)


def curve(label: str, x: np.ndarray, y: np.ndarray, kind: str = "line") -> PictureCurve:
    """Arrays as a curve."""
    return PictureCurve(label, list(map(float, x)), list(map(float, y)), kind)


@shows("resolvent")
def renormalised() -> Picture:
    """κ against the ridge."""
    z = logarithmic(1e-7, 10)
    curves = [
        curve(f"N = {n:g}, T = {t:g}", z, np.array([solve(HALF, n, t, x).value for x in z]))
        for n, t in ((100.0, 400.0), (400.0, 400.0), (2000.0, 4000.0))
    ]
    return Picture(
        "z",
        "κ",
        (*curves, curve("κ = z", z, z, DASHED)),
        "The renormalised ridge κ(z) of a power law, α = ½, M = 1000: it stays above a "
        "plateau while z → 0 where min(N, T) < M, and is z itself for large ridges.",
    )


@shows("data-spectrum")
def ranks() -> Picture:
    """Eigenvalues against their rank."""
    law, curves = PowerLaw(alpha=Fraction(1, 2), size=3000), []
    for t in (100, 300, 1000):
        rank = np.unique(np.round(logarithmic(1, t, 80)))
        curves.append(curve(f"T = {t}", rank, expected_eigenvalues(law, math.inf, t, rank)))
    j = logarithmic(1, 3000)
    return Picture(
        "i",
        "eigenvalue",
        (*curves, curve("latent", j, j**-1.5, DASHED)),
        "Expected eigenvalues of xxᵀ/T by rank, α = ½, M = 3000: a sample of T follows "
        "the latent power law and ends in a rapid decline at i = T.",
    )


@shows("ridgeless-loss")
def descent() -> Picture:
    """The loss against the number of samples, without ridge."""
    curves, poles = [], []
    for n in (30.0, 100.0, 300.0):
        t = np.sort(np.concatenate([logarithmic(3, 3000, 150), n * (1 + np.array([-1, 1]) * 1e-3)]))
        curves.append(curve(f"N = {n:g}", t, static_loss(HALF, n, t).excess_loss))
        poles.append(n)
    return Picture(
        "T",
        "L",
        tuple(curves),
        "The ridgeless loss against the number of samples, α = ½, M = 1000: a power law, "
        "a pole at T = N, a plateau set by N.",
        limits=(1e-2, 30.0),
        lines=tuple(poles),
    )


@shows("double-descent")
def rounded() -> Picture:
    """The peak at N = T for several ridges."""
    t, curves = logarithmic(20, 500, 161), []
    for ridge in (0.0, 1e-3, 1e-1, 10.0):
        loss = static_loss(HALF, 100.0, t, ridge=ridge).excess_loss
        curves.append(curve(f"γ = {ridge:g}", t, loss))
    return Picture(
        "T",
        "L",
        tuple(curves),
        "The pole at N = T = 100 and how a ridge rounds it; α = ½, M = 1000.",
        limits=(0.2, 50.0),
        lines=(100.0,),
    )


@shows("breakdown")
def vanishing() -> Picture:
    """The loss where the smaller resource reaches the latent dimension."""
    t = logarithmic(10, 999.9, 200)
    curves = [
        curve(
            f"α = {float(a):g}", t, static_loss(PowerLaw(alpha=a, size=1000), 4000.0, t).excess_loss
        )
        for a in (Fraction(1, 2), 1, 2)
    ]
    return Picture(
        "T",
        "L",
        tuple(curves),
        "Breakdown: with M = 1000 latent modes and N = 4000 "
        "features the noiseless loss vanishes as T → M.",
        lines=(1000.0,),
    )


@shows("label-noise")
def noisy() -> Picture:
    """The loss with label noise beyond the latent space."""
    law, t = PowerLaw(alpha=1, size=200), logarithmic(20, 1e5, 200)
    curves = [
        curve(f"σ_ε² = {s:g}", t, static_loss(law, 2e5, t, noise=s).excess_loss)
        for s in (0.0, 1e-4, 1e-2, 1.0)
    ]
    return Picture(
        "T",
        "L",
        (*curves, curve("M/T", t[120:], 200 / t[120:], DASHED)),
        "Label noise, α = 1, M = 200, N = 2·10⁵: beyond the latent dimension the cost of "
        "noise falls as 1/T whatever the spectrum.",
        limits=(1e-7, 30.0),
    )


@shows("optimal-ridge")
def best() -> Picture:
    """The loss without a ridge, with the best one, and the law."""
    law, t = PowerLaw(alpha=1, size=math.inf), logarithmic(10, 1e4, 121)
    n = 100.0
    free = static_loss(law, n, t).excess_loss
    found = optimal_ridge(law, n, t).excess_loss
    k = (math.pi / 2) ** 2
    return Picture(
        "T",
        "L",
        (
            curve("no ridge", t, free),
            curve("optimal ridge", t, found),
            curve("k (1/N + 1/T)", t, k * (1 / n + 1 / t), DASHED),
        ),
        "α = 1, N = 100: the optimal ridge removes the peak; the loss is then "
        "k (1/N + 1/T) up to corrections in 1/N.",
        limits=(1e-2, 10.0),
        lines=(n,),
    )


@shows("test-loss")
def test_and_training() -> Picture:
    """Test and training loss against the ridge."""
    ridge = logarithmic(1e-4, 1e5)
    found = static_loss(HALF, 100.0, 400.0, ridge=ridge, noise=0.1)
    return Picture(
        "γ",
        "loss",
        (
            curve("test, L", ridge, found.excess_loss),
            curve("training, L̂", ridge, found.train_loss),
        ),
        "Excess and training loss against the ridge, N = 100, T = 400, M = 1000, "
        "α = ½, σ_ε² = 0.1.",
    )


@shows("generalisation-gap")
def gap() -> Picture:
    """Test and training loss in time."""
    law, t = (
        hard_task(2000),
        logarithmic(0.1, 1e5, 60),
    )
    found = dynamics(law, 200, 100, t)
    return Picture(
        "t",
        "loss",
        (curve("test, L", t, found.excess_loss), curve("training, L̂", t, found.train_loss)),
        "Gradient flow with N = 200, T = 100, b = 5/4, a = 3/2: training loss goes on "
        "falling when the data have been used up.",
        limits=(1e-6, 10.0),
    )


@shows("two-point-function")
def bottlenecks() -> Picture:
    """The loss in time for several sizes."""
    law, t = (
        hard_task(10**4),
        logarithmic(0.1, 1e5, 60),
    )
    curves = [
        curve(f"N = {n}", t, dynamics(law, n, math.inf, t).excess_loss) for n in (32, 128, 512)
    ]
    limit = dynamics(law, math.inf, math.inf, t).excess_loss
    return Picture(
        "t",
        "L",
        (*curves, curve("N → ∞", t, limit, DASHED)),
        "The two-point function seen through gradient flow: the loss follows its law in "
        "time until the number of features bounds it. T = ∞, b = 5/4, a = 3/2.",
    )


@shows("ensembling")
def members() -> Picture:
    """Ensembles of several sizes."""
    law, t = (
        hard_task(2000),
        logarithmic(0.1, 1e5, 50),
    )
    curves = [
        curve(f"E = {e}", t, dynamics(law, 64, math.inf, t, ensemble=e).excess_loss)
        for e in (1, 4, 100)
    ]
    return Picture(
        "t",
        "L",
        tuple(curves),
        "Averages over E models of N = 64 features: variance is "
        "removed, bias remains. T = ∞, b = 5/4, a = 3/2.",
    )


@shows("time-scale-density")
def marchenko_pastur() -> Picture:
    """The spectral density of white data."""
    from solvable.analytic.spectrum import Flat

    curves = []
    for t in (100, 200, 800):
        edge = (50 / t) ** 0.5
        x = np.linspace(1e-3, (1 + edge) ** 2 + 0.05, 300)
        curves.append(
            curve(f"T/M = {t / 50:g}", x, eigenvalue_density(Flat(50), math.inf, t, x) / 50)
        )
    return Picture(
        "s",
        "density",
        tuple(curves),
        "The density of time scales of white data is that of Marchenko and Pastur.",
        ("linear", "linear"),
        (0.0, 2.5),
    )


@shows("beyond-ridgeless")
def dual() -> Picture:
    """The loss against the ridge, features and samples exchanged."""
    law, ridge, curves = PowerLaw(alpha=1, size=math.inf), logarithmic(1e-2, 1e5, 80), []
    for n, t in ((100.0, 400.0), (400.0, 100.0), (200.0, 200.0)):
        loss = static_loss(law, n, t, ridge=ridge).excess_loss
        curves.append(curve(f"N = {n:g}, T = {t:g}", ridge, loss))
    return Picture(
        "γ", "L", tuple(curves),
        "The loss at α = 1 against the ridge: N features of T samples have that of T features of "
        "N samples, and all have their minimum at one ridge.",
    )  # fmt: skip


@shows("phenomenological-law")
def factor() -> Picture:
    """The factor between the model and the law, as the derivation concludes it."""
    from ..catalogue import load

    conclusion = load("phenomenological-law").conclusion[0]
    exponent, ratio = conclusion.lhs.args
    x, curves = logarithmic(1e-3, 1e3), []
    for alpha in (Fraction(1, 2), Fraction(1), Fraction(2)):
        value = sp.lambdify(ratio, conclusion.rhs.subs(exponent, sp.Rational(alpha)), "numpy")
        curves.append(curve(f"α = {float(alpha):g}", x, value(x) * np.ones_like(x)))
    return Picture(
        "r", "ρ", tuple(curves),
        "The loss at the optimal ridge over the phenomenological law, against r = N/T: the law is "
        "exact at α = 1 and off by a bounded factor elsewhere.",
        ("log", "linear"),
    )  # fmt: skip


@shows("random-feature-eigenframework")
def framework() -> Picture:
    """Test and training error against the number of samples."""
    t = logarithmic(10, 3000)
    found = static_loss(HALF, 200.0, t, ridge=10.0, noise=0.05)
    return Picture(
        "T", "loss",
        (curve("test, L", t, found.excess_loss), curve("training, L̂", t, found.train_loss)),
        "Test and training error against the number of samples; N = 200, γ = 10, M = 1000, α = ½, "
        "σ_ε² = 0.05.",
    )  # fmt: skip


@shows("deterministic-equivalents")
def bias_and_noise() -> Picture:
    """The loss of the target and that of the noise."""
    t = logarithmic(10, 3000)
    clean = static_loss(HALF, 200.0, t, ridge=1.0).excess_loss
    whole = static_loss(HALF, 200.0, t, ridge=1.0, noise=0.2).excess_loss
    return Picture(
        "T", "L",
        (curve("L", t, whole), curve("of the target", t, clean),
         curve("of the noise", t, whole - clean)),
        "The risk and its two parts, both over 1 − Υ; N = 200, γ = 1, M = 1000, α = ½, σ_ε² = 0.2.",
        lines=(200.0,),
    )  # fmt: skip


@shows("dual-kernels")
def kernels() -> Picture:
    """Kernels of wide layers against the correlation of their inputs."""
    u = np.linspace(-1, 1, 121)
    erf = [float(erf_formula(x, 1, 1)) / float(erf_formula(1, 1, 1)) for x in u]
    curves = [curve(f"κ_{n}", u, arc_cosine(n, u)) for n in (0, 1, 2)]
    return Picture(
        "u", "k(u)/k(1)",
        (*curves, curve("erf", u, np.array(erf)), curve("tangent kernel", u, tangent_kernel(u))),
        "Dual kernels against the correlation of two inputs, divided by their value at 1: "
        "arc-cosine kernels of order 0, 1 and 2, that of erf, and the tangent kernel of one layer "
        "of rectified units.",
        ("linear", "linear"),
    )  # fmt: skip


@shows("feature-exponent")
def few_features() -> Picture:
    """min(a − 1, b) is ½ and 1.2."""
    return _bottleneck("N", (0.5, 1.2), "a finite number of features")


@shows("data-exponent")
def few_samples() -> Picture:
    """min(a − 1, 2b) is ½ and 2.4."""
    return _bottleneck("T", (0.5, 2.4), "a finite number of samples")


@shows("equiparameterisation")
def split() -> Picture:
    """One budget N T, split otherwise."""
    ratio, budget, curves = logarithmic(1e-2, 1e2, 81), 1e4, []
    n, t = np.sqrt(budget * ratio), np.sqrt(budget / ratio)
    for alpha in (Fraction(1, 2), Fraction(1), Fraction(2)):
        law = PowerLaw(alpha=alpha, size=math.inf)
        best = optimal_ridge(law, n, t).excess_loss
        curves.append(curve(f"α = {float(alpha):g}", ratio, best / best.min()))
    free = static_loss(law, n, t).excess_loss
    return Picture(
        "N/T", "L/min L", (*curves, curve("α = 2, no ridge", ratio, free / best.min(), DASHED)),
        "The loss at the optimal ridge along N T = 10⁴: least at N = T whatever the spectrum; "
        "without a ridge (dashed) the peak at N = T is avoided.",
        limits=(0.5, 1e3),
    )  # fmt: skip


@shows("breakdown-fit")
def exact_over_fit() -> Picture:
    """The exact breakdown over the fitted one."""
    m = np.unique(np.round(2000 - logarithmic(1, 1990, 40)))
    curves = [
        curve(f"α = {alpha:g}", m, np.array([fit_ratio(alpha, 2000, x) for x in m]))
        for alpha in (0.5, 1.0, 2.0)
    ]
    return Picture(
        "m", "exact loss over fit", tuple(curves),
        "The exact breakdown over the fitted k(1/m − 1/M)^α, M = 2000: close to m = M the exact "
        "loss is linear and the fit is not.",
    )  # fmt: skip


@shows("four-regimes")
def plateaus_and_approaches() -> Picture:
    """The plateau of each resource and the approach to it."""
    n, law = logarithmic(10, 1e6, 60), PowerLaw(alpha=Fraction(1, 2))
    plateau = static_loss(law, n, math.inf).excess_loss
    fixed = 5.0
    limit = static_loss(law, math.inf, fixed).excess_loss
    approach = static_loss(law, n, fixed).excess_loss - limit
    curves = [
        curve("resolution-limited: L(N, ∞)", n, plateau),
        curve("∝ N^{-α}", n, plateau[-1] * (n / n[-1]) ** -0.5, DASHED),
        curve("variance-limited: L(N, 5) − L(∞, 5)", n, approach),
        curve("∝ 1/N", n, approach[-1] * n[-1] / n, DASHED),
    ]
    return Picture(
        "N", "loss", tuple(curves),
        "The plateau of a model of size N falls with the exponent of the spectrum, the plateau of "
        "the data is approached as 1/N, α = ½; the same curves with N and T exchanged.",
    )  # fmt: skip


#: results without a figure, and why
UNDRAWN = {
    "ridge-regression": "identities of matrices and averages over noise and target",
    "dynamical-response": "its equation is that of the resolvent, which is drawn there",
    "two-point-equivalents": "equalities of two-point functions, which are drawn through their "
    "losses",
    "generalised-cross-validation": "two quantities that are equal: one curve",
    "free-compression": "identities of sums over a given pool",
    "site-formula": "sums over a given pool; `solvable predict` draws learning curves of data",
}


def _bottleneck(size: str, powers: tuple[float, float], source: str) -> Picture:
    """The ridgeless loss with one finite resource, for a hard and an easy task, and its powers."""
    n, curves = logarithmic(10, 1e5, 60), []
    tasks = ((Fraction(3, 2), Fraction(5, 4)), (Fraction(5), Fraction(6, 5)))
    for (target, exponent), power in zip(tasks, powers):
        law = PowerLaw(exponent=exponent, target_exponent=target, size=math.inf)
        pair = (n, math.inf) if size == "N" else (math.inf, n)
        loss = static_loss(law, *pair).excess_loss
        label = f"a = {float(target):g}, b = {float(exponent):g}"
        curves += [
            curve(label, n, loss),
            curve(f"∝ {size}^{{-{power:g}}}", n, loss[-1] * (n / n[-1]) ** -power, DASHED),
        ]
    return Picture(
        size, "L", tuple(curves),
        f"The loss that {source} leaves, for a hard and an easy task, and the powers (dashed) of "
        "the pole that wins.",
    )  # fmt: skip
