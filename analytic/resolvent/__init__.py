"""The resolvent of random features: equation (1) and its solution κ(z), real, along paths, exact.

solution    the equation, and κ at given z
path        κ along a contour in the upper half-plane
density     the eigenvalue density that κ implies
"""

from .density import eigenvalue_density, expected_eigenvalues
from .solution import Solution, self_consistent_equation, solve

__all__ = [
    "Solution",
    "eigenvalue_density",
    "expected_eigenvalues",
    "self_consistent_equation",
    "solve",
]
