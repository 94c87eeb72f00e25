"""The explorer of the page in a browser: its numbers are the library's, its redraws small."""

import json
import math
import random
from fractions import Fraction

import mpmath
import pytest

from solvable.analytic.loss import static_loss
from solvable.analytic.spectrum import PowerLaw
from solvable.analytic.training.dynamics import dynamics
from solvable.derivations.book.pages import asset, environment
from solvable.validation.report import page_css
from tests.derivations.book.browser import Browser, in_browser

pytestmark = in_browser
LOSSES = [  # b, a, N, T, M, ridge, noise
    (1.5, 1.5, 1e12, 4e12, math.inf, 0, 0), (1.5, 1.5, 1e12, 4e12, math.inf, 1000, 0.1),
    (1.5, 2.5, 4e12, 1e12, math.inf, 0, 0.01), (1.25, 1.5, 1e12, 1e12, math.inf, 1, 0.5),
    (2, 1.5, 1e12, 1.5e12, 1e15, 100, 0), (2, 4, 1e6, 3e7, math.inf, 0, 0),
    (1.5, 1.5, 300, 100, 2000, 0.25, 0.125), (3, 3, 50, 60, 20, 0.5, 0.25),
    (1.5, 1.5, 30, 60, 25, 0, 0.25),
    # all modes learnt up to a ridge: what is left is a difference of nearly equal numbers
    (2.125, 2.75, 4.5e6, 1e5, 57, 2.0**-18, 0), (1.5, 2.5, 1e12, 1e12, 57, 0.25, 0.125),
]  # fmt: skip
TIMES = [(10, 1.25, 1.5, math.inf), (1e6, 1.25, 1.5, math.inf), (1e3, 1.5, 2, 1e4)]
LATE = [(3e4, 2.125, 3.25, 81), (5e5, 1.25, 1.75, 3083), (1e9, 1.125, 3, 200), (2e6, 1.5, 2, 900)]


def exact(x):
    return x if x == math.inf else Fraction(x)


def law(b, a, modes):
    size = math.inf if modes == math.inf else int(modes)
    return PowerLaw(exponent=Fraction(b), target_exponent=Fraction(a), size=size)


