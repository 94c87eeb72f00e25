r"""Matrix expressions: what may be written, sums of words, evaluation on drawn matrices.

An expression is a sympy matrix expression made of declared `MatrixSymbol`s, `Identity`,
sums, products, transposes, inverses, integer powers, square roots of symmetric
deterministic matrices and scalar coefficients; or a scalar that is linear in
traces of such expressions. ``trace(E)`` is the normalised trace Tr E / rows(E).

A *word* is a product of letters; `words` writes an expression as a sum of words in which
an inverse is one letter, (Σ c_w w)^{-1}. It is used to recognise symmetric expressions and
to expand in 1/z (`planar`).

**Which inverses are inside the theory.** The self-consistent equation of a resolvent holds
at every z off the spectrum only if the spectrum is real. So the argument of an inverse
must be, beside a scalar multiple of the identity, symmetric, or a product P S of a symmetric S
with a positive P = VᵀV (which is similar to a symmetric matrix). Everything else, a Ginibre
matrix for instance, is refused: inside its spectrum the equations would be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise, product
from typing import Any

import numpy as np
import sympy as sp

from ..errors import InputError, OutsideTheoryError
from .declarations import Internal, MatrixModel
from .effort import go_on
from .matrix_function import MatrixFunction, PseudoInverse

Word = tuple[Any, ...]
Polynomial = dict[Word, sp.Expr]


@dataclass(frozen=True)
class Letter:
    """A declared matrix in a word, transposed or not; ``exponent`` 1/2 is a square root."""

    name: str
    transposed: bool = False
    exponent: sp.Rational = sp.S.One

    def key(self) -> tuple[Any, ...]:
        """An order that does not depend on hashing."""
        return (0, self.name, self.transposed, str(self.exponent))


@dataclass(frozen=True)
class InverseLetter:
    """The inverse of a sum of words, as one letter."""

    terms: tuple[tuple[Word, sp.Expr], ...]
    rows: sp.Expr

    def key(self) -> tuple[Any, ...]:
        """An order that does not depend on hashing."""
        return (1, *((word_key(word), sp.sstr(c)) for word, c in self.terms))


def word_key(word: Word) -> tuple[Any, ...]:
    """Sorts words."""
    return tuple(letter.key() for letter in word)


def trace(expression: sp.MatrixExpr) -> sp.Expr:
    """The normalised trace Tr E / rows(E) of a square expression.

    >>> M = sp.Symbol("M", positive=True)
    >>> trace(sp.MatrixSymbol("L", M, M))
    Trace(L)/M
    """
    if expression.rows != expression.cols:
        allowed = f"a square expression, not one of shape {expression.rows}×{expression.cols}"
        raise InputError("trace", expression, allowed)
    return sp.Trace(expression) / expression.rows


def outputs(expression: Any) -> tuple[sp.Expr, list[tuple[sp.Expr, sp.MatrixExpr]]]:
    """Write a scalar as c₀ + Σ c_i Tr E_i and return (c₀, [(c_i, E_i)]).

    A matrix expression stands for its normalised trace. Not linear in traces: `InputError`.
    """
    if isinstance(expression, sp.MatrixExpr):
        expression = trace(expression)
    if isinstance(expression, str):
        raise InputError("expression", "text", "a sympy expression (see parse_expression)")
    expression = sp.sympify(expression)
    traces = {t: sp.Dummy(str(t)) for t in ordered_traces(expression)}  # kept whole by expand
    named = {dummy: t.arg for t, dummy in traces.items()}
    constant, found = sp.S.Zero, []
    for term in sp.Add.make_args(sp.expand(expression.xreplace(traces))):
        inside = sorted(term.free_symbols & set(named), key=list(named).index)
        if len(inside) > 1 or any(sp.diff(term, t).has(t) for t in inside):
            raise InputError("expression", expression, "a sum of traces with scalar coefficients")
        if inside:
            found.append((term / inside[0], named[inside[0]]))
        else:
            constant += term
    if not found:
        raise InputError("expression", expression, "an expression that holds a trace")
    weights = {matrix: sum(c for c, other in found if other == matrix) for _, matrix in found}
    order = sorted(weights, key=sp.default_sort_key)
    return constant, [(weights[matrix], matrix) for matrix in order]


def ordered_traces(expression: sp.Expr) -> list[sp.Trace]:
    """The traces in an expression, in an order that does not depend on hashing."""
    return sorted(expression.atoms(sp.Trace), key=sp.default_sort_key)


def words(expression: sp.MatrixExpr, model: MatrixModel, flip: bool = False) -> Polynomial:
    """The expression (its transpose if ``flip``) as a sum of words; also checks every node."""
    if isinstance(expression, sp.MatrixSymbol):
        return {(_letter(expression, model, flip),): sp.S.One}
    if isinstance(expression, sp.Identity):
        return {(): sp.S.One}
    if isinstance(expression, sp.ZeroMatrix):
        return {}
    if isinstance(expression, sp.Transpose):
        return words(expression.arg, model, not flip)
    if isinstance(expression, sp.MatAdd):
        if len({term.shape for term in expression.args}) > 1:
            raise InputError("sum", expression, "terms of one shape")
        return _add(*(words(term, model, flip) for term in expression.args))
    if isinstance(expression, sp.MatMul):
        coefficient, factors = expression.as_coeff_matrices()
        if any(left.cols != right.rows for left, right in pairwise(factors)):
            raise InputError("product", expression, "factors of matching dimensions")
        product: Polynomial = {(): _scalar(coefficient, expression)}
        for factor in reversed(factors) if flip else factors:
            product = _multiply(product, words(factor, model, flip), model)
        return product
    if isinstance(expression, (sp.Inverse, sp.MatPow)):
        return _power_words(expression, model, flip)
    if isinstance(expression, PseudoInverse):
        raise OutsideTheoryError(
            f"{expression}: a pseudo-inverse inside a function of a matrix has no equations; put "
            "its limit in its place, E.T*inv(E*E.T + z*I) for pinv(E), and solve at small z > 0"
        )
    raise OutsideTheoryError(
        f"{expression}: {type(expression).__name__} is outside the theory, which knows sums, "
        "products, transposes, inverses and square roots of deterministic matrices; "
        "entrywise functions are not rational in the matrix"
    )


def _power_words(expression: sp.MatrixExpr, model: MatrixModel, flip: bool) -> Polynomial:
    base, exponent = expression.args[0], sp.sympify(expression.args[1])
    if isinstance(base, sp.Transpose):
        return _power_words(sp.MatPow(base.arg, exponent), model, not flip)
    if base.rows != base.cols:
        raise InputError("power", expression, "a power of a square expression")
    if exponent.is_Integer and exponent >= 0:
        inner, result = words(base, model, flip), {(): sp.S.One}
        for _ in range(int(exponent)):
            result = _multiply(result, inner, model)
        return result
    if exponent.is_Integer:
        inner = words(base, model, flip)
        if not inner:
            raise InputError("inverse", expression, "the inverse of a non-singular expression")
        terms = tuple(sorted(inner.items(), key=lambda item: word_key(item[0])))
        letter = InverseLetter(terms, base.rows)
        return {(letter,) * int(-exponent): sp.S.One}
    if isinstance(base, sp.MatrixSymbol) and exponent.is_Rational and exponent.q == 2:
        fixed = model.fixed.get(base.name)
        if fixed is not None and fixed.symmetric and exponent > 0:
            whole = [Letter(base.name)] * int(sp.floor(exponent))
            return {(*whole, Letter(base.name, exponent=sp.Rational(1, 2))): sp.S.One}
    raise OutsideTheoryError(
        f"{expression}: only integer powers, and square roots of declared symmetric "
        "deterministic matrices, are rational in the matrices"
    )


def _letter(symbol: sp.MatrixSymbol, model: MatrixModel, flip: bool) -> Letter:
    name = symbol.name
    if name in model.random:
        declared, symmetric = model.random[name].symbol, model.random[name].symmetric
    elif name in model.fixed:
        declared, symmetric = model.fixed[name].symbol, model.fixed[name].symmetric
    else:
        raise InputError("expression", name, "declared matrices only; declare this symbol")
    if declared.shape != symbol.shape:
        raise InputError(f"shape of {name}", symbol.shape, f"the declared {declared.shape}")
    return Letter(name, flip and not symmetric)


def _scalar(coefficient: sp.Expr, where: sp.MatrixExpr) -> sp.Expr:
    if coefficient.has(sp.MatrixSymbol, sp.Trace, sp.Function):
        raise OutsideTheoryError(
            f"{where}: the coefficient {coefficient} must be a rational function of symbols"
        )
    if not coefficient.is_rational_function(*coefficient.free_symbols):
        allowed = "rational functions of symbols: name the root and give its value in numbers"
        raise InputError("coefficient", coefficient, allowed)
    return coefficient


def _add(*polynomials: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for polynomial in polynomials:
        for word, coefficient in polynomial.items():
            known = total.get(word)
            total[word] = coefficient if known is None else sp.cancel(known + coefficient)
    return {word: c for word, c in total.items() if c != 0}


def _multiply(left: Polynomial, right: Polynomial, model: MatrixModel) -> Polynomial:
    products = [
        {ordered_word(u + v, model): a * b} for u, a in left.items() for v, b in right.items()
    ]
    return _add(*products) if products else {}


def ordered_word(word: Word, model: MatrixModel) -> Word:
    """The same product with neighbours that commute in one order, and √L √L = L."""
    letters = list(word)
    for i in range(len(letters)):
        for j in range(i, 0, -1):
            before, after = letters[j - 1], letters[j]
            if not _commute(before, after, model) or before.key() <= after.key():
                break
            letters[j - 1], letters[j] = after, before
    merged: list[Any] = []
    for letter in letters:
        root = isinstance(letter, Letter) and not letter.exponent.is_Integer
        if merged and _cancel(merged[-1], letter, model):
            merged.pop()
        elif isinstance(letter, InverseLetter):
            _insert_inverse(merged, letter)
        elif root and merged and merged[-1] == letter:
            merged[-1] = Letter(letter.name, exponent=2 * letter.exponent)
        else:
            merged.append(letter)
    return tuple(merged)


def _insert_inverse(letters: list[Any], inverse: InverseLetter) -> None:
    """Append (c w + d)^{-1}, before the words w that it follows: they commute."""
    inside = [list(word) for word, _ in inverse.terms if word]
    place = len(letters)
    if len(inside) == 1:
        length = len(inside[0])
        while place >= length and letters[place - length : place] == inside[0]:
            place -= length
    letters.insert(place, inverse)


def _cancel(first: Any, second: Any, model: MatrixModel) -> bool:
    """Whether the two are O Oᵀ or Oᵀ O of a rotation."""
    if not (isinstance(first, Letter) and isinstance(second, Letter)):
        return False
    record = model.random.get(first.name)
    opposite = first.name == second.name and first.transposed != second.transposed
    return record is not None and record.rotation and opposite


def _commute(first: Any, second: Any, model: MatrixModel) -> bool:
    if not (isinstance(first, Letter) and isinstance(second, Letter)):
        return False
    records = [model.fixed.get(letter.name) for letter in (first, second)]
    if not all(record is not None and record.symmetric for record in records):
        return False
    return model.family(first.name) == model.family(second.name)


def transpose_word(word: Word, model: MatrixModel) -> Word:
    """The letters of the transposed product."""
    return ordered_word(tuple(_transpose_letter(x, model) for x in reversed(word)), model)


def _transpose_letter(letter: Any, model: MatrixModel) -> Any:
    if isinstance(letter, InverseLetter):
        flipped = {transpose_word(w, model): c for w, c in letter.terms}
        terms = tuple(sorted(flipped.items(), key=lambda item: word_key(item[0])))
        return InverseLetter(terms, letter.rows)
    record = model.random.get(letter.name) or model.fixed[letter.name]
    if record.symmetric:
        return letter
    return Letter(letter.name, not letter.transposed, letter.exponent)


def check(expression: sp.MatrixExpr, model: MatrixModel) -> Polynomial:
    """Refuse what is outside the theory, naming the sub-expression; return the words."""
    polynomial = words(expression, model)
    for letter in inverses_of(polynomial):
        _check_inverse(letter, model)
    _check_pairs(expression, model, polynomial)
    _check_permutations(polynomial, model)
    return polynomial


def letters_of(polynomial: Any) -> set[Letter]:
    """All letters of some words, those inside inverses too."""
    found: set[Letter] = set()
    for letter in chain.from_iterable(word for word, _ in polynomial):
        found |= letters_of(letter.terms) if isinstance(letter, InverseLetter) else {letter}
    return found


def _check_pairs(expression: sp.MatrixExpr, model: MatrixModel, polynomial: Polynomial) -> None:
    letters = letters_of(polynomial.items())
    for letter in sorted(letters, key=Letter.key):
        matrix = model.random.get(letter.name)
        partner = Letter(letter.name, not letter.transposed)
        if matrix is not None and not matrix.symmetric and partner not in letters:
            shown = f"{letter.name}ᵀ" if letter.transposed else letter.name
            raise OutsideTheoryError(
                f"{expression}: the random matrix {shown} is not paired with its transpose; "
                "an expression of it alone has no self-consistent equation of this kind"
            )


def _check_permutations(polynomial: Polynomial, model: MatrixModel) -> None:
    """No permutation stands in one word with a deterministic matrix of its size."""
    for word in polynomial:
        names = {letter.name for letter in letters_of([(word, 1)])}
        for p, name in product(names & model.permutations, names & set(model.fixed)):
            if model.random[p].symbol.rows in model.fixed[name].symbol.shape:
                raise OutsideTheoryError(
                    f"{p} beside {name}: a permutation is not free from a deterministic matrix of "
                    "its size (it maps diagonal matrices to diagonal ones): declare a Haar matrix, "
                    "or put the two into traces of their own"
                )


def inverses_of(polynomial: Iterable[Any]) -> list[InverseLetter]:
    """The different inverses of some words, inner ones first."""
    found: dict[InverseLetter, None] = {}

    def visit(letter: Any) -> None:
        if isinstance(letter, InverseLetter) and letter not in found:
            go_on("reading")
            for inner in chain.from_iterable(word for word, _ in letter.terms):
                visit(inner)
            found[letter] = None

    for letter in chain.from_iterable(polynomial):
        visit(letter)
    return list(found)


def _check_inverse(letter: InverseLetter, model: MatrixModel) -> None:
    if all(other.name in model.fixed for other in letters_of(letter.terms)):
        return
    if not _real_spectrum(dict(letter.terms), model):
        typed = {word: c for word, c in letter.terms if not c.atoms(Internal)}
        raise OutsideTheoryError(
            f"inverse of {show(typed)}: the argument is neither symmetric nor, up to "
            "a multiple of the identity, the product of a symmetric matrix with a positive VᵀV, as "
            "far as its words show. If its eigenvalues are complex, the equations are wrong among "
            "them: write it in a symmetric form"
        )


def is_symmetric(polynomial: Polynomial, model: MatrixModel) -> bool:
    """Whether the sum of words equals its transpose, word by word."""
    flipped = {transpose_word(word, model): c for word, c in polynomial.items()}
    if set(flipped) != set(polynomial):
        return False
    return all(sp.cancel(flipped[word] - c) == 0 for word, c in polynomial.items())


def _real_spectrum(polynomial: Polynomial, model: MatrixModel) -> bool:
    if is_symmetric(polynomial, model):
        return True
    rest = {word: c for word, c in polynomial.items() if word}
    first = min(rest, key=word_key)
    for length in range(1, len(first) + 1):
        prefix, suffix = first[:length], first[-length:]
        after = {word[length:]: c for word, c in rest.items() if word[:length] == prefix}
        before = {word[:-length]: c for word, c in rest.items() if word[-length:] == suffix}
        for positive, others in ((prefix, after), (suffix, before)):
            common = len(others) == len(rest) and _positive(positive, model)
            if common and is_symmetric(others, model):
                return True
    return False


def _positive(word: Word, model: MatrixModel) -> bool:
    """Whether the word is VᵀV or VᵀPV with a deterministic P ≥ 0."""
    if transpose_word(word, model) != word:
        return False
    if len(word) % 2 == 0:
        return True
    middle = word[len(word) // 2]
    return isinstance(middle, Letter) and middle.name in model.fixed


def show(polynomial: Polynomial) -> str:
    """A sum of words in the text form of the command line."""

    def letter_text(letter: Any) -> str:
        if isinstance(letter, InverseLetter):
            return f"inv({show(dict(letter.terms))})"
        text = f"{letter.name}.T" if letter.transposed else letter.name
        return text if letter.exponent == 1 else f"sqrt({text})"

    def term_text(word: Word, coefficient: sp.Expr) -> str:
        body = "*".join(map(letter_text, word)) or "I"
        return body if coefficient == 1 else f"({coefficient})*{body}"

    ordered = sorted(polynomial.items(), key=lambda item: word_key(item[0]))
    return " + ".join(term_text(word, c) for word, c in ordered) or "0"


def evaluate(
    expression: Any, matrices: Mapping[str, np.ndarray], scalars: Mapping[sp.Symbol, complex]
) -> Any:
    """The expression on given numpy matrices: ``matrices[name]`` and values of the scalars.

    Dimensions are scalars too. A scalar expression gives a number, traces being plain. The
    transpose is the adjoint for complex matrices, scalars not being conjugated.

    >>> M = sp.Symbol("M", positive=True)
    >>> L = sp.MatrixSymbol("L", M, M)
    >>> float(evaluate(trace((L + sp.Identity(M)).I), {"L": np.diag([0.0, 1.0])}, {M: 2}))
    0.75
    """
    if not isinstance(expression, sp.MatrixExpr):
        return _evaluate_scalar(sp.sympify(expression), matrices, scalars)
    value = _evaluate_leaf(expression, matrices, scalars)
    if value is not None:
        return value
    if isinstance(expression, sp.BlockMatrix):
        rows = expression.blocks.tolist()
        return np.block([[evaluate(block, matrices, scalars) for block in row] for row in rows])
    if isinstance(expression, MatrixFunction):
        matrix = evaluate(expression.arg, matrices, scalars)
        if expression.name == "power":
            return _evaluate_power(matrix, evaluate(expression.exponent, matrices, scalars))
        return _by_eigenvalues(matrix, np.exp if expression.name == "exp" else np.log)
    if isinstance(expression, PseudoInverse):
        return np.linalg.pinv(evaluate(expression.arg, matrices, scalars))
    inner = [evaluate(arg, matrices, scalars) for arg in expression.args]
    if isinstance(expression, sp.MatAdd):
        return sum(inner[1:], inner[0])
    if isinstance(expression, sp.MatMul):
        product = inner[0]
        for factor in inner[1:]:
            scalar = np.ndim(product) == 0 or np.ndim(factor) == 0
            product = product * factor if scalar else product @ factor
        return product
    if isinstance(expression, (sp.Inverse, sp.MatPow)):
        exponent = expression.args[1]
        whole = isinstance(expression, sp.Inverse) or exponent.is_Integer
        return _evaluate_power(inner[0], int(exponent) if whole else inner[1])
    raise OutsideTheoryError(f"{expression}: {type(expression).__name__} cannot be evaluated")


def _evaluate_leaf(
    expression: sp.MatrixExpr, matrices: Mapping[str, np.ndarray], scalars: Mapping[Any, complex]
) -> Any:
    if isinstance(expression, sp.MatrixSymbol):
        if expression.name not in matrices:
            raise InputError("matrices", sorted(matrices), f"a value of {expression.name}")
        return np.asarray(matrices[expression.name])
    if isinstance(expression, sp.Transpose):
        flipped = {name: np.conj(matrix) for name, matrix in matrices.items()}
        return evaluate(expression.arg, flipped, scalars).T
    if isinstance(expression, (sp.Identity, sp.ZeroMatrix)):
        rows, columns = (round(_evaluate_scalar(d, {}, scalars).real) for d in expression.shape)
        return np.eye(rows) if isinstance(expression, sp.Identity) else np.zeros((rows, columns))
    return None


def _evaluate_power(matrix: np.ndarray, exponent: Any) -> np.ndarray:
    if isinstance(exponent, int):
        return np.linalg.matrix_power(matrix, exponent)
    return _by_eigenvalues(matrix, lambda x: np.clip(x, 0, None) ** float(np.real(exponent)))


def _by_eigenvalues(matrix: np.ndarray, function: Callable[[Any], Any]) -> np.ndarray:
    """A function of a matrix with real eigenvalues, symmetric or similar to one that is."""
    if np.allclose(matrix, np.conj(matrix.T), rtol=1e-10, atol=1e-14):
        eigenvalues, vectors = np.linalg.eigh(matrix)
        return (vectors * function(eigenvalues)) @ np.conj(vectors.T)
    eigenvalues, vectors = np.linalg.eig(matrix)
    return np.linalg.solve(vectors.T, (vectors * function(eigenvalues.real)).T).T


def _evaluate_scalar(
    expression: sp.Expr, matrices: Mapping[str, np.ndarray], scalars: Mapping[Any, complex]
) -> Any:
    traces = ordered_traces(expression)
    values = {t: np.trace(evaluate(t.arg, matrices, scalars)) for t in traces}
    dummies = {t: sp.Dummy() for t in traces}
    body = expression.xreplace(dummies)
    symbols = sorted(body.free_symbols - set(dummies.values()), key=sp.default_sort_key)
    missing = [s for s in symbols if s not in scalars]
    if missing:
        raise InputError("scalars", list(map(str, scalars)), f"a value of {missing[0]}")
    function = sp.lambdify([*symbols, *dummies.values()], body, "numpy", dummify=True)
    numbers = (complex(scalars[s]) for s in symbols)  # machine integers would overflow
    numbers = (x if x.imag else x.real for x in numbers)
    return np.asarray(function(*numbers, *values.values()))[()]
