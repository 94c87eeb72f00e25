r"""The text form of expressions and declarations, read by recursive descent; nothing is run.

    expression := term (("+" | "-") term)*
    term       := factor (("*" | "@" | "/") factor)*
    factor     := ("+" | "-") factor | postfix (("^" | "**") factor)?
    postfix    := atom (".T" | ".H" | ".I")*
    atom       := number | name | function "(" expression ")" | "(" expression ")"

Functions: ``tr`` the normalised trace, ``Tr`` the plain one, ``inv``, ``pinv`` (the pseudo-inverse,
as the limit of a ridge), ``transpose``; of a matrix,
by its eigenvalues, ``log``, ``exp``, ``sqrt`` and powers (``sqrt`` of a scalar too). ``I`` is the
identity of the size that fits. Traces may be added, multiplied, divided and raised to whole powers.
A name is a declared matrix, a dimension, or else a scalar; undeclared capitals are errors.

``.T`` is the transpose; ``.H`` the adjoint, which is the same for real matrices and the one to
use where complex ones are declared.

Declarations: ``"X:M,T:1/T"`` (Gaussian, rows, columns, variance), ``"W:M:1/M"`` (symmetric
Gaussian), ``"L:M"`` (symmetric deterministic), ``"A:M,T"`` (rectangular deterministic); several
are separated by ``;``. Complex Gaussian matrices are declared in the same two forms; random
orthogonal, unitary and permutation matrices as ``"O:M"``; a profile of block variances as
``"X:M1+M2,T1+T2:V11,V12|V21,V22"``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.matrices.expressions import Identity, MatPow, MatrixExpr, MatrixSymbol

from .. import notation as papers
from ..arguments import checked
from ..errors import InputError, OutsideTheoryError
from .declarations import MatrixModel
from .expression import trace
from .matrix_function import NAMES, MatrixFunction, PseudoInverse

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2}\b)?)|(?P<name>[^\W\d]\w*'*)|(?P<op>\*\*|\.[THI]\b|[-+*@/^()]))"
)
_MAX_LENGTH, _MAX_DEPTH, _MAX_POWER = 4000, 60, 12
_ENTRYWISE = {"relu", "tanh", "sin", "cos", "erf", "sigmoid", "abs", "sign", "max"}


@dataclass(frozen=True)
class Unit:
    """A multiple of an identity whose size is not known yet."""

    coefficient: sp.Expr


def scalar_symbol(name: str) -> sp.Symbol:
    """The symbol of this name: the papers' own if they have one; capitals are positive."""
    for known in (papers.N, papers.T, papers.P, papers.M, papers.z, papers.z_prime, papers.gamma):
        if known.name == name:
            return known
    if name in ("sigma_w", "sigma_u", "sigma_eps"):
        return getattr(papers, name)
    return sp.Symbol(name, positive=True) if name[0].isupper() else sp.Symbol(name)


