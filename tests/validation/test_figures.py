import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest

from solvable.validation.experiments import load, names
from solvable.validation.experiments.evaluate import evaluate
from solvable.validation.experiments.experiment import Curve, Guide
from solvable.validation.figure_style import COLUMN, PAGE
from solvable.validation.figures import COLOURS, MARKERS, STYLES, caption, draw, save
from solvable.validation.sweep import SweepResult, sweep
from tests.validation import synthetic_experiments as synthetic

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def evidence():
    return evaluate(synthetic.EXPERIMENTS["synthetic-true"], sweep)


def assert_nothing_is_clipped_or_covered(figure):
    """All that is drawn is inside the picture; title, labels and caption do not overlap."""
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    width, height = figure.get_size_inches()
    drawn = figure.get_tightbbox(renderer)
    assert drawn.x0 >= 0 and drawn.y0 >= 0, f"clipped at the left or below: {drawn}"
    assert drawn.x1 <= width and drawn.y1 <= height, f"clipped at the right or above: {drawn}"
    parts = [
        part for axes in figure.axes for part in (axes.xaxis.label, axes.yaxis.label, axes.title)
    ]
    parts += [*figure.texts, *figure.legends]
    boxes = [part.get_window_extent(renderer) for part in parts]
    boxes = [box for box in boxes if box.width > 0 and box.height > 0]
    for i, first in enumerate(boxes):
        for second in boxes[i + 1 :]:
            assert not first.overlaps(second), "two texts overlap"


def test_picture_caption_and_data_are_written(evidence, tmp_path):
    written = save(evidence, tmp_path / "new" / "folder")
    assert [path.suffix for path in written] == [".pdf", ".svg", ".png", ".tex", ".csv"]
    pdf, svg, png, caption_file, table = written
    assert png.read_bytes().startswith(b"\x89PNG") and png.name == "synthetic-true.png"
    assert pdf.read_bytes().startswith(b"%PDF")
    text = caption_file.read_text()
    assert "Verdict: pass." in text and "40 repetitions" in text and "<script>" not in text
    assert "Verdict" not in svg.read_text(), "the caption is no part of the picture"
    rows = table.read_text().splitlines()
    assert rows[0].startswith("series,kind,x") and len(rows) > 8
    assert "<script>" not in svg.read_text()


def test_the_same_evidence_gives_the_same_bytes(evidence, tmp_path):
    first, second = (save(evidence, tmp_path / name) for name in "ab")
    assert [a.read_bytes() for a in first] == [b.read_bytes() for b in second]


def test_the_caption_states_claim_parameters_seeds_verdict_and_source(evidence):
    text = " ".join(caption(evidence).split())
    experiment = evidence.experiment
    for part in (experiment.claim, experiment.source, evidence.parameters, evidence.message,
                 "40 repetitions", "root seed 0", "2 standard errors"):  # fmt: skip
        assert " ".join(part.split()) in text


def test_nothing_is_clipped_or_covered(evidence):
    assert_nothing_is_clipped_or_covered(draw(evidence))


def test_a_failed_experiment_is_drawn_too(tmp_path):
    for name in ("synthetic-wrong", "synthetic-broken", "synthetic-vague"):
        found = evaluate(synthetic.EXPERIMENTS[name], sweep)
        assert found.outcome in caption(found)
        assert_nothing_is_clipped_or_covered(draw(found))


def test_error_bars_are_two_standard_errors(evidence):
    figure = draw(evidence)
    bars = [c for c in figure.axes[0].containers if len(c.lines[0].get_xdata()) == 4]
    point = evidence.series[1].points[0]
    segment = bars[1].lines[2][0].get_segments()[0]
    assert segment[1][1] - segment[0][1] == pytest.approx(4 * point.simulated.error)


def test_series_differ_in_colour_marker_and_style_and_colours_in_lightness():
    assert len(set(COLOURS)) == len(COLOURS) == len(MARKERS) == len(STYLES)
    assert len(set(MARKERS)) == len(MARKERS) and len(set(map(str, STYLES))) == len(STYLES)
    for simulate in (None, PROTANOPIA, DEUTERANOPIA):
        seen = np.array([_seen(colour, simulate) for colour in COLOURS[:6]])
        gaps = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[i + 1 :]]
        assert min(gaps) > 0.1, f"two colours look alike ({min(gaps):.3f})"


# Viénot, Brettel & Mollon: linear RGB as seen without the long- or the medium-wave cones
PROTANOPIA = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
DEUTERANOPIA = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])


def _seen(colour, matrix):
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return rgb if matrix is None else np.clip(matrix @ rgb**2.2, 0, 1) ** (1 / 2.2)


def as_predicted(function, cells, seeds):
    """A sweep that simulates nothing: every observable is missing."""
    return SweepResult([[None] * k for k in seeds], (), 0, 0, 0.0)


@pytest.mark.parametrize(
    "name", [x for x in names() if not load(x).build.__module__.endswith("spectra")]
)
def test_no_colour_means_two_things(name, monkeypatch):
    """No legend has more names than there are colours; the numbers do not matter."""
    ones = SimpleNamespace(excess_loss=np.ones(99), train_loss=np.ones(99))
    monkeypatch.setattr("solvable.validation.theory.dynamics", lambda *sizes, **options: ones)
    experiment = load(name)
    shown = [curve for curve in experiment.plan(experiment.thorough).curves if curve.shown]
    listed = {curve.label.removeprefix(f"{curve.panel}, ") for curve in shown}
    assert len(listed) <= len(COLOURS)
    assert len({(curve.panel, curve.label) for curve in shown}) == len(shown)


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_the_layout_of_every_experiment(name):
    """Theory, labels and captions as they are; points at the predicted values."""
    experiment = load(name)
    plan = experiment.plan(experiment.quick)
    quiet = dataclasses.replace(
        experiment,
        build=lambda p: (x for x in experiment.build(p) if isinstance(x, (Curve, Guide))),
    )
    found = evaluate(quiet, as_predicted)
    series = tuple(
        dataclasses.replace(s, points=tuple(
            dataclasses.replace(p, simulated=dataclasses.replace(
                p.simulated, mean=q.theory if math.isfinite(q.theory) else math.nan,
                error=0.01 * abs(q.theory),
            )) for p, q in zip(s.points, t.marks)
        )) for s, t in zip(found.series, plan.curves)
    )  # fmt: skip
    for width in (PAGE, COLUMN):
        assert_nothing_is_clipped_or_covered(draw(dataclasses.replace(found, series=series), width))
