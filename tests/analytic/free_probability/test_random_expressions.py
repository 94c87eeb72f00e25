"""Expressions put together at random: the pencil realises them, the pairings prove them."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest import mark

from solvable.analytic.free_probability import derive, parse_declarations

TERMS = [
    "X*X.T",
    "sqrt(L)*X*X.T*sqrt(L)",
    "X*C*X.T",
    "W",
    "L",
    "L*L",
    "S*S.T",
    "S + S.T",
    "Y.T*Y",
    "sqrt(L)*Y.T*Y*sqrt(L)",
    "(X + sqrt(L)*X)*(X + sqrt(L)*X).T",
    "X*Y2*Y2.T*X.T",
    "(A + X)*(A + X).T",
    "X*inv(z*I + X.T*X)*X.T",
    "Y.T*inv(z*I + Y*L*Y.T)*Y",
    "L*W*L",
]
OUTSIDE = ["I", "L", "G", "sqrt(L)", "X*X.T", "W"]
DECLARATIONS = {
    "gaussian": ["X:M,T:1/T", "Y:N,M:1/N", "S:M,M:1/M", "Y2:T,K:1/K"],
    "symmetric": ["W:M:s/M"],
    "deterministic": ["L:M", "G:M", "C:T", "A:M,T"],
}


def consistent(terms):
    """A has its own singular vectors, so it is not added to functions of Λ."""
    return not any("A" in t for t in terms) or not any("L" in t for t in terms)


inner = st.lists(st.sampled_from(TERMS), min_size=1, max_size=2, unique=True).filter(consistent)
outer = st.sampled_from(OUTSIDE)


def check(terms, left, right, frequencies):
    plain = " + ".join(terms)
    mixing = any("A" in t for t in terms)
    left, right = ("I" if mixing and f in ("L", "G", "sqrt(L)") else f for f in (left, right))
    text = f"tr({left}*inv(z*I + {plain})"
    if frequencies == 2:
        text += f"*{right}*inv(w*I + {plain})"
    elif right != "I":
        text += f"*{right}"
    equations = derive(text + ")", parse_declarations(**DECLARATIONS))
    assert equations.pencil.check() < 1e-8, text
    proof = equations.prove_planar(3)
    assert proof.holds, (text, proof.first_failure)
    wrong = equations.with_value(equations.value * (1 + 1 / equations.spectral[0] ** 2))
    assert equations.value == 0 or not wrong.prove_planar(3).holds, text


@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(inner, outer, outer, st.just(1))
def test_one_resolvent(terms, left, right, frequencies):
    check(terms, left, right, frequencies)


LIGHT = [t for t in TERMS if "inv" not in t and "+" not in t and "A" not in t]


@mark.slow
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(inner, outer, outer)
def test_more_resolvents(terms, left, right):
    check(terms, left, right, 1)


@mark.slow
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(LIGHT), outer, outer)
def test_two_resolvents(term, left, right):
    check([term], left, right, 2)
