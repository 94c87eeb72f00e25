"""Over all rows of the table: other names, more declarations and larger sizes change nothing."""

import re
import zlib
from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pytest import approx, mark

from solvable.analytic.errors import InputError
from solvable.analytic.free_probability import derive, parse_declarations
from solvable.analytic.free_probability.models import EXPRESSIONS, LIMITS, expression
from solvable.analytic.free_probability.text import parse_expression
from solvable.validation.matrix_expressions import instance

ROWS = [*EXPRESSIONS, *LIMITS]
OPTIONS = (
    *("gaussian", "symmetric", "deterministic", "commuting", "complex_gaussian", "hermitian"),
    *("haar", "unitary", "permutation", "profile"),
)
LETTERS = "ABCDFGHKLMNPQRSTUVWXYZabcdghkmnpqrstuvwxyzαβγκλμσχΓΛΣΦ"
NAMES = st.builds(
    lambda first, rest, primes: first + rest + "'" * primes,
    st.sampled_from([*LETTERS, "kappa", "lambda", "lambda_L", "value", "root", "u_1", "D_1"]),
    st.sampled_from(["", "", "0", "_1", "_k", "x"]),
    st.integers(0, 1),
)


@cache
def is_legal(name):
    """Whether a matrix, a dimension and a scalar may all have this name."""
    try:
        parse_declarations([f"{name}:Mmm,Ttt:1/Ttt", f"Xxx:{name}0,Ttt:1/{name}0"])
        parse_expression(f"tr(Xxx)*{name}", parse_declarations(symmetric=["Xxx:M:1/M"]), [name])
    except InputError:
        return False
    return True


def symbols_of(entry):
    """The names of matrices, and those of dimensions and scalars."""
    model, numbers = entry.declarations(), instance(entry.name)
    matrices = {*model.random, *model.fixed, *model.blocks}
    inner = {f"{b}_{i}{j}" for b in model.blocks for i in range(1, 9) for j in range(1, 9)}
    return sorted(matrices - inner), sorted({*numbers.dimensions, *numbers.scalars})


def rewritten(entry, new):
    """The text and the declarations under other names."""
    pattern = r"(?<![\w'.])(" + "|".join(sorted(map(re.escape, new), key=len)[::-1]) + r")(?![\w'])"

    def text(source):
        return re.sub(pattern, lambda match: new[match[1]], source)

    return text(entry.text), {o: [text(d) for d in getattr(entry, o)] for o in OPTIONS}


@st.composite
def disguises(draw, name):
    """A row under other names, beside matrices that it does without, at larger sizes."""
    entry = expression(name)
    matrices, scalars = symbols_of(entry)
    count = len(matrices) + len(scalars)
    names = draw(st.lists(NAMES.filter(is_legal), min_size=count + 6, max_size=count + 6,
                          unique_by=str.casefold))  # fmt: skip
    new = dict(zip([*matrices, *scalars], names, strict=False))
    text, declared = rewritten(entry, new)
    spare = names[count:]
    rows = draw(st.sampled_from([spare[0], *(new[d] for d in instance(name).dimensions)]))
    declared["gaussian"] = [*declared["gaussian"], f"{spare[1]}:{rows},{spare[2]}:1/{rows}"]
    declared["deterministic"] = [*declared["deterministic"], f"{spare[3]}:{rows}"]
    with_it = [d.split(":") for d in declared["deterministic"][:-1]]
    friends = [m for m, size in with_it if size == rows]
    if friends and not any(friends[0] in pair for pair in declared["commuting"]):
        declared["commuting"] = [*declared["commuting"], f"{friends[0]},{spare[3]}"]
    fixed = bool(entry.deterministic)
    kind = draw(st.sampled_from([int, float, Fraction, mpmath.mpf]))
    power = 0 if kind is mpmath.mpf and fixed else draw(st.integers(0, 1 if fixed else 12))
    return text, declared, [*(new[s] for s in scalars), spare[4]], new, kind, power


@mark.slow
@mark.parametrize("name", ROWS)
def test_names_sizes_and_spare_declarations_change_nothing(name):
    numbers = instance(name)
    plain = derive(expression(name).text, expression(name).declarations())

    def value(equations, sizes, scalars, matrices):
        return complex(equations.solve({**sizes, **scalars}, matrices).value)

    @seed(zlib.crc32(name.encode()))
    @settings(max_examples=2, deadline=None, database=None,
              phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(disguises(name))
    def check(disguise):
        text, declared, scalars, new, kind, power = disguise
        model = parse_declarations(*(declared[o] for o in OPTIONS))
        equations = derive(text, model, scalars=scalars)
        sizes = {d: n * 10**power for d, n in numbers.dimensions.items()}
        matrices = {m: enlarged(v, power) for m, v in numbers.matrices.items()}
        used = {s.name for s in equations.all_scalars()}
        at = {new[d]: kind(n) for d, n in sizes.items() if new[d] in used}
        others = {new[s]: v for s, v in numbers.scalars.items()}
        found = value(equations, at, others, {new[m]: v for m, v in matrices.items()})
        floats = {d: float(n) for d, n in sizes.items()}
        assert found == approx(value(plain, floats, numbers.scalars, matrices), rel=1e-8)
        if not matrices:  # and every trace is normalised
            assert found == approx(value(plain, numbers.dimensions, numbers.scalars, {}), rel=1e-8)

    check()


def enlarged(matrix, power):
    """Every eigenvalue or singular value 10^power times."""
    return np.repeat(matrix, 10**power) if np.ndim(matrix) == 1 else (
        np.kron(matrix, np.eye(10**power)))  # fmt: skip
