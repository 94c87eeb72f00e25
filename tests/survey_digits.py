"""Digits of random static and dynamic losses against sums over modes in ball arithmetic.

    python -m tests.survey_digits --static 5000 --dynamics 2000 --seed 0 --to digits.txt

The oracles share nothing with the library but the equations of the papers. Static: κ by bisection
of κR₁R₃ = z and the loss as it stands, in arb with so many bits that what cancels does not matter.
Dynamics: the double contour integral of the chain v⁰ → … → v³ on one large circle, about which
every filter (1 − ηλ)^t, e^(−λt) and that of the heavy ball is entire, by the trapezoidal rule,
with κ by Newton's iteration from z = ∞ and the sums over modes as products of matrices.

A third of the static sets lies beyond the breakdown (min(N, T) ≥ M) or has a tiny ridge. Each set
is one line of the output, with its processor time: wrong, refused, slow or right; asked are 0 of
the first three.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import flint
import mpmath
from flint import acb, acb_mat, arb

from solvable import GradientDescent, GradientFlow, HeavyBall, dynamics, static_loss
from solvable.analytic.errors import PrecisionError
from solvable.analytic.spectrum import Empirical, ExponentialDecay, PowerLaw, Spectrum
from tests.processor_time import Endless, bounded

SECONDS = 30  # of processor time for one set, its oracle included
STATIC_BITS, DYNAMIC_BITS = 900, 500
#: relative error of a float64 loss that counts as wrong
FLOAT = 1e-10


def exact(value: Any) -> arb:
    """A number as a ball of radius 0 where it is binary."""
    if isinstance(value, mpmath.mpf):
        sign, mantissa, exponent, _ = value._mpf_
        return arb(-mantissa if sign else mantissa) * arb(2) ** exponent
    return arb(value)


def rounded(ball: arb, digits: int = 60) -> mpmath.mpf:
    """The middle of a ball, which must hold so many digits."""
    if not ball.rel_accuracy_bits() > 3.33 * digits:
        raise ArithmeticError(f"the oracle holds only {ball}")
    with mpmath.workdps(digits + 10):
        return mpmath.mpf(ball.str(digits + 5, radius=False))


def modes_of(law: Spectrum) -> tuple[list[arb], list[arb]]:
    """Eigenvalues λ_k and target powers λ_k w_k² of the definitions, as balls."""
    if isinstance(law, Empirical):
        return [exact(x) for x in law.values], [exact(x) for x in law.power or law.values]
    ranks = [arb(j) for j in range(1, int(law.size) + 1)]
    if isinstance(law, PowerLaw):
        b, a = exact(law.exponent), exact(law.target_exponent)
        return [j**-b for j in ranks], [j**-a for j in ranks]
    c, a = exact(law.rate), exact(law.target_rate)
    return [(-c * j).exp() for j in ranks], [(-a * j).exp() for j in ranks]


# Static losses


def static_oracle(law: Spectrum, n: float, t: float, z: float, noise: float) -> mpmath.mpf:
    """Excess loss of the static model with ridge z > 0 in the normalisation of a rate."""
    with flint_precision(STATIC_BITS):
        modes, power = modes_of(law)
        n, t, z, noise = map(exact, (n, t, z, noise))

        def total(weights: list[arb], k: arb, q: int) -> arb:
            return sum((w / (x + k) ** q for w, x in zip(weights, modes)), arb(0))

        def excess(k: arb) -> tuple[arb, arb]:  # κR₁R₃ − z and its slope, positive at the root
            d, slope = total(modes, k, 1), -total(modes, k, 2)
            r1, r3 = 1 - d / t, 1 - d / n
            if not (r1 > 0 and r3 > 0):
                return arb(-1), arb(0)
            return k * r1 * r3 - z, r1 * r3 - k * slope * (r3 / t + r1 / n)

        low, high = z, z + 2 * sum(modes, arb(0)) * (1 / n + 1 / t)
        for _ in range(40):
            k = ((low * high).sqrt() if high > 2 * low else (low + high) / 2).mid()
            low, high = (k, high) if excess(k)[0] < 0 else (low, k)
        k = high
        for _ in range(60):  # convex: from the right the iteration descends to the root
            value, slope = excess(k)
            step = value / slope
            k = (k - step).mid()
            if abs(step) < k * arb(2) ** (-STATIC_BITS // 2):
                break
        width = k * arb(2) ** (-STATIC_BITS // 3)
        low, high = (k - width).mid(), (k + width).mid()
        if not (excess(low)[0] < 0 and excess(high)[0] > 0):  # which proves the root
            raise ArithmeticError("the oracle does not converge")
        k = low.union(high)
        d1 = total(modes, k, 1)
        d2 = total([x**2 for x in modes], k, 2)
        r1, r3 = 1 - d1 / t, 1 - d1 / n
        h1, h2 = total(power, k, 1), total(power, k, 2)
        m = r3 / (r3 + (d1 - d2) / n)
        q = r1 + (d1 - d2) * m / t
        return rounded((k**2 * h2 * m + k * h1 * (1 - m) + noise) / q - noise, 40)


def static_set(draw: random.Random) -> dict[str, Any]:
    """Spectrum, sizes, ridge and noise of one set."""
    size = draw.randint(1, 24)
    law = spectrum(draw, size)
    x, y, ridge = draw.uniform(-1, 6), draw.uniform(-1, 6), draw.uniform(-8, 2)
    if draw.random() < 0.34:
        x, y = abs(x), abs(y)
        ridge = draw.uniform(-40, 0)
        if draw.random() < 0.3:
            x = draw.choice([0.0, 1e-12, 1e-6])
    noise = draw.choice([0.0, 0.0, 1e-20, 0.3])
    return {"law": law, "n": size * 10**x, "t": size * 10**y, "z": 10**ridge, "noise": noise,
            "digits": draw.choice([15, 20, 30])}  # fmt: skip


def spectrum(draw: random.Random, size: int) -> Spectrum:
    """A power law, an exponential decay or a list of modes."""
    kind = draw.random()
    if kind < 0.6:
        own = draw.choice([None, draw.uniform(0.2, 4)])
        return PowerLaw(draw.uniform(0.1, 3), size=size, target_exponent=own)
    if kind < 0.75:
        return ExponentialDecay(rate=draw.uniform(0.05, 2), size=size)
    values = sorted((10 ** draw.uniform(-6, 1) for _ in range(size)), reverse=True)
    return Empirical(values, [10 ** draw.uniform(-6, 1) for _ in range(size)])


def check_static(case: dict[str, Any]) -> str:
    """What is wrong with the float64 and the multi-precision loss, or "right"."""
    expected = static_oracle(*(case[key] for key in ("law", "n", "t", "z", "noise")))
    options = {"ridge": case["z"], "noise": case["noise"], "normalisation": "rate"}
    fast = static_loss(case["law"], case["n"], case["t"], **options).excess_loss
    found = static_loss(case["law"], case["n"], case["t"], **options, digits=case["digits"])
    with mpmath.workdps(60):
        if not abs(fast / expected - 1) < FLOAT:
            return f"wrong: float64 {fast!r}, right {mpmath.nstr(expected, 20)}"
        if not abs(found.excess_loss / expected - 1) < mpmath.mpf(10) ** (1 - case["digits"]):
            return f"wrong: {found.excess_loss}, right {mpmath.nstr(expected, 35)}"
    return "right"


# Dynamics


def filters(rule: Any, time: Any, z: list[acb]) -> list[acb]:
    """What is left at a mode of eigenvalue −z after so many steps, or so long."""
    if isinstance(rule, GradientFlow):
        return [(x * exact(time)).exp() for x in z]
    step, momentum = exact(rule.step), exact(getattr(rule, "momentum", 0.0))
    left = []
    for x in z:
        before, now = acb(1), acb(1)
        for _ in range(int(time)):
            before, now = now, now * (1 + step * x + momentum) - momentum * before
        left.append(now)
    return left


def response(modes: list[arb], z: acb, n: arb, t: arb) -> tuple[acb, acb, acb]:
    """(κ, R₁, R₃) of κR₁R₃ = z by Newton's iteration from κ = z, which is right at ∞."""
    k = z
    for _ in range(60):
        d = sum((x / (x + k) for x in modes), acb(0))
        slope = -sum((x / (x + k) ** 2 for x in modes), acb(0))
        r1, r3 = 1 - d / t, 1 - d / n
        change = (k * r1 * r3 - z) / (r1 * r3 - k * slope * (r3 / t + r1 / n))
        k = (k - change).mid()
        if abs(change) < abs(k) * arb(2) ** (-DYNAMIC_BITS + 40):
            return k, r1, r3
    raise ArithmeticError("the oracle does not converge")


