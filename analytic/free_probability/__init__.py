"""From a matrix expression to its self-consistent equations, derived, reduced and proved."""

from .declarations import Eigenvalue, MatrixModel
from .deriving import Derived, Reduced, derive
from .equations import NamedUnknown, SelfConsistentEquations
from .expression import evaluate, trace
from .finite_size import ExactMean, SizeExpansion, exact_covariance, exact_mean, resolvent_means
from .fluctuations import Covariance, derive_covariance
from .function_equations import FunctionEquations
from .pencil import Pencil
from .planar import PlanarComparison
from .realisation import build_pencil
from .reduced_form import LinearSystem
from .spectral_trace import SpectralTrace
from .text import parse_declarations, parse_expression
from .unreduced import UnreducedEquations

__all__ = [
    "Covariance",
    "Derived",
    "Eigenvalue",
    "ExactMean",
    "FunctionEquations",
    "LinearSystem",
    "MatrixModel",
    "NamedUnknown",
    "Pencil",
    "PlanarComparison",
    "Reduced",
    "SelfConsistentEquations",
    "SizeExpansion",
    "SpectralTrace",
    "UnreducedEquations",
    "build_pencil",
    "derive",
    "derive_covariance",
    "evaluate",
    "exact_covariance",
    "exact_mean",
    "parse_declarations",
    "parse_expression",
    "resolvent_means",
    "trace",
]