class _ExpressionParser:
    """One pass over the tokens of one text."""

    def __init__(self, text: str, model: MatrixModel, scalars: frozenset[str]) -> None:
        if not isinstance(text, str) or not text.strip() or len(text) > _MAX_LENGTH:
            raise InputError(
                "expression", repr(text)[:60], f"text of 1 to {_MAX_LENGTH} characters"
            )
        self.text, self.model = text, model
        self.known = {s.name: s for s in model.scalars()}  # the very symbols of the declarations
        self.scalars = scalars | set(self.known)
        self.tokens: list[tuple[str, str, int]] = []
        self.position, self.depth = 0, 0
        start, end = 0, len(text.rstrip())
        while start < end:
            match = _TOKEN.match(text, start)
            if match is None:
                raise InputError("expression", repr(text[start : start + 20]), "a known symbol")
            kind = str(match.lastgroup)
            if kind == "name" and not is_name(match.group(kind)):
                allowed = "letters, digits, _ and primes in a name"
                raise InputError("expression", repr(match.group(kind)), allowed)
            self.tokens.append((kind, match.group(kind), match.start(kind)))
            start = match.end()

    def parse(self) -> Any:
        value = self.expression()
        if self.position < len(self.tokens):
            raise self.error("the end of the expression")
        return value

    def peek(self) -> str:
        return self.tokens[self.position][1] if self.position < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        token = self.peek()
        if token in wanted and token:
            self.position += 1
            return token
        return ""

    def error(self, allowed: str) -> InputError:
        if self.position >= len(self.tokens):
            return InputError("expression", repr(self.text), f"{allowed} at its end")
        start = self.tokens[self.position][2]
        return InputError("expression", f"{self.text[start : start + 20]!r} at {start}", allowed)

    def since(self, first: int) -> str:
        """The source text from token ``first`` to here, to name a sub-expression."""
        last = self.tokens[self.position - 1]
        return self.text[self.tokens[first][2] : last[2] + len(last[1])]

    def expression(self) -> Any:
        first, value = self.position, self.term()
        while sign := self.take("+", "-"):
            other = self.term()
            value = self.add(value, _negative(other) if sign == "-" else other, first)
        return value

    def add(self, left: Any, right: Any, first: int) -> Any:
        if isinstance(left, Unit) and isinstance(right, Unit):
            return Unit(left.coefficient + right.coefficient)
        if isinstance(left, Unit) or isinstance(right, Unit):
            unit, other = (left, right) if isinstance(left, Unit) else (right, left)
            if not isinstance(other, MatrixExpr):
                raise InputError("sum", self.since(first), "scalars or matrices, not both")
            if other.rows != other.cols:
                allowed = f"a square matrix beside I, not {other.rows}×{other.cols}"
                raise InputError("sum", self.since(first), allowed)
            identity = unit.coefficient * Identity(other.rows)
            return identity + other if unit is left else other + identity
        if isinstance(left, MatrixExpr) != isinstance(right, MatrixExpr):
            allowed = "matrices only: write a scalar times I"
            raise InputError("sum", self.since(first), allowed)
        if isinstance(left, MatrixExpr) and left.shape != right.shape:
            raise self.mismatch("sum", left, right, first)
        return left + right

    def mismatch(self, what: str, left: Any, right: Any, first: int) -> InputError:
        shapes = " and ".join("×".join(map(str, matrix.shape)) for matrix in (left, right))
        return InputError(what, self.since(first), f"matching dimensions, not {shapes}")

    def term(self) -> Any:
        first, value = self.position, self.factor()
        while sign := self.take("*", "@", "/"):
            other = self.factor()
            if sign == "/":
                if isinstance(other, (MatrixExpr, Unit)):
                    raise InputError(
                        "division", self.since(first), "division by a scalar; use inv()"
                    )
                if other == 0:
                    raise InputError("division", self.since(first), "a non-zero denominator")
                other = 1 / other
            value = self.multiply(value, other, first)
        return value

    def multiply(self, left: Any, right: Any, first: int) -> Any:
        if isinstance(left, Unit) and isinstance(right, Unit):
            return Unit(left.coefficient * right.coefficient)
        if isinstance(left, Unit):
            matrix = isinstance(right, MatrixExpr)
            return left.coefficient * right if matrix else Unit(left.coefficient * right)
        if isinstance(right, Unit):
            matrix = isinstance(left, MatrixExpr)
            return right.coefficient * left if matrix else Unit(left * right.coefficient)
        both = isinstance(left, MatrixExpr) and isinstance(right, MatrixExpr)
        if both and left.cols != right.rows:
            raise self.mismatch("product", left, right, first)
        return left * right

    def factor(self) -> Any:
        if sign := self.take("+", "-"):
            self.nest()
            value = self.factor()
            self.depth -= 1
            return _negative(value) if sign == "-" else value
        first, base = self.position, self.postfix()
        if self.take("**", "^"):
            self.nest()
            exponent = self.factor()
            self.depth -= 1
            return self.power(base, exponent, first)
        return base

    def power(self, base: Any, exponent: Any, first: int) -> Any:
        rational = isinstance(exponent, sp.Rational) and abs(exponent) <= _MAX_POWER
        symbolic = isinstance(exponent, sp.Expr) and isinstance(base, MatrixExpr)
        symbolic = symbolic and not (exponent.is_number or exponent.has(sp.Trace))
        if not rational and not symbolic:
            allowed = f"a number up to {_MAX_POWER}; a scalar as exponent of a matrix"
            raise InputError("exponent", self.since(first), allowed)
        if isinstance(base, Unit):
            return Unit(base.coefficient**exponent)
        if isinstance(base, MatrixExpr):
            if base.rows != base.cols:
                raise InputError("power", self.since(first), "a power of a square matrix")
            return base.inv() if exponent == -1 else _matrix_power(base, exponent)
        if base == 0 and exponent < 0:
            raise InputError("power", self.since(first), "a non-zero base")
        return base**exponent

    def postfix(self) -> Any:
        first, value = self.position, self.atom()
        while suffix := self.take(".T", ".H", ".I"):
            if suffix == ".I":
                value = self.inverse(value, first)
            elif isinstance(value, MatrixExpr):
                value = value.T if suffix == ".H" else self.flip(value, first)
        return value

    def flip(self, value: MatrixExpr, first: int) -> MatrixExpr:
        random = self.model.random
        for symbol in sorted(value.atoms(MatrixSymbol), key=lambda s: str(s.name)):
            if symbol.name in random and random[symbol.name].complex_entries:
                allowed = f"the adjoint .H of {symbol.name}, which has complex entries"
                raise InputError("transpose", self.since(first), allowed)
        return value.T

    def nest(self) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise InputError("expression", "text", f"at most {_MAX_DEPTH} nested levels")

    def atom(self) -> Any:
        if self.take("("):
            return self.inside()
        if self.position >= len(self.tokens):
            raise self.error("a matrix, a scalar or a parenthesis")
        kind, token, _ = self.tokens[self.position]
        if kind == "op":
            raise self.error("a matrix, a scalar or a parenthesis")
        first = self.position
        self.position += 1
        if kind == "number":
            return sp.Rational(token)
        if self.take("("):
            return self.call(token, first)
        return self.name(token)

    def inside(self) -> Any:
        self.nest()
        value = self.expression()
        if not self.take(")"):
            raise self.error("a closing parenthesis")
        self.depth -= 1
        return value

    def name(self, token: str) -> Any:
        if token in self.model.blocks:
            return self.model.blocks[token]
        if token in self.model.random:
            return self.model.random[token].symbol
        if token in self.model.fixed:
            return self.model.fixed[token].symbol
        if token in self.known:
            return self.known[token]
        if token == "I" and "I" not in self.scalars:
            return Unit(sp.S.One)
        if token[0].isupper() and token not in self.scalars:
            allowed = "declared names: declare it as a matrix, or as a scalar if it is one"
            raise InputError("undeclared symbol", token, allowed)
        return scalar_symbol(token)

    def call(self, name: str, first: int) -> Any:
        value = self.inside()
        if name in ("tr", "Tr"):
            return self.trace(name, value, first)
        if name == "inv":
            return self.inverse(value, first)
        if name == "pinv":
            return self.pseudo_inverse(value, first)
        if name == "transpose":
            return self.flip(value, first) if isinstance(value, MatrixExpr) else value
        if name == "sqrt":
            return self.power(value, sp.S.Half, first)
        where = self.since(first)
        if name in NAMES:
            return self.function(name, value, where)
        if name.lower() in _ENTRYWISE:
            raise OutsideTheoryError(
                f"{where}: the entrywise function {name} is not rational in the matrix; use its "
                "Gaussian equivalent a*X + b*Q, with numbers a, b and an independent Gaussian Q of "
                "the shape of X"
            )
        if name in ("det", "logdet"):
            raise InputError("function", where, "Tr(log(E)), which is the logarithm of det E")
        raise InputError("function", where, "one of tr, Tr, inv, pinv, sqrt, log, exp, transpose")

    def pseudo_inverse(self, value: Any, first: int) -> Any:
        """The pseudo-inverse of a matrix, which is derived as the limit of a ridge."""
        if not isinstance(value, MatrixExpr):
            return self.inverse(value, first)
        return PseudoInverse(value)

    def function(self, name: str, value: Any, where: str) -> Any:
        """log or exp of a square matrix, by its eigenvalues."""
        if isinstance(value, Unit) or not isinstance(value, MatrixExpr):
            allowed = f"{name} of a matrix; give the value of a scalar {name} in numbers"
            raise InputError("function", where, allowed)
        if value.rows != value.cols:
            allowed = f"the {name} of a square matrix (by its eigenvalues, not by its entries)"
            raise InputError("function", where, allowed)
        return MatrixFunction(name, value)

    def trace(self, name: str, value: Any, first: int) -> Any:
        if isinstance(value, Unit) and name == "tr":
            return value.coefficient
        if not isinstance(value, MatrixExpr):
            raise InputError("trace", self.since(first), "the trace of a matrix of known size")
        if value.rows != value.cols:
            allowed = f"the trace of a square matrix, not {value.rows}×{value.cols}"
            raise InputError("trace", self.since(first), allowed)
        return trace(value) if name == "tr" else sp.Trace(value)

    def inverse(self, value: Any, first: int) -> Any:
        if isinstance(value, Unit):
            value = value.coefficient
            if value == 0:
                raise InputError("inverse", self.since(first), "something non-singular")
            return Unit(1 / value)
        if not isinstance(value, MatrixExpr):
            if value == 0:
                raise InputError("inverse", self.since(first), "something non-singular")
            return 1 / value
        if value.rows != value.cols:
            allowed = (
                f"a square matrix, not {value.rows}×{value.cols}, or pinv(E), the pseudo-inverse"
            )
            raise InputError("inverse", self.since(first), allowed)
        if value.is_ZeroMatrix:
            raise InputError("inverse", self.since(first), "something non-singular")
        return value.inv()


