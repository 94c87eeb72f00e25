r"""Wick's theorem over all pairings: exact means of products of traces of words.

The first Gaussian letter is joined to each of its possible partners. With A and B the rest of the
words and v the variance of an entry,

    within one trace                              between two traces
    Tr(X A Xᵀ B) → v Tr(A) Tr(B)                  Tr(X A) Tr(Xᵀ B) → v Tr(A B)
    Tr(X A X B)  → v Tr(Aᵀ B)     (twisted)       Tr(X A) Tr(X B)  → v Tr(Aᵀ B)    (twisted)

Complex entries have the straight gluings only, with the adjoint for the transpose; a symmetric
Gaussian matrix has both, a Hermitian one Tr(W A W B) → v Tr(A) Tr(B) and Tr(WA) Tr(WB) → v Tr(AB).
Straight gluings that do not cross make the planar sum of `planar`; every other one costs a power
of the size: 1/size for a twist, 1/size² for a handle.

The letter J = (X Xᵀ)^{-1} is averaged last, over the pairings of its indices with the weights of
`weingarten`; these give closed loops of the words between the J, with transposes where a loop runs
against them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..algebra import Fraction
from ..errors import OutsideTheoryError
from .declarations import MatrixModel
from .expander import Ground
from .expression import Letter, Word, transpose_word, word_key
from .planar import PairingSum
from .weingarten import MOST, bipartite, inverse_wishart_weights, loop_type, pairings

Traced = tuple[tuple[Word, sp.Expr], ...]  # words and the dimensions of their spaces


@dataclass(frozen=True)
class WishartInverse:
    """The letter (X Xᵀ)^{-1}; of (Xᵀ X)^{-1} if ``transposed``."""

    name: str
    transposed: bool

    def key(self) -> tuple[Any, ...]:
        """An order that does not depend on hashing."""
        return (3, self.name, self.transposed, "")


class ExactMoments:
    """Means of products of traces in one model, remembered."""

    def __init__(self, model: MatrixModel, scalars: Iterable[sp.Symbol] = ()) -> None:
        inside = set(scalars)
        for dimension in model.dimensions():
            inside |= sp.sympify(dimension).free_symbols
        for record in model.random.values():
            inside |= record.variance.free_symbols
        self.model = model
        self.ground = Ground(sorted(inside, key=sp.default_sort_key), model)
        self.planar = PairingSum(model, self.ground)
        self.memory: dict[Any, Fraction] = {}

    def mean(self, traces: Traced) -> Fraction:
        """E Π Tr(word), with unit variances: the variances are one power each."""
        field = self.ground.field
        total = field.one
        moving = []
        for word, dimension in traces:
            if any(self._random(x) for x in word):
                moving.append((word, dimension))
            else:
                total = total * self.planar.fixed(word, dimension)
        if not moving:
            return total
        key = self._canonical(moving)
        if key not in self.memory:
            self.memory[key] = self._joined(key)
        return total * self.memory[key]

    def _random(self, letter: Any) -> bool:
        return isinstance(letter, WishartInverse) or letter.name in self.model.random

    def _canonical(self, traces: list[tuple[Word, sp.Expr]]) -> Traced:
        """Every word in the first of its rotations that starts with a random letter, sorted."""
        found = []
        for word, _ in traces:
            starts = [i for i, x in enumerate(word) if self._random(x)]
            rotated = min((word[i:] + word[:i] for i in starts), key=word_key)
            found.append((rotated, self._shape(rotated[0])[0]))
        return tuple(sorted(found, key=lambda item: word_key(item[0])))

    def _shape(self, letter: Any) -> tuple[sp.Expr, sp.Expr]:
        rows, columns = self.model.random[letter.name].symbol.shape
        if isinstance(letter, WishartInverse):
            return (columns, columns) if letter.transposed else (rows, rows)
        return (columns, rows) if letter.transposed else (rows, columns)

    def _joined(self, traces: Traced) -> Fraction:
        position = next(
            ((i, j) for i, (w, _) in enumerate(traces) for j, x in enumerate(w) if self._gauss(x)),
            None,
        )
        if position is None:
            return self._inverses(traces)
        index, start = position
        word = traces[index][0]
        word = word[start:] + word[:start]
        others = traces[:index] + traces[index + 1 :]
        total = self.ground.field.zero
        for glued in (*self._within(word), *self._between(word, others)):
            rest = others if glued.other is None else _without(others, glued.other)
            total = total + self.mean((*rest, *glued.traces))
        return total

    def _gauss(self, letter: Any) -> bool:
        return isinstance(letter, Letter) and letter.name in self.model.random

    def _within(self, word: Word) -> list[_Gluing]:
        head, record = word[0], self.model.random[word[0].name]
        rows, columns = self._shape(head)
        found = []
        for j in range(1, len(word)):
            if not self._gauss(word[j]) or word[j].name != head.name:
                continue
            inside, outside = word[1:j], word[j + 1 :]
            same = word[j].transposed == head.transposed
            if record.symmetric or not same:
                found.append(_Gluing(((inside, columns), (outside, rows))))
            if self._twists(record, same):
                found.append(_Gluing((((*self._flipped(inside), *outside), rows),)))
        return found

    def _between(self, word: Word, others: Traced) -> list[_Gluing]:
        head, record = word[0], self.model.random[word[0].name]
        rest = word[1:]
        _, columns = self._shape(head)
        found = []
        for index, (other, _) in enumerate(others):
            for j, letter in enumerate(other):
                if not self._gauss(letter) or letter.name != head.name:
                    continue
                opened = other[j + 1 :] + other[:j]
                same = letter.transposed == head.transposed
                if record.symmetric or not same:
                    found.append(_Gluing(((rest + opened, columns),), index))
                if self._twists(record, same):
                    glued = self._flipped(rest) + opened
                    found.append(_Gluing(((glued, self._shape(head)[0]),), index))
        return found

    @staticmethod
    def _twists(record: Any, same: bool) -> bool:
        return not record.complex_entries and (record.symmetric or same)

    def _flipped(self, word: Word) -> Word:
        for letter in word:
            if (
                self.model.random.get(letter.name)
                and self.model.random[letter.name].complex_entries
            ):
                raise OutsideTheoryError(
                    f"{letter.name} is complex and stands between two equal real matrices, where "
                    "its transpose without conjugation occurs: declare all matrices complex or real"
                )
        plain = tuple(x for x in word if isinstance(x, Letter))
        if len(plain) == len(word):
            return transpose_word(word, self.model)
        pieces: list[Any] = []
        for letter in reversed(word):
            inverse = isinstance(letter, WishartInverse)
            pieces += [letter] if inverse else transpose_word((letter,), self.model)
        return tuple(pieces)

    def _inverses(self, traces: Traced) -> Fraction:
        """Traces whose random letters are inverse Wishart matrices: one matrix after another."""
        letters = [x for word, _ in traces for x in word if isinstance(x, WishartInverse)]
        chosen = min(letters, key=WishartInverse.key)
        count = sum(x == chosen for x in letters)
        if count > MOST:
            raise OutsideTheoryError(f"more than {MOST} factors of one inverse Wishart matrix")
        chain = _Chain.of(traces, chosen, self._shape(chosen)[0])
        rest = [(w, d) for w, d in traces if chosen not in w]
        record = self.model.random[chosen.name]
        weights = inverse_wishart_weights(count, record.complex_entries)
        shape = record.symbol.shape
        rows, columns = shape[::-1] if chosen.transposed else shape
        names = {sp.Symbol("m"): rows, sp.Symbol("t"): columns}
        values = {k: self.ground.field(w.xreplace(names)) for k, w in weights.items()}
        base = tuple((2 * i, 2 * i + 1) for i in range(count))
        total = self.ground.field.zero
        for pairing in pairings(tuple(range(2 * count))):
            if record.complex_entries and not bipartite(pairing):
                continue
            loops = chain.loops(pairing, self._flipped)
            total = total + values[loop_type(base, pairing)] * self.mean((*rest, *loops))
        return total


@dataclass(frozen=True)
class _Gluing:
    """The traces that a pair leaves, and the other trace that it consumed."""

    traces: Traced
    other: int | None = None


def _without(traces: Traced, index: int) -> Traced:
    return traces[:index] + traces[index + 1 :]


@dataclass(frozen=True)
class _Chain:
    """The words between k letters J: ``word[i]`` leads from 2i + 1 to the point ``after[i]``."""

    words: list[Word]
    after: list[int]
    dimension: sp.Expr

    @classmethod
    def of(cls, traces: Traced, chosen: WishartInverse, dimension: sp.Expr) -> _Chain:
        between: list[Word] = []
        after: list[int] = []
        for word, _ in traces:
            if chosen not in word:
                continue
            first = word.index(chosen)
            word = word[first:] + word[:first]
            places = [i for i, x in enumerate(word) if x == chosen]
            start = len(between)
            for number, place in enumerate(places):
                stop = places[number + 1] if number + 1 < len(places) else len(word)
                between.append(word[place + 1 : stop])
                after.append(2 * (start + (number + 1) % len(places)))
        return cls(between, after, dimension)

    def loops(self, pairing: Any, flipped: Any) -> Traced:
        """The traces made by the pairs of indices of J and the words between them."""
        partner = {a: b for pair in pairing for a, b in (pair, pair[::-1])}
        leads: dict[int, tuple[int, Word]] = {}
        for i, (word, target) in enumerate(zip(self.words, self.after, strict=True)):
            leads[2 * i + 1] = (target, word)
            if not bipartite(pairing):  # else no loop runs against the words
                leads[target] = (2 * i + 1, flipped(word))
        left = set(partner)
        found = []
        while left:
            start = point = min(left, key=lambda p: (p % 2 == 0, p))
            product: Word = ()
            while True:
                target, word = leads[point]
                product = product + word
                left -= {point, target}
                point = partner[target]
                if point == start:
                    break
            found.append((product, self.dimension))
        return tuple(found)
