r"""Appendix C: the end of training, t → ∞, and ridge regression, z = γ.

The residual of ridge regression is z (z + KΣ)^{-1} w at z = γ/(NP), K = AᵀA/N, Σ = ΨᵀΨ/P: z times
the transform of the residual of gradient flow. So the static loss is z²C₀(z, z), and its ridgeless
limit z → 0 is the loss at t → ∞ (final value theorem): the two papers compute one function.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from solvable.analytic.loss import excess_loss_formula, isotropic_loss_formula
from solvable.analytic.notation import N, P, T, kappa, sigma_eps, sigma_w, z
from solvable.analytic.resolvent.solution import solve
from solvable.analytic.spectral_functions import isotropic
from solvable.analytic.spectrum import PowerLaw
from solvable.validation import sampled
from solvable.validation.dense import Draw, realise
from solvable.validation.sweep import seed_sequence
from solvable.validation.training import simulate

from ..bibliography import Reference
from ..catalogue import Parts, derivation
from ..checks import Exact, Point, Statistical
from ..derivation import Step, equation
from .mean_field import PAPER, E, two_point_solution
from .notation import D1, D2, Agrees, coincident, h1, h2, lam, letter, noise, rational

STATIC = "solvable-model"
r = sp.Symbol("r", positive=True)  #: late-time variable of the paper, r = 1/κ
loss = sp.Symbol("L")
V_FLOW = letter("v⁰(z)", "v^{0}(z)")  #: transform of the residual


def ridge_error() -> sp.Expr:
    """E = z²C₀(z, z) + σ² in D₁, D₂, h₁, h₂."""
    return sp.factor(two_point_solution()[E].xreplace(coincident))


def final_error(smaller: sp.Symbol) -> sp.Expr:
    """The same at z = 0, where D₁(κ) is the smaller of N and P."""
    return sp.factor(ridge_error().subs(D1, smaller))


@derivation(
    "flow-to-ridge",
    "Ridge regression is gradient flow at the frequency z = γ/(NP)",
    Reference(PAPER, "35"), Reference(STATIC, "163"),
)  # fmt: skip
def flow_to_ridge() -> Parts:
    """The residual of ridge regression is z times the transform of the flow's residual, so the
    two-point function on its diagonal is the static loss of the solvable-model paper."""
    static = excess_loss_formula().subs({T: P, sigma_eps: sp.sqrt(noise)})
    excess = ridge_error() - noise
    equal_weights = sp.simplify(isotropic(excess.subs(noise, 0), sigma_w**2))
    train = (1 - D1 / P) ** 2 * ridge_error()
    v_ridge, v_flow = sp.Symbol("v_gamma"), V_FLOW
    steps = [
        Step("resolvent", equation(v_ridge, z * v_flow),
             "Normal equations of ridge regression on one draw, against the flow's resolvent.",
             Agrees(_ridge_residual, _flow_residual, 10), None,
             (equation(v_ridge, v_flow), equation(v_ridge, z**2 * v_flow))),
        Step("static-loss", equation(excess, static),
             "C₀ at κ' → κ is the static excess loss, any target and noise.",
             Exact(simplify=rational), Reference(STATIC, "163"),
             (equation(excess, static.subs(P, N)), equation(excess + noise, static))),
        Step("isotropic", equation(equal_weights, isotropic_loss_formula().subs(T, P)),
             "w_k² = σ_w²: the isotropic closed form.",
             Exact(simplify=rational), Reference(STATIC, "163"),
             (equation(2 * equal_weights, isotropic_loss_formula().subs(T, P)),)),
        Step("training-loss", equation(sp.Symbol("L_train"), train),
             "z²C₁(z,z) = R₁²E against the training residual of simulated ridge regression.",
             _simulated_training(), None,
             (equation(sp.Symbol("L_train"), ridge_error()),
              equation(sp.Symbol("L_train"), (1 - D1 / P) * ridge_error()))),
    ]  # fmt: skip
    return Parts(steps, equation(loss, excess), ("z = γ/(NP) for features of unit variance",))


def _one_draw() -> tuple[Draw, float]:
    return realise(sampled.task(7, 11, 19, noise=0.3), 0), 0.08


def _ridge_residual() -> float:
    """First entry of w − Aᵀθ/√N with θ from the regularised normal equations."""
    import numpy as np

    draw, frequency = _one_draw()
    u, x, cell = draw.features[0], draw.data[0], draw.cell
    image = x.T @ u.T / np.sqrt(cell.features)
    labels = x.T @ draw.target + draw.label_noise
    normal = image.T @ image / cell.samples + frequency * np.eye(cell.features)
    weights = np.linalg.solve(normal, image.T @ labels / cell.samples)
    return float((draw.target - u.T @ weights / np.sqrt(cell.features))[0])


def _flow_residual(claim: sp.Basic) -> float:
    """The claim's right side with the first entry of v⁰(z) = (z + KΣ)^{-1}(w − KΨᵀε/(Pz))."""
    import numpy as np

    draw, frequency = _one_draw()
    count = draw.cell.samples
    source = draw.target - draw.kernel @ draw.data[0] @ draw.label_noise / (count * frequency)
    matrix = frequency * np.eye(len(source)) + draw.kernel @ draw.covariance
    value = float(np.linalg.solve(matrix, source)[0])
    return float(claim.args[1].subs({z: frequency, V_FLOW: value}))


