"""From a matrix expression to its self-consistent equations, derived, reduced and proved."""

from .declarations import Eigenvalue, MatrixModel
from .equations import NamedUnknown, SelfConsistentEquations, derive
from .expression import evaluate, trace
from .pencil import Pencil, build_pencil
from .planar import PlanarComparison
from .reduction import LinearSystem
from .spectral_trace import SpectralTrace
from .text import parse_declarations, parse_expression

__all__ = [
    "Eigenvalue",
    "LinearSystem",
    "MatrixModel",
    "NamedUnknown",
    "Pencil",
    "PlanarComparison",
    "SelfConsistentEquations",
    "SpectralTrace",
    "build_pencil",
    "derive",
    "evaluate",
    "parse_declarations",
    "parse_expression",
    "trace",
]
