"""Worked examples on data that packages ship: digits, photographs, words of a manual."""

import re
from collections import Counter
from pydoc_data.topics import topics

import numpy as np
import pytest

from solvable.analytic.data import fit_tail, population_spectrum, sample_spectrum
from solvable.analytic.features.maps import map_spectrum


def test_relu_features_of_digits_follow_the_kernel_and_not_the_linear_equivalent():
    digits = pytest.importorskip("sklearn.datasets").load_digits().data
    assert sample_spectrum(digits).inputs == 61  # three pixels never vary
    found = map_spectrum(digits[::6] - digits.mean(axis=0), "relu", 900)
    assert len(found.linear) <= 61 < len(found.features)
    assert found.kernel_error < 0.15 < 0.4 < found.equivalent_error


@pytest.mark.slow
def test_patches_of_a_photograph_have_decaying_spectra_that_samples_agree_on():
    datasets = pytest.importorskip("sklearn.datasets")
    pytest.importorskip("PIL")
    image = datasets.load_sample_image("china.jpg").mean(axis=2)
    rng = np.random.default_rng(0)
    corners = rng.integers(0, (image.shape[0] - 8, image.shape[1] - 8), size=(1200, 2))
    patches = np.array([image[i : i + 8, j : j + 8].ravel() for i, j in corners])
    halves = [population_spectrum(sample_spectrum(patches[k::2])) for k in (0, 1)]
    ranks = np.array([1.0, 4.0, 16.0, 40.0])
    one, other = (np.log(half.eigenvalue(ranks)) for half in halves)
    assert np.all(np.abs(one - other) < 0.5) and one[0] - one[-1] > 4


@pytest.mark.slow
def test_words_of_a_manual_have_a_spectrum_that_is_no_power_law_and_frequencies_that_are():
    """Paragraphs of Python's own manual: Zipf's law of words, log-normal modes of their counts."""
    paragraphs = [re.findall(r"[a-z]+", part.lower())
                  for name in sorted(topics) for part in topics[name].split("\n\n")]  # fmt: skip
    paragraphs = [words for words in paragraphs if len(words) >= 10]
    frequencies = Counter(word for words in paragraphs for word in words).most_common(1000)
    counts = np.array([count for _, count in frequencies], float)
    zipf = np.polyfit(np.log(np.arange(10, len(counts) + 1)), np.log(counts[9:]), 1)[0]
    assert -1.3 < zipf < -0.9
    common = [word for word, _ in frequencies[:80]]
    table = np.array([[words.count(word) / len(words) ** 0.5 for word in common]
                      for words in paragraphs])  # fmt: skip
    tail = fit_tail(population_spectrum(sample_spectrum(table)))
    assert tail.alpha is None and "log-normal" in tail.reason
    halves = [population_spectrum(sample_spectrum(table[k::2])) for k in (0, 1)]
    ranks = np.array([1.0, 4.0, 16.0, 60.0])
    one, other = (np.log(half.eigenvalue(ranks)) for half in halves)
    assert np.all(np.abs(one - other) < 0.3) and one[0] - one[-1] > 3
