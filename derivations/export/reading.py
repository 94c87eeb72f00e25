r"""LaTeX back to expressions: what is exported can be read again.

The formulas of this package are read with the symbols that they are printed with: a vocabulary
says which LaTeX stands for which symbol or function, and the longest one that fits is taken. So
`D_{1}^{2}\left(\kappa\right)` is the square of D₁(κ) and `\sigma_{\epsilon}^{2}` that of a symbol.
Matrices are symbols that do not commute, `^{T}` transposes and the identity is 1. Nothing is
evaluated; what is not in the grammar is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.core.symbol import Str

from solvable.analytic.arguments import checked
from solvable.analytic.errors import InputError
from solvable.analytic.free_probability.matrix_function import MatrixFunction
from solvable.analytic.free_probability.spectral_trace import SpectralTrace
from solvable.analytic.free_probability.sum_inverse import SumInverse
from solvable.analytic.notation import MEANINGS, symbol
from solvable.analytic.spectral_functions import DegreesOfFreedom, Moment, TargetSum
from solvable.analytic.typesetting import latex

from ..relations import Expectation

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\S")
_SPACES = {r"\,", r"\!", r"\;", r"\:", r"\quad", r"\qquad", r"\displaystyle"}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    r"\sin": sp.sin, r"\cos": sp.cos, r"\cosh": sp.cosh, r"\sinh": sp.sinh, r"\log": sp.log,
    r"\Gamma": sp.gamma, r"\zeta": sp.zeta, r"\min": sp.Min, r"\max": sp.Max, r"\exp": sp.exp,
}  # fmt: skip
_CONSTANTS = {r"\pi": sp.pi, r"\infty": sp.oo}
SIGNS = ("=", r"\simeq", ":=", "<", r"\leq", ">")
#: averages, traces, ordered products of functions of matrices, minimisers
expectation, trace = (sp.Function(name, commutative=True) for name in ("E", "Tr"))
ordered, argmin = map(sp.Function, ("ordered", "argmin"))


def tokens(code: str) -> tuple[str, ...]:
    """The tokens of LaTeX code, without its spaces."""
    return tuple(token for token in _TOKEN.findall(code) if token not in _SPACES)


@dataclass(frozen=True)
class Vocabulary:
    """What LaTeX stands for: ``leaves`` are expressions, ``heads`` make them of arguments."""

    leaves: Mapping[tuple[str, ...], Any] = field(default_factory=dict)
    heads: Mapping[tuple[str, ...], Callable[..., Any]] = field(default_factory=dict)

    def at(self, code: tuple[str, ...], place: int) -> tuple[int, Any, bool] | None:
        """The longest entry that begins at this place: its length, itself, whether it is a head."""
        best: tuple[int, Any, bool] | None = None
        for entries, head in ((self.leaves, False), (self.heads, True)):
            for key, value in entries.items():
                if (not best or len(key) > best[0]) and code[place : place + len(key)] == key:
                    best = (len(key), value, head)
        return best


def vocabulary(names: Iterable[str] = MEANINGS, renamed: Mapping[str, str] | None = None) -> Any:
    """The symbols of the notation table and the functions D_q and h_q."""
    leaves, heads = {}, {}
    for name in names:
        try:
            leaves[tokens(latex(symbol(name), renamed))] = symbol(name)
        except InputError:  # a function, or the head of an indexed letter
            continue
    for kind in (DegreesOfFreedom, TargetSum):
        for order in range(1, 6):
            code = latex(sp.Symbol(f"{kind.letter}_{order}"), renamed)
            heads[tokens(code)] = lambda argument, kind=kind, order=order: kind(order, argument)
    return Vocabulary(leaves, heads)


def words_of(expression: sp.Basic, names: Mapping[str, str] | None = None) -> Vocabulary:
    """The vocabulary of an expression: its symbols, matrices and functions."""
    leaves: dict[tuple[str, ...], Any] = {tokens(latex(sp.EulerGamma)): sp.EulerGamma}
    heads: dict[tuple[str, ...], Callable[..., Any]] = {}
    for node in sp.preorder_traversal(expression):
        node = _mode_function(node)
        if isinstance(node, AppliedUndef):
            heads[tokens(latex(node.func, names))] = node.func
        elif isinstance(node, DegreesOfFreedom | TargetSum):
            order, kind = node.args[0], node.func
            code = latex(sp.Symbol(f"{node.letter}_{order}"), names)
            heads[tokens(code)] = lambda argument, kind=kind, order=order: kind(order, argument)
        elif isinstance(node, (*OPAQUE, *ATOMS)) and str(node) not in "+-":  # sides of limits
            leaves[tokens(latex(node, names))] = skeleton(node)
    return Vocabulary(leaves, heads)


@checked
def read_latex(code: str) -> Any:
    r"""The expression that LaTeX in the notation of this package stands for.

    A relation gives a pair of its sides. Symbols are those of the package (`symbol`), D_q and h_q
    its mode sums. Raises `InputError` for what is no such formula; nothing is evaluated. Source:
    this package.

    >>> read_latex(r"\frac{N T}{N + T}")
    N*T/(N + T)
    """
    found = read(code)
    return (found[0], found[2]) if isinstance(found, tuple) else found


def read(code: str, known: Vocabulary | None = None) -> Any:
    r"""The expression that LaTeX code stands for, or (left, sign, right, order) of a relation.

    ``known`` is by default `vocabulary()`, the notation of the package.

    >>> read(r"\frac{N T}{N + T}")
    N*T/(N + T)
    >>> read(r"z = \kappa \left(1 - \frac{D_{1}\left(\kappa\right)}{N}\right)")[2]
    kappa*(1 - D_1(kappa)/N)
    """
    reader = _LatexReader(tokens(code), known or vocabulary())
    left = reader.sum()
    if reader.peek() not in SIGNS and reader.peek(2) != ":=":
        reader.end()
        return left
    sign = reader.next() if reader.peek() in SIGNS else reader.next() + reader.next()
    right = reader.sum()
    order = reader.order
    reader.end()
    return left, sign, right, order


class _LatexReader:
    """Recursive descent over tokens: sums of products of powers."""

    def __init__(self, code: tuple[str, ...], known: Vocabulary) -> None:
        self.code, self.known, self.place = code, known, 0
        self.order: Any = None

    def peek(self, count: int = 1) -> str:
        return "".join(self.code[self.place : self.place + count])

    def next(self) -> str:
        self.place += 1
        return self.code[self.place - 1] if self.place <= len(self.code) else ""

    def expect(self, *wanted: str) -> None:
        for token in wanted:
            if self.next() != token:
                raise self.error(f"{token} is missing")

    def error(self, what: str) -> InputError:
        around = " ".join(self.code[max(0, self.place - 4) : self.place + 3])
        return InputError("LaTeX", around, f"a formula of this package: {what}")

    def end(self) -> None:
        if self.place < len(self.code):
            raise self.error(f"{self.peek()} is not expected")

    def sum(self) -> Any:
        """Signed terms; a remainder O(…) is kept apart."""
        total: Any = sp.Integer(0)
        negative = self.peek() == "-"
        if self.peek() in ("+", "-"):
            self.next()
        while True:
            if self.peek() == "O" and not self.known.at(self.code, self.place):
                self.next()
                self.order = self.bracket()
            else:
                term = self.product()
                total += -term if negative else term
            if self.peek() not in ("+", "-"):
                return total
            negative = self.next() == "-"

    def product(self) -> Any:
        """Factors side by side; a remainder is no factor."""
        found = [self.power()]
        while self.peek() and self.starts_factor():
            dotted = self.peek() == r"\cdot"
            if dotted:
                self.next()
            factor = self.power()
            if dotted and not found[-1].is_number:
                found.append(factor)
            else:
                found[-1] = found[-1] * factor
        return ordered(*found) if len(found) > 1 else found[0]

    def starts_factor(self) -> bool:
        stops = ("+", "-", "}", "]", ",", r"\right", "&", r"\\", *SIGNS, ":", r"\end")
        return self.peek() not in stops or bool(self.known.at(self.code, self.place))

    def power(self) -> Any:
        """A primary and what is written above it."""
        base = self.primary()
        while self.peek() == "^":
            self.next()
            if self.peek(3) in ("{T}", r"{\top}") and not base.is_commutative:
                self.place += 3
                base = transposed(base)
            elif self.peek(3) == r"{\dagger}":
                self.place += 3
                base = sp.adjoint(base)
            else:
                base = base ** self.group()
        return base

    def group(self) -> Any:
        """A group in braces, or one token."""
        if self.peek() != "{":
            return self.primary()
        self.next()
        found = self.sum()
        self.expect("}")
        return found

    def bracket(self) -> Any:
        """An expression between growing brackets of any kind."""
        self.expect(r"\left")
        opening = self.next()
        closing = {"(": ")", "[": "]", "|": "|"}.get(opening)
        if closing is None:
            raise self.error("a bracket")
        braces = opening == "|" and self.peek() == "{"
        found = self.group() if braces else self.sum()
        self.expect(r"\right", closing)
        return found

    def arguments(self) -> list[Any]:
        """The arguments of a function, in brackets that may stand in braces."""
        braces = self.peek() == "{"
        if braces:
            self.next()
        self.expect(r"\left", "(")
        found = [self.sum()]
        if self.peek() == ">":  # of a probability
            self.next()
            found = [sp.Gt(found[0], self.sum())]
        while self.peek() == ",":
            self.next()
            found.append(self.sum())
        self.expect(r"\right", ")")
        if braces:
            self.expect("}")
        return found

    def applied(self, function: Callable[..., Any]) -> Any:
        """A function with its arguments, and the exponent between both."""
        exponent: Any = sp.Integer(1)
        if self.peek() == "^":
            self.next()
            exponent = self.group()
        return function(*self.arguments()) ** exponent

    def primary(self) -> Any:
        """A symbol, a number, a function, a fraction, a root, a bracket."""
        entry = self.known.at(self.code, self.place)
        if entry:
            length, value, head = entry
            self.place += length
            return self.applied(value) if head else value
        token = self.peek()
        if token == "{":
            return self.group()
        if token == r"\left":
            return abs(self.bracket()) if self.code[self.place + 1] == "|" else self.bracket()
        self.next()
        if token[:1].isdigit():
            return sp.Float(token) if "." in token else sp.Integer(token)
        if token == r"\frac":
            above = self.group()
            return above * self.group() ** -1
        if token == r"\binom":
            above = self.group()
            return sp.binomial(above, self.group())
        if token == r"\sqrt":
            return self.root()
        if token in _FUNCTIONS:
            return self.applied(_FUNCTIONS[token])
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if token == "e" and self.peek() == "^":
            self.next()
            return sp.exp(self.group())
        return self.named(token)

    def named(self, token: str) -> Any:
        """E[·] and Tr[·]."""
        if token == r"\mathbb" and self.peek(3) == "{E}":
            self.place += 3
            return expectation(self.bracket())
        if token == r"\operatorname" and self.peek(4) == "{Tr}":
            self.place += 4
            return trace(self.bracket())
        if token == r"\operatorname" and self.peek(2) == "*{":
            self.place = self.code.index("_", self.place) + 1
            return argmin(self.group(), self.bracket())
        raise self.error(f"{token} is not known")

    def root(self) -> Any:
        degree: Any = sp.Integer(2)
        if self.peek() == "[":
            self.next()
            degree = self.sum()
            self.expect("]")
        return self.group() ** (1 / degree)


# ---- matrices as symbols that do not commute -----------------------------------------------


def transposed(expression: Any) -> Any:
    """The transpose: products in reverse order, every matrix with its mark changed."""
    if expression.is_commutative:
        return expression
    if expression.is_Symbol:
        name = expression.name
        return sp.Symbol(name[:-1] if name.endswith("ᵀ") else f"{name}ᵀ", commutative=False)
    if expression.is_Pow:
        return transposed(expression.base) ** expression.exp
    parts = [transposed(part) for part in expression.args]
    return sp.Add(*parts) if expression.is_Add else sp.Mul(*reversed(parts))


#: what is read as a whole; its parts are formulas of their own
OPAQUE: tuple[type, ...] = (
    sp.Integral, sp.Limit, sp.Derivative, sp.Sum, sp.Piecewise, sp.MatrixBase, sp.BlockMatrix,
    sp.Indexed,
)  # fmt: skip


ATOMS: tuple[type, ...] = (sp.Symbol, sp.MatrixSymbol, sp.Identity, sp.ZeroMatrix, Moment)


def _mode_function(node: Any) -> Any:
    """D_q(κ) or h_q(κ) where a trace is printed as one."""
    code = latex(node) if isinstance(node, SpectralTrace) else ""
    for kind in (DegreesOfFreedom, TargetSum):
        if code.startswith(f"{kind.letter}_"):
            return kind(*node.standard()[1:])
    return node


def skeleton(expression: Any) -> Any:
    """The expression as it is read: matrices as symbols that do not commute."""
    expression = _mode_function(expression)
    if isinstance(expression, SpectralTrace):
        factors = [skeleton(factor) for factor in expression.factors]
        return trace(ordered(*factors) if len(factors) > 1 else factors[0])
    if isinstance(expression, SumInverse):
        return (
            sp.Add(
                *(
                    skeleton(c) * ordered(*map(skeleton, f))
                    if len(f) > 1
                    else sp.Mul(skeleton(c), *map(skeleton, f))
                    for c, f in expression.terms
                )
            )
            ** -1
        )
    if isinstance(expression, OPAQUE):
        return sp.Symbol(f"<{latex(expression)}>")
    if isinstance(expression, sp.MatrixSymbol):
        return sp.Symbol(expression.name, commutative=False)
    if isinstance(expression, sp.Identity):
        return sp.Integer(1)
    if isinstance(expression, sp.ZeroMatrix):
        return sp.Integer(0)
    if isinstance(expression, sp.Transpose):
        return transposed(skeleton(expression.arg))
    if isinstance(expression, MatrixFunction) and expression.name != "power":
        return _FUNCTIONS[f"\\{expression.name}"](skeleton(expression.arg))
    if isinstance(expression, sp.Adjoint):
        return sp.adjoint(skeleton(expression.arg))
    if not expression.args or isinstance(expression, (*ATOMS, AppliedUndef)):
        return expression
    parts = [skeleton(part) for part in expression.args if not isinstance(part, Str)]
    special: dict[Any, Callable[..., Any]] = {
        sp.MatMul: sp.Mul, sp.MatAdd: sp.Add, sp.MatPow: sp.Pow, sp.Inverse: sp.Pow,
        MatrixFunction: sp.Pow,
        sp.Trace: trace, Expectation: expectation,
    }  # fmt: skip
    make = next((make for kind, make in special.items() if isinstance(expression, kind)), None)
    return (make or expression.func)(*parts)
