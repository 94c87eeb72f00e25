"""Expressions made at random over every kind of matrix, compared with draws at two sizes.

`test_many_expressions` compares many expressions of a few kinds with a second method; here the
kinds are all that may be declared together: matrices that do not commute, arrays with eigenvectors
of their own, rectangular and rotated ones, general penalties, shifts that are quotients or numbers,
ratios of traces. A refusal has to say why; a number has to be right.
"""

import re

import numpy as np
from pytest import approx, mark, raises

from solvable.analytic.errors import OutsideTheoryError
from solvable.analytic.free_probability import derive, parse_declarations
from solvable.validation.matrix_expressions import Instance, sample

DECLARED = {
    "gaussian": ["X:M,T:1/T", "Y:M,N:v/N", "Z:T,K:1/K", "S:M,M:1/M"],
    "symmetric": ["W:M:1/M"],
    "deterministic": ["L:M", "G:M", "A:M,T", "B:T", "H:M"],
    "haar": ["O:M"],
}
PLAIN = (
    *("X*X.T", "Y*Y.T", "L", "G", "H", "W*W", "S*S.T", "S.T*S", "A*A.T", "S*L*S.T", "X*B*X.T"),
    *("(X + A)*(X + A).T", "(X + c*A)*(X + c*A).T", "sqrt(L)*X*X.T*sqrt(L)", "X*Z*Z.T*X.T"),
    *("sqrt(G)*S*S.T*sqrt(G)", "S*S*S.T*S.T", "(W + L)*(W + L)", "(S + I)*(S + I).T"),
    "(2*S - a*L)*(2*S - a*L).T",
)
ROTATED = ("O*L*O.T", "O*S*S.T*O.T", "O*G*O.T")
SCALARS = ("a", "b", "c", "2", "1/3", "0.7", "a*b", "a^2", "1/b", "(a+1)", "c/(1+c)")
EXCUSES = "stands between other|as far as its words show|could be made large|processor time"


