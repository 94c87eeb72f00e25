"""The blocks of modes in which the norm of learned features is summed."""

import numpy as np
import pytest

from solvable.derivations.relatives.dynamical_relatives import _blocks, _norm


def test_blocks_count_every_mode_once():
    index, count = _blocks(100, 1e6, 300)
    assert count.sum() == pytest.approx(1e6, rel=1e-5)
    assert np.all(np.diff(index) > 0)


def test_blocked_norm_agrees_with_the_direct_sum():
    modes = np.arange(1, 2e6)
    direct = (modes**-0.25 * np.expm1(-50 * modes**-1.25) ** 2).sum()
    tail = 2500 * (2e6) ** (1 - 2.75) / 1.75  # Σ k^{-0.25} (50 k^{-1.25})² beyond
    assert _norm(np.array([50.0]), (1.5, 1.25))[0] == pytest.approx(direct + tail, rel=1e-4)
