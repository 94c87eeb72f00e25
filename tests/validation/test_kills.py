"""A survey of sweeps killed at random moments: nothing lost, nothing twice, nothing left."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from solvable.validation.store import Store
from solvable.validation.sweep import sweep
from tests.validation.lasting_cells import POOL, alive, slow, start

CELLS, SECONDS = 24, 0.02
SIGNALS = ("SIGKILL", "SIGKILL", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT")
#: a sweep in two processes of a dask cluster on this machine: STORE CELLS SECONDS
CLUSTER = """
import sys
from distributed import LocalCluster
from solvable.validation.executors import dask_cluster
from solvable.validation.store import Store
from solvable.validation.sweep import sweep
from tests.validation.lasting_cells import slow

if __name__ == "__main__":
    path, cells, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with Store(path, {"experiment": "lasting"}) as store:
            with dask_cluster(cluster.scheduler_address) as executor:
                print("ready", flush=True)
                work = [{"seconds": seconds, "x": i} for i in range(cells)]
                sweep(slow, work, executor=executor, store=store)
"""


def killed(path, command, draw):
    """Start the sweep, end it at a random moment, and count what lives on after 5 s."""
    process = start(path, CELLS, SECONDS, command)
    time.sleep(draw.uniform(0, 1.2 * CELLS * SECONDS / 2))
    process.send_signal(getattr(signal, draw.choice(SIGNALS)))
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and (process.poll() is None or alive(process.pid)):
        time.sleep(0.05)
    remaining = alive(process.pid)
    for number in map(int, remaining):
        os.kill(number, signal.SIGKILL)
    process.communicate()
    return remaining


@pytest.mark.thorough
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize(("where", "kills"), [("pool", 28), ("dask", 12)])
def test_kills_at_random_moments(tmp_path, where, kills):
    command = POOL
    if where == "dask":
        pytest.importorskip("distributed")
        (script := tmp_path / "cluster.py").write_text(CLUSTER)
        command = [str(script)]
    draw, bad = random.Random(where), {}
    for number in range(kills):
        path = tmp_path / f"store-{number}"
        remaining = killed(path, command, draw)
        cells = [{"seconds": SECONDS, "x": i} for i in range(CELLS)]
        with Store(path, {"experiment": "lasting"}) as store:
            before = len(store)
            result = sweep(slow, cells, store=store)
        assert result.failures == ()
        keys = [json.loads(line)["record"]["key"] for line in path.read_text().splitlines()[1:]]
        sound = result.resumed == before and len(keys) == len(set(keys)) == CELLS
        if remaining or not sound:
            bad[number] = (remaining, before, result.resumed, len(keys), len(set(keys)))
    assert bad == {}
