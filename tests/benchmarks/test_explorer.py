"""A redraw of the explorer in a browser: processor time of the thread that draws."""

import random
import statistics

import pytest

from tests.derivations.book.browser import in_browser
from tests.derivations.book.test_explorer import desk  # noqa: F401

pytestmark = [pytest.mark.slow, in_browser]
SETTINGS = 200
FRAME = "await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));"
YARDSTICK = """let sum = 0;
for (let k = 0; k < 1e5; k++) sum += Math.exp(-k / 1e5);
return sum;"""


def milliseconds(desk, code):  # noqa: F811
    before = desk.processor_time()
    found = desk.run(code)
    return 1e3 * (desk.processor_time() - before), found


def test_redraws(desk, benchmark, capsys):  # noqa: F811
    limits = desk.run("""return [...document.querySelectorAll("#desk input")].map((one) =>
        [one.id, Number(one.min), Number(one.max)]);""")
    rng, redraws, frames, clock, unit = random.Random(20260121), [], [], [], []
    for k in range(SETTINGS):
        moved = limits if k % 2 else [limits[k // 2 % len(limits)]]
        code = "".join(f"document.getElementById('{name}').value = {rng.uniform(low, high)};"
                       for name, low, high in moved)  # fmt: skip
        code += f"document.getElementById('{moved[0][0]}').dispatchEvent(new Event('input'));"
        code += "return Number(document.getElementById('desk').dataset.milliseconds);"
        desk.run(FRAME)
        drawn, seen = milliseconds(desk, code)
        redraws.append(drawn)
        clock.append(seen)
        frames.append(drawn + milliseconds(desk, FRAME)[0])  # layout and paint
        unit.append(milliseconds(desk, YARDSTICK)[0])
    one = statistics.median(unit)
    benchmark.extra_info["ratio"] = statistics.median(redraws) / one
    benchmark.pedantic(desk.run, (code,), rounds=3)
    with capsys.disabled():
        print()
        for name, values in (
            ("redraw", redraws),
            ("with layout and paint", frames),
            ("by the clock", clock),
        ):
            values.sort()
            print(f"{name}: median {statistics.median(values):.1f} ms, 95 % {values[-10]:.1f} ms, "
                  f"worst {values[-1]:.1f} ms; median of {statistics.median(values) / one:.1f} "
                  "times 10^5 exponentials")  # fmt: skip
