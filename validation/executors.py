"""Where the cells of a sweep run: in process, in a pool of processes, on a dask cluster.

Every one of them offers the interface of `concurrent.futures.Executor` (``submit`` returning a
future with ``add_done_callback`` and ``result``), which is all that `validation.sweep` asks for;
any other engine with that interface does as well.

A linear-algebra library that starts one thread per core in each of W workers has W times too
many threads, and its sums depend on how many it got. So a worker computes with one BLAS thread:
`one_blas_thread` bounds the thread pools of the libraries that are loaded, and the environment
of new processes tells those that are not loaded yet.

A worker ends with its parent, however that ends: a thread in the worker waits for the parent's
end, which the operating system reports even after ``kill -9``, and then leaves at once.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from typing import Any

from solvable.analytic.arguments import count
from solvable.analytic.errors import InputError

from .memory import available_bytes

THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
CONNECT_SECONDS = 5.0
LOST_SECONDS = 20.0
WORKER_BYTES = 250 * 2**20  #: what the libraries of one worker hold

_limited = False  # whether this process already computes with one BLAS thread


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within the block, the loaded linear-algebra libraries use one thread."""
    global _limited
    if _limited:
        yield
        return
    import scipy.linalg  # noqa: F401  (its own BLAS must be loaded before the limit is set)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        _limited = True
        try:
            yield
        finally:
            _limited = False


def limit_this_worker() -> None:
    """Use one BLAS thread in this process from now on (once; later calls are free)."""
    global _limited
    if not _limited:
        import scipy.linalg  # noqa: F401
        from threadpoolctl import threadpool_limits

        threadpool_limits(limits=1)
        _limited = True


@contextlib.contextmanager
def _environment(names: tuple[str, ...], value: str) -> Iterator[None]:
    """The environment, inherited by new processes, with the variables set."""
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, value))
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = old


@contextlib.contextmanager
def _interrupt_held_back() -> Iterator[None]:
    """Processes that start within the block get SIGINT, which ctrl-C sends to all, later."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # to start it would let SIGINT through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class SerialExecutor(Executor):
    """Runs each call at once, in this thread; the future that it returns is finished.

    >>> SerialExecutor().submit(pow, 2, 10).result()
    1024
    """

    workers = 1

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call the function now; an `Exception` goes into the future, an interrupt does not."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _start_worker() -> None:
    """In a new worker: end with the parent, leave ctrl-C to it, and be gentle to the BLAS."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    limit_this_worker()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class ProcessExecutor(Executor):
    """A pool of spawned processes that is replaced when one of its workers is killed.

    ``concurrent.futures.ProcessPoolExecutor`` refuses all work once a worker has died (killed
    for memory, say); here the calls in flight fail as there, and the next call starts a new pool.
    """

    def __init__(self, workers: int) -> None:
        self.workers = count("workers", workers)
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, context, initializer=_start_worker)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit to the pool, or to a new one when the pool is broken.

        A pool that breaks while it starts a worker for the call says so by an `OSError`: the
        pipes to the new worker are closed already.
        """
        # workers start inside submit
        with _environment(THREAD_VARIABLES, "1"), _interrupt_held_back():
            try:
                return self._pool.submit(function, *args, **kwargs)
            except (BrokenProcessPool, OSError):
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = self._new_pool()
                return self._pool.submit(function, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop the workers."""
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def kill(self) -> None:
        """Stop the workers in the middle of what they do; their calls are lost."""
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()


@contextlib.contextmanager
def process_pool(workers: int) -> Iterator[ProcessExecutor]:
    """A pool of ``workers`` processes, one BLAS thread each.

    Calls not yet begun are dropped at the end; those in progress too if the block was interrupted.
    """
    pool = ProcessExecutor(workers)
    try:
        yield pool
    except Exception:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    except BaseException:  # an interrupt: do not wait for what is in progress
        pool.kill()
        raise
    pool.shutdown(wait=True, cancel_futures=True)


