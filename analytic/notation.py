"""The symbols of both papers, made once, with their assumptions and printed as the papers do.

The number of samples is `T` throughout (the dynamical paper's letter for it is P); `kappa` solves
equation (1); `z` is ridge or frequency; primes mark the second of two frequencies.
"""

from __future__ import annotations

from typing import Any

from sympy import IndexedBase, Symbol, symbols

from .errors import InputError


class TypesetSymbol(Symbol):
    """A symbol whose LaTeX is not made from its name: see `letter`."""

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = _LATEX[self.name]
        return f"{body}^{{{exp}}}" if exp else body


_LATEX: dict[str, str] = {}


def letter(name: str, latex: str, **assumptions: bool) -> Symbol:
    """The symbol ``name``, typeset as ``latex``.

    >>> letter("L_∞", r"L_{\\infty}") ** 2
    L_∞**2
    """
    if _LATEX.setdefault(name, latex) != latex:
        raise ValueError(f"{name} is typeset in two ways")
    return TypesetSymbol(name, **assumptions)



N = Symbol("N", positive=True)  #: number of features (model size)
T = Symbol("T", positive=True)  #: number of samples
P = Symbol("P", positive=True)  #: number of samples, dynamical paper
M = Symbol("M", positive=True)  #: number of latent modes

z = Symbol("z")  #: ridge per N T, or frequency iω
z_prime = Symbol("z'")
kappa = Symbol("kappa", positive=True)  #: solution of equation (1), often κ(z) or Δ
kappa_prime = Symbol("kappa'", positive=True)
gamma = Symbol("gamma", nonnegative=True)  #: unnormalised ridge
omega = Symbol("omega", real=True)  #: Fourier frequency
t = Symbol("t", positive=True)  #: training time

alpha = Symbol("alpha", positive=True)  #: spectral exponent, λ_J = λ₊ J^{-(1+α)}
a = Symbol("a", positive=True)  #: target exponent, w²λ ∝ J^{-a}
b = Symbol("b", positive=True)  #: spectral exponent, b = 1 + α
lambda_plus = Symbol("lambda_+", positive=True)  #: largest eigenvalue

sigma_w = Symbol("sigma_w", positive=True)  #: standard deviation of the target weights
sigma_eps = Symbol("sigma_epsilon", nonnegative=True)  #: standard deviation of the label noise
noise = sigma_eps**2  #: variance of the label noise
sigma_u = Symbol("sigma_u", positive=True)  #: standard deviation of the feature matrix

J = Symbol("J", integer=True, positive=True)  #: mode index
k = Symbol("k", integer=True, positive=True)  #: mode index, dynamical paper

loss = Symbol("L")  #: excess loss Σ λ v², v the error of the learned weights
train_loss = Symbol("Lhat")  #: mean squared residual on the training data
smaller, larger = symbols("m n", positive=True)  #: min(N, T) and max(N, T)

lam = IndexedBase("lambda", positive=True)[k]  #: λ_k
target = IndexedBase("w", real=True)[k]  #: w_k, the target's weight in mode k
R1, R3, R1_prime, R3_prime = symbols("R_1 R_3 R_1' R_3'", positive=True)  #: data's, features'
C0, C1, C2, C3 = symbols("C_0:4")  #: two-point functions of the four fields of the chain


def symbol(name: str) -> Symbol:
    """The symbol of this name that the formulas of this package are written in.

    Symbols of one name with other assumptions differ: a formula does not depend on
    ``sympy.symbols("N")`` but on ``symbol("N")``. Raises `InputError` for unknown names.

    Source: the letters of both papers; T is the dynamical paper's P.

    >>> symbol("N").is_positive
    True
    """
    known = {x.name: x for x in globals().values() if isinstance(x, Symbol)}
    if name not in known:
        raise InputError("name", repr(name), "one of " + ", ".join(sorted(known)))
    return known[name]
