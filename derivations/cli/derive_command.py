"""`solvable derive`: derive the self-consistent equations of a matrix expression.

Derive the reduced self-consistent equations of the limit of an expression in random and
deterministic matrices.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sympy as sp

from solvable.analytic.errors import InputError
from solvable.analytic.typesetting import as_mathematics, one_line

from ..export.plain import pretty
from ..relations import Equivalent, equation
from . import numeric_options, output
from . import options as types

if TYPE_CHECKING:
    from solvable.analytic.free_probability import Derived, MatrixModel, PlanarComparison

KINDS = (
    "gaussian", "symmetric", "complex", "hermitian", "haar", "unitary", "permutation",
    "profile",
    "deterministic", "commuting",
)  # fmt: skip
#: options of one derivation
OWN = ("digits", "density", "support", "simulate", "prove", "polynomial", "show_pencil")
EPILOG = """\
expressions:
  tr(...) normalised trace, Tr(...) plain trace, inv(...), sqrt(...), X.T, X.H, X.I, + - * / ^,
  I the identity; declared names are matrices, their dimensions and small letters are scalars
declarations (separate several with ';' or repeat the option):
  --gaussian "X:M,T:1/T"       independent real Gaussian entries, rows, columns, variance
  --symmetric "W:M:1/M"        symmetric Gaussian matrix
  --complex, --hermitian       the same two with complex entries (write .H for the adjoint)
  --haar "O:M"                 random orthogonal matrix; --unitary, --permutation likewise
  --profile "X:M+N,T+K:1/T,3/T|2/T,1/T"  Gaussian blocks, each of its own variance
  --deterministic "L:M; A:M,T" symmetric matrix; any rectangular matrix
  --commuting "L,W"            these have common eigenvectors (the default is that they do not)
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `solvable derive`."""
    add = parser.add_argument
    add("expression", nargs="?", metavar="EXPR", help='for instance "tr(inv(X*X.T + z*I))"')
    add("--all", action="store_true", help="derive, prove and time the catalogue: a Markdown table")
    for kind in KINDS:
        add(f"--{kind}", action="append", default=[], metavar="DECL")
    add("--scalar", action="append", default=[], metavar="NAME", help="a capital that is a scalar")
    add(
        "--show-pencil", action="store_true", help="print the linear pencil Q and its closed system"
    )
    help_text = "put every unknown in, however long the formulas become"
    add("--polynomial", action="store_true", help=help_text)
    add("--prove", type=types.count, metavar="ORDER", help="compare moments with planar pairings")
    add(
        "--covariance",
        metavar="EXPR2",
        help="covariance of two linear statistics, Tr f(S), Tr h(S)",
    )
    numeric_options.add_options(parser)
    types.add_format(parser, "text", "latex", "json")


def run(arguments: argparse.Namespace) -> int:
    """Derive and print; exit status 1 if a proof that was asked for fails."""
    from solvable.analytic.free_probability import derive, parse_declarations

    if arguments.all:
        types.unused(arguments, "--all", *KINDS, *OWN, "scalar", "covariance", "at", "eigenvalues")
        if arguments.format != "text":
            raise InputError("--format", arguments.format, "text with --all: a Markdown table")
        if arguments.expression is not None:
            raise InputError("EXPR", arguments.expression, "nothing with --all")
        return _print_table()
    if arguments.expression is None:
        raise InputError("EXPR", "nothing", "a matrix expression, or the option --all")
    declared = {kind: getattr(arguments, kind) for kind in KINDS}
    model = parse_declarations(complex_gaussian=declared.pop("complex"), **declared)
    if arguments.covariance:
        types.unused(arguments, "--covariance", *OWN, "scalar")
        if arguments.format == "latex":
            raise InputError("--format", "latex", "text or json with --covariance")
        return _covariance(arguments, model)
    equations = derive(arguments.expression, model, scalars=arguments.scalar)
    _check_used(model, arguments.expression, arguments.scalar)
    equations = equations.closed_form if arguments.polynomial else equations
    proof = equations.prove_planar(arguments.prove) if arguments.prove else None
    found = numeric_options.numbers(equations, arguments)
    printers = {"text": _print_text, "latex": _print_latex}
    if arguments.format == "json":
        _print_json(equations, proof, arguments, found)
    else:
        printers[arguments.format](equations, proof, arguments)
        numeric_options.print_numbers(found)
    return 0 if proof is None or proof.holds else 1


def _check_used(model: MatrixModel, expressions: str, scalars: Sequence[str] = ()) -> None:
    """A declared matrix or scalar that no expression holds is a slip of the pen."""
    words = set(re.findall(r"\w+", expressions))
    blocks = {s.name for whole in model.blocks.values() for s in whole.atoms(sp.MatrixSymbol)}
    declared = {*model.random, *model.fixed, *model.blocks} - blocks
    absent = set(scalars) - words - {scalar.name for scalar in model.scalars()}
    for kind, names in (("declared matrix", declared - words), ("--scalar", absent)):
        if names:
            raise InputError(kind, min(names), "one that is in EXPR")


def _covariance(arguments: argparse.Namespace, model: MatrixModel) -> int:
    """Derive and print the covariance of two linear statistics."""
    from solvable.analytic.free_probability import derive_covariance

    found = derive_covariance(arguments.expression, arguments.covariance, model)
    _check_used(model, f"{arguments.expression} {arguments.covariance}")
    data: dict[str, Any] = {"formula": str(found.value), "equations": str(found).splitlines()[:-1]}
    numeric_options.check(arguments)
    if arguments.at is not None:
        values, matrices = numeric_options.given(arguments)
        solution = found.solve(values, matrices)
        data |= {"value": solution.value, "residual": solution.residual}
        data["certified_by"] = solution.certified_by
    if arguments.format == "json":
        output.print_json(data)
    else:
        for name, value in data.items():
            print(f"{name}: {value}" if not isinstance(value, list) else "\n".join(value))
    return 0


def _print_table() -> int:
    from solvable.validation.executors import one_blas_thread

    from ..matrices.matrix_table import table

    with one_blas_thread():
        for line in table():
            print(line, flush=True)
    return 0


def _proof_sentence(proof: PlanarComparison) -> str:
    if proof.holds:
        last = proof.orders[-1]
        return f"moments equal the sums over planar pairings to order {last} in 1/z, exactly"
    return f"moments DIFFER from the sums over planar pairings at order {proof.first_failure}"


def _print_text(
    equations: Derived,
    proof: PlanarComparison | None,
    arguments: argparse.Namespace,
) -> None:
    from solvable.analytic.free_probability import UnreducedEquations

    if arguments.show_pencil:
        _print_pencil(equations)
    print(pretty(Equivalent(equations.expression, equations.value)))
    linear = [e for system in equations.linear for e in system.equations()]
    if equations.relations or linear:
        print("where")
    for relation in (*equations.relations, *linear):
        print(pretty(equation(relation.lhs, relation.rhs)))
    if isinstance(equations, UnreducedEquations):
        print("with G the inverse of the block matrix A of which these blocks are not zero")
        for name, block in _blocks(equations).items():
            print(f"  {name} = {one_line(block)}")
        print(output.paragraph(f"left in blocks: {equations.reason}", 0))
    if equations.unknowns:
        print("unknowns")
    for unknown in equations.unknowns:
        meaning = as_mathematics(unknown.meaning)
        print(output.paragraph(f"{one_line(unknown.symbol)}: {meaning}", 2))
    if any("[Q^-1]" in unknown.meaning for unknown in equations.unknowns):
        print("  ([Q^-1]_{i,j}: a block of the inverse of the pencil, see --show-pencil)")
    if equations.reduction.shortened:
        print("named unknowns keep the formulas short; --polynomial puts them in")
    if proof is not None:
        print(_proof_sentence(proof))


def _blocks(equations: Derived) -> dict[str, Any]:
    """The blocks of F − Σ, where the equations were not reduced."""
    from solvable.analytic.free_probability import UnreducedEquations

    if not isinstance(equations, UnreducedEquations):
        return {}
    return {f"A_{i + 1},{j + 1}": block for (i, j), block in equations.blocks.items()}


def _print_pencil(equations: Derived) -> None:
    from solvable.analytic.free_probability.naming import pencil_rows

    pencil = equations.pencil
    columns = [f"{j + 1} ({space})" for j, space in enumerate(pencil.spaces)]
    output.print_table(columns, pencil_rows(pencil), title="pencil Q, block (dimension)")
    print(f"numeric check of the Schur complement: {pencil.check():.1e} relative")
    rows = [(f"{e.lhs} = {e.rhs}", meaning) for e, meaning in equations.closed_system]
    output.print_table(("closed system", "stands for"), rows)


def _print_latex(
    equations: Derived,
    proof: PlanarComparison | None,
    arguments: argparse.Namespace,
) -> None:
    if arguments.show_pencil:
        from solvable.analytic.free_probability.naming import pencil_latex

        print(pencil_latex(equations.pencil))
    print(equations.latex())
    if proof is not None:
        print(f"% {_proof_sentence(proof)}")


def _print_json(
    equations: Derived,
    proof: PlanarComparison | None,
    arguments: argparse.Namespace,
    found: dict[str, Any],
) -> None:
    from solvable.analytic.free_probability.naming import pencil_rows

    data: dict[str, Any] = {
        "expression": str(equations.expression),
        "value": str(equations.value),
        "relations": [_equation(e) for e in equations.relations],
        "linear": [[_equation(e) for e in system.equations()] for system in equations.linear],
        "unknowns": {str(u.symbol): u.meaning for u in equations.unknowns},
        "pencil_size": equations.pencil.size,
        "latex": equations.latex(),
    }
    if blocks := _blocks(equations):
        data["blocks"] = {name: str(block) for name, block in blocks.items()}
    if found:
        data = {"formula": data.pop("value"), **data, **found}
    if arguments.show_pencil:
        data["pencil"] = pencil_rows(equations.pencil)
        data["closed_system"] = {_equation(e): meaning for e, meaning in equations.closed_system}
        data["pencil_dimensions"] = [str(space) for space in equations.pencil.spaces]
    if proof is not None:
        data["planar_proof"] = {"holds": proof.holds, "orders": list(proof.orders)}
    output.print_json(data)


def _equation(equation: sp.Eq) -> str:
    return f"{equation.lhs} = {equation.rhs}"
