"""`solvable limit`: expand the static loss, or any matrix expression, in a limit.

Leading terms with prefactors, corrections, remainder and conditions, in a named regime or a
statement about sizes. With sizes, the series is compared with the exact loss.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from solvable.analytic.arguments import meant
from solvable.analytic.asymptotics.balance.systems import AT_KAPPA, DERIVED, OPTIMAL, TRAINING
from solvable.analytic.asymptotics.limits import EITHER_SIDE, PARTS, REGIMES
from solvable.analytic.errors import InputError, OutsideTheoryError, PrecisionError

from . import options as types
from . import output

EPILOG = "regimes:\n" + "\n".join(f"  {name:18} {regime.words}" for name, regime in REGIMES.items())
STATED = ("with noise", *AT_KAPPA, *OPTIMAL, *OPTIMAL.values(), *TRAINING)  # with statements
SERIES = {**{name: name for name in (*PARTS, *STATED)}, **DERIVED}
#: coefficients are symbolic in α; the order of the terms is that at one α
KINDS = ("gaussian", "symmetric", "complex", "hermitian", "deterministic", "commuting")
DEFAULT_ALPHA = Fraction(1, 2)
PHI = "∫₀¹ x^(-s)/(1 + y x^b) dx, its finite part where s >= 1"
#: digits at which exact value and truncated series are compared
DIGITS = 30


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable limit`."""
    add = parser.add_argument
    add("name", metavar="EXPR|NAME",
        help=f"one of {', '.join(SERIES)}, a row of the table, or an expression")  # fmt: skip
    add("--regime", required=True, metavar="R", help='"N<<T", or "1 << N << T << M, z = 0"')
    for kind in KINDS:
        add(f"--{kind}", action="append", default=[], metavar="DECL", help="as in derive")
    add("--at", metavar="N=…,T=…", help="sizes: order the terms there, and give numbers")
    add("--order", type=types.count, default=3, metavar="K", help="number of terms (default: 3)")
    types.add_spectrum(parser, latent=math.inf)
    add("--smaller", choices=("N", "T"), help="the smaller size, where it matters")
    add("--features", type=types.positive_or_infinite, metavar="N")
    add("--samples", type=types.positive_or_infinite, metavar="T")
    add("--z", type=types.nonnegative, metavar="Z", help="γ/(σ_u² N T)")
    add("--noise", type=types.nonnegative, metavar="S2", help="label noise σ_ε²")
    types.add_format(parser, "text", "latex", "json")


def run(arguments: argparse.Namespace) -> int:
    """Compute the limit and print it."""
    from solvable.analytic.asymptotics.limits import limit, regime_name

    named = arguments.name in SERIES and arguments.name not in STATED
    regime = regime_name(arguments.regime) if named else None
    if regime is None:
        return _run_statement(arguments)
    _take_sizes(arguments)
    _check_read(arguments, regime in EITHER_SIDE)
    default = arguments.alpha is None and arguments.b is None
    law = limit(
        arguments.regime,
        alpha=DEFAULT_ALPHA if default else arguments.alpha,
        exponent=arguments.b,
        target_exponent=arguments.a,
        smaller=arguments.smaller or (_smaller(arguments) if regime in EITHER_SIDE else None),
        terms=arguments.order,
    )
    series = law.series(SERIES[arguments.name])
    if arguments.format == "latex":
        print(series.latex(factored=True))
        return 0
    rows = _rows(series)
    table = _comparison(law, arguments)
    if arguments.format == "json":
        output.print_json(_as_json(law, arguments.name, series, rows, table))
    else:
        _print(law, arguments.name, series, table)
        if default and series.conditions:
            print(f"(terms ordered at α = {DEFAULT_ALPHA}; --alpha orders them elsewhere)")
    return 0


def _check_read(arguments: argparse.Namespace, either_side: bool) -> None:
    """`InputError` for what neither a named regime nor its comparison with the loss reads."""
    types.unused(arguments, "a named regime", *KINDS, "spectrum")
    both = arguments.features is not None and arguments.samples is not None
    if both:
        types.unused(arguments, "--features and --samples", "smaller")
    sizes = () if both and either_side else ("features", "samples")
    if arguments.format == "latex" or SERIES[arguments.name] != "loss":
        types.unused(arguments, "--format latex, or another quantity than the loss, which is not "
                     "compared with its exact value", "latent", "z", "noise", *sizes)  # fmt: skip
    elif not both:
        types.unused(arguments, "--features or --samples alone, or neither: the loss is compared "
                     "at both", "latent", "z", "noise", *sizes)  # fmt: skip


def _smaller(arguments: argparse.Namespace) -> str | None:
    """The smaller size where both are given."""
    n, t = arguments.features, arguments.samples
    return None if n is None or t is None else "N" if n <= t else "T"


def _take_sizes(arguments: argparse.Namespace) -> None:
    """--at of a named regime: the sizes and exponents as options of their own."""
    names = {"N": "features", "T": "samples", "z": "z", "M": "latent", "a": "a", "b": "b"}
    for name, value in _sizes(arguments.at).items():
        option = names.get(name)
        if option is None or getattr(arguments, option) is not None:
            raise InputError("--at", f"{name}={value}", f"among {', '.join(names)}, each once")
        setattr(arguments, option, value)


