"""What is left when a sweep is disturbed: no process, no lost cell, no endless wait."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from solvable.validation import executors
from solvable.validation.executors import ProcessExecutor, affordable_workers, dask_cluster
from solvable.validation.store import Store
from solvable.validation.sweep import SweepError, sweep
from tests.validation.lasting_cells import ROOT, alive, slow, start


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT"])
def test_workers_end_with_their_parent(tmp_path, name):
    process = start(tmp_path / "store", 1000, 0.2)
    time.sleep(0.3)
    process.send_signal(getattr(signal, name))
    process.stdout.read()  # until every holder of the pipe is gone
    process.wait(5)
    deadline = time.monotonic() + 5
    while (left := alive(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def test_ctrl_c_while_a_worker_starts_is_left_to_the_parent(capfd):
    pool = ProcessExecutor(1)
    try:
        future = pool.submit(abs, -3)
        (worker,) = pool._pool._processes.values()
        while not future.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGINT)
            time.sleep(0.02)
        assert future.result() == 3
    finally:
        pool.shutdown()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("after", [2, 7, 20])
def test_no_cell_is_lost_or_stored_twice_by_a_kill(tmp_path, after):
    path, cells = tmp_path / "store", [{"seconds": 0.02, "x": i} for i in range(40)]
    process = start(path, 40, 0.02)
    while len(path.read_bytes().splitlines()) <= after:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    with Store(path, {"experiment": "lasting"}) as store:
        assert len(store) >= after
        result = sweep(slow, cells, store=store)
    assert result.failures == () and result.computed + result.resumed == 40
    keys = [json.loads(line)["record"]["key"] for line in path.read_text().splitlines()[1:]]
    assert len(keys) == len(set(keys)) == 40


def test_as_many_workers_as_cores_and_memory_allow(monkeypatch):
    monkeypatch.setattr(executors, "usable_cores", lambda: 8)
    monkeypatch.setattr(executors, "available_bytes", lambda: 10**12)
    assert affordable_workers() == (8, None)
    assert affordable_workers(3) == (3, None)
    assert affordable_workers(10**6) == (8, "8 workers instead of 1000000: only 8 cores")
    monkeypatch.setattr(executors, "available_bytes", lambda: 3 * executors.WORKER_BYTES)
    assert affordable_workers(5) == (3, "3 workers instead of 5: only 3 of them fit in memory")
    monkeypatch.setattr(executors, "available_bytes", lambda: 0)
    assert affordable_workers()[0] == 1


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["scheduler", "worker"])
def test_a_lost_cluster_is_said_within_the_stated_time(tmp_path, monkeypatch, victim, capfd):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "LOST_SECONDS", 4.0)
    port = _free_port()
    address = f"tcp://127.0.0.1:{port}"
    parts = {
        "scheduler": ["distributed.cli.dask_scheduler", "--port", str(port), "--host", "127.0.0.1"],
        "worker": ["distributed.cli.dask_worker", address, "--nthreads", "1"],
    }
    running = {}
    try:
        for name, words in parts.items():
            running[name] = subprocess.Popen(
                [sys.executable, "-m", *words, "--no-dashboard"],
                cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        executor = _when_ready(address)
        with executor as cluster:
            done = []

            def kill_after_three(status):
                done.append(status)
                if len(done) == 3:
                    os.killpg(running[victim].pid, signal.SIGKILL)
                    done.append(time.monotonic())

            with pytest.raises(SweepError, match="the cluster is lost: for 4 s"):
                cells = [{"seconds": 0.1, "x": i} for i in range(500)]
                sweep(slow, cells, executor=cluster, progress=kill_after_three)
            assert time.monotonic() - done[3] < 20
    finally:
        for process in running.values():
            process.kill()
    assert "Traceback" not in capfd.readouterr().err


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _when_ready(address):
    """The cluster once its worker has registered."""
    from solvable.analytic.errors import InputError

    deadline = time.monotonic() + 60
    while True:
        try:
            with dask_cluster(address, timeout=2):
                return dask_cluster(address)
        except InputError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
