"""Every derivation of the catalogue: its checks pass, and each of them rejects wrong claims."""

import re
import subprocess
import sys

import pytest
import sympy as sp

from solvable.analytic.errors import InputError
from solvable.analytic.typesetting import latex
from solvable.derivations import catalogue
from solvable.derivations.bibliography import PAPERS
from solvable.derivations.checks import FiniteSize, Statistical
from solvable.derivations.derivation import Derivation, Step, referring
from solvable.derivations.export import article, as_json, as_text, section
from solvable.derivations.relations import (
    AtMost,
    Definition,
    Equality,
    Equivalent,
    Expectation,
    Greater,
    Less,
    Minimiser,
    Truncated,
)

FAST = [
    "ridge-regression",
    "resolvent",
    "test-loss",
    "label-noise",
    "ridgeless-loss",
    "double-descent",
    "breakdown",
    "matrix-sample-covariance",
    "dynamical-response",
    "flow-to-ridge",
    "generalisation-gap",
    "gradient-descent",
    "time-scale-density",
    "limit-strong-ridge",
    "limit-noise-beyond",
    "renormalised-ridge",
    "random-feature-eigenframework",
    "deterministic-equivalents",
    "time-and-features",
]
NAMES = catalogue.names()


def is_simulated(step: Step) -> bool:
    return isinstance(step.check, Statistical | FiniteSize)


def wrong_claims(step: Step):
    """The lost factor of two, the lost sign, an error of one per cent, and the step's own."""
    yield from step.wrong
    claim = step.claim
    if isinstance(claim, Less | AtMost | Greater):
        return
    if isinstance(claim, Minimiser):
        yield claim.func(2 * claim.lhs, *claim.args[1:])
        return
    right = claim.rhs
    if right == 0 or right == sp.ZeroMatrix(*getattr(right, "shape", (1, 1))):
        yield claim.with_right(sp.Rational(1, 100))
        return
    yield claim.with_right(2 * right)
    yield claim.with_right(-right)
    if not is_simulated(step):
        yield claim.with_right(sp.Rational(101, 100) * right)


def check_all(derivation: Derivation, simulated: bool) -> None:
    for step in derivation.steps:
        if is_simulated(step) and not simulated:
            continue
        verdict = step.verify()
        assert verdict.passed, f"{derivation.name}/{step.name}: {verdict.message}"
        wrong = list(wrong_claims(step))
        assert wrong, f"{derivation.name}/{step.name} has no wrong variant"
        for claim in wrong:
            verdict = step.check(claim)
            assert verdict.outcome == "fail", f"{derivation.name}/{step.name} accepts {claim}"


