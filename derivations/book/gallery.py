"""Figures of the quantities that derivations derive, each computed by the library it belongs to."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import sympy as sp

from solvable.analytic.dynamics import dynamics
from solvable.analytic.features.dual_kernels import arc_cosine, erf_formula, tangent_kernel
from solvable.analytic.free_probability.models import EXPRESSIONS
from solvable.analytic.loss import static_loss
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.resolvent import eigenvalue_density, expected_eigenvalues, solve
from solvable.analytic.spectrum import PowerLaw
from solvable.validation.matrix_expressions import instance

from .pictures import DASHED, POINTS, Picture, PictureCurve

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
        "The ridgeless loss against the number of samples, α = ½, M = 1000: a power "
        "law, "
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
        "Label noise, α = 1, M = 200, N = 2·10⁵: beyond the latent dimension the cost "
        "of "
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
        "The two-point function seen through gradient flow: the loss follows its law "
        "in "
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
        "Averages over E models of N = 64 features: variance "
        "is "
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


@shows("classical-laws")
def classical() -> Picture:
    """Densities from the derived equations."""
    curves = []
    for name, label, ends in (
        ("marchenko-pastur", "Marchenko–Pastur", (0.01, 3.4)),
        ("semicircle", "semicircle", (-2.05, 2.05)),
        ("kesten-mckay", "Kesten–McKay", (-3.6, 3.6)),
    ):
        equations, numbers = EXPRESSIONS[name].derive(), instance(name)
        x = np.linspace(*ends, 200)
        given = {n: v for n, v in numbers.scalars.items() if n != "z"}
        density = equations.density(x, {**numbers.dimensions, **given}, numbers.matrices)
        curves.append(curve(label, x, density))
    return Picture(
        "x", "ρ(x)", tuple(curves),
        "Three classical densities, each from the derived equation of its resolvent.",
        ("linear", "linear"), (0.0, 1.0),
    )  # fmt: skip


@shows("linear-statistics")
def log_determinants() -> Picture:
    """The variance of log det S, claimed and drawn."""
    rng, size, draws = np.random.default_rng(0), 40, 600
    ratio = np.linspace(0.05, 0.9, 8)
    seen = []
    for x in ratio:
        logs = [
            np.linalg.slogdet(np.cov(rng.standard_normal((size, round(size / x))), bias=True))[1]
            for _ in range(draws)
        ]
        seen.append(float(np.var(logs)))
    x = np.linspace(0.01, 0.95, 100)
    error = [value * math.sqrt(2 / draws) * 2 for value in seen]
    return Picture(
        "M/T", "variance of log det S",
        (PictureCurve(f"{draws} draws, M = {size}", list(ratio), seen, POINTS, error),
         curve("−2 log(1 − M/T)", x, -2 * np.log1p(-x))),
        "The variance of log det S does not grow with the size of the matrix; points: simulation, "
        "± 2 standard errors.",
        ("linear", "linear"), (0.0, 6.0),
    )  # fmt: skip


@shows("population-map")
def outliers() -> Picture:
    """Where a large eigenvalue of the population appears in the sample."""
    rng, size, samples = np.random.default_rng(0), 200, 400
    ratio = size / samples
    spikes, seen = np.array([1.2, 1.5, 2.0, 2.5, 3.0, 4.0]), []
    for spike in spikes:
        data = rng.standard_normal((size, samples))
        data[0] *= math.sqrt(spike)
        seen.append(float(np.linalg.eigvalsh(data @ data.T / samples)[-1]))
    edge, x = 1 + math.sqrt(ratio), np.linspace(1 + math.sqrt(ratio), 4, 80)
    return Picture(
        "λ", "largest eigenvalue",
        (curve("ψ(λ)", x, x * (1 + ratio / (x - 1))), curve("λ", x, x, DASHED),
         curve("edge of the bulk", np.array([1.0, edge]), np.full(2, edge**2)),
         curve("one draw", spikes, np.array(seen), POINTS)),
        "One eigenvalue λ of the population above white noise, and the largest of the sample: "
        "beyond 1 + √(M/T) it leaves the bulk and stands at ψ(λ) > λ. M = 200, T = 400.",
        ("linear", "linear"),
    )  # fmt: skip


@shows("matrix-physical-root")
def certificate() -> Picture:
    """The spectral radius against the distance to the spectrum."""
    equations, numbers = EXPRESSIONS["marchenko-pastur"].derive(), instance("marchenko-pastur")
    edge = (1 - math.sqrt(numbers.dimensions["M"] / numbers.dimensions["T"])) ** 2
    distance = logarithmic(1e-8, 10, 40)
    margin = [
        float(equations.solve({**numbers.dimensions, "z": d - edge}, {}).margin) for d in distance
    ]
    root = margin[0] * np.sqrt(distance / distance[0])
    return Picture(
        "d", "1 − ρ",
        (curve("1 − ρ", distance, np.array(margin)),
         curve(r"$\propto\sqrt{d}$", distance, root, DASHED)),
        "What certifies the physical root: the spectral radius ρ stays below one off the spectrum "
        "and reaches it at the edge as 1 − √d, d the distance; Marchenko–Pastur, M/T = 2/3.",
    )  # fmt: skip


#: results without a figure, and why
UNDRAWN = {
    "ridge-regression": "identities of matrices and averages over noise and target",
    "dynamical-response": "its equation is that of the resolvent, which is drawn there",
    "two-point-equivalents": "equalities of two-point functions, which are drawn through their "
    "losses",
    "free-compression": "identities of sums over a given pool",
    "site-formula": "sums over a given pool; `solvable predict` draws learning curves of data",
}
