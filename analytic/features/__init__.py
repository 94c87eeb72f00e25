"""Feature maps: Hermite coefficients, dual kernels, and the spectra that maps make.

activation    functions by name or by a formula, read without evaluating anything
hermite       their Hermite coefficients: closed form, any digits, arrays
dual_kernels  arc-cosine kernels of every order, erf, tangent kernels by depth, any function
maps          spectra of linear and nonlinear maps, measured and predicted
"""

from .activation import Activation, activation
from .dual_kernels import arc_cosine, dual_kernel, network_kernel, tangent_kernel
from .hermite import closed_form, coefficient_mp, coefficients

__all__ = [
    "Activation",
    "activation",
    "arc_cosine",
    "closed_form",
    "coefficient_mp",
    "coefficients",
    "dual_kernel",
    "network_kernel",
    "tangent_kernel",
]
