"""Spectra of samples and populations, power laws and their refusal, bulk and outliers."""

import math
import tracemalloc
from importlib import import_module

import numpy as np
import pytest
from scipy.stats import chi2, norm

from solvable.analytic.data import (
    from_eigenvalues,
    kernel_spectrum,
    open_samples,
    population_spectrum,
    sample_spectrum,
)
from solvable.analytic.data.held_out import held_out
from solvable.analytic.data.outliers import bulk, spike
from solvable.analytic.data.sample_spectrum import unbiased_moments
from solvable.analytic.data.tails import LAWS, TOLERANCE, _best, _longest, fit_tail
from solvable.analytic.errors import InputError
from solvable.analytic.resolvent.density import expected_eigenvalues
from solvable.analytic.spectrum import Empirical, Flat, PowerLaw

MODULE = import_module(sample_spectrum.__module__)


def draw(values, samples, seed=0, mean=0.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(samples, len(values))) * np.sqrt(values) + mean


def power(size, b=1.5):
    return np.arange(1, size + 1) ** -b


@pytest.mark.parametrize("shape", [(60, 20), (20, 60), (30, 30)])
@pytest.mark.parametrize("centred", [True, False])
def test_eigenvalues_are_those_of_the_covariance(shape, centred, tmp_path):
    data = draw(power(shape[1]), shape[0], mean=0.7)
    found = sample_spectrum(data, centred=centred)
    rows = data - data.mean(axis=0) if centred else data
    degrees = shape[0] - centred
    wanted = np.linalg.svd(rows, compute_uv=False) ** 2 / degrees
    wanted = wanted[wanted > 1e-12]
    assert found.samples == degrees
    assert np.allclose(found.eigenvalues, wanted, rtol=1e-9)
    np.save(tmp_path / "data.npy", data)
    again = sample_spectrum(open_samples(tmp_path / "data.npy"), centred=centred)
    assert np.allclose(again.eigenvalues, found.eigenvalues, rtol=1e-12)


def test_blocks_of_any_length_give_the_same(monkeypatch):
    for shape in ((50, 10), (10, 50)):
        data = draw(power(shape[1]), shape[0], mean=3.0)
        whole = sample_spectrum(data).eigenvalues
        monkeypatch.setattr("solvable.analytic.data.arrays.BLOCK_BYTES", 8 * shape[1] * 7)
        assert np.allclose(sample_spectrum(data).eigenvalues, whole, rtol=1e-10)
        monkeypatch.undo()