def _matrix_power(base: MatrixExpr, exponent: Any) -> MatrixExpr:
    """A power of a square matrix; (E²)^{1/2} is E where E is positive alone, and is kept."""
    if isinstance(base, MatrixFunction) and base.name == "power":
        base, exponent = base.arg, base.exponent * exponent
    inner = sp.sympify(base.args[1]) if isinstance(base, MatPow) else sp.S.One
    if exponent.is_Integer or (inner.is_number and abs(inner) <= 1):
        return base**exponent
    return MatrixFunction("power", base, exponent)


def _negative(value: Any) -> Any:
    return Unit(-value.coefficient) if isinstance(value, Unit) else -value


def parse_expression(text: str, model: MatrixModel, scalars: Iterable[str] = ()) -> Any:
    """Read an expression whose matrices are declared in ``model``.

    ``scalars`` names capital letters that are scalars and not dimensions.

    >>> model = parse_declarations(gaussian=["X:M,T:1/T"])
    >>> parse_expression("tr(inv(X*X.T + z*I))", model)
    Trace((z*I + X*X.T)**(-1))/M
    """
    value = _ExpressionParser(text, model, frozenset(scalars)).parse()
    if isinstance(value, Unit):
        raise InputError("expression", text, "an expression of known size")
    return value


def _parts(text: str, option: str, form: str, least: int, most: int) -> list[str]:
    parts = [part.strip() for part in text.split(":")]
    if not least <= len(parts) <= most or not all(parts):
        raise InputError(option, repr(text), f"the form {form}")
    return parts


