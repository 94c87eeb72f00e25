"""The chapters of the book, along the path of one number, and which derivations stand in them.

A derivation that no chapter names stands in the chapter of its room, so that a new one is in the
book at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    """A chapter: identifier, title, what it is about, the derivations in their order."""

    key: str
    title: str
    about: tuple[str, ...]
    names: tuple[str, ...]


INTRODUCTION = (
    "How well does a model do that has N parameters and has seen T samples? Measured losses of "
    "large networks fall as powers of both. In the models of this book that law can be derived: "
    "data with a power-law spectrum, random features, a linear readout, and training by ridge "
    "regression or by any kind of gradient descent.",
    "Two papers are its core: “A Solvable Model of Neural Scaling Laws” by Maloney, Roberts and "
    "Sully, and “A Dynamical Model of Neural Scaling Laws” by Bordelon, Atanasov and Pehlevan. "
    "They are one calculation. The resolvent of the features' kernel is that of the data's "
    "covariance at another ridge κ, which one equation determines; the error at two times or "
    "frequencies solves a linear system of mode sums at κ; and every training rule is a filter "
    "of that two-point function. The chapters follow this path: from the spectrum to the power "
    "sums, to κ, to the two-point function, to losses, limits, training, laws.",
    "Nothing here was typed: every formula is printed from an object that code derived, every "
    "step was checked when this book was made, and its verdict stands beside it. Exact: a residual "
    "is zero identically. Numeric: both sides agree to the stated digits. Asymptotic: the "
    "remainder falls with the predicted power. Statistical: the claim lies inside the interval of "
    "a simulation, whose seeds, sizes and confidence are given. What is undecided is no pass.",
)

_CHAPTERS = (
    Chapter("spectrum", "The spectrum", (
        "Data enter through the eigenvalues λ_J of their covariance alone. Natural data have "
        "power laws, λ_J = λ₊ J^{-(1+α)}; a finite sample shows the beginning of one.",
    ), ("data-spectrum", "dimension-free")),
    Chapter("power-sums", "Power sums", (
        "Everything that follows is made of sums over modes: degrees of freedom D_q(κ) = "
        "Σ (λ/(λ+κ))^q and target sums h_q(κ) = Σ w²λ/(λ+κ)^q. Of a power law they are powers of κ "
        "with corrections that zeta functions give; two of them compete in a sum over the target.",
    ), ("scaling-law", "feature-exponent", "data-exponent")),
    Chapter("resolvent", "The resolvent", (
        "One equation for one number κ(z) holds all that random features and finite data do to "
        "the spectrum.",
    ), ("ridge-regression", "resolvent", "renormalised-ridge", "random-feature-eigenframework")),
    Chapter("two-point-function", "The two-point function", (
        "The correlation of the residual at two frequencies solves a linear system. All losses, at "
        "all times, under all training rules, are filters of it.",
    ), ("mean-field-from-the-model", "dynamical-response", "two-point-function",
        "two-point-equivalents", "deterministic-equivalents")),
    Chapter("static-loss", "The static loss", (
        "At the end of training, or with a ridge: bottlenecks, double descent, breakdown, the cost "
        "of label noise, and the ridge that is best.",
    ), ("test-loss", "label-noise", "ridgeless-loss", "double-descent", "breakdown",
        "optimal-ridge", "beyond-ridgeless")),
    Chapter("limits", "Limits", (
        "What is left of the loss when one resource is scarce, with corrections and with the size "
        "of what is left out.",
    ), ()),
    Chapter("dynamics", "Dynamics", (
        "Gradient flow is the two-point function at imaginary frequencies. Gradient descent, "
        "momentum and stochastic gradients are the flow at other frequencies.",
    ), ("flow-to-ridge", "late-time-limit", "early-time", "generalisation-gap", "ensembling",
        "white-spectrum", "time-scale-density", "gradient-descent", "one-pass-sgd")),
    Chapter("laws", "Laws", (
        "How fast the loss falls with time, data and model size, and how a budget of compute is "
        "spent best.",
    ), ("time-law", "bottleneck-exponents", "four-regimes", "compute-optimal",
        "time-and-features", "equiparameterisation", "phenomenological-law",
        "ensembling-is-not-compute-optimal", "wider-is-better", "sgd-phases",
        "feature-learning")),
    Chapter("data", "Data", (
        "From measured numbers back to the model: what training data alone say of the test loss, "
        "and how to tell a law from a fit.",
    ), ("generalised-cross-validation", "breakdown-fit")),
    Chapter("matrices", "Matrices", (
        "The arrows of the first chapters, proved: a matrix expression is written as a linear "
        "pencil, whose Dyson equation closes, and is reduced to the fewest unknowns. Moments equal "
        "sums over planar pairings, exactly; simulations of growing size approach the claim.",
    ), ()),
)  # fmt: skip

#: chapters that take what no chapter names, by the beginning of the name or by the room
_TAKES = {"limit-": "limits", "matrix-": "matrices"}
_ROOMS = {"solvable_model": "static-loss", "dynamical_model": "dynamics", "relatives": "laws",
          "matrices": "matrices"}  # fmt: skip


def chapters(rooms: Mapping[str, str]) -> list[Chapter]:
    """The chapters with their derivations; ``rooms`` gives the room of each, in their order."""
    named = {name for chapter in _CHAPTERS for name in chapter.names}
    added: dict[str, list[str]] = {}
    for name, room in rooms.items():
        if name not in named:
            start = next((key for begin, key in _TAKES.items() if name.startswith(begin)), None)
            added.setdefault(start or _ROOMS.get(room, "data"), []).append(name)
    found = []
    for chapter in _CHAPTERS:
        present = [name for name in chapter.names if name in rooms]
        names = (*present, *added.get(chapter.key, ()))
        if names:
            found.append(Chapter(chapter.key, chapter.title, chapter.about, names))
    return found
