r"""Numbers for spectral traces: Σ_J f(λ_J; κ), and Tr f(Λ) Γ g(Λ)… without commutation.

A deterministic matrix is given as a vector (its eigenvalues, diagonal matrices in one common
basis) or as a square array; a rectangular one as its squared singular values or as an array. A
trace is compiled once and then evaluated on arrays of its symbols: float64 or complex128 with
numpy, or mpmath numbers.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from ..errors import InputError
from .declarations import MatrixModel
from .spectral_trace import SpectralTrace
from .sum_inverse import SumInverse, commuting
from .sum_values import MPMATH, NUMPY, CompiledWord, Space, over_points
from .tape import Tape, taped

Values = Mapping[sp.Symbol, Any]

CACHE = 16_384  # numbers in one array between


@dataclass(frozen=True)
class DeterministicValues:
    """Eigenvalues by letter and, where the matrices are not diagonal, their common bases."""

    eigenvalues: dict[sp.Symbol, np.ndarray]
    bases: dict[sp.Symbol, np.ndarray | None]
    dimensions: dict[sp.Symbol, int]
    rectangular: frozenset[sp.Symbol]
    given: dict[sp.Symbol, Any]  # vectors as given, so that mpmath numbers keep their digits
    sides: dict[sp.Symbol, dict[Any, np.ndarray]]  # rectangular: singular vectors by dimension
    memory: dict[Any, Any] = field(default_factory=dict, compare=False)  # shared by traces
    compiled: dict[Any, Any] = field(default_factory=dict, compare=False)  # traces, as functions

    @classmethod
    def read(cls, model: MatrixModel, given: Mapping[Any, Any]) -> DeterministicValues:
        """Check and diagonalise what was given, by the names of the matrices."""
        named = {getattr(key, "name", key): v for key, v in given.items()}
        named = {name: v for name, v in named.items() if name not in model.spare}
        named = {name: _real_array(f"matrices[{name}]", v) for name, v in named.items()}
        raw = {getattr(key, "name", key): v for key, v in given.items() if np.ndim(v) == 1}
        exact = {
            model.fixed[name].eigenvalue: vector
            for name, vector in raw.items()
            if name in model.fixed
        }
        unknown = sorted(set(named) - set(model.fixed))
        if unknown:
            names = ", ".join(sorted(model.fixed))
            allowed = f"one of {names}" if names else "none: no deterministic matrix is declared"
            raise InputError("matrices", unknown[0], allowed)
        values: dict[sp.Symbol, np.ndarray] = {}
        bases: dict[sp.Symbol, np.ndarray | None] = {}
        dimensions: dict[sp.Symbol, int] = {}
        sides: dict[sp.Symbol, dict[Any, np.ndarray]] = {}
        rectangular = set()
        for name in sorted(model.fixed):
            record = model.fixed[name]
            if name not in named:
                raise InputError("matrices", sorted(named), f"a value of {name}")
            array, letter = named[name], record.eigenvalue
            if not record.symmetric:
                rectangular.add(letter)
                if array.ndim == 1 and array.min(initial=0.0) < 0:
                    allowed = "squared singular values ≥ 0, or a rectangular array"
                    raise InputError(f"matrices[{name}]", array.min(), allowed)
                values[letter], bases[letter] = array, None
                if array.ndim == 2:
                    left, singular, right = np.linalg.svd(array)
                    values[letter] = singular**2
                    sides[letter] = dict(zip(record.symbol.shape, (left, right.T), strict=True))
                sizes = array.shape if array.ndim == 2 else ()
            else:
                values[letter], bases[letter] = _diagonalised(name, array, model, named, bases)
                sizes = (len(array),)
            for dimension, size in zip(record.symbol.shape, sizes):
                if dimensions.setdefault(dimension, size) != size:
                    raise InputError(f"matrices[{name}]", size, f"size {dimensions[dimension]}")
        return cls(values, bases, dimensions, frozenset(rectangular), exact, sides)

    @cached_property
    def exact(self) -> dict[sp.Symbol, list[Any]]:
        """The vectors as mpmath numbers."""
        return {x: [mpmath.mpmathify(v) for v in vector] for x, vector in self.given.items()}

    def check_lengths(self, model: MatrixModel, sizes: Values) -> None:
        """A rectangular matrix has no more singular values than rows or columns."""
        for name, record in model.fixed.items():
            count = len(self.eigenvalues[record.eigenvalue])
            most = [sizes.get(d, d) for d in record.symbol.shape]
            if record.eigenvalue in self.rectangular and count > min(np.min(d) for d in most):
                raise InputError(
                    f"matrices[{name}]", f"{count} values", "min(rows, columns) of them"
                )

    def is_diagonal(self, letters: list[Any]) -> bool:
        """Whether these matrices are diagonal in the common basis."""
        return all(self.bases[x] is None and x not in self.sides for x in letters)

    def space(self, atom: SpectralTrace, dimensions: Mapping[Any, Any], exact: bool) -> Space:
        """The space of a trace: eigenvalues and vectors of the letters on it."""

        def modes(letter: sp.Symbol) -> Any:
            if exact and letter in self.exact and letter not in self.rectangular:
                return self.exact[letter]
            padded = _padded(letter, atom, self, dimensions)
            return [mpmath.mpf(float(v)) for v in padded] if exact else padded

        def vectors(letter: sp.Symbol) -> Any:
            sides = self.sides.get(letter)
            found = self.bases[letter] if sides is None else sides[atom.dimension]
            return mpmath.matrix(found.tolist()) if exact and found is not None else found

        memory = None if exact else self.memory
        return Space(len(modes(atom.letters[0])), modes, vectors, memory)


def named_numbers(
    given: Mapping[Any, Any], symbols: Iterable[sp.Symbol], spare: Collection[str] = ()
) -> dict[str, Any]:
    """The values by name, each a finite number or an array of them, of known symbols only.

    Names that are declared and not needed, ``spare``, are passed over.
    """
    allowed, found = [s.name for s in symbols], {}
    for key, value in given.items():
        name = str(getattr(key, "name", key))
        if name in spare and name not in allowed:
            continue
        if name not in allowed:
            raise InputError("parameters", name, "one of " + ", ".join(allowed))
        finite_numbers(f"parameters[{name}]", value)
        found[name] = value
    return found


def finite_numbers(name: str, value: Any) -> np.ndarray:
    """The number or array as complex128; `InputError` for truth values, text and what is infinite.

    >>> finite_numbers("z", 2)
    array(2.+0.j)
    """
    array, allowed = np.asarray(value), "finite numbers"
    odd = array.dtype.kind not in "iufcO"
    if odd or any(isinstance(x, bool | str | bytes | None) for x in _objects(array)):
        raise InputError(name, textwrap.shorten(repr(value), 60), allowed)
    try:
        numbers = array.astype(complex)
    except (TypeError, ValueError, OverflowError) as problem:
        allowed += " within the range of float64"
        raise InputError(name, textwrap.shorten(repr(value), 60), allowed) from problem
    if not np.all(np.isfinite(numbers)):
        raise InputError(name, textwrap.shorten(repr(value), 60), allowed)
    return numbers


def _objects(array: np.ndarray) -> list[Any]:
    """The entries of an array of Python objects."""
    return array.ravel().tolist() if array.dtype.kind == "O" else []


def _real_array(name: str, value: Any) -> np.ndarray:
    """A vector or a matrix of real numbers."""
    try:
        array = np.asarray(value)
    except ValueError as problem:  # rows of unequal length
        raise InputError(name, "rows of unequal length", "a vector or an array") from problem
    if array.ndim not in (1, 2) or not array.size:
        raise InputError(name, f"shape {array.shape}", "a vector or an array of two dimensions")
    try:
        numbers = finite_numbers(name, array)
    except InputError as problem:
        raise InputError(name, "no finite numbers", "finite real entries") from problem
    if np.any(numbers.imag):
        raise InputError(name, "complex entries", "finite real entries")
    return np.array(numbers.real)


def _diagonalised(
    name: str, array: np.ndarray, model: MatrixModel, named: Mapping[str, np.ndarray], bases: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    if array.ndim == 1:
        return array, None
    if array.ndim != 2 or not np.allclose(array, array.T, rtol=1e-10, atol=1e-12):
        raise InputError(f"matrices[{name}]", f"shape {array.shape}", "a vector or symmetric array")
    first = model.family(name)
    leader = named.get(first)
    if first == name or leader is None or leader.ndim == 1:
        if first != name:
            return np.diag(array), None
        values, vectors = np.linalg.eigh(array)
        return values, vectors
    vectors = bases[model.fixed[first].eigenvalue]
    rotated = vectors.T @ array @ vectors
    if not np.allclose(rotated, np.diag(np.diag(rotated)), atol=1e-8 * np.abs(array).max()):
        raise InputError(f"matrices[{name}]", "matrix", f"a matrix that commutes with {first}")
    return np.diag(rotated), vectors


@lru_cache(maxsize=2048)
def lambdified(arguments: tuple[sp.Symbol, ...], body: Any, module: str) -> Callable[..., Any]:
    """`sympy.lambdify`, remembered; the names of the symbols do not matter."""
    names = {symbol: sp.Symbol(f"argument_{i}") for i, symbol in enumerate(arguments)}
    renamed = [sp.sympify(b).xreplace(names) for b in (body if isinstance(body, tuple) else [body])]
    inside = renamed if isinstance(body, tuple) else renamed[0]
    return sp.lambdify(list(names.values()), inside, module, cse=True)  # its x0, x1 … are free


def compile_trace(
    atom: SpectralTrace, given: DeterministicValues
) -> Callable[[Values, Mapping[Any, Any]], Any]:
    """A function (values, dimensions) ↦ trace, for numpy arrays."""
    letters = atom.letters
    inside = set().union(*(f.free_symbols for f in atom.factors)) - set(letters)
    symbols = sorted(inside, key=sp.default_sort_key)
    diagonal = given.is_diagonal(letters)
    if not diagonal and (atom.has(SumInverse) or (len(atom.factors) > 1 and given.sides)):
        word = CompiledWord(atom, NUMPY)
        return lambda values, dimensions: over_points(
            word, given.space(atom, dimensions, False), values
        )
    if is_sum_over_modes(atom, given):
        together = compile_sums((atom,), given)
        return lambda values, dimensions: together(values, dimensions)[0]
    return _compile_word(atom, given, symbols)


def is_sum_over_modes(atom: SpectralTrace, given: DeterministicValues) -> bool:
    """Whether a trace is Σ_J of an ordinary function of the eigenvalues."""
    diagonal = given.is_diagonal(atom.letters)
    return diagonal or (len(atom.factors) == 1 and not atom.has(SumInverse))


def compile_sums(
    atoms: tuple[SpectralTrace, ...], given: DeterministicValues
) -> Callable[[Values, Mapping[Any, Any]], list[Any]]:
    """Sums over the modes of one space, whose common parts are computed once.

    Points are taken a few at a time, so that what is between stays in the processor's cache.
    """
    letters = sorted({x for atom in atoms for x in atom.letters}, key=lambda x: x.name)
    tape = Tape([commuting(sp.Mul(*atom.factors)) for atom in atoms])
    inside = {what for kind, what, _ in tape.steps if kind == "symbol"} - set(letters)
    symbols = sorted(inside, key=sp.default_sort_key)

    def sums(values: Values, dimensions: Mapping[Any, Any]) -> list[Any]:
        modes = {x: _padded(x, atoms[0], given, dimensions) for x in letters}
        length = max(map(len, modes.values()))
        columns = [np.asarray(values[s]) for s in symbols]
        shape = np.broadcast_shapes(*(c.shape for c in columns))
        rows = [c if c.ndim == 0 or c.size == 1 else np.broadcast_to(c, shape) for c in columns]
        flat = [r.reshape(-1, 1) for r in rows]
        count, each = int(np.prod(shape, dtype=int)), max(CACHE // length, 1)
        found: list[list[Any]] = []
        for first in range(0, count, each):
            part = [r if len(r) == 1 else r[first : first + each] for r in flat]
            size = min(each, count - first)
            run = tape.run({**modes, **dict(zip(symbols, part, strict=True))}, {})
            found.append([_summed(x, size, length) for x in run])
        return [np.concatenate(parts).reshape(shape)[()] for parts in zip(*found, strict=True)]

    return sums


def _summed(value: Any, points: int, modes: int) -> np.ndarray:
    """The sum over modes of an array over points and modes, or of what broadcasts to one."""
    array = np.atleast_2d(value)
    total = np.sum(array, axis=1) * (1 if array.shape[1] == modes else modes)
    return np.broadcast_to(total, points)


def _padded(
    letter: sp.Symbol,
    atom: SpectralTrace,
    given: DeterministicValues,
    dimensions: Mapping[Any, Any],
) -> np.ndarray:
    """The eigenvalues; squared singular values are padded by zeros to the dimension."""
    values = given.eigenvalues[letter]
    if letter not in given.rectangular:
        return values
    space = atom.dimension
    size = int(np.ravel(dimensions[space])[0].real) if space.is_Symbol else int(space)
    return np.concatenate([values[:size], np.zeros(max(size - len(values), 0))])


def _compile_word(
    atom: SpectralTrace, given: DeterministicValues, symbols: list[sp.Symbol]
) -> Callable[[Values, Mapping[Any, Any]], Any]:
    """Tr f(Λ)Γg(Λ)…: functions with symbols stay vectors, everything between is one matrix.

    In the basis of each factor f = diag(f_i); with overlaps O_ab = V_aᵀV_b the trace is
    Σ f_i O_ij g_j O_jk …, and factors without symbols are multiplied out beforehand.
    """
    size = len(given.eigenvalues[atom.letters[0]])
    moving: list[tuple[Any, list[np.ndarray], np.ndarray]] = []
    between: list[np.ndarray] = []
    gap = np.eye(size)
    for factor in atom.factors:
        letters = [x for x in atom.letters if factor.has(x)]
        basis = given.bases[letters[0]]
        vectors = np.eye(size) if basis is None else basis
        diagonals = [given.eigenvalues[x] for x in letters]
        function = taped((*letters, *symbols), factor)
        if factor.free_symbols & set(symbols):
            between.append(gap @ vectors)
            moving.append((function, diagonals, vectors))
            gap = vectors.T
        else:
            zeros = [0.0] * len(symbols)
            gap = gap @ (vectors * function(*diagonals, *zeros)) @ vectors.T
    if not moving:
        constant = np.trace(gap)
        return lambda values, dimensions: constant
    between[0] = gap @ between[0]
    return lambda values, dimensions: _word_sum(moving, between, symbols, values)


def _word_sum(
    moving: list[Any], between: list[np.ndarray], symbols: list[sp.Symbol], values: Values
) -> Any:
    shape = np.broadcast_shapes(*(np.shape(values[s]) for s in symbols))
    columns = [np.broadcast_to(values[s], shape).ravel()[:, None] for s in symbols]
    vectors = [function(*diagonals, *columns) for function, diagonals, _ in moving]
    count = vectors[0].shape[0]
    if len(moving) == 1:
        return (vectors[0] @ np.diag(between[0])).reshape(shape)[()]
    if len(moving) == 2:  # Σ_ij f_i B_ij g_j B'_ji
        weights = between[1] * between[0].T
        return np.einsum("pi,ij,pj->p", vectors[0], weights, vectors[1]).reshape(shape)[()]
    totals = []
    for p in range(count):
        product = np.eye(between[0].shape[0])
        for link, vector in zip(between, vectors, strict=True):
            product = product @ link * vector[p]
        totals.append(np.trace(product))
    return np.asarray(totals).reshape(shape)[()]


def exact_trace(atom: SpectralTrace, given: DeterministicValues, values: Values) -> Any:
    """The trace for mpmath numbers, at the current precision."""
    letters = atom.letters
    inside = set().union(*(f.free_symbols for f in atom.factors)) - set(letters)
    symbols = sorted(inside, key=sp.default_sort_key)
    numbers = [values[s] for s in symbols]
    diagonal = given.is_diagonal(letters)
    if not diagonal and (atom.has(SumInverse) or (len(atom.factors) > 1 and given.sides)):
        return CompiledWord(atom, MPMATH)(given.space(atom, given.dimensions, True), values)
    if len(atom.factors) == 1 or diagonal:
        body = commuting(sp.Mul(*atom.factors))
        function = lambdified((*letters, *symbols), body, "mpmath")
        sizes = {s: int(v) for s, v in given.dimensions.items()}
        vectors = [
            given.exact[x]
            if x in given.exact and x not in given.rectangular
            else [mpmath.mpf(float(v)) for v in _padded(x, atom, given, sizes)]
            for x in letters
        ]
        modes = zip(*vectors)
        return mpmath.fsum(function(*mode, *numbers) for mode in modes)
    product: Any = None
    for factor in atom.factors:
        own = [x for x in letters if factor.has(x)]
        basis = given.bases[own[0]]
        vectors_ = mpmath.matrix(
            (np.eye(len(given.eigenvalues[own[0]])) if basis is None else basis).tolist()
        )
        function = lambdified((*own, *symbols), factor, "mpmath")
        modes = zip(*([mpmath.mpf(float(v)) for v in given.eigenvalues[x]] for x in own))
        diagonal = mpmath.diag([function(*mode, *numbers) for mode in modes])
        matrix = vectors_ * diagonal * vectors_.T
        product = matrix if product is None else product * matrix
    return mpmath.fsum(product[i, i] for i in range(product.rows))
