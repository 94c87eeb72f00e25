import pytest

from solvable.analytic.free_probability.models import EXPRESSIONS

SMALL = [
    "marchenko-pastur",
    "sample-covariance",
    "semicircle",
    "deformed-wigner",
    "wishart-plus-wigner",
    "information-plus-noise",
    "separable-covariance",
    "random-feature-resolvent",
    "ridge-bias",
    "ridge-bias-shift",
    "ridge-variance-shift",
    "nonlinear-features",
]


@pytest.fixture(params=SMALL)
def small(request):
    return EXPRESSIONS[request.param]
