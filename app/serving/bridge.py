"""One request from the connection to the application and back.

1. granian parses the head in Rust; no thread of ours waits for it.
2. The body is awaited here, up to its limit in size and time, beside all others.
3. Only then a thread takes the request. Probes have threads of their own.
"""

import asyncio
from collections.abc import Callable, Collection
from io import BytesIO
from typing import Any

from app.serving.body import body_of
from app.serving.environ import environ_of
from app.serving.limits import LIMITS, Limits
from app.serving.refusals import Answer, Refused, too_many
from app.serving.thread_pool import WSGI, Job, ThreadPool

# Each group has one thread of its own, so that a slow check of readiness never delays liveness.
PROBES: tuple[frozenset[str], ...] = (
    frozenset({"/livez", "/status"}),
    frozenset({"/readyz", "/ready", "/startupz"}),
)
# Answers of this path stay open while a page is visible: they have threads of their own.
LIVE = "/console/live"


class Bridge:
    """An RSGI application around a WSGI one."""

    def __init__(
        self,
        make: Callable[[], WSGI],
        threads: int,
        limits: Limits = LIMITS,
        probes: Collection[frozenset[str]] = PROBES,
        refusals: Callable[[Refused], Answer] = Refused.answer,
        live: int = 0,
    ) -> None:
        self._make, self._threads, self._limits, self._probes = make, threads, limits, probes
        self._refusals, self._live = refusals, live
        self._pools: dict[str, ThreadPool] = {}

    def begin(self) -> None:
        """Make the application and its threads, in the process that serves it."""
        app = self._make()
        self._main = ThreadPool(app, self._threads, self._limits)
        for paths in self._probes:
            pool = ThreadPool(app, 1, self._limits)
            self._pools.update(dict.fromkeys(paths, pool))
        if self._live:
            self._pools[LIVE] = ThreadPool(app, self._live, self._limits)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        try:
            environ = environ_of(scope)
            body = await body_of(scope, protocol, self._limits)
            if body is None:
                return
            environ["wsgi.input"] = BytesIO(body)
            job = Job(environ, protocol, asyncio.get_running_loop())
            if not self._pools.get(scope.path, self._main).take(job):
                raise too_many()
        except Refused as refused:
            refused.path = scope.path
            protocol.response_bytes(*self._refusals(refused))
            return
        await job.done
