"""Those who take what others need: connections, descriptors, sessions, and the time of workers."""

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any, ClassVar

import httpx
import psutil

from tests.chaos.demands.awkward import order
from tests.chaos.fault import POSTGRES, WITH_WEBHOOKS, Fault, Injection, Rhythm, Setting, register
from tests.chaos.faults.database import session
from tests.chaos.faults.waiting import within
from tests.chaos.site import Site
from tests.support.plain import http

CONNECTIONS = 300
SEEN_S = 5.0
ENDED = "SELECT sessions_fatal FROM pg_stat_database WHERE datname = 'windlass'"
SLOW_S = 8.0  # What a receiver takes to answer.
ALLOWED = Setting(env=WITH_WEBHOOKS)


@register
class OneByteConnections(Fault):
    """Hundreds of connections to the API that send one byte, and then nothing."""

    name, rows = "one-byte-connections", ("RF28",)
    beat: ClassVar[Rhythm | None] = "weather"
    lasts_s = (4.0, 10.0)

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Connect, send the first byte of GET, and stay."""
        with suppress(OSError):
            for _ in range(CONNECTIONS):
                made = socket.create_connection(("127.0.0.1", site.settings.port), timeout=2)
                self._held.append(made)
                made.sendall(b"G")
        return self.injection(f"{len(self._held)} connections of one byte") if self._held else None

    def heal(self, site: Site) -> None:
        """Go."""
        for one in self._held:
            one.close()


@register
class FewDescriptors(Fault):
    """Every process of one role may open no file or connection more than it has."""

    name, rows = "few-descriptors", ("RF27",)
    beat: ClassVar[Rhythm | None] = "weather"
    scope = "site"
    lasts_s = (2.0, 6.0)
    roles: ClassVar[Sequence[str]] = ("api-worker", "child", "reconciler")

    def __init__(self) -> None:
        self._before: dict[psutil.Process, tuple[int, int]] = {}

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Lower the soft limit to what is open, or a little more."""
        role = rng.choice(self.roles)
        for process in site.processes(role):
            with suppress(psutil.Error):
                soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
                process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + rng.randrange(3), hard))
                self._before[process] = (soft, hard)
        pids = [one.pid for one in self._before]
        return self.injection(f"no descriptor is left to {role}", pids) if pids else None

    def heal(self, site: Site) -> None:
        """As many as before."""
        for process, limits in self._before.items():
            with suppress(psutil.Error):
                process.rlimit(psutil.RLIMIT_NOFILE, limits)


@register
class IdleSessionsEnded(Fault):
    """PostgreSQL ends every session that idles for a moment."""

    name, rows, backends = "idle-sessions-ended", ("RF29",), (POSTGRES,)
    beat: ClassVar[Rhythm | None] = "weather"
    lasts_s = (5.0, 15.0)
    times_ms: ClassVar[Sequence[int]] = (50, 200, 1_000)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Set the limit, which counts once it has ended a session."""
        limit_ms = rng.choice(self.times_ms)
        with session(site) as direct:
            before = direct.execute(ENDED).fetchone()
            direct.execute(f"ALTER SYSTEM SET idle_session_timeout = {limit_ms}".encode())
            direct.execute("SELECT pg_reload_conf()")
        if not within(SEEN_S, lambda: _ended(site) != before):
            self.heal(site)
            return None
        return self.injection(f"PostgreSQL ends sessions that idle for {limit_ms} ms")

    def heal(self, site: Site) -> None:
        """No limit."""
        with session(site) as direct:
            direct.execute("ALTER SYSTEM RESET idle_session_timeout")
            direct.execute("SELECT pg_reload_conf()")


def _ended(site: Site) -> Any:
    with session(site) as direct:
        return direct.execute(ENDED).fetchone()


class SlowReceiver:
    """Takes every delivery, and takes its time; with 0 s it is a quick one."""

    def __init__(self, answers_after_s: float) -> None:
        self.asked = self.taken = 0
        self._gone, lock = threading.Event(), threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler: Any) -> None:
                with lock:
                    self.asked += 1
                handler.rfile.read(int(handler.headers.get("content-length", 0)))
                self._gone.wait(answers_after_s)
                with lock:
                    self.taken += 1
                handler.send_response(204)
                handler.send_header("content-length", "0")
                handler.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """The numbers are the log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Answer all clients that wait, and end."""
        self._gone.set()
        self._server.shutdown()
        self._server.server_close()


@register
class SlowReceivers(Fault):
    """A receiver of webhooks wants to know of every run, and takes its time to answer."""

    name, rows, needs = "slow-receivers", ("RF16",), ALLOWED
    beat: ClassVar[Rhythm | None] = "weather"
    lasts_s = (10.0, 20.0)

    def __init__(self) -> None:
        self._receiver: SlowReceiver | None = None
        self._id: str | None = None

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Subscribe; counts once something is delivered."""
        self._receiver = made = SlowReceiver(SLOW_S)
        try:
            body = {"url": made.url, "events": ["run.*", "step.*"]}
            answer = http.post(f"{site.url}/v1/webhooks", json=body)
            self._id = answer.raise_for_status().json()["data"]["id"]
        except httpx.HTTPError:
            return None
        site.users.demand([order("fused")])
        return self.injection("a slow receiver") if within(SEEN_S, lambda: made.asked) else None

    def heal(self, site: Site) -> None:
        """Unsubscribe, which may take some tries, and go."""
        if self._receiver is None:
            return
        if self._id is not None:
            within(60, lambda: _is_gone(f"{site.url}/v1/webhooks/{self._id}"))
        self._receiver.close()


def _is_gone(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return http.delete(url).status_code in (200, 204, 404)
    return False
