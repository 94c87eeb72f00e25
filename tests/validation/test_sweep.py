import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvable.analytic.errors import InputError
from solvable.analytic.spectrum import PowerLaw
from solvable.validation.executors import (
    SerialExecutor,
    dask_cluster,
    process_pool,
    require_memory,
    worker_count,
)
from solvable.validation.progress import progress_bar
from solvable.validation.store import Store, StoreError
from solvable.validation.sweep import SweepError, digest, plain, seed_sequence, sweep, task_key

ROOT = Path(__file__).resolve().parents[2]
IDENTITY = {"experiment": "product"}


@dataclass(frozen=True)
class Cell:
    size: int
    scale: float = 1.0


CELLS = [Cell(40), Cell(60), Cell(60, 2.0), Cell(90, 0.5)]


def product(cell, seed):
    """Something that shows whether BLAS and the random streams are the same."""
    matrix = cell.scale * np.random.default_rng(seed).standard_normal((cell.size, 3 * cell.size))
    gram = matrix @ matrix.T
    return {"trace": np.trace(gram @ gram), "lowest": np.linalg.eigvalsh(gram)[:3]}


def sometimes(cell, seed):
    if cell["k"] % 3 == 1:
        raise ZeroDivisionError(f"no luck with {cell['k']}")
    return cell["k"] if cell["k"] % 3 else None


def deadly(cell, seed):
    if cell["k"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return cell["k"]


def interrupting(cell, seed):
    if cell["k"] == 3:
        raise KeyboardInterrupt
    return cell["k"]


def threads_of_blas(cell, seed):
    from threadpoolctl import threadpool_info

    np.ones((300, 300)) @ np.ones((300, 300))
    return max(library["num_threads"] for library in threadpool_info())


REFERENCE = sweep(product, CELLS, seeds=3, root_seed=7).values


def test_values_are_plain_and_one_per_cell_and_seed():
    assert len(REFERENCE) == len(CELLS) and all(len(row) == 3 for row in REFERENCE)
    assert len({value["trace"] for row in REFERENCE for value in row}) == 12
    assert isinstance(REFERENCE[0][0]["lowest"], list)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_numbers_do_not_depend_on_the_number_of_workers(workers):
    with process_pool(workers) as pool:
        assert sweep(product, CELLS, seeds=3, root_seed=7, executor=pool).values == REFERENCE


def test_threads_and_bare_pools_give_the_same_numbers():
    with ThreadPoolExecutor(2) as pool:
        assert sweep(product, CELLS, seeds=3, root_seed=7, executor=pool).values == REFERENCE
    with ProcessPoolExecutor(2) as pool:
        assert sweep(product, CELLS, seeds=3, root_seed=7, executor=pool).values == REFERENCE


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_numbers():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
        ) as cluster,
        dask_cluster(cluster.scheduler_address) as executor,
    ):
        assert worker_count(executor) == 2
        result = sweep(product, CELLS, seeds=3, root_seed=7, executor=executor)
        assert result.values == REFERENCE and not result.failures
        again = sweep(sometimes, [{"k": k} for k in range(9)], executor=executor)
        assert len(again.failures) == 6


def test_an_unreachable_cluster_is_said_soon():
    pytest.importorskip("distributed")
    start = time.monotonic()
    with (
        pytest.raises(InputError, match=r"dask = 'tcp://127\.0\.0\.1:9'"),
        dask_cluster("tcp://127.0.0.1:9", timeout=1),
    ):
        pass
    assert time.monotonic() - start < 10


def test_a_longer_grid_and_more_seeds_keep_the_numbers():
    longer = sweep(product, [Cell(20), *CELLS[::-1]], seeds=4, root_seed=7).values
    assert [row[:3] for row in longer[:0:-1]] == REFERENCE


def test_another_root_seed_gives_other_numbers():
    assert sweep(product, CELLS[:1], seeds=3, root_seed=8).values[0] != REFERENCE[0]


@given(st.integers(0, 2**64), st.integers(0, 50), st.integers(0, 50))
def test_seeds_are_distinct_and_reproducible(root, i, k):
    state = seed_sequence(root, Cell(i), k).generate_state(4)
    assert (state == seed_sequence(root, Cell(i), k).generate_state(4)).all()
    for other in ((root, Cell(i), k + 1), (root + 1, Cell(i), k), (root, Cell(i + 1), k)):
        assert (state != seed_sequence(*other).generate_state(4)).any()


