"""Bad and extreme arguments of public functions: an answer, or one line that names the argument.

The calls are those of the examples in the docstrings. One argument at a time, those that the call
leaves out too, is replaced by each of `VALUES`. Asserted is the same for all: an answer without
nan, or one of the errors of the toolkit with a message of one line; no other exception, no warning,
within the processor time.
"""

import ast
import contextlib
import decimal
import doctest
import importlib
import inspect
import io
import math
import random
import warnings
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp

import solvable as sv
from solvable.analytic.errors import InputError, SolvableError
from tests.processor_time import Endless, bounded

SECONDS = 60  # of processor time for one call
TRIED = 60  # of the calls of a name, in the long test
#: results, which functions make, and errors: no call of theirs is an example
MADE = {
    "Allocation", "Decomposition", "DynamicLoss", "OutsideTheoryError", "Prediction", "RegimeMap",
    "ResolventSolution", "RidgeRegression", "ScheduledLoss", "SelfConsistentEquations",
    "SolvableError", "Spectrum", "StaticLoss", "TimeAllocation", "time_allocation",
}  # fmt: skip
NAMES = sorted(set(sv.__all__) - MADE)
#: whose calls, or whose examples, take seconds: in the long test alone
LONG = {
    "bottleneck_laws", "compute_frontier", "compute_optimal", "excess_loss_formula", "fit_tail",
    "limit", "population_spectrum", "scheduled_dynamics", "size_map", "time_map",
}  # fmt: skip
#: numbers that are not known in the example itself
UNKNOWN = {"sample_spectrum": "errors of moments of four rows"}
VALUES = {
    "nan": math.nan, "inf": math.inf, "-inf": -math.inf, "zero": 0, "-0.0": -0.0, "one": 1,
    "minus one": -1, "a half": 0.5, "minus a half": -0.5, "two": 2.0, "large": 1e9, "huge": 1e300,
    "tiny": 1e-300, "beyond floats": 10**400, "below floats": -(10**400), "true": True,
    "none": None, "empty text": "", "text": "abc", "a digit": "2", "code": "__import__('os')",
    "two lines": "a\nb", "bytes": b"2", "imaginary": 2j, "complex nan": complex(math.nan, 1),
    "fraction": Fraction(1, 3), "large fraction": Fraction(10**400, 3),
    "decimal": decimal.Decimal("0.5"), "mpf": mpmath.mpf("0.5"), "mpf nan": mpmath.mpf("nan"),
    "mpf inf": mpmath.mpf("inf"), "mpf huge": mpmath.mpf("1e5000"), "mpc": mpmath.mpc(1, 2),
    "Integer": sp.Integer(3), "Rational": sp.Rational(1, 3), "pi": sp.pi, "Symbol": sp.Symbol("x"),
    "sympy nan": sp.nan, "oo": sp.oo, "zoo": sp.zoo, "I": sp.I, "sympy Float": sp.Float("0.5", 40),
    "int8": np.int8(100), "uint8": np.uint8(3), "int64": np.int64(-5), "float16": np.float16(0.5),
    "float16 inf": np.float16("inf"), "float32": np.float32(3), "longdouble": np.longdouble(0.5),
    "complex64": np.complex64(1 + 1j), "bool_": np.bool_(True), "date": np.datetime64("2020-01-01"),
    "no entries": [], "list": [1, 2], "list of text": ["a", "b"], "list of nan": [1.0, math.nan],
    "ragged": [1, [2, 3]], "tuple": (), "dictionary": {}, "set": {1, 2}, "range": range(3),
    "empty array": np.array([]), "array": np.array([1.0, 2.0]), "matrix": np.ones((2, 2)),
    "array of nothing": np.array(3.0), "ascending": np.array([1, 2, 3]),
    "array of text": np.array(["a"]), "objects": np.array([object()]), "object": object(),
    "function": len, "type": int, "module": math,
}  # fmt: skip


def example_calls(name):
    """(signature, arguments) of the calls of a public name in its own examples."""
    thing = inspect.unwrap(getattr(sv, name))
    known = vars(importlib.import_module(thing.__module__))
    signature = inspect.signature(thing)
    for example in doctest.DocTestFinder(recurse=False).find(thing, name, globs=dict(known)):
        world = dict(example.globs)
        for line in example.examples:
            for call in ast.walk(ast.parse(line.source)):
                if not (isinstance(call, ast.Call) and ast.unparse(call.func).endswith(name)):
                    continue
                with contextlib.suppress(Exception):
                    code = ast.unparse(ast.Call(ast.Name("bind"), call.args, call.keywords))
                    yield signature, eval(code, {**world, "bind": signature.bind})
            with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
                exec(compile(line.source, name, "exec"), world)


def cases(name):
    """(what is replaced, positional, keyword arguments) for each parameter and value."""
    seen = set()
    for signature, bound in example_calls(name):
        for parameter in signature.parameters.values():
            if parameter.name in seen:
                continue
            seen.add(parameter.name)
            for said, value in VALUES.items():
                given = signature.bind(*bound.args, **bound.kwargs)
                if parameter.kind is parameter.VAR_POSITIONAL:
                    others = given.arguments.get(parameter.name, ())
                    given.arguments[parameter.name] = (*others[:-1], value)
                elif parameter.kind is parameter.VAR_KEYWORD:
                    given.arguments[parameter.name] = {"surplus": value}
                else:
                    given.arguments[parameter.name] = value
                yield f"{parameter.name} = {said}", given.args, given.kwargs


def has_nan(value, depth=4):
    """Whether a number in the value is nan."""
    if isinstance(value, Exception):  # shows what it was given
        return False
    if isinstance(value, float | complex | np.number | mpmath.mpf | mpmath.mpc):
        return bool(value != value)
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fc" and bool(np.isnan(value).any())
    if isinstance(value, sp.Basic):
        return value.has(sp.nan)
    if depth and isinstance(value, list | tuple):
        return any(has_nan(x, depth - 1) for x in value)
    if depth and type(value).__module__.startswith("solvable"):
        return any(has_nan(x, depth - 1) for x in vars(value).values()) if hasattr(
            value, "__dict__") else False  # fmt: skip
    return False


def fault(name, arguments, options):
    """What is wrong with how the call is answered within the processor time, or None."""
    try:
        with warnings.catch_warnings(), bounded(SECONDS):
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "eigenvalues sorted")  # which is said on purpose
            return fault_of_answer(name, arguments, options)
    except Endless:
        return f"more than {SECONDS} s of processor time"


def fault_of_answer(name, arguments, options):
    """The same, of a call that ends."""
    try:
        found = getattr(sv, name)(*arguments, **options)
    except SolvableError as error:
        said = str(error)
        if "\n" in said or not said.strip():
            return f"a message of {len(said.splitlines())} lines: {said[:200]!r}"
        if isinstance(error, InputError) and not error.argument.strip():
            return f"no argument is named: {said}"
        return None
    except Endless:
        raise
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:200]
    return "nan" if name not in UNKNOWN and has_nan(found) else None


def answered(name, number):
    every = list(cases(name))
    assert every, "no example calls it"
    some = random.Random(name).sample(every, min(number, len(every)))
    bad = {what: said for what, *call in some if (said := fault(name, *call))}
    assert bad == {}


@pytest.mark.parametrize("name", sorted(set(NAMES) - LONG))
def test_some_bad_arguments_are_answered(name):
    answered(name, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_bad_arguments_are_answered(name):
    answered(name, TRIED)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MADE - {"OutsideTheoryError", "SolvableError"}))
def test_what_is_made_has_no_call_of_its_own(name):
    assert not list(cases(name))
