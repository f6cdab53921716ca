"""Processes that serve one application on one port, started again when they die."""

import ctypes
import multiprocessing
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from app.domain.errors import WindlassError
from app.serving.bridge import Bridge
from app.serving.limits import LIMITS, Limits
from app.serving.refusals import Answer, Refused
from app.serving.supervision import MOST_DEATHS, Supervised
from app.serving.thread_pool import WSGI

GRACE_S = 5  # Time for requests to end when the server is stopped.
PR_SET_PDEATHSIG = 1
DESCRIPTORS = 65_536


class CannotServe(WindlassError):
    """The server cannot listen where it should."""

    code = "CANNOT_START"


def serve(
    make: Callable[[], WSGI],
    host: str,
    port: int,
    *,
    workers: int,
    threads: int,
    limits: Limits = LIMITS,
    refusals: Callable[[Refused], Answer] = Refused.answer,
    live: int = 0,
) -> int:
    """Serve until SIGTERM; the exit status, 1 when the application refuses to start and has said why."""
    address = _address(host, port)
    refused = multiprocessing.Event()
    limits = replace(limits, connections=min(limits.connections, _descriptors() // 2))
    server = Supervised(
        "windlass",
        address=address,
        port=port,
        interface=Interfaces.RSGI,
        workers=workers,
        http=HTTPModes.http1,
        websockets=False,
        backpressure=limits.connections,
        http1_settings=HTTP1Settings(
            header_read_timeout=limits.head_s * 1000, max_buffer_size=limits.buffer_bytes
        ),
        log_level=LogLevels.warning,
        workers_kill_timeout=GRACE_S,
    )
    load: Any = partial(_load, partial(Bridge, make, threads, limits, refusals=refusals, live=live), refused)
    server.serve(target_loader=load, wrap_loader=False)
    if server.gave_up:
        raise CannotServe(f"Stopped, since each of the last {MOST_DEATHS} processes ended at once.")
    return 1 if refused.is_set() else 0


def _load(bridge: Callable[[], Bridge], refused: Any) -> Bridge:
    """The application in a process of its own, which ends with the one that started it."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    made = bridge()
    try:
        made.begin()
    except WindlassError as error:
        if not refused.is_set():
            print(f"Error: {error}", file=sys.stderr, flush=True)
        refused.set()
        os.kill(parent, signal.SIGTERM)
        raise SystemExit(1) from error
    return made


def _descriptors() -> int:
    """As many as the system allows: each connection takes one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if most == resource.RLIM_INFINITY else min(most, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    return wanted


def _address(host: str, port: int) -> str:
    """The address of a name; raises `CannotServe` when the port is in use, since granian would share it."""
    try:
        family, kind, _, _, found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found)
    except OSError as error:
        raise CannotServe(f"Cannot listen on {host} port {port}: {error.strerror}") from error
    return str(found[0])
