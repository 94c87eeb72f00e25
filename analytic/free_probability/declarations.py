r"""What a matrix letter is: Gaussian (real or complex), symmetric Gaussian or deterministic.

A `MatrixModel` holds the declarations of every matrix that may appear in an expression:

* ``gaussian(X, m, n, v)``: an m×n matrix of independent real Gaussian entries, mean zero,
  variance v; square ones are allowed and are not symmetric;
* ``symmetric(W, m, v)``: a symmetric Gaussian (Wigner) matrix, E W_ij² = v off the diagonal;
* both with ``complex_entries=True``: E |X_ij|² = v, E X_ij² = 0, and W Hermitian. The transpose
  of an expression then means its adjoint, in which scalars are not conjugated;
* ``haar(O, m)``: a uniformly random orthogonal (unitary) matrix, or a permutation;
* ``deterministic(L, m)``: a symmetric matrix with non-negative eigenvalues, of which
  √L may be used as ``L**(1/2)``; ``deterministic(A, m, n)`` any rectangular matrix, m ≠ n.

Different random matrices are independent. Different deterministic matrices do not
commute, unless ``commuting(L, W)`` says that they have the same eigenvectors.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from ..errors import InputError, OutsideTheoryError

GAUSSIAN_NAMES = ("gaussian", "normal")
ROTATIONS = ("haar", "orthogonal", "unitary", "rotation", "permutation")


class Internal(sp.Symbol):
    """A symbol of the engine's own: never equal to one that is typed, whatever its name."""

    __slots__ = ()

    def _latex(self, printer: Any) -> str:
        return printer._print(sp.Symbol(self.name))


class Eigenvalue(Internal):
    """The eigenvalue λ_J of a deterministic matrix, summed over J inside a trace."""

    __slots__ = ()


def free_stem(stems: Iterable[str], taken: Iterable[str]) -> str:
    """The first of these names that is free together with its numbered and primed forms.

    >>> free_stem(("kappa", "chi"), {"kappa_1", "z"})
    'chi'
    """
    used = {_spelled(name) for name in taken}

    def free(stem: str) -> bool:
        pattern = re.compile(rf"{re.escape(stem)}('+|_?\d+'*)?")
        return not any(pattern.fullmatch(name) for name in used)

    first = next(iter(stems := tuple(stems)))
    longer = (first + "_" + "o" * k for k in range(1, len(used) + 2))
    return next(stem for stem in (*stems, *longer) if free(stem))


def _spelled(name: str) -> str:
    """The name with Greek letters spelled, as they are printed alike."""
    spelled = [
        unicodedata.name(x, "").split()[-1].lower()
        if "GREEK SMALL" in unicodedata.name(x, "")
        else x
        for x in name
    ]
    return "".join(spelled).replace("lamda", "lambda")


@dataclass(frozen=True)
class RandomMatrix:
    """A Gaussian matrix: its symbol, the variance of an entry, whether it is symmetric, complex."""

    symbol: sp.MatrixSymbol
    variance: sp.Expr
    symmetric: bool
    complex_entries: bool = False
    rotation: bool = False


@dataclass(frozen=True)
class DeterministicMatrix:
    """A fixed matrix: its symbol and, for square ones, that it is symmetric and ≥ 0."""

    symbol: sp.MatrixSymbol
    symmetric: bool
    letter: str

    @property
    def eigenvalue(self) -> Eigenvalue:
        """The letter that stands for its J-th eigenvalue (singular value if rectangular)."""
        return Eigenvalue(self.letter)


