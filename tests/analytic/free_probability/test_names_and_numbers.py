"""Names belong to the user, and numbers are never machine integers: renaming and rescaling."""

import random
import re
from fractions import Fraction

import mpmath
import numpy as np
import sympy as sp
from pytest import approx, mark, raises

from solvable.analytic.errors import InputError, OutsideTheoryError
from solvable.analytic.free_probability import MatrixModel, derive, parse_declarations
from solvable.analytic.free_probability.declarations import Eigenvalue, Internal, free_stem
from solvable.analytic.free_probability.models import EXPRESSIONS, expression
from solvable.validation.matrix_expressions import instance

#: names that the engine uses itself, keywords of Python and sympy, other scripts, primes
AWKWARD = (
    *("g", "h", "u_1", "u_2", "u_k", "kappa", "kappa_1", "chi", "lambda", "lambda_L", "root_L"),
    *(
        "t_0",
        "tau_0",
        "value",
        "D_1",
        "x0",
        "if",
        "Sum",
        "beta",
        "κ",
        "λ",
        "zeta",
        "z''",
        "E1",
        "pi",
    ),
)


def renamed(name, names):
    """The expression of the table under other names, and the values of its scalars under them."""
    entry, numbers = expression(name), instance(name)
    typed = sorted({s.name for s in entry.derive().all_scalars()}, key=len, reverse=True)
    new = dict(zip(typed, names, strict=False))

    def text(source):
        pattern = r"(?<![\w'.])(" + "|".join(map(re.escape, typed)) + r")(?![\w'(])"
        return re.sub(pattern, lambda match: new[match[1]], source)

    def sizes(declarations):
        split = [d.split(":", 1) for d in declarations]
        return [f"{matrix}:{text(rest)}" for matrix, rest in split]

    declared = (entry.gaussian, entry.symmetric, entry.deterministic)
    rotations = (entry.haar, entry.unitary, entry.permutation)
    others = map(sizes, (entry.complex_gaussian, entry.hermitian, *rotations, entry.profile))
    model = parse_declarations(*map(sizes, declared), entry.commuting, *others)
    scalars = {new[k]: v for k, v in {**numbers.dimensions, **numbers.scalars}.items()}
    return derive(text(entry.text), model, scalars=scalars), scalars, numbers


FAST = [n for n in EXPRESSIONS if n not in ("gradient-flow", "random-feature-loss")]


def check_renaming(name, seed):
    names = list(AWKWARD)
    random.Random(seed).shuffle(names)
    equations, scalars, numbers = renamed(name, names)
    value = equations.solve(scalars, numbers.matrices).value
    plain = {**numbers.dimensions, **numbers.scalars}
    expected = expression(name).derive().solve(plain, numbers.matrices).value
    assert value == approx(expected, rel=1e-9)
    printed = {s.name for s in equations.unknown_symbols}
    assert not printed & set(scalars), printed
    assert equations.value.free_symbols - {*equations.unknown_symbols} <= set(
        equations.all_scalars()
    )


@mark.parametrize("name", FAST)
def test_renaming_changes_nothing_but_names(name):
    check_renaming(name, len(name))


@mark.slow
@mark.parametrize("seed", range(5))
@mark.parametrize("name", EXPRESSIONS)
def test_renaming_more_often(name, seed):
    check_renaming(name, seed)


@mark.parametrize(
    "scalar", ["u_1", "u_2", "g", "u_k", "kappa", "kappa_1", "lambda", "value", "t_0", "κ"]
)
def test_scalars_with_the_names_of_unknowns(scalar):
    model = parse_declarations(["X:M,T:1/T"])
    equations = derive(f"tr(inv({scalar}*X*X.T + z*I))", model)
    solution = equations.solve({scalar: 1, "z": 0.3, "M": 400, "T": 600})
    assert solution.value == approx(1.1565470371, rel=1e-9)
    assert sp.Symbol(scalar) not in equations.unknown_symbols


@mark.parametrize("names", [("p", "n"), ("g", "N"), ("kappa", "u_1"), ("M", "g")])
def test_dimensions_of_any_name(names):
    rows, columns = names
    model = parse_declarations([f"X:{rows},{columns}:1/{columns}"])
    equations = derive("tr(inv(X*X.T + z*I))", model)
    solution = equations.solve({rows: 400, columns: 600, "z": 0.3})
    assert solution.value == approx(1.1565470371, rel=1e-9)
    assert len({s.name for s in (*equations.all_scalars(), *equations.unknown_symbols)}) == 4


