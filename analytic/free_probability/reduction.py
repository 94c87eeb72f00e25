r"""From the closed equations to the field's form: the fewest unknowns, and what follows from them.

The equations are taken in the order of their dependence, one strongly connected group at a time:

* **a non-linear group** (the one-point functions of one resolvent). All unknowns that occur
  linearly are eliminated exactly, shifts κ last since they stand inside traces. What remains is
  one polynomial equation for each shift, solved for the spectral parameter where that is
  possible: z = κ (1 − D₁(κ)/N)(1 − D₁(κ)/T). Without a deterministic matrix there is no shift,
  and the output itself is kept as the unknown of a polynomial;
* **a linear group** (two-point functions, once the one-point functions are known): unknowns that
  do not feed back on themselves are eliminated, and the rest is a linear system of the least
  size, kept as a system and solved in closed form.

Finally the spectral parameters are eliminated from the outputs in favour of κ, wherever that
shortens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import sympy as sp

from .. import precision
from ..algebra import Fraction, Polynomial, solve_linear
from .declarations import free_stem
from .dyson import components
from .effort import TERMS, TooLongError, go_on
from .reduced_form import LinearSystem, Reduction, collected, joint_form, renamed, solved_form
from .scalar_system import DIGITS, ScalarSystem, Witness
from .small_system import LONGEST, SmallSystem, terms, written
from .workspace import Workspace, presented

SHORT = 60  # terms of Z(κ) up to which it takes the place of z
MOST = 20_000  # terms that an elimination may make on the way, unless asked for the closed form
ALIKE = 25  # products of terms that become one, where an unknown is put in
ROOM = 1e5  # the same for putting one unknown in, where the bound is a wide one


class _Reducer:
    """Carries the workspace from group to group."""

    def __init__(
        self,
        system: ScalarSystem,
        witness: Witness,
        spectral: Iterable[sp.Symbol],
        longest: float,
    ) -> None:
        self.system, self.witness, self.longest = system, witness, longest
        self.shortened = False
        self.most = math.inf if longest == math.inf else MOST
        self.spectral = sorted(spectral, key=sp.default_sort_key)
        self.taken = _taken(system)
        stem = free_stem(("g", "h", "f"), self.taken)
        self.outputs_as = [sp.Symbol(f"{stem}_{i + 1}") for i in range(len(system.outputs))]
        if len(self.outputs_as) == 1:
            self.outputs_as = [sp.Symbol(stem)]
        self.work = Workspace(system, witness, self.outputs_as)
        with precision.workdps(DIGITS + 10):
            for symbol, output in zip(self.outputs_as, system.outputs, strict=True):
                self.work.set_value(symbol, witness.at(output))
        self.known: dict[sp.Symbol, Fraction] = {}
        self.kept: list[sp.Symbol] = []
        self.relations: list[Polynomial] = []
        self.one_point: list[sp.Symbol] = []
        self.explicit: dict[sp.Symbol, Fraction] = {}  # spectral parameter → Z(κ)
        self.linear: list[tuple[list[sp.Symbol], list[list[Fraction]], list[Fraction]]] = []
        self.unsolved = False  # whether a linear group keeps its unknowns
        self.right = {
            **{u: self.work.element(e) for u, e in system.equations.items()},
            **{k: self.work.element(e) for k, e in system.shifts.items()},
        }

    def dependencies(self) -> list[list[sp.Symbol]]:
        """Groups of unknowns and shifts, those that others depend on first."""
        nodes = [*self.system.equations, *self.system.shifts]
        number = {s: i for i, s in enumerate(nodes)}
        edges = []
        for symbol, expression in (*self.system.equations.items(), *self.system.shifts.items()):
            inside = expression.free_symbols
            edges += [(number[other], number[symbol]) for other in inside if other in number]
        return [[nodes[i] for i in group] for group in components(range(len(nodes)), edges)]

    def polynomial(self, symbol: sp.Symbol) -> Polynomial:
        """The numerator of symbol − right-hand side."""
        return (self.work.field.generator(symbol) - self.right[symbol]).numer

    def run(self) -> None:
        """Reduce group after group."""
        for group in self.dependencies():
            go_on(f"reduction of {len(self.right)} unknowns")
            shifts = [s for s in group if s in self.system.shifts]
            if len(group) == 1 and not self.work.holds(self.right_polynomials(group[0]), group[0]):
                self.learn(group[0], self.right[group[0]])
            elif not shifts and self.is_linear(group):
                try:
                    self.solve_linear(group)
                except TooLongError:
                    self.leave(group)
            else:
                self.solve_nonlinear(group, shifts)

    def right_polynomials(self, symbol: sp.Symbol) -> Polynomial:
        """A polynomial that holds the symbol if the right-hand side does."""
        return self.right[symbol].numer * self.right[symbol].denom

    def learn(self, symbol: sp.Symbol, value: Fraction) -> None:
        """Record symbol = value, everything known being put in."""
        if symbol in self.system.shifts:  # a shift that depends on nothing unknown any more
            self.keep_relation(symbol, value)
            return
        self.known[symbol] = self.resolved(value)

    def keep_relation(self, symbol: sp.Symbol, value: Fraction) -> None:
        """A shift given by earlier unknowns stays an unknown with its own equation."""
        difference = self.work.field.generator(symbol) - self.resolved(value)
        self.kept.append(symbol)
        self.relations.append(difference.numer)

    def resolved(self, value: Fraction) -> Fraction:
        """The value with all known unknowns put in."""
        for symbol, known in self.known.items():
            value = self.put_in(value, symbol, known)
        return value

    def is_linear(self, group: list[sp.Symbol]) -> bool:
        """Whether every right-hand side is affine in the unknowns of the group."""
        positions = [self.work.position[s] for s in group]
        for symbol in group:
            value = self.right[symbol]
            if any(self.work.holds(value.denom, other) for other in group):
                return False
            if any(sum(monomial[i] for i in positions) > 1 for monomial in value.numer):
                return False
        return True

    def leave(self, group: list[sp.Symbol]) -> None:
        """Keep the unknowns of a linear group, whose solution is too long."""
        self.unsolved = True
        self.known.update({symbol: self.work.field.generator(symbol) for symbol in group})

    def allow(self, left: Fraction, right: Fraction) -> None:
        """`TooLongError` for a product that may have too many terms."""
        self.allow_terms(terms(left) * terms(right))

    def put_in(self, value: Fraction, symbol: sp.Symbol, known: Fraction) -> Fraction:
        """The value at symbol = known; most terms are equal to others."""
        if not self.work.holds(value.numer, symbol) and not self.work.holds(value.denom, symbol):
            return value
        self.allow_terms(terms(value) * terms(known) // ALIKE)
        return self.work.substitute(value, symbol, known)

    def allow_terms(self, count: int) -> None:
        """`TooLongError` for a formula of so many terms, or if the time allowed is over."""
        go_on("elimination")
        if count > self.most:
            raise TooLongError(f"an elimination makes {count} terms, more than {self.most:g}")

    def solve_linear(self, group: list[sp.Symbol]) -> None:
        """Eliminate what does not feed back on itself, then solve the rest."""
        work = self.work
        rows: dict[sp.Symbol, dict[sp.Symbol | None, Fraction]] = {}
        for symbol in group:
            rest, row = self.right[symbol].numer, {}
            below = self.right[symbol].denom
            for other in group:
                zeroth, *first = work.coefficients(rest, other) or [work.field.zero_polynomial]
                rest = zeroth
                if first and first[0]:
                    row[other] = self.resolved(work.field.fraction(first[0], below))
            row[None] = self.resolved(work.field.fraction(rest, below))
            rows[symbol] = row
        order: list[tuple[sp.Symbol, dict[sp.Symbol | None, Fraction]]] = []
        while free := [s for s in rows if s not in rows[s] and len(rows) > 1]:
            symbol = min(free, key=lambda s: (len(rows[s]) - (not rows[s][None]), group.index(s)))
            row = rows.pop(symbol)
            order.append((symbol, row))
            for other in rows.values():
                factor = other.pop(symbol, None)
                if factor:
                    for name, value in row.items():
                        self.allow(factor, value)
                        total = other.get(name, work.field.zero) + factor * value
                        other[name] = total
                        if not total and name is not None:
                            del other[name]
        self.close_linear(list(rows), rows)
        for symbol, row in reversed(order):
            value = row[None]
            for other, coefficient in row.items():
                if other is not None:
                    self.allow(coefficient, self.known[other])
                    value = value + coefficient * self.known[other]
            self.known[symbol] = value

    def close_linear(
        self, names: list[sp.Symbol], rows: dict[sp.Symbol, dict[sp.Symbol | None, Fraction]]
    ) -> None:
        """Solve the remaining system exactly and record it."""
        work = self.work
        zero, one = work.field.zero, work.field.one
        matrix = [[(one if i == j else zero) - rows[i].get(j, zero) for j in names] for i in names]
        sources = [rows[i][None] for i in names]
        solution = solve_linear(matrix, sources, allow=self.allow)
        self.linear.append((names, matrix, sources))
        self.known.update(zip(names, solution, strict=True))

    def solve_nonlinear(self, group: list[sp.Symbol], shifts: list[sp.Symbol]) -> None:
        """Eliminate to the fewest unknowns; without shifts towards the output."""
        work = self.work
        unknowns = [s for s in group if s not in shifts]
        polynomials = [self.polynomial(s) for s in group]
        output = self.output_of(group) if not shifts else None
        if output is not None:
            symbol, value = output
            polynomials.append((work.field.generator(symbol) - value).numer)
        solved, remaining = self.eliminate(polynomials, unknowns)
        left = [s for s in unknowns if s not in dict(solved)]
        kept = [*shifts, *left, *([output[0]] if output else [])]
        if output is not None and left:
            single = self.resultants(remaining, kept, output[0])
            if len(single) == 1 and self.is_short(single[0]):  # everything is read off one
                self.relate(single[0], [output[0]])
                self.kept.append(output[0])
                return
            if len(single) == 1 or self.shortened:  # the output is read off the unknowns
                self.shortened = True
                solved, remaining = self.eliminate(polynomials[:-1], unknowns)
                left = [s for s in unknowns if s not in dict(solved)]
                kept = left
        for index in range(len(solved) - 1, -1, -1):
            symbol, value = solved[index]
            self.known[symbol] = self.resolved(value)
            self.one_point.append(symbol)
        for polynomial in remaining:
            self.relate(polynomial, kept)
        self.kept += [s for s in kept if s not in self.kept]

    def eliminate(
        self, polynomials: list[Polynomial], unknowns: list[sp.Symbol]
    ) -> tuple[list[tuple[sp.Symbol, Fraction]], list[Polynomial]]:
        """Solve for what is linear, within bounds."""
        return self.work.eliminate(polynomials, unknowns, ROOM * self.most, self.allow_terms)

    def is_short(self, polynomial: Polynomial) -> bool:
        """Whether a polynomial relation can be read."""
        if len(polynomial) > self.longest:
            return False
        return written(collected(self.work, polynomial, self.outputs_as)) <= self.longest

    def resultants(
        self, polynomials: list[Polynomial], kept: list[sp.Symbol], output: sp.Symbol
    ) -> list[Polynomial]:
        """Eliminate all unknowns but the output, two polynomials at a time."""
        work, remaining = self.work, list(polynomials)
        for symbol in (s for s in kept if s != output):
            inside = [p for p in remaining if work.holds(p, symbol)]
            if len(inside) < 2:
                return polynomials
            pivot = min(inside, key=lambda p: (len(work.coefficients(p, symbol)), len(p)))
            others = [p for p in inside if p != pivot]
            if any(self.resultant_size(pivot, p, symbol) > self.most for p in others):
                self.shortened = True
                return polynomials
            go_on("elimination")
            remaining = [p for p in remaining if not work.holds(p, symbol)]
            remaining += [work.vanishing(work.resultant(pivot, p, symbol)) for p in others]
        return remaining

    def resultant_size(self, first: Polynomial, second: Polynomial, symbol: sp.Symbol) -> float:
        """A bound on the terms of products in the determinant of Sylvester."""
        degrees = [len(self.work.coefficients(p, symbol)) - 1 for p in (first, second)]
        densities = [len(p) / (d + 1) for p, d in zip((first, second), degrees, strict=True)]
        return float(max(densities[0], 1) ** degrees[1] * max(densities[1], 1) ** degrees[0])

    def output_of(self, group: list[sp.Symbol]) -> tuple[sp.Symbol, Fraction] | None:
        """The output that is to stand for the unknowns of this group, if it can."""
        if len(self.system.outputs) != 1:
            return None
        value = self.work.element(self.system.outputs[0])
        inside = {
            s
            for s in self.system.equations
            if self.work.holds(value.numer, s) or self.work.holds(value.denom, s)
        }
        return (self.outputs_as[0], value) if inside and inside <= set(group) else None

    def relate(self, polynomial: Polynomial, kept: list[sp.Symbol]) -> None:
        """Record a relation, solved for a spectral parameter if it is linear in one."""
        work = self.work
        value = self.resolved(work.field.fraction(polynomial, work.field.one_polynomial))
        polynomial = work.vanishing(value.numer)
        if self.longest < math.inf and len(polynomial) > TERMS:
            raise TooLongError(f"a relation has {len(polynomial)} terms, more than {TERMS}")
        for symbol in self.spectral:
            if symbol not in work.position or symbol in self.explicit:
                continue
            groups = work.coefficients(polynomial, symbol)
            if len(groups) == 2 and not any(work.holds(groups[1], s) for s in self.explicit):
                self.explicit[symbol] = work.field.fraction(-groups[0], groups[1])
                return
        self.relations.append(polynomial)

    def in_shifts(self, value: Fraction) -> Fraction:
        """The value with known unknowns put in and z replaced by Z(κ)."""
        return self.explicitly(self.resolved(value))

    def explicitly(self, value: Fraction) -> Fraction:
        """The value with z replaced by Z(κ)."""
        for symbol, explicit in self.explicit.items():
            if terms(explicit) <= SHORT:
                value = self.work.substitute(value, symbol, explicit)
        return value

    def joint(self, value: Fraction) -> Fraction:
        """Tr[m/(λ+κ)] in the traces over (λ+κ)(λ+κ'), if that makes the value shorter.

        With S_p = Tr[w λ^p/((λ+κ)(λ+κ'))] the single sum is Tr[wλ/(λ+κ)] = S₂ + κ'S₁, so the
        three are not independent, and the two-point form is the symmetric one.
        """
        work, result = self.work, value
        for name, atom in work.traces.items():
            if not self.work.holds(value.numer, name) and not self.work.holds(value.denom, name):
                continue
            by = joint_form(atom, work.atoms)
            if by is not None:
                result = work.substitute(result, name, work.element(by))
        return result if _length(result) < _length(value) else value

    def ways(self) -> list[tuple[sp.Symbol, Fraction]]:
        """Spectral parameters with all that they equal: every relation that is linear in one."""
        found = list(self.explicit.items())
        for relation in self.relations:
            for symbol in self.spectral:
                groups = self.work.coefficients(relation, symbol) if symbol in self.explicit else []
                if len(groups) == 2:
                    found.append((symbol, self.work.field.fraction(-groups[0], groups[1])))
        return found

    def shortest(
        self, value: Fraction, explicit: dict[sp.Symbol, Fraction] | None = None
    ) -> Fraction:
        """The shortest of value·Π (z/Z)^k, z put equal to Z: all are equal on the solution."""
        work = self.work
        ratios = []
        explicit = self.explicit if explicit is None else explicit
        for symbol, way in explicit.items():
            if terms(way) > SHORT:
                continue
            value = work.substitute(value, symbol, way)
            ratio = work.field.generator(symbol) / way
            ratios.append([ratio**k for k in range(-2, 3)])
        best = value
        if len(value.numer) + len(value.denom) > 400:
            return best
        for powers in product(*ratios):
            candidate = value
            for power in powers:
                candidate = candidate * power
            if _length(candidate) < _length(best):
                best = candidate
        return best


def _generators(work: Workspace, value: Fraction) -> set[sp.Symbol]:
    """The generators in a field element."""
    polynomials = (value.numer, value.denom)
    return {s for s in work.position if any(work.holds(p, s) for p in polynomials)}


def _taken(system: ScalarSystem) -> set[str]:
    """The names of everything that was typed."""
    typed = system.scalars() + list(system.model.scalars())
    return {s.name for s in typed} | set(system.model.random) | set(system.model.fixed)


def _length(value: Fraction) -> tuple[int, int]:
    parts = (value.numer, value.denom)
    return (sum(map(len, parts)), sum(p.degrees() for p in parts))


def reduce_system(
    system: ScalarSystem,
    witness: Witness,
    spectral: Iterable[sp.Symbol],
    longest: float = LONGEST,
) -> Reduction:
    """Bring a scalar system to the field's form.

    Where a formula would be longer than ``longest`` (see `small_system.written`) the unknowns keep
    their names, and their equations are among the relations.
    """
    reducer = _Reducer(system, witness, spectral, longest)
    reducer.run()
    reduction = _closed(reducer)
    formulas = [*reduction.outputs, *(e for s in reduction.linear for e in s.sources)]
    if reducer.unsolved or max(map(written, formulas), default=0) > longest:
        reduction = _small(reducer, reduction)
    return renamed(reduction, reducer.explicit, reducer.taken)


def _small(reducer: _Reducer, closed: Reduction) -> Reduction:
    """The reduction with the two-point unknowns under their names."""
    work = reducer.work
    one_point = {u: reducer.known[u] for u in reducer.one_point}
    named = [u for u in reducer.known if u not in one_point]

    ways = reducer.ways()

    def short(value: Fraction) -> Fraction:
        for symbol, known in one_point.items():
            value = reducer.put_in(value, symbol, known)
        return min([value, *(reducer.shortest(value, {z: way}) for z, way in ways)], key=_length)

    inner = set().union(
        *(_generators(work, v) for v in (*one_point.values(), *(w for _, w in ways)))
    )
    outer = [name for name in work.traces if name not in inner]
    outputs = [work.element(e) for e in reducer.system.outputs]
    small = SmallSystem(work, {u: reducer.right[u] for u in named}, outputs, outer, short)
    relations = [
        sp.Eq(u, small.shown(value), evaluate=False) for u, value in small.definitions.items()
    ]
    return replace(
        closed,
        kept=[*closed.kept, *small.definitions],
        relations=[*closed.relations, *relations],
        linear=[],
        outputs=[small.shown(value) for value in small.outputs],
        defined=tuple(small.definitions),
        shortened=True,
    )


def _closed(reducer: _Reducer) -> Reduction:
    """The reduction with everything put in."""
    system, work = reducer.system, reducer.work
    relations = []
    for symbol, value in reducer.explicit.items():
        relations.append(sp.Eq(symbol, solved_form(work, value, reducer.kept), evaluate=False))
    for polynomial in reducer.relations:
        relations.append(sp.Eq(collected(work, polynomial, reducer.kept), 0, evaluate=False))
    linear = []
    for names, matrix, sources in reducer.linear:
        rows = [[presented(work, reducer.in_shifts(e)) for e in row] for row in matrix]
        right = [presented(work, reducer.in_shifts(e)) for e in sources]
        linear.append(LinearSystem(tuple(names), sp.Matrix(rows), sp.Matrix(right)))
    outputs = []
    for symbol, expression in zip(reducer.outputs_as, system.outputs, strict=True):
        if reducer.unsolved:
            break
        if symbol in reducer.kept:
            outputs.append(symbol)
        else:
            value = reducer.joint(reducer.shortest(reducer.in_shifts(work.element(expression))))
            outputs.append(presented(work, value))
    eliminated = {
        s: presented(work, reducer.shortest(reducer.in_shifts(reducer.known[s])))
        for s in reducer.one_point
    }
    shifts = [s for s in system.shifts if s in reducer.kept]
    kept = [s for s in reducer.kept if s not in shifts]
    shortened = reducer.shortened
    return Reduction(shifts, kept, relations, linear, eliminated, outputs, shortened=shortened)
