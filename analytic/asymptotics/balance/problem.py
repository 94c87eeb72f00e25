"""A quantity that a limit is taken of: equations for its unknowns, and what they are put into."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from typing import Any

import sympy as sp

from ...notation import a, b, lambda_plus
from ...spectrum import Flat, PowerLaw, Spectrum
from .time_domain import Clock
from .traces import read_trace, traces_of

ANY = 1000  # of a dimension that cancels


@dataclass(frozen=True)
class Problem:
    """A quantity in unknowns: one equation for each, and the ``output`` they are put into.

    ``size`` is the number of modes, a symbol, or a number where ``spectrum`` is given (else every
    deterministic matrix has the power law); ``isotropic`` says a = b; ``spaces`` gives the number
    of modes of the traces at an unknown where it is another; ``source`` are the matrix equations,
    ``names`` the names that symbols have there, ``targets`` the letters of targets.  With a
    ``clock`` the output is a function of a frequency, wanted in time; ``typical`` are the values
    of parameters at the representative point where one would not do.  At the solution
    all ``positive`` are above zero, which tells it from others; ``physical`` solves for the one
    unknown, certified, over a spectrum at numbers; ``white`` are the modes whose sums were put in.
    """

    name: str
    equations: tuple[tuple[sp.Symbol, sp.Expr], ...]
    output: sp.Expr
    size: sp.Expr | None = None
    isotropic: bool = False
    parameters: tuple[sp.Symbol, ...] = ()
    spectrum: Spectrum | None = None
    spaces: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    source: Any = None
    names: Mapping[sp.Symbol, str] = field(default_factory=dict)
    targets: frozenset[sp.Symbol] = frozenset()
    clock: Clock | None = None
    typical: Mapping[sp.Symbol, Any] = field(default_factory=dict)
    positive: tuple[sp.Expr, ...] = ()
    physical: Callable[[Spectrum, Mapping[sp.Symbol, Any]], Any] | None = None
    white: Flat | None = None

    def with_spectrum(self, spectrum: Spectrum) -> Problem:
        """The same with this spectrum; that of white data makes every sum M/(1+κ)^q."""
        if isinstance(spectrum, PowerLaw):
            return self
        everything = [self.output, *(e for _, e in self.equations)]
        if isinstance(spectrum, Flat):
            put = {t: self._white(t, spectrum) for e in everything for t in traces_of(e)}
            size, spaces = None, {}  # no sums are left
        else:
            finite = self.size is not None and spectrum.size != math.inf
            put = {self.size: sp.Integer(spectrum.size)} if finite else {}
            size = sp.Integer(spectrum.size) if finite else self.size
            spaces = {u: s.subs(put) for u, s in self.spaces.items()}
        output, *equations = (e.subs(put) if size else e.xreplace(put) for e in everything)
        pairs = tuple((u, e) for (u, _), e in zip(self.equations, equations))
        white = spectrum if isinstance(spectrum, Flat) else None
        return replace(self, equations=pairs, output=output, size=size, white=white,
                       spectrum=None if white else spectrum, spaces=spaces,
                       isotropic=self.isotropic and white is not None)  # fmt: skip

    def at_infinity(self, infinite: Iterable[sp.Symbol]) -> Problem:
        """The same where these sizes are infinite, as far as that is a limit."""
        pairs, output, clock, positive = self.equations, self.output, self.clock, self.positive
        for symbol in infinite:
            pairs = tuple((u, _at_infinity(e, symbol)) for u, e in pairs)
            output = _at_infinity(output, symbol)
            if clock is not None:
                clock = clock.each(partial(_at_infinity, symbol=symbol))
            positive = tuple(_at_infinity(x, symbol) for x in positive)
        for factor in positive:
            pairs = tuple((u, _without_factors(e, factor)) for u, e in pairs)
        return replace(self, equations=pairs, output=output, clock=clock, positive=positive)

    @cached_property
    def outputs(self) -> tuple[sp.Expr, ...]:
        """The output, and the same with the traces that an equation is linear in put in."""
        found = self.output
        for _, equation in self.equations:
            traces = traces_of(equation) & traces_of(found)
            above = sp.numer(sp.together(equation))
            if len(traces) != 1 or len(traces_of(equation)) > 1:
                continue
            (trace,) = traces
            name = sp.Dummy("trace")
            poly = sp.Poly(above.xreplace({trace: name}), name)
            if poly.degree() == 1:
                constant, slope = poly.nth(0), poly.nth(1)
                found = sp.expand(found.xreplace({trace: sp.expand(-constant / slope)}))
        return (self.output,) if found == self.output else (self.output, found)

    def _white(self, trace: sp.Expr, spectrum: Flat) -> sp.Expr:
        size, scale = getattr(trace, "dimension", self.size), sp.sympify(spectrum.scale)
        weight = sp.sympify(spectrum.target_variance)
        return sp.Add(*(p.coefficient * size * scale**p.i * weight**p.j / (scale + p.kappa) ** p.q
                        for p in read_trace(trace)))  # fmt: skip

    def source_numbers(self, known: Mapping[sp.Symbol, Any]) -> dict[str, Any]:
        """Numbers for the matrix equations, by name; any for a dimension that they do not hold."""
        given = {self.names.get(s, s.name): v for s, v in known.items()}
        return {s.name: given.get(s.name, ANY) for s in self.source.all_scalars()}

    @property
    def sizes(self) -> list[sp.Symbol]:
        """Everything that a regime has to say something about."""
        unknown = {u for u, _ in self.equations}
        found = self.output.free_symbols.union(*(e.free_symbols for _, e in self.equations))
        found |= self.size.free_symbols if self.size is not None else set()
        if self.clock is not None:
            found = found - self.clock.hidden | {self.clock.time}
        return sorted(found - unknown - {a, b, lambda_plus, *self.parameters}, key=str)


@lru_cache(maxsize=512)
def _at_infinity(expression: sp.Expr, symbol: sp.Symbol) -> sp.Expr:
    """The limit of a rational function, where it is neither zero nor infinite."""
    names = {t: sp.Dummy("trace") for t in traces_of(expression)}
    parts = sp.fraction(sp.together(expression.xreplace(names)))
    if not any(p.has(symbol) for p in parts):
        return expression
    above, below = (sp.Poly(sp.expand(p), symbol) for p in parts)
    if above.degree() != below.degree():
        return expression
    limit = sp.factor(above.LC() / below.LC())
    return limit.xreplace({name: t for t, name in names.items()})


@lru_cache(maxsize=512)
def _without_factors(equation: sp.Expr, positive: sp.Expr) -> sp.Expr:
    """The equation without factors that it shares with what is positive at the solution."""
    names = {t: sp.Dummy("trace") for t in traces_of(equation) | traces_of(positive)}
    above, other = (sp.numer(sp.together(e.xreplace(names))) for e in (equation, positive))
    common = sp.gcd(above, other)
    while common.free_symbols:
        above = sp.cancel(above / common)
        common = sp.gcd(above, other)
    return above.xreplace({name: t for t, name in names.items()})


__all__ = ["Problem"]