def test_two_matrices_with_the_letter_lambda():
    model = parse_declarations(["X:M,T:1/T"], deterministic=["L:M", "Lambda:M"])
    assert len({r.eigenvalue for r in model.fixed.values()}) == 2
    equations = derive("tr(inv(sqrt(L)*X*X.T*sqrt(L) + lambda*I)*Lambda)", model)
    values = {"L": np.linspace(1, 2, 30), "Lambda": np.diag(np.linspace(3, 4, 30))}
    solution = equations.solve({"T": 60, "lambda": 0.3}, values)
    plain = derive(
        "tr(inv(sqrt(L)*X*X.T*sqrt(L) + z*I)*G)",
        parse_declarations(["X:M,T:1/T"], deterministic=["L:M", "G:M"]),
    ).solve({"T": 60, "z": 0.3}, {"L": values["L"], "G": values["Lambda"]})
    assert solution.value == approx(plain.value, rel=1e-12)


def test_symbols_of_other_assumptions():
    p, n = sp.symbols("p n", positive=True)
    z = sp.Symbol("z", negative=True)
    model = MatrixModel()
    x = model.gaussian("X", p, n, 1 / n)
    equations = derive((x * x.T - z * sp.Identity(p)).I, model)
    assert equations.solve({z: -0.3, p: 400, n: 600}).value == approx(1.1565470371, rel=1e-9)
    with raises(InputError, match="one symbol for one name"):
        derive((sp.Symbol("p") * x * x.T + z * sp.Identity(p)).I, model)


@mark.parametrize("name", ["²", "a b", "1n", "x²", "", "-"])
def test_what_is_no_name(name):
    with raises(InputError):
        parse_declarations([f"X:{name},T:1/T"])


def test_internal_symbols_equal_nothing_that_is_typed():
    for kind in (Internal, Eigenvalue):
        assert kind("u_1") != sp.Symbol("u_1") and kind("u_1") == kind("u_1")
    assert free_stem(("kappa", "chi"), {"κ'"}) == "chi"
    assert free_stem(("g",), {"g", "g_o"}) == "g_oo"


VALUES = (
    lambda x: x,
    float,
    np.int64,
    np.float64,
    sp.Integer,
    Fraction,
    lambda x: mpmath.mpf(x),
)


PLAIN = derive("tr(inv(X*X.T + z*I))", parse_declarations(["X:M,T:1/T"]))
NO_NUMBERS = (
    True,
    np.bool_(1),
    "0.3",
    b"1",
    None,
    sp.Symbol("q"),
    float("nan"),
    mpmath.inf,
    10**400,
)


@mark.parametrize("name", ["z", "M"])
@mark.parametrize("value", NO_NUMBERS, ids=lambda v: repr(v)[:12])
def test_what_is_no_number(name, value):
    with raises(InputError, match=rf"parameters\[{name}\].*finite numbers"):
        PLAIN.solve({"M": 100, "T": 160, "z": 0.3, name: value})


@mark.parametrize("size", [0, -5, 1 + 1j, mpmath.mpf(-1), np.array([3.0, -1.0])])
def test_what_is_no_size(size):
    with raises(InputError, match="a size > 0"):
        PLAIN.solve({"M": size, "T": 160, "z": 0.3})


NO_MATRICES = (
    np.arange(9.0).reshape(3, 3),
    [1, "a"],
    [True, False],
    [1 + 1j, 2],
    [[1, 2], [3]],
    3.0,
    [],
    np.ones((2, 2, 2)),
    [float("nan"), 1],
)


@mark.parametrize("value", NO_MATRICES, ids=lambda v: str(v)[:9])
def test_what_is_no_symmetric_matrix(value):
    model = parse_declarations(["X:M,T:1/T"], deterministic=["L:M"])
    equations = derive("tr(inv(sqrt(L)*X*X.T*sqrt(L) + z*I))", model)
    with raises(InputError, match=r"matrices\[L\]"):
        equations.solve({"T": 8, "z": 0.3}, {"L": value})


