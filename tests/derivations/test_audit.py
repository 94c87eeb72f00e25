"""No print contradicts its verdict: what is printed is parsed and must lead to the same outcome."""

import dataclasses
import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.derivations.checks import Asymptotic, FiniteSize, Slope, Statistical
from solvable.derivations.cli import main
from solvable.derivations.cli.check_command import _print_claim, _simulated_lines
from solvable.derivations.relations import Equality
from solvable.validation.experiments.evaluate import evaluate, summary
from solvable.validation.report import experiment_row, render
from solvable.validation.statistics import Estimate, bounds, compared, verdict
from solvable.validation.sweep import sweep
from tests.validation import synthetic_experiments as synthetic

NUMBER = r"(-?(?:\d[\d.e+-]*|inf|nan))"
RELATION = re.compile(rf"{NUMBER}(?: %)? ([≤>]) {NUMBER}")
RATIO = re.compile(rf"theory (?:as s → ∞ )?in \[{NUMBER}, {NUMBER}\]")


def relations(text):
    """(left, sign, right) of every comparison in a text, each of which must be true."""
    found = [(float(a), sign, float(b)) for a, sign, b in RELATION.findall(text)]
    for left, sign, right in found:
        assert (left > right) == (sign == ">"), f"{left} {sign} {right} in: {text}"
    return found


def audit(evidence):
    """Every print of the evidence says what its verdict says."""
    row, judged = experiment_row(evidence), evidence.judgement
    lines = list(_simulated_lines(summary(evidence)))
    assert judged is None or judged.message in evidence.message
    assert evidence.message in lines and f"**{evidence.outcome}**" in render(".md", [row])
    if judged is None:
        return
    exceeded = [r for r in relations(judged.message) if r[1] == ">"]
    intervals = [p.interval for s in evidence.series for p in s.points if p.interval]
    cells = [entry[4] for entry in row.details if entry[4].startswith("[")]
    printed = [tuple(map(float, re.findall(NUMBER, cell))) for cell in cells]
    assert len(printed) == len(intervals) == len(judged.targets)
    outside = [not low <= 1 <= high for low, high in printed]
    rejected = [i in judged.rejected for i in range(len(outside))]
    assert sum(outside) == sum(rejected)
    worst = [tuple(map(float, pair)) for line in (*lines, row.interval)
             for pair in RATIO.findall(line)]  # fmt: skip
    assert len(worst) == 2 and all((low <= 1 <= high) != any(rejected) for low, high in worst)
    if judged.outcome == "pass":
        assert not exceeded and not any(outside)
    elif judged.outcome == "fail":
        assert exceeded and (any(outside) or judged.chi_square > judged.chi_square_limit)
    else:
        assert exceeded and not any(outside), "only the width exceeds what is allowed"
    if evidence.experiment.expected == "agreement" and judged.outcome == "fail":
        assert evidence.outcome == "fail"
    for fact in evidence.facts:
        (entry,) = (e for e in row.details if e[0] == "fact: " + fact.statement)
        assert entry[4].startswith(fact.outcome)
        if fact.interval:
            low, high = map(float, re.findall(NUMBER, entry[4].split("[")[1].split("]")[0]))
            inside = fact.low <= low and high <= fact.high
            apart = low > fact.high or high < fact.low
            assert fact.outcome == ("pass" if inside else "fail" if apart else "undecided")


@given(
    st.floats(0.9, 1.1), st.floats(0.001, 0.2), st.floats(-1, 1), st.floats(0.4, 0.6),
    st.integers(2, 60), st.integers(1, 5), st.integers(0, 10**6),
    st.sampled_from(["agreement", "rejection"]), st.booleans(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_no_print_contradicts_its_verdict(
    claimed, spread, bias, least, seeds, number, root, expected, broken
):
    experiment = synthetic.experiment(
        claimed=claimed, spread=spread, bias=bias, least=least, seeds=seeds, expected=expected,
        x=tuple(4.0**k for k in range(number)), broken=(1.0,) if broken else (),
    )  # fmt: skip

    def run(function, cells, counts):
        return sweep(function, cells, counts, root_seed=root)

    evidence = evaluate(experiment, run)
    audit(evidence)
    assert (evidence.outcome == "pass") <= (not evidence.failures)


def test_a_contradiction_would_be_seen():
    evidence = evaluate(synthetic.experiment(claimed=1.05), sweep)
    audit(evidence)
    wrong = dataclasses.replace(
        evidence, judgement=dataclasses.replace(evidence.judgement, outcome="pass")
    )
    try:
        audit(wrong)
    except AssertionError:
        return
    raise AssertionError("a pass beside an interval that excludes 1 was not seen")


@given(st.floats(-1e6, 1e6), st.floats(0, 1e-3), st.sampled_from([-1, 1]))
def test_printed_relations_and_intervals_are_true(limit, gap, sign):
    relations(compared(limit + sign * gap, limit))
    low, high = sorted((limit + sign * gap, limit + 2 * sign * gap))
    texts = bounds((low, high), limit)[1:-1].split(", ")
    assert [float(t) <= limit for t in texts] == [end <= limit for end in (low, high)]


@given(st.floats(0.8, 1.2), st.floats(1e-4, 0.1), st.integers(2, 40))
def test_messages_of_steps_show_the_interval_that_decided(claimed, spread, seeds):
    import numpy as np

    draws = 1 + spread * np.random.default_rng(seeds).standard_normal((3, seeds))
    statistical = Statistical(lambda: draws[0], lambda claim: claimed, sizes="N = 3")
    growing = FiniteSize(lambda s: draws[s // 2], lambda claim, s: claimed, sizes="N = 3")
    for check in (statistical, growing):
        found = check(None)
        relations(found.message)
        (low, high), target = found.observed["interval"][0], found.observed["claimed"][0]
        assert (low <= target <= high) == (found.outcome != "fail")
        assert found.observed["seeds"] == str(seeds) and "N = 3" in found.observed["sizes"]


@given(st.floats(-0.03, 0.03))
def test_messages_of_slopes_show_what_decided(shift):
    import mpmath
    import sympy as sp

    x = sp.Symbol("x", positive=True)
    law = Asymptotic(lambda v: 1 / v + v ** mpmath.mpf(-2 + shift), x, [10**4, 10**5], -2)
    curve = Slope([({}, lambda: ([1, 10], [1.0, 10.0 ** (-2 + shift)]))], axes=("x", "y"))
    for found, allowed in ((law(Equality(x, 1 / x)), 0.02), (curve(Equality(x, 2)), 0.008)):
        relations(found.message)
        assert f"{allowed:.4f}" in found.message
        assert found.passed == (" ≤ " in found.message)


def test_every_step_that_passes_says_what_decided(capsys):
    assert main(["check", "scaling-law", "--json"]) == 0
    steps = json.loads(capsys.readouterr().out)["claims"][0]["steps"]
    assert main(["check", "scaling-law"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for step in steps:
        assert f"{step['name']}: {step['message']}" in said


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40))
def test_lines_are_at_most_80_columns_and_break_no_number(scores):
    import contextlib
    import io

    found = verdict([Estimate(1 + 0.01 * z, 0.01) for z in scores], [1.0] * len(scores))
    claim = {"outcome": found.outcome, "name": "a-name", "seconds": 1.25, "kind": "derivation",
             "message": f"{found.message}; {found.message}", "steps": []}  # fmt: skip
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        _print_claim(claim)
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert " ".join(" ".join(line.split()) for line in lines[1:]) == claim["message"]
    assert not any(re.search(r"[≤>±<=]$|^\s*(%|≤|>)", line) for line in lines)