def _quantity(arguments: argparse.Namespace) -> Any:
    """A part of the static loss by name, or the derived equations of an expression."""
    if arguments.name in SERIES:
        types.unused(arguments, "a name", *KINDS)
        return arguments.name
    from solvable.analytic.free_probability import derive, parse_declarations
    from solvable.analytic.free_probability.models import EXPRESSIONS

    if arguments.name in EXPRESSIONS:
        types.unused(arguments, "a row of the table, which declares its matrices", *KINDS)
        return str(arguments.name)
    declared = {kind: getattr(arguments, kind) for kind in KINDS}
    if not any(declared.values()):
        close = meant(arguments.name, (*SERIES, *EXPRESSIONS))
        allowed = (
            f"one of {', '.join(SERIES)}, a row of `solvable derive --all`, "
            f"or an expression with declared matrices{close}"
        )
        raise InputError("NAME", arguments.name, allowed)
    model = parse_declarations(complex_gaussian=declared.pop("complex"), **declared)
    return derive(arguments.name, model)


def _run_statement(arguments: argparse.Namespace) -> int:
    """A limit in a statement: terms in several scales, beside the exact value at --at."""
    from solvable.analytic.asymptotics.limits import limit

    types.unused(arguments, "a statement", "features", "samples", "smaller", "z", "noise")
    at = _sizes(arguments.at)
    spectrum = _spectrum(arguments)
    for name in ("a", "b"):
        if name in at:
            types.unused(arguments, f"{name} in --at", name)
    exponents = {"b": at.pop("b", arguments.b), "a": at.pop("a", arguments.a)}
    alpha = arguments.alpha
    if arguments.latent is not None:
        raise InputError("--latent", arguments.latent, "nothing with a statement, which names M")
    form = limit(
        _quantity(arguments),
        arguments.regime,
        alpha=DEFAULT_ALPHA if alpha is exponents["b"] is spectrum is None else alpha,
        exponent=exponents["b"],
        target_exponent=exponents["a"],
        terms=arguments.order,
        at=at,
        spectrum=spectrum,
    )
    if arguments.format == "latex":
        print(form.latex())
        return 0
    table, why = _compared(form, at, alpha, exponents) if arguments.at is not None else ([], "")
    rows = [(str(t.coefficient), str(t.monomial)) for t in form.terms]
    where = {str(k): str(v) for k, v in form.where.items()}
    if any("Phi(" in row[0] for row in rows):
        where["Phi(s, b, y)"] = PHI
    if arguments.format == "json":
        output.print_json({
            "name": arguments.name, "regime": form.regime.text,
            "terms": [{"coefficient": c, "monomial": m} for c, m in rows],
            "remainder": form.rest(), "latex": form.latex(),
            "conditions": [str(c) for c in (*form.ranges, *form.conditions)], "where": where,
            "comparison": [dict(zip(("terms", "value", "relative_error"), row))
                           for row in table],
            **({"not_compared": why} if why else {}),
        })  # fmt: skip
        return 0
    _print_form(arguments.name, form, table, why)
    return 0


def _print_form(name: str, form: Any, table: list[tuple[str, str, str]], why: str) -> None:
    """The terms, what they need, and the comparison, for a reader."""
    from solvable.analytic.typesetting import one_line

    print(f"{name} in the regime {form.regime.text}\n")
    shown = [(one_line(t.coefficient), one_line(t.monomial)) for t in form.terms]
    output.print_table(("coefficient", "monomial"), shown)
    print(f"remainder: {form.rest(one_line)}")
    for condition in form.ranges:
        print(f"these terms lead where {one_line(condition)}; other ranges may be stated")
    for condition in form.conditions:
        left, right = one_line(condition.lhs), one_line(condition.rhs)
        sign = "=" if condition.rel_op == "==" else "<<" if right == "1" else "<"
        print(f"this order of terms needs {left} {sign} {right}")
    for symbol, value in form.where.items():
        print(f"where {one_line(symbol)} = {one_line(value)}")
    if any("Φ(" in row[0] for row in shown):
        print(f"where Φ(s, b, y) = {PHI}")
    if table:
        print()
        output.print_table(("terms", "value", "relative error"), table)
    if why:
        print(f"not compared with the exact value: {why}")


def _compared(
    form: Any, at: dict[str, Any], alpha: Any, exponents: dict[str, Any]
) -> tuple[list[tuple[str, str, str]], str]:
    """The exact value at these sizes, and the sums of the terms; or why there is none."""
    import mpmath

    from solvable.analytic.asymptotics.balance.exact_value import compare

    b = exponents["b"] if exponents["b"] is not None else 1 + (alpha or DEFAULT_ALPHA)
    values = {**at, "b": b} | ({} if exponents["a"] is None else {"a": exponents["a"]})
    try:
        comparison = compare(form, values, DIGITS)
    except (OutsideTheoryError, PrecisionError) as error:
        return [], str(error)
    rows = [(str(k + 1), output.decimal(p), mpmath.nstr(e, 3))
            for k, (p, e) in enumerate(zip(comparison.partial, comparison.errors))]  # fmt: skip
    by = comparison.certified_by
    return [(f"exact, {by}", output.decimal(comparison.exact), "0"), *rows], ""