@mark.parametrize("value", [[1, 2, 3, 4], [-1, 2], 1.0])
def test_what_are_no_singular_values(value):
    model = parse_declarations(["X:M,T:1/T"], deterministic=["A:M,T"])
    equations = derive("tr(inv((X + A)*(X + A).T + z*I))", model)
    with raises(InputError, match=r"matrices\[A\]"):
        equations.solve({"M": 3, "T": 5, "z": 0.3}, {"A": value})


@mark.parametrize("text", ["Tr(log(X*X.T + z*I))/(M*T)", "M*T*tr(sqrt(X*X.T + z*I))/T^2"])
@mark.parametrize("kind", [np.int8, np.float32, Fraction, sp.Integer])
def test_short_numbers_in_functions_of_matrices(text, kind):
    equations = derive(text, parse_declarations(["X:M,T:1/T"]))
    expected = equations.solve({"M": 100.0, "T": 120.0, "z": 0.5}).value
    found = equations.solve({"M": kind(100), "T": kind(120), "z": Fraction(1, 2)}).value
    assert isinstance(found, float) and found == approx(expected, rel=1e-13)


@mark.parametrize("declared", ["I:M,T:1/T", "X:I,T:1/T"])
def test_the_identity_has_its_name(declared):
    with raises(InputError, match="I is the identity"):
        parse_declarations([declared])


@mark.parametrize("shift", ["1/b", "0.01", "1/(1 + b)", "b/(1 + b)"])
def test_a_shift_that_is_no_symbol(shift):
    """Coefficients of the identity that fall with a symbol, or hold none."""
    model = parse_declarations(["X:M,T:1/T", "Y:M,N:1/N"])
    numbers = {"M": 60, "T": 40, "N": 90, "z": 0.7}
    text = "tr(inv(inv(X*X.T + {}*I)*Y*Y.T + z*I))"
    equations, b = derive(text.format(shift), model), Fraction(3, 2)
    scalars = {"b": b} if "b" in shift else {}
    value = {"1/b": 1 / b, "0.01": 0.01, "1/(1 + b)": 1 / (1 + b), "b/(1 + b)": b / (1 + b)}[shift]
    expected = derive(text.format("a"), model).solve({**numbers, "a": value}).value
    assert equations.solve({**numbers, **scalars}).value == approx(expected, rel=1e-10)


FOURTH_MOMENT = derive("Tr(X*X.T*X*X.T)", parse_declarations(["X:N,M:1"]))


@mark.parametrize("second", VALUES)
@mark.parametrize("first", VALUES)
def test_every_kind_of_number_gives_the_same(first, second):
    value = FOURTH_MOMENT.solve({"N": first(3000000), "M": second(10000000)}).value
    assert float(value) == approx(3.9e20, rel=1e-12)


def test_long_powers_at_integer_sizes():
    equations = derive("tr((I - e*X*X.T)^8)", parse_declarations(["X:N,M:1/M"]))
    value = equations.solve({"N": 300, "M": 1000, "e": 0.5}).value
    assert value == approx(0.0599653387, rel=1e-9)


SCALABLE = [n for n, e in EXPRESSIONS.items() if not e.deterministic]


@mark.parametrize("name", SCALABLE)
@mark.parametrize(("power", "kind"), [(1, int), (6, float), (12, int), (9, mpmath.mpf)])
def test_rescaling_all_sizes_changes_nothing(name, power, kind):
    numbers = instance(name)
    equations = expression(name).derive()
    expected = equations.solve({**numbers.dimensions, **numbers.scalars}).value
    sizes = {d: kind(n * 10**power) for d, n in numbers.dimensions.items()}
    value = equations.solve({**sizes, **numbers.scalars}).value
    assert float(value) == approx(float(expected), rel=1e-9)


@mark.parametrize(("power", "kind"), [(7, int), (12, int), (12, float)])
def test_rescaling_the_density(power, kind):
    equations = expression("marchenko-pastur").derive()
    points = np.linspace(0.1, 3, 7)
    sizes = {"M": kind(3 * 10**power), "T": kind(5 * 10**power)}
    expected = equations.density(points, {"M": 3.0, "T": 5.0})
    assert equations.density(points, sizes) == approx(expected, rel=1e-9)


