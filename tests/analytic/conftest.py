"""The spectra over which every property of the theory is tested."""

from fractions import Fraction

import numpy as np
import pytest

from solvable.analytic.spectrum import CutoffPowerLaw, Empirical, Flat, PowerLaw

_values = np.sort(np.random.default_rng(11).gamma(0.5, size=40))[::-1]

FINITE = {
    "power law": PowerLaw(0.5, size=300),
    "power law, own target": PowerLaw(Fraction(1, 4), size=200, target_exponent=Fraction(3, 2)),
    "power law, b < 1": PowerLaw(exponent=0.75, size=150, scale=2.5, target_variance=0.5),
    "flat": Flat(60, scale=0.75, target_variance=2),
    "cutoff": CutoffPowerLaw(1, 20, 80, target_exponent=1.5),
    "empirical": Empirical(_values, target_power=_values**2 * 3),
    "empirical, isotropic": Empirical([1, 0.5, 0.5, 0.125, 0.01, 0.01, 0], target_variance=4),
}
INFINITE = {
    "infinite power law": PowerLaw(0.5),
    "infinite power law, steep": PowerLaw(2, scale=0.5),
    "infinite power law, own target": PowerLaw(exponent=1.25, target_exponent=2.75, scale=3),
    "infinite power law, coinciding poles": PowerLaw(exponent=1.2, target_exponent=3.4),
}
SPECTRA = {**FINITE, **INFINITE}


@pytest.fixture(params=SPECTRA.values(), ids=SPECTRA, scope="session")
def spectrum(request):
    return request.param


@pytest.fixture(params=FINITE.values(), ids=FINITE, scope="session")
def finite_spectrum(request):
    return request.param


@pytest.fixture(params=INFINITE.values(), ids=INFINITE, scope="session")
def infinite_spectrum(request):
    return request.param