def is_name(text: str) -> bool:
    """An identifier of any script, with primes."""
    return text.rstrip("'").isidentifier()


def _dimension(text: str, option: str) -> Any:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return sp.Integer(text)
    if not is_name(text):
        raise InputError(option, repr(text), "a dimension: a name or a count ≥ 1")
    return scalar_symbol(text)


def _split(declarations: Iterable[str]) -> list[str]:
    return [part.strip() for text in declarations for part in text.split(";") if part.strip()]


@checked
def parse_declarations(
    gaussian: Iterable[str] = (),
    symmetric: Iterable[str] = (),
    deterministic: Iterable[str] = (),
    commuting: Iterable[str] = (),
    complex_gaussian: Iterable[str] = (),
    hermitian: Iterable[str] = (),
    haar: Iterable[str] = (),
    unitary: Iterable[str] = (),
    permutation: Iterable[str] = (),
    profile: Iterable[str] = (),
) -> MatrixModel:
    """A `MatrixModel` from the declarations of the command line.

    Text is "NAME:ROWS,COLUMNS[:VARIANCE]" of Gaussian and "NAME:SIZE[:VARIANCE]" of symmetric
    ones, variances those of the entries. Raises `InputError` for other forms, by the option's
    name. Source: this package.

    >>> model = parse_declarations(["X:M,T:1/T"], deterministic=["L:M"])
    >>> sorted(model.random), sorted(model.fixed)
    (['X'], ['L'])
    """
    model = MatrixModel()
    for text, complex_entries in _kinds(gaussian, complex_gaussian):
        option = "complex" if complex_entries else "gaussian"
        parts = _parts(text, option, "NAME:ROWS,COLUMNS[:VARIANCE[:LAW]]", 2, 4)
        sizes = [_dimension(part.strip(), option) for part in parts[1].split(",")]
        if len(sizes) > 2:
            raise InputError(option, repr(text), "the form NAME:ROWS,COLUMNS[:VARIANCE]")
        options = {"law": parts[3] if len(parts) > 3 else "gaussian"}
        variance = _variance(parts[2] if len(parts) > 2 else "1", sizes)
        model.gaussian(
            parts[0], sizes[0], sizes[-1], variance, complex_entries=complex_entries, **options
        )
    for text, complex_entries in _kinds(symmetric, hermitian):
        option = "hermitian" if complex_entries else "symmetric"
        parts = _parts(text, option, "NAME:SIZE[:VARIANCE[:LAW]]", 2, 4)
        size = _dimension(parts[1], option)
        variance = _variance(parts[2] if len(parts) > 2 else "1", [size])
        options = {"law": parts[3] if len(parts) > 3 else "gaussian"}
        model.symmetric(parts[0], size, variance, complex_entries=complex_entries, **options)
    for option, texts in (("haar", haar), ("unitary", unitary), ("permutation", permutation)):
        for text in _split(texts):
            name, size = _parts(text, option, "NAME:SIZE", 2, 2)
            flags = {"complex_entries": option == "unitary", "permutation": option == "permutation"}
            model.haar(name, _dimension(size, option), **flags)
    for text in _split(profile):
        _declare_profile(model, text)
    for text in _split(deterministic):
        parts = _parts(text, "deterministic", "NAME:SIZE or NAME:ROWS,COLUMNS", 2, 2)
        sizes = [_dimension(part.strip(), "deterministic") for part in parts[1].split(",")]
        if len(sizes) > 2:
            raise InputError("deterministic", repr(text), "NAME:SIZE or NAME:ROWS,COLUMNS")
        model.deterministic(parts[0], *sizes)
    for text in _split(commuting):
        model.commuting(*[part.strip() for part in text.split(",")])
    if "I" in {*model.random, *model.fixed, *model.blocks, *map(str, model.dimensions())}:
        raise InputError("declaration", "I", "another name: I is the identity")
    return model


def _declare_profile(model: MatrixModel, text: str) -> None:
    form = "NAME:M1+M2,T1+T2:V,V|V,V"
    name, shape, table = _parts(text, "profile", form, 3, 3)
    sides = [[_dimension(d.strip(), "profile") for d in s.split("+")] for s in shape.split(",")]
    if len(sides) != 2:
        raise InputError("profile", repr(text), f"the form {form}")
    inside = [*sides[0], *sides[1]]
    variances = [[_variance(v, inside) for v in row.split(",")] for row in table.split("|")]
    model.profile(name, sides[0], sides[1], variances)


def _kinds(real: Iterable[str], complex_ones: Iterable[str]) -> list[tuple[str, bool]]:
    return [(t, False) for t in _split(real)] + [(t, True) for t in _split(complex_ones)]


def _variance(text: str, sizes: list[Any]) -> sp.Expr:
    names = frozenset(re.findall(r"[^\W\d]\w*'*", text)) | {str(size) for size in sizes}
    value = _ExpressionParser(text, MatrixModel(), names).parse()
    if not isinstance(value, sp.Expr) or isinstance(value, Unit):
        raise InputError("variance", repr(text), "a positive scalar")
    return value