@mark.parametrize(
    ("text", "variance"),
    [("tr(inv(X*X.T + z*I))", "1/sqrt(M*T)"), ("tr(inv(sqrt(zeta)*X*X.T + z*I))", "1/T")],
)
def test_roots_of_symbols_are_refused_by_their_name(text, variance):
    with raises(InputError, match=r"sqrt.*name the root"):
        derive(text, parse_declarations([f"X:M,T:{variance}"]))


LOGARITHMS = [
    "tr(log(X*X.T + a*I)) - tr(log(X*X.T + b*I))",
    "tr(log(X*X.T + a*I) - log(X*X.T + b*I))",
    "tr(log(X*X.T + a*I)) - tr(log(u_2*X*X.T + I))*tr(X*X.T)",
    "tr(log(X*X.T + a*I))*tr(inv(X*X.T + b*I))",
]


@mark.parametrize("text", LOGARITHMS)
def test_traces_that_are_derived_apart_share_no_name(text):
    """The printed formula, at the roots of the printed relations, is the value."""
    equations = derive(text, parse_declarations(["X:M,T:1/T"]))
    numbers = {"M": 60, "T": 90, "a": 0.3, "b": 2.0, "u_2": 1.5}
    numbers = {s.name: numbers[s.name] for s in equations.all_scalars()}
    known = {s: numbers[s.name] for s in equations.all_scalars()}
    relations = [(r.lhs - r.rhs).subs(known) for r in equations.relations]
    unknowns = sorted(set().union(*(r.free_symbols for r in relations)), key=str)
    assert len(relations) == len(unknowns) == 2
    expected = equations.solve(numbers).value
    roots = sp.solve(relations, unknowns, dict=True)
    found = [complex(equations.value.subs(known).subs(root)) for root in roots]
    assert any(abs(value - expected) < 1e-9 for value in found), (found, expected)
    assert {u.symbol for u in equations.unknowns} == set(unknowns)


@mark.parametrize(
    "text", ["tr(inv(X*X.T + z*I))", "tr(log(X*X.T + z*I))", "tr(sqrt(X*X.T + z*I))"]
)
def test_declared_matrices_that_an_expression_does_without(text):
    """They are asked for no number, and a number that is given all the same changes nothing."""
    numbers = {"M": 60, "T": 90, "z": 0.3}
    plain = derive(text, parse_declarations(["X:M,T:1/T"])).solve(numbers).value
    shared = parse_declarations(["X:M,T:1/T", "Y:M,N:1/N"], deterministic=["L:M", "C:K"])
    equations = derive(text, shared)
    assert {s.name for s in equations.all_scalars()} == {"M", "T", "z"}
    assert equations.solve(numbers).value == plain
    assert equations.solve({**numbers, "N": 7}, {"L": [1, 2]}).value == plain
    with raises(InputError):
        equations.solve(numbers, {"G": [1, 2]})


@mark.parametrize("left_out", ["A", "L"])
def test_a_commuting_matrix_that_an_expression_does_without(left_out):
    used = "AL".replace(left_out, "")
    model = parse_declarations(["X:M,T:1/T"], deterministic=["L:M", "A:M"], commuting=["L,A"])
    given = {"M": 6, "T": 9}, {used: [1, 2, 3, 4, 5, 6]}
    alone = parse_declarations(["X:M,T:1/T"], deterministic=[f"{used}:M"])
    text = f"tr(inv({used} + X*X.T))"
    assert derive(text, model).solve(*given).value == derive(text, alone).solve(*given).value


@mark.parametrize("text", ["tr(exp(L))", "tr(log(3*I + 0*L))", "tr(X*X.T*exp(L))"])
def test_functions_of_what_is_not_random(text):
    model = parse_declarations(["X:M,T:1/T"], deterministic=["L:M"])
    with raises(OutsideTheoryError, match="no random matrix is in"):
        derive(text, model)


def test_numbers_with_an_exponent():
    model = parse_declarations(["X:M,T:1/T"])
    for text in ("1e-3", "10.E-4", ".1e-02"):
        assert derive(f"tr(inv(X*X.T + {text}*I))", model).value == derive(
            "tr(inv(X*X.T + 1/1000*I))", model
        ).value
    with raises(InputError):
        derive("tr(inv(X*X.T + 1e999999999*I))", model)
