"""Cells that take a while, for tests of what happens when a sweep is disturbed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
POOL = ["-m", "tests.validation.lasting_cells"]  #: a sweep in a pool


def slow(cell, seed):
    """One number after ``cell["seconds"]``."""
    time.sleep(cell["seconds"])
    return float(seed.generate_state(1)[0])


def default_signals() -> None:
    """In a child process: what a background job was told to ignore ends it again."""
    for name in ("SIGINT", "SIGQUIT", "SIGHUP", "SIGTERM"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def start(path, cells, seconds, command=POOL):
    """The sweep of a command in a session of its own, once it runs."""
    process = subprocess.Popen(
        [sys.executable, *command, str(path), str(cells), str(seconds)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True, preexec_fn=default_signals,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    return process


def alive(session: int) -> list[str]:
    """The processes of a session that are not mere entries of the process table."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(entry.parent.name)
    return found


def main() -> None:
    """A sweep in a pool of two processes: STORE CELLS SECONDS."""
    from solvable.validation.executors import process_pool
    from solvable.validation.store import Store
    from solvable.validation.sweep import sweep
    from tests.validation.lasting_cells import slow  # by its name, not as __main__

    path, cells, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with Store(path, {"experiment": "lasting"}) as store, process_pool(2) as pool:
        pool.submit(slow, {"seconds": 0}, _Seed()).result()
        print("ready", flush=True)
        sweep(
            slow, [{"seconds": seconds, "x": i} for i in range(cells)], executor=pool, store=store
        )


class _Seed:
    def generate_state(self, count):
        return [0]


if __name__ == "__main__":
    main()