def test_rows_longer_than_they_are_many_take_no_memory_beside_them(monkeypatch):
    monkeypatch.setattr(MODULE, "STRIP_BYTES", 2**22)
    monkeypatch.setattr("solvable.analytic.data.arrays.BLOCK_BYTES", 2**22)
    data = draw(np.ones(10**5), 60)
    tracemalloc.start()
    try:
        found = sample_spectrum(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < data.nbytes / 2
    rows = data - data.mean(axis=0)
    moments, errors = unbiased_moments(rows)
    assert np.allclose(found.moments[0], moments, rtol=1e-9)
    assert np.allclose(found.moments[1], errors, rtol=1e-9)
    for name in ("variance", "error"):
        assert np.allclose(getattr(found.held_out, name), getattr(held_out(rows), name), 1e-9)


def test_strips_of_any_length_give_the_same(monkeypatch):
    data = np.repeat(draw(power(50), 9, mean=3.0), 2, axis=0)
    whole = sample_spectrum(data)
    for name, size in (("STRIP_BYTES", 8 * 50 * 7), ("SORTED", 40)):
        monkeypatch.setattr(MODULE, name, size)
    parts = sample_spectrum(data)
    assert np.allclose(parts.eigenvalues, whole.eigenvalues, rtol=1e-10)
    assert parts.notes == whole.notes and "copies" in parts.notes[0]


def test_copies_constant_columns_and_dependent_columns_are_said():
    data = draw(power(12), 40)
    twice = sample_spectrum(np.concatenate([data, data]))
    assert twice.samples == sample_spectrum(data).samples and "copies" in twice.notes[0]
    assert np.allclose(twice.eigenvalues, sample_spectrum(data).eigenvalues)
    still = sample_spectrum(np.c_[data, np.full(40, 3.0)])
    assert still.inputs == 12 and "constant" in still.notes[0]
    dependent = sample_spectrum(np.c_[data, data[:, 0] + data[:, 1]])
    assert dependent.inputs == 12 and "depend" in dependent.notes[0]


@pytest.mark.parametrize(("bad", "said"), [
    (np.ones((5, 3)), "equal rows"),
    (np.ones((1, 3)), "two samples"),
    ([[1.0, np.nan], [2.0, 3.0]], "row 1"),
    (np.array([["a", "b"], ["c", "d"]]), "real numbers"),
])  # fmt: skip
def test_bad_data_are_refused(bad, said):
    with pytest.raises(InputError, match=said):
        sample_spectrum(bad)


def test_lists_of_eigenvalues_and_kernels():
    with pytest.raises(InputError, match="≥ 0"):
        from_eigenvalues([1.0, -0.5, 0.1], 10)
    with pytest.raises(InputError, match="at least two"):
        from_eigenvalues([1.0, 0.0], 10)
    with pytest.raises(InputError, match="symmetric"):
        kernel_spectrum([[1.0, 0.2], [0.9, 1.0]])
    data = draw(power(30), 25)
    kernel = kernel_spectrum(data @ data.T)
    assert np.allclose(kernel.eigenvalues, sample_spectrum(data, centred=False).eigenvalues)


def test_unbiased_moments_are_unbiased():
    values = power(15, 1.0)
    found = np.mean([unbiased_moments(draw(values, 12, seed))[0] for seed in range(1500)], axis=0)
    truth = [np.sum(values**k) for k in (1, 2, 3)]
    assert np.allclose(found, truth, rtol=0.08)
    biased = np.mean([np.sum((draw(values, 12, s) @ draw(values, 12, s).T / 12) ** 2)
                      for s in range(300)])  # fmt: skip
    assert biased > 1.3 * truth[1]


def test_excess_of_heavy_tails_shows_and_that_of_gaussians_does_not():
    rng = np.random.default_rng(2)
    scale = np.sqrt(power(30))
    gaussian = sample_spectrum(rng.normal(size=(800, 30)) * scale)
    heavy = sample_spectrum(rng.standard_t(5, size=(800, 30)) * scale)
    common = sample_spectrum(rng.normal(size=(800, 30)) * scale * rng.gamma(2, size=(800, 1)))
    assert np.allclose(gaussian.excess[1], 1, atol=0.4)
    assert heavy.excess[1].max() > 1.5 and common.excess[1].max() > 3


@pytest.mark.parametrize(("size", "samples"), [(200, 50), (60, 240)])
def test_the_population_is_recovered(size, samples):
    truth, every = power(size), np.arange(1, size + 1)
    errors, raw = [], []
    for seed in range(2):
        found = population_spectrum(sample_spectrum(draw(truth, samples, seed)))
        errors.append(np.mean(np.log(found.eigenvalue(every) / truth) ** 2) ** 0.5)
        values = found.sample.eigenvalues
        raw.append(np.mean(np.log(values / truth[: len(values)]) ** 2) ** 0.5)
        for k in (1, 2):
            value, error = found.trace(k)
            assert abs(value - np.sum(truth**k)) < 5 * error
    assert np.mean(errors) < 0.12 < np.mean(raw)


def test_alpha_and_its_interval():
    hits = []
    for seed in range(5):
        tail = fit_tail(population_spectrum(sample_spectrum(draw(power(200), 50, seed))))
        assert abs(tail.alpha.value - 0.5) < 0.1 and tail.power_law.last == 200
        hits.append(tail.alpha.low < 0.5 < tail.alpha.high)
    assert sum(hits) >= 4
    narrow = fit_tail(tail.population, 0.5).alpha
    assert narrow.high - narrow.low < tail.alpha.high - tail.alpha.low


@pytest.mark.parametrize(("law", "values"), [
    ("exponential", np.exp(-np.arange(1, 101) / 12)),
    ("cut off", power(200) * np.exp(-np.arange(1, 201) / 20)),
    ("log-normal|cut off", np.exp(2 * norm.isf((np.arange(1, 151) - 0.5) / 150))),
    ("hardly decay", np.ones(40)),
])  # fmt: skip
def test_what_is_no_power_law_is_refused(law, values):
    tail = fit_tail(population_spectrum(sample_spectrum(draw(values, 4 * len(values)))))
    assert tail.alpha is None
    assert any(word in tail.reason for word in law.split("|"))


def test_edges_are_those_of_marchenko_and_pastur():
    white = np.full(100, 2.0)
    found = bulk(population_spectrum(sample_spectrum(draw(white, 1600))))
    assert found.separated == 0
    assert found.lower_edge == pytest.approx(2 * 0.75**2, rel=0.1)
    position, slope = spike(np.array([4.0]), np.ones(1), np.array([100.0]), 400.0)[:, 0]
    assert position == pytest.approx(4 * (1 + 0.25 / 3)) and slope == pytest.approx(1 - 0.25 / 9)
    data = draw(np.r_[40.0, np.ones(99)], 400, seed=1)
    top = sample_spectrum(data).eigenvalues
    spiked = spike(np.array([40.0]), np.ones(1), np.array([99.0]), 399.0)[0, 0]
    assert abs(top[0] / spiked - 1) < 4 * np.sqrt(2 / 400)
    assert top[1] < 1.1 * (1 + 0.5) ** 2


@pytest.mark.slow
def test_the_largest_of_a_bulk_does_not_stand_apart():
    for seed in range(2):
        for values in (np.r_[100.0, 25, 9, np.ones(197)], np.r_[4.0, 3, np.ones(198)]):
            found = bulk(population_spectrum(sample_spectrum(draw(values, 400, seed=seed))))
            assert found.separated == np.sum(values > 1)
            assert found.upper_edge == pytest.approx((1 + np.sqrt(0.5)) ** 2, rel=0.1)


def test_a_spike_is_no_part_of_the_law():
    values = power(200)
    values[0] *= 8
    tail = fit_tail(population_spectrum(sample_spectrum(draw(values, 800))))
    assert tail.alpha is not None and abs(tail.alpha.value - 0.5) < 0.05
    assert tail.power_law.first > 1
    assert 1 in bulk(tail.population, tail).outliers
    clean = fit_tail(population_spectrum(sample_spectrum(draw(power(200), 800))))
    assert bulk(clean.population, clean).outliers == ()


def test_expected_eigenvalues_of_the_estimate_are_those_of_the_sample():
    found = population_spectrum(sample_spectrum(draw(power(150), 60)))
    ranks = np.array([5.0, 15.0, 40.0])
    expected = expected_eigenvalues(found.atoms(), np.inf, found.sample.samples, ranks)
    assert np.allclose(expected, found.sample.eigenvalues[ranks.astype(int) - 1], rtol=0.2)


@pytest.mark.slow
def test_populations_of_laws_without_noise():
    law = PowerLaw(alpha=1, size=80)
    values = expected_eigenvalues(law, np.inf, 40, np.arange(1, 41))
    tail = fit_tail(population_spectrum(from_eigenvalues(values, 40, 80)))
    assert tail.alpha.value == pytest.approx(1, abs=0.1)
    white = expected_eigenvalues(Flat(30), np.inf, 120, np.arange(1, 31))
    assert fit_tail(population_spectrum(from_eigenvalues(white, 120, 30))).alpha is None


@pytest.mark.slow
def test_a_law_of_more_parameters_pays_for_them():
    """A cutoff at infinity is the power law: without a cutoff its parameter costs ln n."""
    more = []
    for seed in range(6):
        tail = fit_tail(population_spectrum(sample_spectrum(draw(power(100), 300, seed))))
        cutoff = next(law for law in tail.others if law.law == "cutoff")
        more.append(cutoff.bic - tail.power_law.bic)
    found = [x for x in more if math.isfinite(x)]  # infinite where no cutoff fits
    assert len(found) >= 2 and np.median(found) > 0 and max(found) <= math.log(100) + 0.1


@pytest.fixture(scope="module")
def rising():
    """A population that grows with the rank before it is cut off."""
    ranks = np.arange(1, 41.0)
    law = np.sort(ranks**0.4 * np.exp(-ranks / 6))[::-1]
    return population_spectrum(from_eigenvalues(expected_eigenvalues(
        Empirical(law), np.inf, 200, np.arange(1, 41)), 200, 40))  # fmt: skip


@pytest.mark.parametrize("law", sorted(LAWS))
def test_a_fit_has_decays_and_the_probability_of_its_chi_squared(rising, law):
    rows = np.arange(len(rising.ranks))
    found, square, _ = _best(rising, rows, law, TOLERANCE**2)
    assert law == "power law" or not math.isfinite(square) or np.all(found[1:] > 0)
    fit = _longest(rising, law)
    inside = np.flatnonzero((rising.ranks >= fit.first) & (rising.ranks <= fit.last))
    if len(inside) > 1:
        square = _best(rising, inside, law, TOLERANCE**2)[1]
        free = max(1, len(inside) - 1 - len(LAWS[law][1]))
        assert fit.probability == pytest.approx(chi2.sf(square, free))
