"""Every derivation of the catalogue: its checks pass, and each of them rejects wrong claims."""

import pytest
import sympy as sp

from solvable.analytic.errors import InputError
from solvable.derivations import catalogue
from solvable.derivations.bibliography import PAPERS
from solvable.derivations.checks import FiniteSize, Statistical
from solvable.derivations.derivation import Derivation, Step, equation
from solvable.derivations.export import article, as_json, as_text, section

FAST = [
    "ridge-regression",
    "resolvent",
    "test-loss",
    "label-noise",
    "ridgeless-loss",
    "double-descent",
    "breakdown",
]
NAMES = catalogue.names()


def is_simulated(step: Step) -> bool:
    return isinstance(step.check, Statistical | FiniteSize)


def wrong_claims(step: Step):
    """The lost factor of two, the lost sign, an error of one per cent, and the step's own."""
    yield from step.wrong
    if isinstance(step.claim, sp.Eq):
        left, right = step.claim.args
        if right == 0 or right == sp.ZeroMatrix(*getattr(right, "shape", (1, 1))):
            yield equation(left, sp.Rational(1, 100))
            return
        yield equation(left, 2 * right)
        yield equation(left, -right)
        if not is_simulated(step):
            yield equation(left, sp.Rational(101, 100) * right)


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
            assert not verdict.passed, f"{derivation.name}/{step.name} accepts {claim}"


@pytest.mark.parametrize("name", FAST)
def test_steps_hold_and_wrong_ones_are_rejected(name):
    check_all(catalogue.load(name), simulated=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_step_holds_and_wrong_ones_are_rejected(name):
    check_all(catalogue.load(name), simulated=True)


def test_entries_are_complete():
    for name, entry in catalogue.entries().items():
        assert name == entry.name and name == name.lower() and " " not in name
        assert entry.title and entry.summary and entry.references
        assert all(reference.paper in PAPERS for reference in entry.references)


@pytest.mark.parametrize("name", FAST)
def test_every_format_shows_every_step(name):
    derivation = catalogue.load(name)
    text, latex, data = as_text(derivation), section(derivation), as_json(derivation)
    assert len(data["steps"]) == len(derivation.steps)
    assert latex.count(r"\begin{equation}") == len(derivation.steps) + 1
    assert all(step.name in text for step in derivation.steps)
    assert latex.isascii()
    assert derivation._repr_latex_().startswith("$")


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