def _simulated_training() -> Statistical:
    frequency, cell = 0.02, sampled.task(noise=0.1)
    spectrum = cell.spectrum

    def theory(claim: sp.Basic) -> float:
        root = solve(spectrum, cell.features, cell.samples, frequency).value
        values = {kappa: root, N: cell.features, P: cell.samples, noise: cell.noise}
        return float(Point(values, spectrum)(claim.args[1]))

    def simulated() -> list[float]:
        scored = replace(cell, at=(frequency * cell.features * cell.samples,))
        runs = (simulate(scored, seed_sequence(0, scored, i)) for i in range(60))
        return [run[scored.observables()[1]] for run in runs]

    return Statistical(simulated, theory, sizes=cell.sizes())


@derivation(
    "late-time-limit",
    "The loss at the end of training, below and above N = P",
    Reference(PAPER, "70"), Reference(PAPER, "73"), Reference(PAPER, "74"), Reference(PAPER, "76"),
)  # fmt: skip
def late_time_limit() -> Parts:
    """For z → 0 the resolvent variable κ = 1/r stays finite, at Σ λr/(1+λr) = min(N, P), and so
    does the 2×2 system: its solution is the ridgeless loss, one form for each side of N = P."""
    narrow, wide = final_error(N), final_error(P)
    below = P * (kappa * h1 + noise) / (P - N)
    above = (
        P
        * (kappa**2 * h2 * (N - P) + kappa * h1 * (P - D2) + noise * (N - D2))
        / ((P - D2) * (N - P))
    )
    isotropic_below = sp.simplify(isotropic(narrow.subs(noise, 0), 1).subs(D1, N))
    steps = [
        Step("occupation", equation(lam * r / (1 + lam * r), lam / (lam + kappa)),
             "With r = 1/κ the paper's condition min(N,P) = Σ λr/(1+λr) is D₁(κ) = min(N,P).",
             Exact({r: 1 / kappa}), Reference(PAPER, "70"),
             (equation(1 / (1 + lam * r), lam / (lam + kappa)),)),
        Step("final-transfer", equation(sp.limit(z * kappa / (z * (kappa + lam)), z, 0),
                                        1 / (1 + lam * r)),
             "zH_k(z) at z → 0: what remains of mode k.",
             Exact({r: 1 / kappa}), Reference(PAPER, "74"),
             (equation(1 / (1 + lam * r), lam / (lam + kappa)),)),
        Step("few-features", equation(narrow, below), "N < P: D₁ = N.", Exact(simplify=rational),
             Reference(PAPER, "76"), (equation(narrow, below.subs({N: P, P: N}, simultaneous=True)),
                                      equation(narrow, kappa * h1 + noise))),
        Step("few-samples", equation(wide, above), "P < N: D₁ = P.", Exact(simplify=rational),
             Reference(PAPER, "73"),
             (equation(wide, below.subs({N: P, P: N}, simultaneous=True)),)),
        Step("plateau", equation(isotropic_below, kappa * N / (1 - N / P)),
             "Isotropic weights: h₁ = D₁ = N.", Exact(simplify=rational), Reference(STATIC, "163"),
             (equation(isotropic_below, kappa * N),)),
        Step("noise-without-target", equation(above.subs({h1: 0, h2: 0}),
                                              noise * P * (N - D2) / ((P - D2) * (N - P))),
             "Label noise alone, P < N.", Exact(simplify=rational), Reference(STATIC, "186"),
             (equation(above.subs({h1: 0, h2: 0}), noise * P / (N - P)),)),
        *_long_training(narrow, wide),
    ]  # fmt: skip
    return Parts(steps, equation(loss, sp.Piecewise((below - noise, N < P), (above - noise, True))))


def _long_training(narrow: sp.Expr, wide: sp.Expr) -> list[Step]:
    """The mean-field equations stepped in time until nothing changes any more."""
    spectrum = PowerLaw(exponent=1.25, target_exponent=1.5, size=14)
    time, sigma = 1e7, 0.2

    def step(features: int, samples: int, formula: sp.Expr, wrong: sp.Expr) -> Step:
        def stepped() -> float:
            from solvable.validation.time_stepping import gradient_flow

            value, _ = gradient_flow(
                spectrum.eigenvalues(), spectrum.target_power(), time, points=40, levels=2,
                features=features, samples=samples, noise=sigma,
            )  # fmt: skip
            return float(value[0])

        def claimed(claim: sp.Basic) -> object:
            root = solve(spectrum, features, samples, 0.0).value
            values = {kappa: root, N: features, P: samples, noise: sigma}
            return Point(values, spectrum)(claim.args[1])

        return Step(
            f"long-training-N{features}-P{samples}", equation(loss, formula - noise),
            "The mean-field equations, stepped in time to t = 10⁷.",
            Agrees(stepped, claimed, 6), Reference(PAPER, "9"),
            (equation(loss, formula), equation(loss, wrong - noise)),
        )  # fmt: skip

    return [step(4, 8, narrow, wide), step(8, 4, wide, narrow)]