def test_cells_differ_by_type_and_fields_and_tasks_by_function_and_seed():
    cells = [Cell(1), Cell(2), Cell(1, 2.0), {"size": 1, "scale": 1.0}]
    assert len({digest(cell) for cell in cells}) == 4
    assert digest(Cell(np.int64(1))) == digest(Cell(1))
    tasks = [(product, Cell(1), 0), (sometimes, Cell(1), 0), (product, Cell(1), 1)]
    assert len({task_key(*task) for task in tasks}) == 3


def test_cells_of_the_model_use_their_own_key():
    from solvable.validation.cells import Cell as ModelCell

    cell = ModelCell(PowerLaw(alpha=0.5, size=300), features=20, samples=40)
    assert digest(cell) == cell.key


def test_each_cell_may_have_its_own_number_of_seeds():
    result = sweep(product, CELLS, seeds=[1, 3, 2, 1], root_seed=7)
    assert [len(row) for row in result.values] == [1, 3, 2, 1]
    assert result.values[1] == REFERENCE[1]
    with pytest.raises(InputError, match="one for each of 4 cells"):
        sweep(product, CELLS, seeds=[1, 2])


def test_what_has_no_plain_form_is_refused():
    with pytest.raises(InputError, match=r"cell = .*object"):
        sweep(product, [object()])
    assert plain((1, {"a": np.float32(0.5)})) == [1, {"a": 0.5}]


def test_a_failing_cell_never_stops_the_sweep(capsys):
    seen = []
    with progress_bar("test", show=False) as bar:
        result = sweep(
            sometimes,
            [{"k": k} for k in range(9)],
            progress=lambda status: (seen.append(status.done), bar(status)),
        )
    assert [row[0] for row in result.values] == [None, None, 2, None, None, 5, None, None, 8]
    reasons = {failure.cell: failure.reason for failure in result.failures}
    assert reasons.keys() == {0, 1, 3, 4, 6, 7} and reasons[0] == "returned nothing"
    assert reasons[4].startswith("ZeroDivisionError: no luck with 4 (in sometimes, line")
    assert seen == list(range(1, 10))
    assert capsys.readouterr().err.count("no luck") == 3


@pytest.mark.slow
def test_a_killed_worker_costs_its_cell_only():
    with process_pool(2) as pool:
        result = sweep(deadly, [{"k": k} for k in range(8)], executor=pool)
    assert [row[0] for row in result.values] == [0, 1, 2, None, 4, 5, 6, 7]
    (failure,) = result.failures
    assert failure.cell == 3 and "worker was lost" in failure.reason


def test_finished_cells_are_resumed(tmp_path):
    with Store(tmp_path / "store", IDENTITY) as store:
        first = sweep(product, CELLS[:2], seeds=3, root_seed=7, store=store)
    with Store(tmp_path / "store", IDENTITY) as store:
        second = sweep(product, CELLS, seeds=3, root_seed=7, store=store)
    assert (first.computed, first.resumed, second.computed, second.resumed) == (6, 0, 6, 6)
    assert second.values == REFERENCE


def test_a_damaged_cell_is_recomputed_and_said(tmp_path):
    path = tmp_path / "store"
    with Store(path, IDENTITY) as store:
        sweep(product, CELLS, seeds=3, root_seed=7, store=store)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content) + b'{"crc":"00')
    with Store(path, IDENTITY) as store:
        assert [word for text in store.messages for word in ("torn", "damaged") if word in text]
        again = sweep(product, CELLS, seeds=3, root_seed=7, store=store)
    assert again.computed == 1 and again.values == REFERENCE


def test_a_stored_value_that_cannot_be_one_is_recomputed(tmp_path):
    with Store(tmp_path / "store", IDENTITY) as store:
        sweep(product, CELLS, seeds=3, root_seed=7, store=store)
        stored = list(store.results)
        store.append(stored[0], "no number")
        store.append(stored[1], None)
        store.append("of nobody", [[]])
    with Store(tmp_path / "store", IDENTITY) as store:
        again = sweep(
            product, CELLS, seeds=3, root_seed=7, store=store,
            valid=lambda value: isinstance(value, dict),
        )  # fmt: skip
    assert again.computed == 2 and again.values == REFERENCE


