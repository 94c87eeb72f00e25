"""Derivation time against the size of the pencil; proofs; numerical solution."""

import time

import numpy as np
import pytest

from solvable.analytic.free_probability import derive, parse_declarations
from solvable.analytic.free_probability.models import EXPRESSIONS, expression
from solvable.analytic.spectrum import PowerLaw

pytestmark = pytest.mark.slow


def product(count):
    """The resolvent of a product of ``count`` Gaussian factors around Λ: 2·count blocks."""
    shapes = ["M", *(f"N_{i}" for i in range(count))]
    gaussian = [f"X{i}:{b},{a}:1/{b}" for i, (a, b) in enumerate(zip(shapes, shapes[1:]))]
    factors = [f"X{i}" for i in range(count)]
    text = "*".join([f"{x}.T" for x in factors] + factors[::-1])
    model = parse_declarations(gaussian, deterministic=["L:M"])
    return f"tr(inv(sqrt(L)*{text}*sqrt(L) + z*I))", model


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_growth_with_the_pencil(benchmark, count):
    equations = benchmark.pedantic(derive, product(count), rounds=3, iterations=1)
    benchmark.extra_info["pencil"] = equations.pencil.size
    benchmark.extra_info["unknowns_before"] = len(equations.system.equations)
    assert equations.pencil.size == 2 * count


def test_exponent_of_the_growth(capsys):
    counts, seconds, sizes = (1, 2, 4, 6), [], []
    for count in counts:
        start = time.process_time()
        sizes.append(derive(*product(count)).pencil.size)
        seconds.append(time.process_time() - start)
    slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    with capsys.disabled():
        pairs = ", ".join(f"{n} blocks {s:.2f} s" for n, s in zip(sizes, seconds))
        print(f"\nderivation time ∝ blocks^{slope:.1f}: {pairs}")


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_derivation(benchmark, name):
    e = EXPRESSIONS[name]
    equations = benchmark.pedantic(lambda: derive(e.text, e.declarations()), rounds=1, iterations=1)
    benchmark.extra_info["pencil"] = equations.pencil.size


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_planar_proof(benchmark, name):
    e = EXPRESSIONS[name]
    equations = derive(e.text, e.declarations())
    proof = benchmark.pedantic(equations.prove_planar, (4,), rounds=1, iterations=1)
    assert proof.holds


def test_density_of_a_thousand_modes(benchmark):
    lam = PowerLaw(alpha=0.5, size=1000).eigenvalues()
    equations = expression("random-feature-resolvent").derive()
    x = np.geomspace(1e-4, 2, 200)
    density = benchmark.pedantic(
        equations.density, (x, {"N": 300, "T": 700}, {"L": lam}), rounds=1, iterations=1
    )
    assert np.all(np.isfinite(density))
