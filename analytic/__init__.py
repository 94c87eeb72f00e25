"""The mathematics: spectra, equations, sums, expansions, and their evaluation at any precision.

Names are imported when they are first used, so that ``import analytic`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dynamic_laws import bottleneck_laws, compute_frontier, compute_optimal
    from .dynamics import DynamicLoss
    from .errors import InputError, OutsideTheoryError, PrecisionError, SolvableError
    from .formula import Formula
    from .learners import GradientFlow, HeavyBall, OnePassSGD, gradient_descent
    from .loss import StaticLoss, excess_loss_formula, isotropic_loss_formula, static_loss
    from .power_sums import enclosure, power_sum, power_sum_with_error
    from .resolvent import Solution, self_consistent_equation, solve
    from .spectral_functions import DegreesOfFreedom, TargetSum
    from .spectrum import CutoffPowerLaw, Empirical, Flat, PowerLaw, Spectrum
    from .stopping import optimal_stopping

_MODULES = {
    "dynamic_laws": ("bottleneck_laws", "compute_frontier", "compute_optimal"),
    "dynamics": ("DynamicLoss",),
    "errors": ("InputError", "OutsideTheoryError", "PrecisionError", "SolvableError"),
    "formula": ("Formula",),
    "learners": ("GradientFlow", "HeavyBall", "OnePassSGD", "gradient_descent"),
    "loss": ("StaticLoss", "isotropic_loss_formula", "static_loss", "excess_loss_formula"),
    "power_sums": ("enclosure", "power_sum", "power_sum_with_error"),
    "resolvent": ("Solution", "self_consistent_equation", "solve"),
    "spectral_functions": ("DegreesOfFreedom", "TargetSum"),
    "spectrum": ("CutoffPowerLaw", "Empirical", "Flat", "PowerLaw", "Spectrum"),
    "stopping": ("optimal_stopping",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "CutoffPowerLaw",
    "DegreesOfFreedom",
    "DynamicLoss",
    "Empirical",
    "Flat",
    "Formula",
    "GradientFlow",
    "HeavyBall",
    "InputError",
    "OnePassSGD",
    "OutsideTheoryError",
    "PowerLaw",
    "PrecisionError",
    "Solution",
    "SolvableError",
    "Spectrum",
    "StaticLoss",
    "TargetSum",
    "bottleneck_laws",
    "compute_frontier",
    "compute_optimal",
    "enclosure",
    "excess_loss_formula",
    "gradient_descent",
    "isotropic_loss_formula",
    "optimal_stopping",
    "power_sum",
    "power_sum_with_error",
    "self_consistent_equation",
    "solve",
    "static_loss",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