def test_failures_are_tried_again_on_the_next_run(tmp_path):
    with Store(tmp_path / "store", IDENTITY) as store:
        sweep(sometimes, [{"k": k} for k in range(9)], store=store)
        assert len(store) == 3


def test_an_interrupt_leaves_the_store_intact(tmp_path):
    with Store(tmp_path / "store", IDENTITY) as store, pytest.raises(KeyboardInterrupt):
        sweep(interrupting, [{"k": k} for k in range(8)], store=store)
    with Store(tmp_path / "store", IDENTITY) as store:
        assert sorted(store.results.values()) == [0, 1, 2] and not store.messages


def test_a_full_disk_stops_the_sweep_with_its_reason(tmp_path, monkeypatch):
    import errno

    with Store(tmp_path / "store", IDENTITY) as store:

        def full(descriptor, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("solvable.validation.store.os.write", full)
        with pytest.raises(StoreError, match="No space left on device; the 0 cells"):
            sweep(product, CELLS, store=store)


@pytest.mark.slow
def test_kill_9_and_resume(tmp_path):
    """A sweep on a pool, killed in the middle, goes on where it was."""
    script = textwrap.dedent("""
        import sys, time
        import numpy as np
        from validation.executors import process_pool
        from validation.store import Store
        from validation.sweep import sweep

        def slow(cell, seed):
            time.sleep(0.05)
            return float(np.random.default_rng(seed).random())

        if __name__ == "__main__":
            with Store(sys.argv[1], {"experiment": "slow"}) as store, process_pool(2) as pool:
                result = sweep(slow, [{"k": k} for k in range(40)], executor=pool, store=store)
            print(result.resumed, result.computed, [row[0] for row in result.values])
    """)
    program, path = tmp_path / "program.py", tmp_path / "store"
    program.write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run(store):
        return subprocess.Popen(
            [sys.executable, program, store],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )

    process = run(path)
    while not path.exists() or path.read_bytes().count(b"\n") < 12:
        time.sleep(0.01)
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    finished = path.read_bytes().count(b"\n") - 1
    resumed, computed, values = run(path).communicate()[0].split(maxsplit=2)
    assert int(resumed) == finished and int(computed) == 40 - finished
    assert values == run(tmp_path / "fresh").communicate()[0].split(maxsplit=2)[2]


@pytest.mark.parametrize(("times", "taken"), [(1, True), (2, False)])
def test_a_pool_that_breaks_while_it_starts_a_worker_is_replaced(monkeypatch, times, taken):
    real, raised = ProcessPoolExecutor.submit, []

    def submit(self, *arguments):
        if len(raised) < times:
            raised.append(self)
            raise OSError("handle is closed")
        return real(self, *arguments)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", submit)
    with process_pool(1) as pool:
        if taken:
            assert sweep(product, CELLS[:1], executor=pool).failures == ()
        else:
            with pytest.raises(SweepError, match=r"takes no more work.*handle is closed"):
                sweep(product, CELLS[:1], executor=pool)
    assert len(set(map(id, raised))) == times


def test_workers_use_one_blas_thread(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    with process_pool(1) as pool:
        assert sweep(threads_of_blas, [{}], executor=pool).values == [[1]]
        assert os.environ["OPENBLAS_NUM_THREADS"] == "2"
    assert sweep(threads_of_blas, [{}]).values == [[1]]


def test_memory_is_estimated_before_starting(monkeypatch):
    monkeypatch.setattr("solvable.validation.executors.available_bytes", lambda: 3 * 10**9)
    require_memory("size", 2, 1e9, 3)
    with pytest.raises(InputError, match=r"about 1\.1 GB, 3 at a time 3\.3 GB, and 3\.0 GB"):
        require_memory("size", 2, 1.1e9, 3)


def test_the_bar_shows_what_is_left_and_what_failed(capsys):
    with progress_bar("sweeping", show=True) as bar:
        sweep(sometimes, [{"k": k} for k in range(9)], progress=bar)
    shown = capsys.readouterr().err
    assert "no luck with 7" in shown


def test_serial_executor_returns_errors_in_the_future():
    assert isinstance(SerialExecutor().submit(int, "x").exception(), ValueError)
