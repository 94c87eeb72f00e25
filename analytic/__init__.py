"""The mathematics: spectra, equations, sums, expansions, and their evaluation at any precision.

Names are imported when they are first used, so that ``import analytic`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import InputError, OutsideTheoryError, PrecisionError, SolvableError
    from .formula import Formula
    from .loss import StaticLoss, isotropic_loss_formula, static_loss, excess_loss_formula
    from .resolvent import Solution, self_consistent_equation, solve
    from .spectral_functions import DegreesOfFreedom, TargetSum
    from .spectrum import CutoffPowerLaw, Empirical, Flat, PowerLaw, Spectrum

_MODULES = {
    "errors": ("InputError", "OutsideTheoryError", "PrecisionError", "SolvableError"),
    "formula": ("Formula",),
    "loss": ("StaticLoss", "isotropic_loss_formula", "static_loss", "excess_loss_formula"),
    "resolvent": ("Solution", "self_consistent_equation", "solve"),
    "spectral_functions": ("DegreesOfFreedom", "TargetSum"),
    "spectrum": ("CutoffPowerLaw", "Empirical", "Flat", "PowerLaw", "Spectrum"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "CutoffPowerLaw",
    "DegreesOfFreedom",
    "Empirical",
    "Flat",
    "Formula",
    "InputError",
    "OutsideTheoryError",
    "PowerLaw",
    "PrecisionError",
    "Solution",
    "SolvableError",
    "Spectrum",
    "StaticLoss",
    "TargetSum",
    "isotropic_loss_formula",
    "self_consistent_equation",
    "solve",
    "static_loss",
    "excess_loss_formula",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
