"""A Ray cluster: a running one, the one at an address, or one started on this machine."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from regnety.errors import ClusterError
from regnety.extras import import_extra
from regnety.inference.engines.processor import available_cores
from regnety.text import one_line, reason_of

LOCAL, AUTO = "local", "auto"
OBJECT_STORE_BYTES = 256 << 20
"""Of an instance that we start: names go out and answers come back, images are never in it."""
CONNECT_S = 5.0
"""How long to wait for a cluster's address; Ray itself would try for a minute."""
MOST_THREADS = 4
"""In one worker, unless more are asked for: with more, threads begin to wait for Python's lock."""
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no usage data is sent
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # else its native part writes to our stderr
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # else output of other processes would come to our stdout
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns that this will be its default
}
SILENT = logging.CRITICAL + 1


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that is connected to."""

    processors: tuple[int, ...]
    """Of each node that has any, the fewest first."""
    started: bool
    """Whether it was started here, on this machine alone, and ends with this process."""

    def workers(self, wanted: int | None, threads: int | None) -> tuple[int, int]:
        """How many workers, with how many threads each.

        Args:
            wanted: workers; None is as many as fit.
            threads: of each; None is what the smallest node has, up to `MOST_THREADS`.

        Raises:
            ClusterError: no node has that many processors.
        """
        if threads is None:
            share = max(1, sum(self.processors) // wanted) if wanted else MOST_THREADS
            threads = min(MOST_THREADS, share, *self.processors)
        room = sum(processors // threads for processors in self.processors)
        if not room:
            raise ClusterError(
                f"no node of the Ray cluster has {threads} processors for a worker's threads; "
                f"the largest has {max(self.processors)}"
            )
        return wanted or room, threads


@contextmanager
def connected(address: str = AUTO) -> Iterator[Cluster]:
    """Connect to a cluster, and stop at the end what was started here.

    Args:
        address: `local` starts an instance on this machine; `auto` is the cluster that RAY_ADDRESS names or this
            machine belongs to, else a local one; or HOST:PORT. A process that is already connected stays so, whatever
            the address.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: nothing answers at the address, or it is not a Ray of our version.
    """
    if address == AUTO:
        address = os.environ.get("RAY_ADDRESS") or AUTO
    if address not in (AUTO, LOCAL):
        # before Ray is imported, which takes seconds
        _check_reachable(address)
    ray = _import_ray()
    if ray.is_initialized():
        # somebody else's connection: it stays open after us
        yield _describe(ray, started=False)
        return
    try:
        with _own_end():
            started = _connect(ray, address)
        _silence()
        yield _describe(ray, started=started)
    finally:
        ray.shutdown()


def _import_ray() -> Any:
    for name, value in ENVIRONMENT.items():
        # before the import, at which Ray reads some of them; what the user has set stays
        os.environ.setdefault(name, value)
    import_extra("ray.data", feature="--ray", extra="ray", parts=("pandas", "pyarrow"))
    import ray

    return ray


def _connect(ray: Any, address: str) -> bool:
    """Connect; whether an instance was started for it."""
    quiet = {"log_to_driver": False, "logging_level": SILENT}
    try:
        with _native_half_silent():
            if address != LOCAL:
                try:
                    ray.init(address=address, **quiet)
                    return False
                except ConnectionError:
                    if address != AUTO:
                        raise
            ray.init(
                address=LOCAL,
                # Ray would count all of the machine's, also those that taskset keeps from this process
                num_cpus=available_cores(),
                _node_ip_address="127.0.0.1",  # not the network's: anyone who reaches a Ray can run code in it
                object_store_memory=OBJECT_STORE_BYTES,
                include_dashboard=False,  # it would be a web server with an open port
                **quiet,
            )
            return True
    except Exception as error:  # Ray raises whatever its parts raise
        if "AuthenticationError" in f"{error.__cause__}":
            raise ClusterError(
                f"{address}: the Ray cluster needs its token; set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN if it is "
                "not in ~/.ray/auth_token"
            ) from error
        place = "a local instance cannot be started" if address in (AUTO, LOCAL) else f"{address}: cannot be used"
        raise ClusterError(f"Ray: {place}: {one_line(error)}") from error


@contextmanager
def _own_end() -> Iterator[None]:
    """Keep what SIGTERM does where somebody has asked for it: Ray's native part makes it an abort."""
    asked = signal.getsignal(signal.SIGTERM)
    yield
    if callable(asked) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, asked)


@contextmanager
def _native_half_silent() -> Iterator[None]:
    """Send stderr's descriptor nowhere: while Ray starts, its native part writes there in spite of its settings."""
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _check_reachable(address: str) -> None:
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise ClusterError(
            f"{address}: a Ray cluster is local, auto or HOST:PORT, and the command runs on one of its nodes; "
            "from elsewhere `ray job submit` brings it there"
        )
    try:
        # an IPv6 address stands in brackets before its port
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S).close()
    except (OSError, OverflowError) as error:
        reason = reason_of(error)
        raise ClusterError(f"{address}: no Ray cluster answers there: {reason}") from error


def _describe(ray: Any, *, started: bool) -> Cluster:
    processors = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    if not any(processors):
        raise ClusterError("the Ray cluster has no processors")
    return Cluster(tuple(sorted(number for number in processors if number)), started)


def _silence() -> None:
    """Ray's messages go to the files of its session, and not between our lines."""
    from ray.data import DataContext

    others = logging.getLogger().handlers
    for name in ("ray", "ray.data"):
        logger = logging.getLogger(name)
        for handler in tuple(logger.handlers):
            if handler in others:  # Ray takes the handlers of the whole process: silent, they would hide its messages
                logger.removeHandler(handler)
            # a FileHandler is a StreamHandler too
            elif isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                handler.setLevel(SILENT)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
