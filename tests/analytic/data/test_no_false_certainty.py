"""Data without a power law, or whose rows are no independent samples that are alike, get no α."""

import numpy as np
import pytest

from solvable.analytic.data import fit_tail, population_spectrum, sample_spectrum
from solvable.analytic.data.dimension import dimension
from solvable.analytic.data.held_out import disagreement, held_out
from solvable.analytic.data.sample_spectrum import from_eigenvalues
from solvable.analytic.errors import InputError, PrecisionError

RNG = np.random.default_rng
LAW = np.arange(1, 41) ** -0.75


def law(rows, seed=0):
    return RNG(seed).normal(size=(rows, 40)) * LAW


def verdict(data):
    return fit_tail(population_spectrum(sample_spectrum(data)))


@pytest.mark.parametrize("draw", [
    lambda rng, size: rng.normal(size=size),
    lambda rng, size: rng.integers(0, 256, size).astype(np.uint8),
    lambda rng, size: rng.integers(0, 2, size).astype(bool),
    lambda rng, size: rng.standard_t(4, size),
])  # fmt: skip
def test_white_data_have_no_exponent(draw):
    assert verdict(draw(RNG(0), (90, 40))).alpha is None


@pytest.mark.parametrize(("said", "spoiled"), [
    ("one row", lambda x: x * np.where(np.arange(len(x)) == 7, 100, 1)[:, None]),
    ("held out|one row", lambda x: x * np.exp(RNG(5).normal(size=(len(x), 1)))),
    ("consecutive", lambda x: np.cumsum(x, axis=0)),
])  # fmt: skip
def test_rows_that_are_not_alike_or_not_independent_are_seen(said, spoiled):
    data = law(180)
    assert population_spectrum(sample_spectrum(data)).contradiction is None
    against = population_spectrum(sample_spectrum(spoiled(data))).contradiction
    assert against and any(word in against for word in said.split("|"))


def test_held_out_variance_tells_another_population():
    rows = law(400)
    found, none = held_out(rows), np.zeros(40)
    assert disagreement(found, LAW**2, none) is None
    assert disagreement(found, LAW**2 * np.r_[6, np.ones(39)], none) is not None
    assert disagreement(found, 1.8 * LAW**2, none) is not None


def test_rows_that_agree_by_chance_are_no_copies():
    sparse = (RNG(1).random((300, 40)) < 0.03).astype(float)
    found = sample_spectrum(sparse)
    assert found.samples == 299 and "equal to others" in found.notes[0]
    classes = sample_spectrum(np.eye(10)[RNG(2).integers(0, 10, 200)])
    assert classes.samples == 199
    copies = sample_spectrum(np.repeat(law(50), 4, axis=0))
    assert copies.samples == pytest.approx(49) and "copies" in copies.notes[0]


@pytest.mark.parametrize("scale", [1e-20, 3.0, 1e20])
def test_units_change_nothing(scale):
    one, other = (sample_spectrum(x) for x in (law(100), scale * law(100)))
    assert np.allclose(other.eigenvalues / scale**2, one.eigenvalues, rtol=1e-9, atol=0)
    assert verdict(scale * law(100)).alpha.value == pytest.approx(verdict(law(100)).alpha.value,
                                                                  abs=1e-4)  # fmt: skip


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e200])
def test_squares_beyond_the_range_of_floats_are_refused(scale):
    for shape in ((60, 40), (20, 40)):
        with pytest.raises(InputError, match="change the unit"):
            sample_spectrum(RNG(0).normal(size=shape) * scale)


def test_samples_cannot_have_more_eigenvalues_than_there_are():
    values = np.arange(1, 41) ** -1.5
    with pytest.raises(InputError, match="at least 40"):
        from_eigenvalues(values, samples=20)
    with pytest.raises(PrecisionError, match="rounding"):
        fit_tail(population_spectrum(from_eigenvalues(values, samples=1e9)))


def test_copies_side_by_side_are_no_serial_correlation():
    once = sample_spectrum(law(60))
    copies = sample_spectrum(np.repeat(law(60), 3, axis=0))
    assert copies.doubt is None and copies.samples == pytest.approx(once.samples)
    np.testing.assert_allclose(copies.eigenvalues, once.eigenvalues, rtol=1e-6)
    uneven = sample_spectrum(np.concatenate([law(60), np.repeat(law(60)[:2], 30, axis=0)]))
    assert uneven.samples < 30 and len(uneven.eigenvalues) == 40


@pytest.mark.parametrize("spoiled", [
    lambda x: x[:, :1], lambda x: np.linspace(0, 1, len(x))[:, None], lambda x: 1e200 * x,
    lambda x: 1e-200 * x,
])  # fmt: skip
def test_spectrum_and_dimension_refuse_the_same_data(spoiled):
    for found in (sample_spectrum, dimension):
        with pytest.raises(InputError, match=r"columns that vary|change the unit"):
            found(spoiled(law(60)))
