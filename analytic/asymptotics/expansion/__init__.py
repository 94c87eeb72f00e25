"""Generalised asymptotic series as objects, and the Mellin machinery that produces them.

ordering       which of two symbolic powers is smaller, and on what that rests
asymptotic_series  `Expansion`: terms c·x^p·log(x)^k, remainder, range; arithmetic
composition    powers, substitution, reversion
evaluation     mpmath and numpy values, optimal truncation
mellin         poles of a Mellin transform → series, logarithms included
sums           every corner of Σ J^{-s}/(1+κJ^b)^q, and Σ J^{-s} exp(-tJ^{-b})
printing       LaTeX and text
"""

from .asymptotic_series import Expansion
from .composition import compose, logarithm, power, revert, substitute_series
from .evaluation import OptimalTruncation, optimal_truncation
from .mellin import Gamma, HurwitzZeta, MellinTransform, Pole, Zeta
from .ordering import Ordering, exact_number
from .sums import (
    FiniteSizeSeries,
    decay_sum,
    expand_power_sum,
    harmonic_number,
    hurwitz_tail,
    power_sum_transform,
)
from .truncated_series import Order, SeriesTerm, Validity

__all__ = [
    "Expansion",
    "FiniteSizeSeries",
    "Gamma",
    "HurwitzZeta",
    "MellinTransform",
    "OptimalTruncation",
    "Order",
    "Ordering",
    "Pole",
    "SeriesTerm",
    "Validity",
    "Zeta",
    "compose",
    "decay_sum",
    "exact_number",
    "expand_power_sum",
    "harmonic_number",
    "hurwitz_tail",
    "logarithm",
    "optimal_truncation",
    "power",
    "power_sum_transform",
    "revert",
    "substitute_series",
]
