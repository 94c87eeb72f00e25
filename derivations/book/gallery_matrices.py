"""Figures of random matrices: classical densities, outliers, fluctuations, the certified root."""

from __future__ import annotations

import math

import numpy as np

from solvable.analytic.free_probability.models import EXPRESSIONS
from solvable.validation.matrix_expressions import instance

from .gallery import curve, logarithmic, shows
from .pictures import DASHED, POINTS, Picture, PictureCurve


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