class WideMaker:
    """Random positive matrices on the space of dimension M, and traces of their resolvents."""

    def __init__(self, rng):
        self.rng = rng
        self.plain = PLAIN + (ROTATED if rng.random() < 0.1 else ())

    def one_of(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def positive(self, depth):
        kind = self.rng.integers(8) if depth else 0
        if kind <= 1:
            return self.one_of(*self.plain)
        scalar = self.one_of(*SCALARS)
        if kind == 2:
            return f"({self.positive(depth - 1)} + {scalar}*{self.positive(depth - 1)})"
        if kind == 3:
            return f"inv({self.positive(depth - 1)} + {scalar}*I)"
        if kind == 4:
            inverse = (
                f"inv({self.positive(depth - 1)} + {scalar}*{self.one_of('I', 'I', 'G', 'L')})"
            )
            return f"{inverse}*{self.positive(depth - 1)}*{inverse}"
        if kind == 5:
            return f"X*inv(X.T*X + {scalar}*{self.one_of('I', 'B')})*X.T"
        if kind == 6:
            return f"Y*Y.T*inv(Y*Y.T + {scalar}*I)"
        return f"({self.positive(depth - 1)} + {self.positive(depth - 1)} + {scalar}*I)"

    def text(self):
        body = self.positive(1 + self.rng.integers(2))
        ridge = f"{self.one_of('z', 'z', '2*z', 'z/b')}*{self.one_of('I', 'I', 'I', 'G')}"
        outer = f"inv({body} + {ridge})"
        first, second = self.positive(0), self.positive(0)
        return self.one_of(
            f"tr({outer})",
            f"tr({outer}*{first})",
            f"tr({first}*{outer}*{second}*{outer})",
            f"tr(({outer}*L).T)",
            f"tr({outer}^2)",
            f"tr(({outer} - {self.one_of(*SCALARS)}*inv({first} + a*I))*L)",
            f"tr(X.T*{outer}*X)",
            f"tr({outer})/(1 + tr({first}*{outer}))^2",
        )


def declared(text):
    """The declarations of the matrices in a text; L and H commute."""
    names = set(re.findall(r"[A-Z]", text.replace(".T", "")))
    found = {k: [d for d in v if d[0] in names] for k, v in DECLARED.items()}
    return parse_declarations(**found, commuting=["L,H"] if {"L", "H"} <= names else [])


def drawn_instance(rng, equations):
    """Sizes and scalars, integers or floats, and matrices as vectors or as arrays."""
    base = int(rng.integers(20, 80))
    sizes = {"M": base, "T": base + int(rng.integers(1, 40)), "N": int(rng.integers(20, 80))}
    sizes |= {"K": int(rng.integers(20, 80))}
    names = {s.name for s in equations.all_scalars()}
    scalars = {}
    for name in sorted(names - set(sizes)):
        whole, wide = int(rng.integers(1, 4)), float(np.exp(rng.uniform(-3, 1.6)))
        scalars[name] = whole if rng.random() < 0.4 else wide
    turned = rng.random() < 0.5
    basis = np.linalg.qr(rng.standard_normal((base, base)))[0]
    matrices = {}
    for name in sorted(equations.model.fixed):
        values = rng.uniform(0.2, 2, sizes["T"] if name == "B" else base)
        own = np.linalg.qr(rng.standard_normal((len(values), len(values))))[0]
        own = basis if name in "LH" else own
        matrices[name] = (own * values) @ own.T if turned else values
        if name == "A":
            matrices[name] = rng.standard_normal((base, sizes["T"])) / sizes["T"] ** 0.5
    return Instance({k: v for k, v in sizes.items() if k in names}, scalars, matrices)


def compared(equations, instance, draws=8):
    """The value, the extrapolated mean of draws at two sizes, and what it may be off."""
    numbers = {**instance.dimensions, **instance.scalars}
    value = equations.solve(numbers, instance.matrices).value
    small, large = (np.real(sample(equations, instance, scale, draws, 1)) for scale in (1, 2))
    pooled = (np.var(small, ddof=1) + 4 * np.var(large, ddof=1)) / 2
    mean = 2 * large.mean() - small.mean()
    return value, mean, 5 * np.sqrt(2 * pooled / draws) + 3e-3 * abs(mean)


def survey(seed, count):
    """How many are right, and what was wrong or refused with which words."""
    right, wrong, refused = 0, [], []
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        text = WideMaker(rng).text()
        try:
            equations = derive(text, declared(text), seconds=3.0)
            instance = drawn_instance(rng, equations)
            value, mean, allowed = compared(equations, instance)
        except OutsideTheoryError as problem:
            refused.append((text, str(problem)))
            continue
        right += abs(value - mean) <= allowed
        if abs(value - mean) > allowed:
            wrong.append((index, text, value, mean, allowed))
    return right, wrong, refused


@mark.thorough
def test_every_kind_of_matrix():
    right, wrong, refused = survey(11, 40)
    assert not wrong, wrong
    assert all(re.search(EXCUSES, why) for _, why in refused), refused
    assert right >= 34, refused


KINDS = [
    "tr(inv(inv(inv(A*A.T + I) + G)*X*X.T*inv(inv(A*A.T + I) + G) + z*I))",  # powers of a sum
    "tr(X.T*inv(Y*Y.T*inv(Y*Y.T + 1/b*I) + 2*z*I)*X)",
    "tr(inv(X*X.T + z/b*G))/(1 + tr(L*inv(X*X.T + z/b*G)))^2",
]


@mark.parametrize("text", KINDS)
def test_kinds_that_were_refused(text):
    rng = np.random.default_rng(5)
    equations = derive(text, declared(text))
    value, mean, allowed = compared(equations, drawn_instance(rng, equations))
    assert abs(value - mean) <= allowed
    assert abs(1.1 * value - mean) > allowed


@mark.slow
def test_a_sum_of_which_a_term_cancels():
    """G stands between functions of A whose parts without A add up to nothing."""
    text = (
        "tr(X.T*inv(inv((S + I)*(S + I).T + 0.7*G)*A*A.T*inv((S + I)*(S + I).T + 0.7*G) + z*I)*X)"
    )
    rng = np.random.default_rng(5)
    equations = derive(text, declared(text), seconds=1.0)
    value, mean, allowed = compared(equations, drawn_instance(rng, equations))
    assert abs(value - mean) <= allowed


@mark.slow
def test_rotations_need_a_symbol_in_every_inverse():
    text = "tr(inv(O*L*O.T + Y*Y.T*inv(Y*Y.T + {}*I) + z*I))"
    values = {"L": np.linspace(0.2, 2, 30)}
    numbers = {"N": 40, "v": 9, "z": 0.7}
    with raises(OutsideTheoryError, match="could be made large"):
        derive(text.format("2"), declared(text)).solve(numbers, values)
    found = derive(text.format("c"), declared(text)).solve({**numbers, "c": 2}, values)
    plain = derive("tr(inv(L + Y*Y.T*inv(Y*Y.T + 2*I) + z*I))", declared("L*Y"))
    assert found.value == approx(plain.solve(numbers, values).value, rel=1e-9)
