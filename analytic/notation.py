"""The symbols of both papers, made once, with their assumptions and printed as the papers do.

The number of samples is `T` throughout (the dynamical paper's letter for it is P); `kappa` solves
equation (1); `z` is ridge or frequency; primes mark the second of two frequencies.
"""

from __future__ import annotations

import re

from sympy import IndexedBase, Symbol, symbols
from sympy.printing.printer import Printer

from .arguments import checked
from .errors import InputError


class TypesetSymbol(Symbol):
    """A symbol whose LaTeX is not made from its name: see `letter`."""

    def _latex(self, printer: Printer, exp: str | None = None) -> str:
        names = getattr(printer, "names", {})
        body = names.get(self.name) or renamed_latex(_LATEX[self.name], printer)
        return f"{body}^{{{exp}}}" if exp else body


_LATEX: dict[str, str] = {}


def renamed_latex(code: str, printer: Printer) -> str:
    r"""LaTeX that was written out, its symbols under the names that the printer gives them."""
    for name, new in getattr(printer, "names", {}).items():
        old = "".join(rf"_\{{?{re.escape(part)}\}}?" if index else re.escape(part)
                      for index, part in enumerate(map(_command, name.split("_"))))  # fmt: skip
        code = re.sub(rf"(?<![A-Za-z\\]){old}(?![A-Za-z_])", new.replace("\\", "\\\\"), code)
    return code


def _command(word: str) -> str:
    return rf"\{word}" if len(word) > 1 and word.isalpha() else word


def letter(name: str, latex: str, **assumptions: bool) -> Symbol:
    """The symbol ``name``, typeset as ``latex``.

    >>> letter("L_∞", r"L_{\\infty}") ** 2
    L_∞**2
    """
    if _LATEX.setdefault(name, latex) != latex:
        raise ValueError(f"{name} is typeset in two ways")
    return TypesetSymbol(name, **assumptions)


def printed_as(name: str) -> Symbol:
    """A symbol that is printed as all of this name are."""
    return (TypesetSymbol if name in _LATEX else Symbol)(name)


#: what each symbol stands for, by name
MEANINGS: dict[str, str] = {}


def _named(name: str, meaning: str, **assumptions: bool) -> Symbol:
    """A symbol of the notation table."""
    MEANINGS[name] = meaning
    return Symbol(name, **assumptions)


N = _named("N", "number of features (model size)", positive=True)
T = _named("T", "number of samples", positive=True)
P = _named("P", "number of samples, in the dynamical paper", positive=True)
M = _named("M", "number of latent modes", positive=True)

z = _named("z", "ridge per N T (with features of unit variance), or frequency iω")
z_prime = Symbol("z'")
kappa = _named(
    "kappa", "renormalised ridge, the solution of the self-consistent equation", positive=True
)
kappa_prime = Symbol("kappa'", positive=True)
gamma = _named("gamma", "ridge, not normalised", nonnegative=True)
omega = _named("omega", "Fourier frequency", real=True)
t = _named("t", "training time", positive=True)

alpha = _named("alpha", "spectral exponent: λ_J = λ₊ J^{-(1+α)}", positive=True)
a = _named("a", "target exponent: w²λ ∝ J^{-a}", positive=True)
b = _named("b", "spectral exponent: b = 1 + α", positive=True)
lambda_plus = _named("lambda_+", "largest eigenvalue of the latent covariance", positive=True)

sigma_w = _named("sigma_w", "standard deviation of the target weights", positive=True)
sigma_eps = _named("sigma_epsilon", "standard deviation of the label noise", nonnegative=True)
noise = sigma_eps**2  #: variance of the label noise
sigma_u = _named("sigma_u", "standard deviation of the entries of the features", positive=True)

J = _named("J", "index of a mode", integer=True, positive=True)
k = _named("k", "index of a mode, in the dynamical paper", integer=True, positive=True)

loss = _named("L", "excess loss Σ λ v² in the limit of large size, v the error of the weights")
train_loss = _named("Lhat", "mean squared residual on the training data")
smaller = _named("m", "min(N, T)", positive=True)
larger = _named("n", "max(N, T)", positive=True)

lam = IndexedBase("lambda", positive=True)[k]  #: λ_k
target = IndexedBase("w", real=True)[k]  #: w_k, the target's weight in mode k
R1 = _named("R_1", "response of the data: 1 − D₁(κ)/T", positive=True)
R3 = _named("R_3", "response of the features: 1 − D₁(κ)/N", positive=True)
R1_prime, R3_prime = symbols("R_1' R_3'", positive=True)
C0, C1, C2, C3 = (
    _named(f"C_{i}", f"two-point function of the field v^{i} of the chain") for i in range(4)
)
MEANINGS |= {
    "lambda": "eigenvalues of the latent covariance Λ",
    "Lambda": "latent covariance, with the eigenvalues λ",
    "w": "weights of the target; w_J² λ_J is its power in mode J",
    "D_1": "degrees of freedom: D_q(κ) = Σ (λ/(λ+κ))^q",
    "D_2": "second degrees of freedom: Σ λ²/(λ+κ)²",
    "h_1": "target sum: h_q(κ) = Σ w²λ/(λ+κ)^q",
    "h_2": "second target sum: Σ w²λ/(λ+κ)²",
    "S": "sum over modes at two frequencies: S[f] = Σ f H(z) H(z')",
    "U": "sum over modes at two frequencies: U[f] = Σ f/((λ+κ)(λ+κ'))",
}


@checked
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
