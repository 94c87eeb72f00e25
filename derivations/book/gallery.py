"""Figures of the quantities that derivations derive, each computed by the library it belongs to."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from solvable.analytic.dynamics import dynamics
from solvable.analytic.loss import static_loss
from solvable.analytic.optimal_ridge import optimal_ridge
from solvable.analytic.resolvent import eigenvalue_density, expected_eigenvalues, solve
from solvable.analytic.spectrum import PowerLaw

from .pictures import DASHED, Picture, PictureCurve

GALLERY: dict[str, Callable[[], Picture]] = {}
HALF = PowerLaw(alpha=Fraction(1, 2), size=1000)


def shows(name: str) -> Callable[[Callable[[], Picture]], Callable[[], Picture]]:
    """The decorated function draws the derivation of this name."""

    def register(draw: Callable[[], Picture]) -> Callable[[], Picture]:
        GALLERY[name] = draw
        return draw

    return register


def _log(low: float, high: float, count: int = 120) -> np.ndarray:
    return np.geomspace(low, high, count)


def _hard(size: float) -> PowerLaw:
    """The spectrum and task of the dynamical paper: b = 5/4, a = 3/2."""
    return PowerLaw(exponent=Fraction(5, 4), target_exponent=Fraction(3, 2), size=size)


def _curve(label: str, x: np.ndarray, y: np.ndarray, kind: str = "line") -> PictureCurve:
    return PictureCurve(label, list(map(float, x)), list(map(float, y)), kind)


@shows("resolvent")
def renormalised() -> Picture:
    """κ against the ridge."""
    z = _log(1e-7, 10)
    curves = [
        _curve(f"N = {n:g}, T = {t:g}", z, np.array([solve(HALF, n, t, x).value for x in z]))
        for n, t in ((100.0, 400.0), (400.0, 400.0), (2000.0, 4000.0))
    ]
    return Picture(
        "z",
        "κ",
        (*curves, _curve("κ = z", z, z, DASHED)),
        "The renormalised ridge κ(z) of a power law, α = ½, M = 1000: it stays above a "
        "plateau while z → 0 where min(N, T) < M, and is z itself for large ridges.",
    )


@shows("data-spectrum")
def ranks() -> Picture:
    """Eigenvalues against their rank."""
    law, curves = PowerLaw(alpha=Fraction(1, 2), size=3000), []
    for t in (100, 300, 1000):
        rank = np.unique(np.round(_log(1, t, 80)))
        curves.append(_curve(f"T = {t}", rank, expected_eigenvalues(law, math.inf, t, rank)))
    j = _log(1, 3000)
    return Picture(
        "i",
        "eigenvalue",
        (*curves, _curve("latent", j, j**-1.5, DASHED)),
        "Expected eigenvalues of xxᵀ/T by rank, α = ½, M = 3000: a sample of T follows "
        "the latent power law and ends in a rapid decline at i = T.",
    )


@shows("ridgeless-loss")
def descent() -> Picture:
    """The loss against the number of samples, without ridge."""
    curves, poles = [], []
    for n in (30.0, 100.0, 300.0):
        t = np.sort(np.concatenate([_log(3, 3000, 150), n * (1 + np.array([-1, 1]) * 1e-3)]))
        curves.append(_curve(f"N = {n:g}", t, static_loss(HALF, n, t).excess_loss))
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
    t, curves = _log(20, 500, 161), []
    for ridge in (0.0, 1e-3, 1e-1, 10.0):
        loss = static_loss(HALF, 100.0, t, ridge=ridge).excess_loss
        curves.append(_curve(f"γ = {ridge:g}", t, loss))
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
    t = _log(10, 999.9, 200)
    curves = [
        _curve(
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
    law, t = PowerLaw(alpha=1, size=200), _log(20, 1e5, 200)
    curves = [
        _curve(f"σ_ε² = {s:g}", t, static_loss(law, 2e5, t, noise=s).excess_loss)
        for s in (0.0, 1e-4, 1e-2, 1.0)
    ]
    return Picture(
        "T",
        "L",
        (*curves, _curve("M/T", t[120:], 200 / t[120:], DASHED)),
        "Label noise, α = 1, M = 200, N = 2·10⁵: beyond the latent dimension the cost "
        "of "
        "noise falls as 1/T whatever the spectrum.",
        limits=(1e-7, 30.0),
    )


@shows("optimal-ridge")
def best() -> Picture:
    """The loss without a ridge, with the best one, and the law."""
    law, t = PowerLaw(alpha=1, size=math.inf), _log(10, 1e4, 121)
    n = 100.0
    free = static_loss(law, n, t).excess_loss
    found = optimal_ridge(law, n, t).excess_loss
    k = (math.pi / 2) ** 2
    return Picture(
        "T",
        "L",
        (
            _curve("no ridge", t, free),
            _curve("optimal ridge", t, found),
            _curve("k (1/N + 1/T)", t, k * (1 / n + 1 / t), DASHED),
        ),
        "α = 1, N = 100: the optimal ridge removes the peak; the loss is then "
        "k (1/N + 1/T) up to corrections in 1/N.",
        limits=(1e-2, 10.0),
        lines=(n,),
    )


@shows("test-loss")
def test_and_training() -> Picture:
    """Test and training loss against the ridge."""
    ridge = _log(1e-4, 1e5)
    found = static_loss(HALF, 100.0, 400.0, ridge=ridge, noise=0.1)
    return Picture(
        "γ",
        "loss",
        (
            _curve("test, L", ridge, found.excess_loss),
            _curve("training, L̂", ridge, found.train_loss),
        ),
        "Excess and training loss against the ridge, N = 100, T = 400, M = 1000, "
        "α = ½, σ_ε² = 0.1.",
    )


@shows("generalisation-gap")
def gap() -> Picture:
    """Test and training loss in time."""
    law, t = (
        _hard(2000),
        _log(0.1, 1e5, 60),
    )
    found = dynamics(law, 200, 100, t)
    return Picture(
        "t",
        "loss",
        (_curve("test, L", t, found.excess_loss), _curve("training, L̂", t, found.train_loss)),
        "Gradient flow with N = 200, T = 100, b = 5/4, a = 3/2: training loss goes on "
        "falling when the data have been used up.",
    )


@shows("two-point-function")
def bottlenecks() -> Picture:
    """The loss in time for several sizes."""
    law, t = (
        _hard(10**4),
        _log(0.1, 1e5, 60),
    )
    curves = [
        _curve(f"N = {n}", t, dynamics(law, n, math.inf, t).excess_loss) for n in (32, 128, 512)
    ]
    limit = dynamics(law, math.inf, math.inf, t).excess_loss
    return Picture(
        "t",
        "L",
        (*curves, _curve("N → ∞", t, limit, DASHED)),
        "The two-point function seen through gradient flow: the loss follows its law "
        "in "
        "time until the number of features bounds it. T = ∞, b = 5/4, a = 3/2.",
    )


@shows("ensembling")
def members() -> Picture:
    """Ensembles of several sizes."""
    law, t = (
        _hard(2000),
        _log(0.1, 1e5, 50),
    )
    curves = [
        _curve(f"E = {e}", t, dynamics(law, 64, math.inf, t, ensemble=e).excess_loss)
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
            _curve(f"T/M = {t / 50:g}", x, eigenvalue_density(Flat(50), math.inf, t, x) / 50)
        )
    return Picture(
        "s",
        "density",
        tuple(curves),
        "The density of time scales of white data is that of Marchenko and Pastur.",
        ("linear", "linear"),
        (0.0, 2.5),
    )
