"""One-pass SGD, two-point equivalents and feature learning: checks pass and reject."""

import numpy as np
import pytest

from solvable.derivations import catalogue
from solvable.derivations.relatives.dynamical_relatives import _blocks, _norm


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sgd-phases", "two-point-equivalents", "feature-learning"])
def test_every_step_passes_and_rejects_its_wrong_variants(name):
    for step, verdict in catalogue.load(name).verify():
        assert verdict.passed, f"{step.name}: {verdict.message}"
        assert step.wrong, f"{step.name} has no wrong variant"
        for claim in step.wrong:
            wrong = step.with_claim(claim).verify()
            assert wrong.outcome == "fail", f"{step.name} accepts {claim}: {wrong.message}"


def test_blocks_count_every_mode_once():
    index, count = _blocks(100, 1e6, 300)
    assert count.sum() == pytest.approx(1e6, rel=1e-5)
    assert np.all(np.diff(index) > 0)


def test_blocked_norm_agrees_with_the_direct_sum():
    modes = np.arange(1, 2e6)
    direct = (modes**-0.25 * np.expm1(-50 * modes**-1.25) ** 2).sum()
    tail = 2500 * (2e6) ** (1 - 2.75) / 1.75  # Σ k^{-0.25} (50 k^{-1.25})² beyond
    assert _norm(np.array([50.0]), (1.5, 1.25))[0] == pytest.approx(direct + tail, rel=1e-4)