def settings(seed, count):
    """As the sliders give them, a third at N = 10^12 and a third near N = T."""
    rng = random.Random(seed)
    for _ in range(count):
        n, t = (10 ** rng.uniform(0.5, 12) for _ in range(2))
        n = 1e12 if rng.random() < 1 / 3 else n
        t = n * 10 ** rng.uniform(-0.5, 0.5) if rng.random() < 1 / 3 else t
        yield (
            1 + round(rng.uniform(0.1, 2), 2), round(rng.uniform(1.05, 4), 2), n, t,
            math.inf if rng.random() < 0.5 else round(10 ** rng.uniform(1, 15)),
            0 if rng.random() < 0.4 else 10 ** rng.uniform(-8, 6),
            0 if rng.random() < 0.4 else 10 ** rng.uniform(-8, 1),
        )  # fmt: skip


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A page with the explorer alone."""

    class Show:
        inline = staticmethod(str)

    body = environment().get_template("explorer.html.jinja").render(show=Show())
    target = tmp_path_factory.mktemp("explorer") / "desk.html"
    target.write_text(
        f"<!doctype html><html><head><style>{page_css()}</style></head>"
        f"<body>{body}<script>{asset('explorer.js')}</script></body></html>"
    )
    browser = Browser()
    browser.open(target)
    yield browser
    assert not browser.faults()
    browser.close()


def called(desk, name, rows):
    """A function of the explorer, of rows of arguments."""
    given = json.dumps(rows).replace("Infinity", "1e999")
    named = "([b, a, N, T, M, ridge, noise]) => ({b, a, N, T, M, ridge, noise})"
    return desk.run(f"const rows = {given}, named = {named}; return rows.map({name});")


LOSS = "(row) => solvable.loss(named(row))"
QUICK = "(row) => { const p = named(row); return solvable.quick(solvable.tabulate(p.b, p.a, p.M), p, p.N, p.T); }"  # noqa: E501


def worst_of_losses(desk, rows):
    for row, found in zip(rows, called(desk, LOSS, rows)):
        b, a, n, t, m, ridge, noise = row
        given = {"ridge": exact(ridge), "noise": exact(noise)}
        right = static_loss(law(b, a, m), exact(n), exact(t), **given, digits=20).excess_loss
        yield abs(found / float(right) - 1) if right else abs(found), row


def test_the_explorer_has_the_numbers_of_the_library(desk):
    assert max(worst_of_losses(desk, LOSSES)) < (1e-10,)
    found = called(desk, "([t, b, a, M]) => solvable.timeLoss(t, b, a, M)", TIMES)
    for (t, b, a, m), one in zip(TIMES, found):
        right = dynamics(law(b, a, m), math.inf, math.inf, [Fraction(t)], digits=16).excess_loss[0]
        assert abs(one / float(right) - 1) < 1e-10, (t, b, a, m)


def test_late_losses_of_few_modes_decay(desk):
    found = called(desk, "([t, b, a, M]) => solvable.timeLoss(t, b, a, M)", LATE)
    for (t, b, a, m), one in zip(LATE, found):
        modes = range(1, m + 1)
        with mpmath.workdps(40):
            right = mpmath.fsum(mpmath.mpf(j) ** -a * mpmath.exp(-2 * t * mpmath.mpf(j) ** -b)
                                for j in modes)  # fmt: skip
            error = abs(one - right) / right if right > 1e-300 else abs(one)
        assert error < 1e-10, (t, b, a, m, error)


@pytest.mark.slow
def test_the_explorer_has_the_numbers_of_the_library_at_random_settings(desk):
    assert max(worst_of_losses(desk, list(settings(20260117, 60)))) < (1e-10,)


def test_curves_go_through_what_is_read_off(desk):
    """The table that curves are drawn from is wrong by less than a line is wide."""
    rows = list(settings(20260118, 400))
    for row, quick, right in zip(rows, called(desk, QUICK, rows), called(desk, LOSS, rows)):
        assert quick == right or abs(math.log(quick / right)) < 0.06, (row, quick, right)


@pytest.mark.slow
def test_regimes_are_those_of_their_losses(desk):
    """The map by its definition, from losses that are solved for one by one."""
    script = """
    const sizes = Array.from({length: 13}, (_, i) => 10 ** (0.3 + i / 2)), wrong = [];
    let cells = 0;
    for (const given of rows) {
      const p = named(given), found = solvable.regimes(p, solvable.tabulate(p.b, p.a, p.M), sizes);
      sizes.forEach((N, i) => sizes.forEach((T, j) => {
        const loss = (more) => solvable.loss({...p, N, T, ...more}), signal = loss({noise: 0});
        const bare = loss({noise: 0, ridge: 0}), learnt = Math.min(N, T) >= p.M;
        const alone = loss({noise: 0, ridge: 0, [N <= T ? "T" : "N"]: Infinity});
        const near = (x, y) => Math.abs(Math.log(x / y)) < 0.15; // either side of a boundary
        const total = loss({});
        if (near(total, 2 * signal) || near(signal, 2 * bare) || near(signal, 2 * alone)) return;
        const right = p.noise > 0 && total > 2 * signal ? 3 : learnt ? (p.ridge > 0 ? 4 : 5)
          : signal > 2 * bare ? 4 : signal > 2 * alone ? 2 : N <= T ? 0 : 1;
        cells += 1;
        if (found[i][j] !== right) wrong.push([given, N, T, found[i][j], right]);
      }));
    }
    return [cells, wrong];"""
    rows = json.dumps(list(settings(20260119, 20))).replace("Infinity", "1e999")
    named = "([b, a, N, T, M, ridge, noise]) => ({b, a, N, T, M, ridge, noise})"
    cells, wrong = desk.run(f"const rows = {rows}, named = {named}; {script}")
    assert cells > 2500 and not wrong, wrong[:3]


COUNTED = """
const counts = {mathematics: 0, strokes: 0, looks: 0};
const count = (owner, name, kind) => {
  const own = owner[name];
  owner[name] = function (...given) { counts[kind] += 1; return own.apply(this, given); };
};
for (const name of ["exp", "expm1", "log", "log10", "sqrt"]) count(Math, name, "mathematics");
for (const name of ["lineTo", "moveTo", "fillRect", "fillText", "stroke", "arc"])
  count(CanvasRenderingContext2D.prototype, name, "strokes");
count(window, "getComputedStyle", "looks");
const width = Object.getOwnPropertyDescriptor(Element.prototype, "clientWidth");
Object.defineProperty(Element.prototype, "clientWidth", {
  get() { counts.looks += 1; return width.get.call(this); }});
const sliders = [...document.querySelectorAll("#desk input")], seen = [];
let state = 20260120;
const random = () => (state = state * 48271 % 2147483647) / 2147483647;
for (let k = 0; k < 200; k++) {
  const moved = k % 2 ? sliders : [sliders[(k / 2) % sliders.length]];
  for (const one of moved) one.value = Number(one.min) + random() * (one.max - one.min);
  for (const kind in counts) counts[kind] = 0;
  moved[0].dispatchEvent(new Event("input"));
  seen.push({...counts});
}
return Object.keys(counts).map((kind) => Math.max(...seen.map((one) => one[kind])));
"""


@pytest.mark.slow
def test_a_redraw_is_a_bounded_amount_of_work(desk):
    """What 16 ms are spent on, at 200 random settings: functions, strokes, looks at the page."""
    mathematics, strokes, looks = desk.run(COUNTED)
    assert mathematics < 160_000 and strokes < 2500, (mathematics, strokes)
    assert looks <= 1, "the page is laid out in the middle of a redraw"


def test_what_is_read_off_follows_the_sliders(desk):
    script = """const seen = [document.getElementById("readout").textContent];
    for (const id of ["s-N", "s-T", "s-M", "s-ridge", "s-noise", "s-alpha", "s-a", "s-time"]) {
      const input = document.getElementById(id);
      input.value = (Number(input.min) + Number(input.max)) / 2 + 0.3;
      input.dispatchEvent(new Event("input"));
      seen.push(document.getElementById("readout").textContent);
    }
    return seen;"""
    seen = desk.run(script)
    assert len(set(seen)) == len(seen), seen