class MatrixModel:
    """The declarations of an expression.

    >>> M, T = sp.symbols("M T", positive=True)
    >>> model = MatrixModel()
    >>> X = model.gaussian("X", M, T, variance=1 / T)
    >>> L = model.deterministic("L", M)
    >>> X.shape, L.shape
    ((M, T), (M, M))
    """

    def __init__(self) -> None:
        self.random: dict[str, RandomMatrix] = {}
        self.fixed: dict[str, DeterministicMatrix] = {}
        self._family: dict[str, str] = {}
        self.permutations: set[str] = set()
        self.blocks: dict[str, sp.BlockMatrix] = {}
        self.spare: set[str] = set()  # declared names that an expression does without

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MatrixModel) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # declarations can be added

    def gaussian(
        self, name: str, rows: Any, columns: Any, variance: Any = 1, *, law: str = "gaussian",
        complex_entries: bool = False,
    ) -> sp.MatrixSymbol:  # fmt: skip
        """Declare an independent Gaussian rows×columns matrix and return its symbol.

        ``law`` may say which distribution the entries have; all but the Gaussian are
        refused (`OutsideTheoryError`): universality is a theorem, not a definition.
        """
        self._check_law(name, law)
        symbol = self._new(name, rows, columns)
        value = self._variance(name, variance)
        self.random[name] = RandomMatrix(symbol, value, False, complex_entries)
        return symbol

    def symmetric(
        self, name: str, size: Any, variance: Any = 1, *, law: str = "gaussian",
        complex_entries: bool = False,
    ) -> sp.MatrixSymbol:  # fmt: skip
        """Declare a symmetric (Hermitian) Gaussian matrix, E |W_ij|² = variance for i ≠ j."""
        self._check_law(name, law)
        symbol = self._new(name, size, size)
        value = self._variance(name, variance)
        self.random[name] = RandomMatrix(symbol, value, True, complex_entries)
        return symbol

    def haar(
        self, name: str, size: Any, *, complex_entries: bool = False, permutation: bool = False
    ) -> sp.MatrixSymbol:
        """Declare a uniformly random orthogonal (unitary) matrix; its inverse is its transpose.

        A random ``permutation`` has the same limit beside random matrices; in one product with a
        deterministic matrix it has not, and is refused: it maps diagonal matrices to diagonal ones.
        """
        symbol = self._new(name, size, size)
        variance = sp.S.One / symbol.rows
        self.random[name] = RandomMatrix(symbol, variance, False, complex_entries, True)
        self.permutations |= {name} if permutation else set()
        return symbol

    def profile(
        self, name: str, rows: list[Any], columns: list[Any], variances: list[list[Any]]
    ) -> sp.BlockMatrix:
        """Declare independent Gaussian entries of piecewise constant variance.

        Block (a, b) is a Gaussian matrix of its own, ``name``_ab, of rows[a]×columns[b] entries.
        """
        shape = (len(variances), {len(row) for row in variances})
        if shape != (len(rows), {len(columns)}):
            allowed = f"{len(rows)} rows of {len(columns)} variances"
            raise InputError(f"variances of {name}", variances, allowed)
        blocks = [
            [
                self.gaussian(f"{name}_{a + 1}{b + 1}", m, n, variances[a][b])
                for b, n in enumerate(columns)
            ]
            for a, m in enumerate(rows)
        ]
        self.blocks[name] = sp.BlockMatrix(blocks)
        return self.blocks[name]

    @property
    def has_rotations(self) -> bool:
        """Whether a Haar matrix or a permutation is declared."""
        return any(record.rotation for record in self.random.values())

    def deterministic(self, name: str, rows: Any, columns: Any = None) -> sp.MatrixSymbol:
        """Declare a fixed matrix: symmetric and ≥ 0 if one dimension is given, else rectangular.

        The functions of a rectangular matrix are those of its singular values. A square
        matrix that is not symmetric has no such calculus and is refused.
        """
        if columns is not None and sp.sympify(rows) == sp.sympify(columns):
            allowed = (
                "one dimension (a symmetric matrix; beside a square Gaussian matrix any A may be "
                "taken symmetric, by its singular value decomposition), or two different ones"
            )
            raise InputError("deterministic", f"{name}:{rows},{columns}", allowed)
        symbol = self._new(name, rows, rows if columns is None else columns)
        letters = {record.letter for record in self.fixed.values()}
        plain = name in ("L", "Lambda") and "lambda" not in letters
        letter = "lambda" if plain else f"lambda_{name}"
        self.fixed[name] = DeterministicMatrix(symbol, columns is None, letter)
        self._family[name] = name
        return symbol

    def avoiding(self, taken: Iterable[str]) -> MatrixModel:
        """The same declarations with eigenvalue letters whose names are free."""
        spelled = {_spelled(name) for name in taken}
        if not any(record.letter in spelled for record in self.fixed.values()):
            return self
        stems = ("ell", "lambda_ell", *("ell" + "l" * k for k in range(1, len(spelled) + 2)))
        stem = next(s for s in stems if not any(name.startswith(s) for name in spelled))
        other = self.only({*self.random, *self.fixed})
        for name, record in self.fixed.items():
            letter = record.letter.replace("lambda", stem, 1)
            other.fixed[name] = replace(record, letter=letter)
        return other

    def only(self, names: Collection[str]) -> MatrixModel:
        """The declarations of these matrices, without those of others."""
        other = MatrixModel()
        other.random = {n: r for n, r in self.random.items() if n in names}
        other.fixed = {n: r for n, r in self.fixed.items() if n in names}
        kept = sorted(other.fixed)
        first = {self._family[n]: n for n in reversed(kept)}
        other._family = {n: first[self._family[n]] for n in kept}
        other.permutations, other.blocks = set(self.permutations), dict(self.blocks)
        dropped = {*self.random, *self.fixed} - set(names)
        other.spare = self.spare | dropped | {s.name for s in self.scalars() - other.scalars()}
        return other

    def scalars(self) -> set[sp.Symbol]:
        """The symbols of all dimensions and variances."""
        found: set[sp.Symbol] = set()
        for dimension in self.dimensions():
            found |= sp.sympify(dimension).free_symbols
        for record in self.random.values():
            found |= record.variance.free_symbols
        return found

    def commuting(self, *matrices: Any) -> None:
        """Declare that these symmetric deterministic matrices have common eigenvectors."""
        names = [getattr(matrix, "name", matrix) for matrix in matrices]
        for name in names:
            if name not in self.fixed or not self.fixed[name].symmetric:
                allowed = "the names of declared symmetric deterministic matrices"
                raise InputError("commuting", name, allowed)
        if len({self.fixed[name].symbol.rows for name in names}) > 1:
            raise InputError("commuting", ", ".join(names), "matrices of one dimension")
        families = {self._family[name] for name in names}
        for name, family in list(self._family.items()):
            if family in families:
                self._family[name] = min(families)

    def family(self, name: str) -> str:
        """The commuting family of a deterministic matrix, named after one member."""
        return self._family[name]

    def letters(self) -> list[Eigenvalue]:
        """The eigenvalue letters of all deterministic matrices, sorted by name."""
        return [self.fixed[name].eigenvalue for name in sorted(self.fixed)]

    def owner(self, letter: sp.Symbol) -> DeterministicMatrix:
        """The deterministic matrix whose eigenvalue ``letter`` is."""
        for matrix in self.fixed.values():
            if matrix.eigenvalue == letter:
                return matrix
        raise InputError("letter", letter, "an eigenvalue letter of this model")

    def dimensions(self) -> list[sp.Expr]:
        """All matrix dimensions, sorted."""
        symbols = [m.symbol for m in self.random.values()]
        symbols += [m.symbol for m in self.fixed.values()]
        shapes = {dimension for symbol in symbols for dimension in symbol.shape}
        return sorted(shapes, key=sp.default_sort_key)

    def _new(self, name: str, rows: Any, columns: Any) -> sp.MatrixSymbol:
        if not isinstance(name, str) or not name.isidentifier():
            raise InputError("name", name, "an identifier, such as X or Lambda")
        if name in self.random or name in self.fixed:
            raise InputError("name", name, "a name that is not declared twice")
        sizes = {str(d) for d in (rows, columns, *self.dimensions())}
        if name in sizes or {str(rows), str(columns)} & (set(self.random) | set(self.fixed)):
            raise InputError("name", name, "different names for matrices and dimensions")
        for dimension in (rows, columns):
            good = isinstance(dimension, (sp.Symbol, sp.Integer, int))
            if not good or dimension.is_positive is False:
                if isinstance(dimension, int) and dimension > 0:
                    continue
                raise InputError(f"dimension of {name}", dimension, "a symbol or a count ≥ 1")
        return sp.MatrixSymbol(name, rows, columns)

    @staticmethod
    def _check_law(name: str, law: str) -> None:
        if law.lower() in ROTATIONS:
            raise OutsideTheoryError(
                f"{name}: a matrix of law {law!r} has no independent entries: declare its size "
                'alone, --haar, --unitary or --permutation "O:M" (in Python `model.haar`)'
            )
        if law.lower() not in GAUSSIAN_NAMES:
            raise OutsideTheoryError(
                f"{name}: entries of law {law!r} are outside the theory, which pairs Gaussian "
                "entries; declare the matrix Gaussian with the same variance if universality holds"
            )

    @staticmethod
    def _variance(name: str, variance: Any) -> sp.Expr:
        if isinstance(variance, str):  # text is never evaluated
            raise InputError(f"variance of {name}", repr(variance), "a positive scalar")
        value = sp.nsimplify(variance) if isinstance(variance, float) else sp.sympify(variance)
        if not isinstance(value, sp.Expr) or value.is_positive is False:
            raise InputError(f"variance of {name}", variance, "a positive scalar")
        if not value.is_rational_function(*value.free_symbols):
            allowed = "a rational function of symbols: name the root and give its value in numbers"
            raise InputError(f"variance of {name}", variance, allowed)
        return value
