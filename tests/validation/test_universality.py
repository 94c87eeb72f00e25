"""Laws of a few moments give the Gaussian loss; where forms do not concentrate, none does."""

import numpy as np
import pytest

from solvable.validation.entry_laws import EntryLaw
from solvable.validation.statistics import estimate
from solvable.validation.sweep import seed_sequence
from solvable.validation.theory import theory
from solvable.validation.training import simulate
from tests.validation.case_families import BROKEN, UNIVERSAL, LawCase, compare, simulate_cases


@pytest.mark.slow
def test_laws_with_a_few_moments_share_the_limit():
    result = compare(simulate_cases(UNIVERSAL, scales=(1, 2), seeds=30), theory,
                     resolution=0.15)  # fmt: skip
    assert result.passed, f"{result.test.message}; {result.train.message}"


@pytest.mark.parametrize("case", BROKEN, ids=LawCase.describe)
def test_universality_fails_where_forms_do_not_concentrate(case):
    result = compare(simulate_cases([case], scales=(1, 2), seeds=20), theory)
    assert "fail" in (result.test.outcome, result.train.outcome), result.test.message
    (test, train) = result.rows
    departures = [abs(row.simulated[-1].mean / row.theory[-1] - 1) for row in (test, train)]
    assert max(departures) > 0.08, departures


def test_the_law_of_the_entries_changes_the_finite_size_bias():
    """The 1/s term depends on the kurtosis: ±1 entries have less of it than Laplace entries."""
    bias = {}
    for name in ("rademacher", "laplace"):
        cell = LawCase(EntryLaw(name), EntryLaw(name), features=20, samples=40).cell(1)
        label = cell.observables()[0]
        runs = [simulate(cell, seed_sequence(0, cell, k))[label] for k in range(600)]
        bias[name] = estimate(np.array(runs) / theory(cell)[label] - 1)
    difference = bias["laplace"].mean - bias["rademacher"].mean
    error = np.hypot(bias["laplace"].error, bias["rademacher"].error)
    assert difference > 4 * error, bias


@pytest.mark.slow
def test_universal_laws_at_three_scales():
    result = compare(simulate_cases(UNIVERSAL, seeds=50), theory, resolution=0.05)
    assert result.passed, f"{result.test.message}; {result.train.message}"
