"""Draws, laws and moments: counters, standardisation, arithmetic, memory."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.spectrum import Empirical, Flat, PowerLaw, from_dict
from solvable.analytic.training.learners import GradientFlow, OnePassSGD, RidgeRegression
from solvable.validation import memory
from solvable.validation.cells import Cell
from solvable.validation.ensembles import bare_flops, moments
from solvable.validation.entry_laws import TILE, EntryLaw, Role, Streams
from solvable.validation.memory import BASE, check_memory, peak_bytes
from solvable.validation.training import simulate

LAWS = [
    EntryLaw(), EntryLaw("rademacher"), EntryLaw("uniform"), EntryLaw("laplace"),
    EntryLaw("student", 5), EntryLaw("student", 12), EntryLaw("sparse", 0.2),
]  # fmt: skip
SPECTRUM = PowerLaw(alpha=0.5, size=3 * TILE + 17)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("law", LAWS, ids=lambda law: f"{law.name}-{law.parameter}")
def test_entries_are_standardised_with_the_stated_kurtosis(law, dtype):
    n = 400_000
    draw = law.draw(Streams.of(0)(Role.DATA), (n // 8, 8), dtype)
    assert draw.dtype == dtype and draw.shape == (n // 8, 8)
    draw = draw.astype(float)
    assert abs(draw.mean()) < 4 / np.sqrt(n)
    if np.isfinite(law.kurtosis) and law.kurtosis < 8.5:
        assert np.mean(draw**2) == pytest.approx(1, abs=5 * np.sqrt((law.kurtosis - 1) / n) + 1e-6)
        assert np.mean(draw**4) == pytest.approx(law.kurtosis, rel=0.05)


def test_elliptical_samples_have_unit_second_moment_and_common_norms():
    cell = Cell(Flat(size=4000), 5, 1500, data_law=EntryLaw("elliptical", 6))
    norms = cell.data_law.column_factors(Streams.of(1), 0, cell.samples)
    assert np.mean(norms**2) == pytest.approx(1, abs=0.1)
    drawn = moments(cell, 1)
    # label second moments of average targets are squared norms of the samples
    assert np.diag(drawn.labels) / 4000 == pytest.approx(norms**2, rel=0.2)
    assert EntryLaw("student", 3).column_factors(Streams.of(1), 0, 10) is None


def test_streams_do_not_depend_on_order_and_never_repeat():
    streams = Streams.of(np.random.SeedSequence(5))
    places = [(role, draw, tile) for role in Role for draw in (0, 1) for tile in (0, 1, 2)]
    first = {place: streams(*place).integers(0, 2**63, 4).tolist() for place in places}
    again = {place: streams(*place).integers(0, 2**63, 4).tolist() for place in reversed(places)}
    assert first == again
    assert len({value for row in first.values() for value in row}) == 4 * len(places)
    assert Streams.of(6) != Streams.of(7) == Streams.of(np.random.SeedSequence(7))


@pytest.mark.parametrize("targets", ["average", "fixed", 3])
def test_threads_change_no_number(targets):
    cell = Cell(SPECTRUM, 30, 40, targets=targets)
    one, three = moments(cell, 2), moments(cell, 2, threads=3)
    for name in ("kernel", "features", "labels", "cross", "power"):
        assert np.array_equal(getattr(one, name), getattr(three, name)), name


def test_fewer_modes_are_a_prefix_of_more_modes():
    """With a negligible tail, cutting the spectrum elsewhere leaves the same realisation."""
    steep = {"exponent": 9.0, "target_exponent": 9.0}
    short, long = (
        moments(Cell(PowerLaw(size=size, **steep), 6, 8), 3) for size in (TILE, 2 * TILE)
    )
    assert np.allclose(short.kernel, long.kernel, rtol=1e-9, atol=1e-9)


def test_moments_are_symmetric_and_positive():
    drawn = moments(Cell(SPECTRUM, 30, 40, feature_draws=2), 4)
    for matrix in (drawn.features, drawn.labels):
        assert np.array_equal(matrix, matrix.T)
        assert np.linalg.eigvalsh(matrix).min() > -1e-12
    assert drawn.power == pytest.approx(SPECTRUM.total_target_power(), rel=1e-12)
    joint = np.block([[drawn.features, drawn.cross], [drawn.cross.T, drawn.labels]])
    assert joint.shape == (100, 100)


def test_many_drawn_targets_average_to_the_closed_form():
    losses = {}
    for targets in ("average", 400):
        cell = Cell(SPECTRUM, 30, 50, at=(0, 0.5), noise=0.1, targets=targets)
        losses[targets] = np.array([list(simulate(cell, seed).values()) for seed in range(8)])
    difference = losses[400] - losses["average"]
    error = difference.std(axis=0, ddof=1) / np.sqrt(8)
    assert np.abs(difference.mean(axis=0) / error).max() < 6
    assert np.abs(difference / losses["average"]).max() < 0.25


def test_single_precision_agrees_to_its_accuracy():
    for learner, at in ((RidgeRegression(), (0.0, 0.3)), (GradientFlow(), (30.0,))):
        double, single = (
            np.array(list(simulate(Cell(SPECTRUM, 40, 60, learner, at, dtype=dtype), 0).values()))
            for dtype in ("float64", "float32")
        )
        # other numbers are drawn, from the same law
        assert single == pytest.approx(double, rel=0.2, abs=1e-6)


@pytest.mark.parametrize("targets", ["average", "fixed"])
def test_single_precision_products_have_single_precision_error(targets):
    """Entries ±1 are exact in both, so that only the products differ."""
    law = EntryLaw("rademacher")
    cells = [
        Cell(SPECTRUM, 40, 60, at=(0.0, 0.3), feature_law=law, data_law=law, targets=targets,
             noise=0.1, dtype=dtype)
        for dtype in ("float64", "float32")
    ]  # fmt: skip
    double, single = (moments(cell, 0).kernel for cell in cells)
    assert 1e-9 < np.linalg.norm(single - double) / np.linalg.norm(double) < 1e-6
    double, single = (np.array(list(simulate(cell, 0).values())) for cell in cells)
    assert single == pytest.approx(double, rel=1e-4)


def test_cells_go_to_json_and_back_with_the_same_key_everywhere():
    cell = Cell(
        Empirical(eigenvalues=np.array([2.0, 1.0])), 3, 4, GradientFlow(),
        (1, 2), noise=1, feature_law=EntryLaw("sparse", 0.5), targets=2, feature_draws=2,
        dtype="float32",
    )  # fmt: skip
    again = Cell.from_dict(json.loads(json.dumps(cell.to_dict())))
    assert again == cell and again.key == cell.key
    assert pickle.loads(pickle.dumps(cell)) == cell
    code = "import sys, json; from validation.cells import Cell; "
    code += "print(Cell.from_dict(json.loads(sys.argv[1])).key)"
    command = [sys.executable, "-c", code, json.dumps(cell.to_dict())]
    assert subprocess.run(command, capture_output=True, text=True).stdout.strip() == cell.key
    assert Cell(SPECTRUM, 3, 4, noise=1).key == Cell(SPECTRUM, 3, 4.0, noise=1.0).key


@given(st.integers(1, 50), st.integers(1, 50), st.floats(0, 10), st.sampled_from(LAWS))
def test_any_field_changes_the_key(features, samples, noise, law):
    cell = Cell(SPECTRUM, features, samples, noise=noise, feature_law=law)
    others = [
        Cell(SPECTRUM, features + 1, samples, noise=noise, feature_law=law),
        Cell(SPECTRUM, features, samples + 1, noise=noise, feature_law=law),
        Cell(SPECTRUM, features, samples, noise=noise + 1, feature_law=law),
        Cell(SPECTRUM, features, samples, noise=noise, feature_law=law, targets="fixed"),
    ]
    assert len({cell.key, *(other.key for other in others)}) == 5
    assert Cell.from_dict(cell.to_dict()).key == cell.key


def test_sizes_that_cannot_fit_are_refused_with_the_number():
    huge = Cell(SPECTRUM, 10**6, 10**6)
    assert peak_bytes(huge) > 4 * 8 * 10**12
    with pytest.raises(InputError, match=r"GiB"):
        simulate(huge, 0)
    small = Cell(SPECTRUM, 10, 10)
    assert BASE < check_memory(small) < BASE + 2**26
    with pytest.raises(InputError, match=r"features 10"):
        check_memory(small, limit=2**20)


def test_memory_does_not_depend_on_the_number_of_modes():
    few, many = (
        peak_bytes(Cell(PowerLaw(alpha=1.0, size=size), 2000, 2000), threads=2)
        for size in (10**4, 10**6)
    )
    assert few == many < 1.5 * 2**30


def test_memory_of_fresh_batches_does_not_grow_with_the_square_of_the_samples():
    learner = OnePassSGD(0.1, batch=32)  # 32000 samples, 256 features
    streamed = Cell(SPECTRUM, 256, 1, learner, (1000,), targets=4, data_law=EntryLaw("laplace"))
    assert (
        peak_bytes(streamed) < BASE + 6 * 8 * 256 * 32000 < peak_bytes(Cell(SPECTRUM, 256, 32000))
    )
    projected = Cell(SPECTRUM, 256, 1, learner, (1000,), targets=4)
    assert peak_bytes(projected) < BASE + 2**24


def test_available_memory_is_the_smaller_of_machine_and_group(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 2000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", str(tmp_path / "meminfo"))
    monkeypatch.setattr(memory, "CGROUP", str(tmp_path))
    assert memory.available_bytes() == 2000 * 1024
    (tmp_path / "memory.max").write_text("1500000\n")
    (tmp_path / "memory.current").write_text("500000\n")
    assert memory.available_bytes() == 1000000
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "meminfo").unlink()
    assert memory.available_bytes() is None
    assert check_memory(Cell(SPECTRUM, 10**6, 10**6)) > 10**12  # nothing known, nothing refused


def test_bare_flops_count_the_products():
    cell = Cell(Flat(size=7), 3, 5)
    assert bare_flops(cell) == 7 * (4 * 15 + 9 + 25)
    assert bare_flops(Cell(Flat(size=7), 3, 5, targets="fixed")) == (7 * (2 * 15 + 9 + 2 * 8))


def test_bad_cells_are_refused_by_name():
    flat = Flat(size=10)
    for make in (
        lambda: Cell(flat, 0, 5), lambda: Cell(flat, 2.5, 5), lambda: Cell(flat, 2, 5, noise=-1),
        lambda: Cell(flat, 2, 5, dtype="float16"), lambda: Cell(flat, 2, 5, targets="random"),
        lambda: Cell(flat, 2, 5, targets=0), lambda: Cell(flat, 2, 5, feature_variance=0),
        lambda: Cell(flat, 2, 5, feature_law=EntryLaw("elliptical", 3)),
        lambda: Cell(flat, 2, 5, OnePassSGD(1)),
        lambda: Cell(flat, 2, 5, OnePassSGD(1), targets=1, feature_draws=2),
        lambda: EntryLaw("cauchy"), lambda: EntryLaw("student", 2), lambda: EntryLaw("gaussian", 1),
        lambda: EntryLaw("sparse", 1.5), lambda: EntryLaw("student"),
        lambda: from_dict({"kind": "Exponential", "size": 3}),
        lambda: from_dict({"kind": "Flat", "size": 3, "slope": 1}),
        lambda: Cell.from_dict({"features": 1, "samples": 3}),
        lambda: Cell.from_dict({"spectrum": flat.to_dict(), "features": 1, "width": 3}),
        lambda: Cell(PowerLaw(alpha=1.0), 2, 2),
    ):  # fmt: skip
        with pytest.raises(InputError):
            make()
