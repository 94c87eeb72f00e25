"""The resolvent of random features: κ(z) of equation (1), real, along paths, exact.

equation    the equation, its brackets without cancellation, its slope
real        κ at real z ≥ 0, float64 arrays
path        κ at complex z, along contours
exact       κ to any number of digits
solver      any of these, by the type of z
renormalised_ridge  κ(N, T, z) as a sympy function
density     the eigenvalue density that κ implies
"""

from .density import eigenvalue_density, expected_eigenvalues
from .equation import ResolventSolution, self_consistent_equation
from .exact import solve_along_exactly
from .path import solve_along, solve_paths
from .renormalised_ridge import RenormalisedRidge
from .solver import solve

__all__ = [
    "RenormalisedRidge",
    "ResolventSolution",
    "eigenvalue_density",
    "expected_eigenvalues",
    "self_consistent_equation",
    "solve",
    "solve_along",
    "solve_along_exactly",
    "solve_paths",
]