class Cluster(Executor):
    """The workers of a running dask scheduler, which says when they are out of reach.

    Tasks of a lost worker are run again by the scheduler. `trouble` is what `validation.sweep`
    asks while it waits: without scheduler or workers for `LOST_SECONDS`, it does so no longer.
    """

    def __init__(self, client: Any) -> None:
        self._client, self._executor = client, client.get_executor(pure=False)
        self.workers = sum(client.nthreads().values())
        self._asked = self._well = time.monotonic()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit to the scheduler."""
        return self._executor.submit(function, *args, **kwargs)

    def trouble(self) -> str | None:
        """Why nothing more can be expected of the cluster, or None."""
        now = time.monotonic()
        if now - self._asked < LOST_SECONDS / 10:
            return None
        self._asked = now
        reason = "its scheduler does not answer"
        if self._client.status == "running":
            try:
                if self._client.sync(self._client.scheduler.ncores, callback_timeout=2):
                    self._well = time.monotonic()
                    return None
                reason = "it has no workers left"
            except Exception:  # whatever the network says: it does not answer
                pass
        lost = now - self._well > LOST_SECONDS
        return f"the cluster is lost: for {LOST_SECONDS:g} s {reason}" if lost else None


@contextlib.contextmanager
def dask_cluster(address: str, timeout: float = CONNECT_SECONDS) -> Iterator[Cluster]:
    """The executor of a running dask scheduler, such as ``tcp://127.0.0.1:8786``.

    Raises `InputError` when dask is not installed, or no scheduler answers within ``timeout``
    seconds, or it has no workers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(
            "dask", address, "the extra 'cluster' to be installed (pip install 'solvable[cluster]')"
        ) from error
    with _quiet("distributed"), _connected(Client, address, timeout) as client:
        cluster = Cluster(client)
        if not cluster.workers:
            raise InputError("dask", repr(address), "a scheduler that has workers")
        yield cluster


@contextlib.contextmanager
def _connected(Client: Any, address: str, timeout: float) -> Iterator[Any]:
    try:
        client = Client(address, timeout=timeout, set_as_default=False)
    except Exception as error:  # each transport has its own errors for an address it cannot use
        reason = f"the address of a scheduler that answers within {timeout:g} s ({error})"
        raise InputError("dask", repr(address), reason) from error
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):  # a scheduler that is gone cannot say goodbye
            client.close(timeout=2)


@contextlib.contextmanager
def _quiet(package: str) -> Iterator[None]:
    """Within the block the package logs nothing: what goes wrong there is said once, here."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    loggers = [each for each in loggers if each.name.split(".")[0] == package]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels):
            each.setLevel(level)


def worker_count(executor: Executor) -> int:
    """How many calls the executor runs at a time, as far as it says.

    >>> worker_count(SerialExecutor())
    1
    """
    for name in ("workers", "_max_workers", "max_workers"):
        value = getattr(executor, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return os.cpu_count() or 1


def usable_cores() -> int:
    """The number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def affordable_workers(asked: int | None = None) -> tuple[int, str | None]:
    """How many processes to start, and, if these are fewer than asked, why.

    No more than cores, since each computes without pause, and no more than fit in memory.

    >>> affordable_workers(1)
    (1, None)
    """
    cores, free = usable_cores(), available_bytes()
    bound = cores if free is None else max(1, min(cores, free // WORKER_BYTES))
    if asked is None or asked <= bound:
        return asked or bound, None
    limit = "cores" if bound == cores else "of them fit in memory"
    return bound, f"{bound} workers instead of {asked}: only {bound} {limit}"


def require_memory(argument: str, value: Any, per_cell: float, workers: int) -> None:
    """Raise `InputError` when ``workers`` cells of ``per_cell`` bytes do not fit in memory."""
    free = available_bytes()
    needed = per_cell * workers
    if free is not None and needed > free:
        raise InputError(
            argument,
            value,
            f"a size that fits in memory: the largest cell needs about {per_cell / 1e9:.1f} GB, "
            f"{workers} at a time {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are available",
        )