def _spectrum(arguments: argparse.Namespace) -> Any:
    """--spectrum [L=]power-law|white|exponential|FILE|KIND:…, of every deterministic matrix."""
    if arguments.spectrum is None:
        return None
    from solvable.analytic.spectrum import Flat

    text = arguments.spectrum
    if "=" in text.partition(":")[0]:  # the letter is for the reader: every matrix has it
        text = text.partition("=")[2]
    if text == "power-law":
        return None
    if text == "white":
        return Flat(1)
    if not set(".:") & set(text) and text != "exponential":
        raise InputError("--spectrum", text, "power-law, white, exponential, KIND:…, or a file")
    arguments.spectrum = {"exponential": "exponential-decay:rate=1,size=inf"}.get(text, text)
    return types.spectrum_of(arguments)


def _sizes(text: str | None) -> dict[str, Any]:
    """N=1e7,T=300 as numbers by name."""
    found: dict[str, Any] = {}
    for part in (text or "").split(",") if text else ():
        name, sign, value = part.partition("=")
        if not sign:
            raise InputError("--at", part, "NAME=VALUE, separated by commas")
        parse = types.positive_or_infinite if name.strip() != "z" else types.nonnegative
        try:
            found[name.strip()] = parse(value.strip())
        except argparse.ArgumentTypeError as error:
            raise InputError("--at", part, str(error)) from None
    return found


def _rows(series: Any, shown: Callable[[Any], str] = str) -> list[tuple[str, str, str]]:
    """Coefficient, power and logarithm of each term, the named constants left short."""
    from solvable.analytic.asymptotics.expansion.printing import neat

    return [(shown(neat(t.coefficient)), shown(t.power), str(t.log)) for t in series.terms]


def _comparison(law: Any, arguments: argparse.Namespace) -> list[tuple[str, str, str]] | None:
    """Truncated series against the exact loss, where sizes are given."""
    if arguments.features is None or arguments.samples is None or SERIES[arguments.name] != "loss":
        return None
    import mpmath

    from solvable.analytic.asymptotics.limits import Setting

    spectrum = types.spectrum_of(arguments)
    with mpmath.workdps(DIGITS):
        setting = Setting(
            spectrum,
            _mp(arguments.features),
            _mp(arguments.samples),
            _mp(arguments.z or 0),
            _mp(arguments.noise or 0),
        )
        comparison = law.compare(setting)
        rows = [
            (str(k + 1), output.decimal(p), mpmath.nstr(e, 3))
            for k, (p, e) in enumerate(zip(comparison.partial, comparison.errors))
        ]
        return [("exact", output.decimal(comparison.exact), "0"), *rows]


def _mp(value: Any) -> Any:
    import mpmath

    if value == math.inf:
        return mpmath.inf
    return mpmath.mpf(getattr(value, "numerator", value)) / getattr(value, "denominator", 1)


def _remainder(series: Any, shown: Callable[[Any], str] = str) -> str:
    if series.remainder is None:
        return "none"
    from sympy import log

    variable, order = series.variable, series.remainder
    return f"O({shown(variable**order.power * log(variable) ** order.log)})"


def _as_json(law: Any, name: str, series: Any, rows: Any, table: Any) -> dict[str, Any]:
    return {
        "name": name,
        "regime": law.regime,
        "title": law.title,
        "when": law.when,
        "variable": str(series.variable),
        "point": str(series.point),
        "terms": [dict(zip(("coefficient", "power", "log"), row)) for row in rows],
        "remainder": _remainder(series),
        "latex": series.latex(factored=True),
        "conditions": [str(c) for c in series.conditions],
        "where": {str(s): str(v) for s, v in {**law.meaning, **series.definitions}.items()},
        "comparison": [dict(zip(("terms", "value", "relative_error"), row)) for row in table or ()],
    }


def _print(law: Any, name: str, series: Any, table: Any) -> None:
    from solvable.analytic.typesetting import one_line

    print(f"{law.title} ({law.regime}): {name}, {series.variable} → {series.point}")
    print(f"holds when: {law.when}\n")
    output.print_table(("coefficient", f"power of {series.variable}", "power of log"),
                       _rows(series, one_line))  # fmt: skip
    print(f"remainder: {_remainder(series, one_line)}")
    for condition in series.conditions:
        print(f"this order of terms needs {one_line(condition)}")
    used = set().union(*(t.coefficient.free_symbols for t in series.terms))
    for symbol, value in {**law.meaning, **series.definitions}.items():
        if symbol in used or symbol == series.variable:
            told = value if isinstance(value, str) else one_line(value)
            print(f"where {one_line(symbol)} = {told}")
    if table:
        print()
        output.print_table(("terms", "loss", "relative error"), table)