@pytest.mark.parametrize("name", FAST)
def test_steps_hold_and_wrong_ones_are_rejected(name):
    check_all(catalogue.load(name), simulated=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_step_holds_and_wrong_ones_are_rejected(name):
    check_all(catalogue.load(name), simulated=True)


# ---- what is said --------------------------------------------------------------------------

SAID = [pytest.param(n, marks=() if n in FAST else pytest.mark.slow) for n in NAMES]


def factored(side):
    """A side in the form in which algebra alone makes two sides equal."""
    try:
        return sp.factor(side)
    except (sp.PolynomialError, AttributeError, NotImplementedError, TypeError):
        return side


@pytest.mark.parametrize("name", SAID)
def test_no_claim_is_empty_or_made_twice(name):
    derivation = catalogue.load(name)
    shown = [latex(step.claim) for step in derivation.claims]
    assert len(set(shown)) == len(shown), "the same equation twice"
    for step in derivation.claims:
        left, right = (factored(side) for side in step.claim.args[:2])
        assert latex(step.claim.lhs) != latex(step.claim.rhs), f"{step.name} says X = X"
        assert left != right, f"{step.name} is a tautology: {step.claim}"


@pytest.mark.parametrize("name", SAID)
def test_sides_are_of_one_kind(name):
    """No number equals a matrix, and a random number appears inside its average only."""
    for step in catalogue.load(name).claims:
        claim = step.claim
        if isinstance(claim, Minimiser | Definition):
            continue
        shapes = [getattr(side, "shape", ()) for side in claim.args[:2]]
        assert shapes[0] == shapes[1], f"{step.name} equates {shapes}"
        if is_simulated(step) or isinstance(claim, Equivalent):
            averaged = claim.has(Expectation)
            exponents = isinstance(claim.lhs, sp.Symbol)  # L, a deterministic limit
            assert averaged or exponents, f"{step.name}: {claim}"
        if is_simulated(step):
            assert isinstance(claim, Equivalent) or step.supports


@pytest.mark.parametrize("name", SAID)
def test_references_point_to_claims(name):
    derivation = catalogue.load(name)
    texts = [derivation.summary, *derivation.assumptions, *derivation.notes]
    texts += [step.reason for step in derivation.steps]
    for text in texts:
        for match in re.finditer(r"(?<!\w)\(\d+\)", text):
            before = text[: match.start()]
            assert re.search(r"paper's (\(\d+\), )*$", before), f"a bare {match[0]} in: {text}"
        numbers: list[tuple[str | None, str]] = []
        referring(text, str, lambda *found, numbers=numbers: numbers.append(found) or "")
        for other, step in numbers:
            home = catalogue.load(other) if other else derivation
            assert 1 <= home.number(step) <= len(home.claims)


@pytest.mark.parametrize("name", SAID)
def test_prose_holds_no_code(name):
    derivation = catalogue.load(name)
    texts = [derivation.summary, *derivation.assumptions, *derivation.notes]
    for text in (*texts, *(step.reason for step in derivation.steps)):
        assert not re.search(r"\*\*|\w\*\w|kappa|sigma|lambda|\.T\b|sqrt\(|\bP\b", text), text


@pytest.mark.parametrize("name", SAID)
def test_every_format_shows_every_claim(name):
    derivation = catalogue.load(name)
    text, code, data = as_text(derivation), section(derivation), as_json(derivation)
    assert len(data["steps"]) == len(derivation.steps)
    stated = [derivation.concluding(relation) for relation in derivation.conclusion]
    count = len(derivation.claims) + stated.count(None)
    assert len(re.findall(r"\\begin\{(?:equation|align)\}", code)) == count
    assert all(step.name in text for step in derivation.steps)
    numbers = [step["number"] for step in data["steps"] if step["number"]]
    assert numbers == list(range(1, len(derivation.claims) + 1))
    assert code.isascii() and "@" not in text
    assert derivation._repr_latex_().startswith("$")


def test_relations_show_their_sign():
    x, y = sp.symbols("x y")
    assert str(Equivalent(Expectation(x), y)) == "E[x] ≃ y"
    assert latex(Truncated(x, y, y**2)) == r"x = y + O\!\left(y^{2}\right)"
    assert str(Equality(x, y).subs(x, 2)) == "2 = y"
    assert Truncated(x, y, y**2).with_right(3) == Truncated(x, 3, y**2)
    with pytest.raises(TypeError, match="relation"):
        Step("s", x, "", lambda claim: None)


def test_evidence_claims_what_it_supports():
    x, y = sp.symbols("x y")
    step = Step("claim", Equality(x, y), "", lambda claim: None)
    support = step.evidence("seen", "", lambda claim: None)
    derivation = Derivation("d", "d", "d", (step, support), step.claim)
    assert derivation.number("seen") == derivation.number("claim") == 1
    assert derivation.claims == (step,)
    with pytest.raises(ValueError, match="something else"):
        Derivation("d", "d", "d", (step, support.with_claim(Equality(x, 2 * y))), step.claim)


def test_entries_are_complete():
    for name, entry in catalogue.entries().items():
        assert name == entry.name and name == name.lower() and " " not in name
        assert entry.title and entry.summary and entry.references
        assert all(reference.paper in PAPERS for reference in entry.references)


def test_article_cites_only_what_it_lists():
    document = article([catalogue.load(name) for name in FAST])
    listed = {key for key in PAPERS if rf"\bibitem{{{key}}}" in document}
    cited = {key for key in PAPERS if f"{{{key}}}" in document.split(r"\begin{thebibliography}")[0]}
    assert listed == cited


def test_an_unknown_name_is_an_input_error():
    with pytest.raises(InputError, match="solvable list"):
        catalogue.load("no-such-thing")


def test_two_derivations_cannot_share_a_name():
    with pytest.raises(ValueError, match="two derivations"):
        catalogue.derivation(FAST[0], "again")(lambda: None)


def test_a_derivation_needs_distinct_steps():
    step = catalogue.load("resolvent").steps[0]
    with pytest.raises(ValueError, match="distinct"):
        Derivation("x", "x", "x", (step, step), step.claim)


# ---- one file adds a derivation --------------------------------------------------------------

ADDED = '''
"""A derivation and a matrix expression of their own."""

from solvable.analytic.free_probability.models import EXPRESSIONS, MatrixExpression
from solvable.analytic.notation import N, T
from solvable.derivations.bibliography import Reference
from solvable.derivations.catalogue import Parts, derivation
from solvable.derivations.checks import Exact
from solvable.derivations.derivation import Step
from solvable.derivations.matrices.random_matrices import register
from solvable.derivations.relations import equation
from sympy import Symbol


@derivation("added-here", "A derivation in a file of its own", Reference("talk"))
def added() -> Parts:
    """The square of a sum."""
    step = Step("square", equation(Symbol("s"), N**2 + 2 * N * T + T**2), "Expanded.",
                Exact(value=lambda: (N + T) ** 2))
    return Parts([step], step.claim)


register(MatrixExpression("added", "White covariance", "tr(inv(X*X.T + z*I))", ("X:M,T:1/T",)))
'''

USE = """
import sys
import solvable.derivations.relatives as room
room.__path__.append(sys.argv[1])
from solvable.derivations import catalogue
from solvable.derivations.cli import main
sys.path.insert(0, sys.argv[2])
main(["list"])
main(["check", "--list"])
for name in ("added-here", "matrix-added"):
    assert main(["check", name]) == 0
import test_catalogue as tests
for name in ("added-here", "matrix-added"):
    assert name in tests.NAMES
    tests.check_all(catalogue.load(name), simulated=False)
    tests.test_no_claim_is_empty_or_made_twice(name)
    tests.test_references_point_to_claims(name)
"""


@pytest.mark.slow
def test_one_file_adds_a_derivation_and_a_matrix_expression(tmp_path):
    (tmp_path / "added_here.py").write_text(ADDED)
    here = __file__.rpartition("/")[0]
    command = [sys.executable, "-c", USE, str(tmp_path), here]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.count("added-here") == 3 and result.stdout.count("matrix-added") == 3