def dynamic_oracle(
    law: Spectrum, n: float, t: float, time: float, rule: Any, noise: float
) -> tuple[mpmath.mpf, int]:
    """Excess loss at ``time``, and the number of its nodes."""
    with flint_precision(DYNAMIC_BITS):
        modes, power = modes_of(law)
        n, t, noise = map(exact, (n, t, noise))
        size = arb(len(modes))
        edge = modes[0] * (1 + (size / n).sqrt()) ** 2 * (1 + (size / t).sqrt()) ** 2
        edge = max([modes[0], edge], key=float) * 1.05
        reach = 3 * edge
        terms = 4 + 3 * float(reach) * time if isinstance(rule, GradientFlow) else time
        nodes = 64 + 2 * int(terms / 2)
        turns = [(2 * arb(i) + 1) / nodes for i in range(nodes)]
        unit = [acb(a.cos_pi(), a.sin_pi()) for a in turns]
        z = [reach * u for u in unit]
        found = [response(modes, x, n, t) for x in z]
        weights = [x * q / nodes for x, q in zip(z, filters(rule, time, z))]
        h = acb_mat([[1 / (x + m * r1 * r3) for m in modes] for x, (_, r1, r3) in zip(z, found)])

        def pairs(values: list[arb]) -> acb_mat:
            scaled = acb_mat([[h[i, j] * v for j, v in enumerate(values)] for i in range(nodes)])
            return scaled * h.transpose()

        target, mode, mode2, target2 = (pairs(values) for values in (
            power, modes, [x**2 for x in modes], [p * x for p, x in zip(power, modes)],
        ))  # fmt: skip
        total = acb(0)
        for i in range(nodes // 2):
            for j in range(nodes):
                r1, r3 = found[i][1] * found[j][1], found[i][2] * found[j][2]
                both = z[i] * z[j]
                # C₃ = a + b C₁ and C₀ = c + d C₁, then C₁
                scale = r3 / (1 - r3 * r1 * mode2[i, j] / n)
                a, b = scale * r1 * target2[i, j], scale * both * mode[i, j] / t
                c, d = target[i, j] + mode[i, j] * a / n, mode[i, j] * b / n + r3 * mode2[i, j] / t
                one = r1 * (c + noise / both) / (1 - r1 * d)
                total += weights[i] * weights[j] * (c + d * one)
        return rounded(2 * total.real, 25), nodes


def dynamic_set(draw: random.Random) -> dict[str, Any]:
    """Spectrum, sizes, rule, time and noise of one set."""
    size = draw.randint(1, 16)
    law = spectrum(draw, size)
    n, t = (size * 10 ** draw.uniform(-0.5, 2) for _ in "nt")
    if draw.random() < 0.34:
        n, t = size * draw.uniform(1, 3), size * draw.uniform(1, 3)
    top = float(modes_of(law)[0][0]) * (1 + (size / n) ** 0.5) ** 2 * (1 + (size / t) ** 0.5) ** 2
    step = draw.uniform(0.05, 1.5) / top
    rule: Any = draw.choice([GradientFlow(), GradientDescent(step), HeavyBall(step, 0.5)])
    time = draw.randint(1, 40)
    if isinstance(rule, GradientFlow):
        time = draw.uniform(0.01, 10) / top
    return {"law": law, "n": n, "t": t, "time": time, "rule": rule,
            "noise": draw.choice([0.0, 0.0, 0.2]),
            "digits": draw.choice([None, None, 15])}  # fmt: skip


def check_dynamic(case: dict[str, Any]) -> str:
    """Whether the float64 error covers, or the digits that are asked for are right."""
    expected, _ = dynamic_oracle(*(case[k] for k in ("law", "n", "t", "time", "rule", "noise")))
    found = dynamics(
        case["law"], case["n"], case["t"], case["time"], learner=case["rule"],
        noise=case["noise"], digits=case["digits"],
    )  # fmt: skip
    with mpmath.workdps(40):
        error = abs(found.excess_loss - expected)
        start = case["law"].total_target_power(mp=True)
        if case["digits"] is None:
            covered = error <= found.error_estimate + abs(expected) * 2.0**-52
            small = error <= 1e-9 * start
        else:
            unit = mpmath.mpf(10) ** (1 - case["digits"])
            covered, small = error <= unit * max(abs(expected), unit * start), True
        if not (covered and small):
            return f"wrong: {found.excess_loss} ± {found.error_estimate}, off by " + mpmath.nstr(
                error, 3
            )
    return "right"


# The survey


@contextlib.contextmanager
def flint_precision(bits: int) -> Iterator[None]:
    """So many bits, and those of before afterwards."""
    before, flint.ctx.prec = flint.ctx.prec, bits
    try:
        yield
    finally:
        flint.ctx.prec = before


def outcome(check: Callable[[dict[str, Any]], str], case: dict[str, Any]) -> str:
    """The verdict on one set, within the processor time."""
    try:
        with bounded(SECONDS):
            return check(case)
    except Endless:
        return f"slow: more than {SECONDS} s of processor time"
    except PrecisionError as error:
        return f"refused: {error}"


KINDS = {"static": (static_set, check_static), "dynamics": (dynamic_set, check_dynamic)}


def survey(
    kind: str, number: int, seed: int, write: Callable[[str], Any], first: int = 0
) -> Counter[str]:
    """How many sets are right, wrong, refused, slow."""
    counts: Counter[str] = Counter()
    make, check = KINDS[kind]
    for index in range(first, first + number):
        case = make(random.Random(f"{kind} {seed} {index}"))
        started = time.process_time()
        said = outcome(check, case)
        counts[said.partition(":")[0]] += 1
        write(f"{kind} {seed} {index} {time.process_time() - started:.2f} s {said}"
              + ("" if said == "right" else f" {case}"))  # fmt: skip
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--static", type=int, default=0)
    parser.add_argument("--dynamics", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="set to begin with")
    parser.add_argument("--to", required=True, help="file of one line for each set")
    chosen = parser.parse_args()
    good = True
    with open(chosen.to, "a", encoding="utf-8", buffering=1) as file:
        for kind in KINDS:
            number = getattr(chosen, kind)
            counts = survey(
                kind, number, chosen.seed, lambda line: file.write(line + "\n"), chosen.first
            )
            good &= counts["right"] == number
            print(f"{kind}: {dict(counts)} of {number}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.2f} GiB")
    return int(not (good and peak < 1))


if __name__ == "__main__":
    sys.exit(main())
