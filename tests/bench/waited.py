"""Counts the commits that waited for the disk, by what PostgreSQL reports and not by how long they took.

1. The server is told that a standby has to confirm every commit, and no standby is there. Whoever commits
   with ``synchronous_commit = on`` has flushed the log and now waits; nobody sees what it wrote. Whoever
   commits with ``off`` goes on at once.
2. Each waiting transaction is noted by its id, and its wait is cancelled: the commit stands, as PostgreSQL
   warns, and the client goes on.
3. The server is told that nobody has to confirm anything any more, and wakes whoever still waits.
"""

import threading
from typing import Any, Self

import psycopg

from tests.support.servers import until

HOLD = "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"
RELEASE = "ALTER SYSTEM RESET synchronous_standby_names"
RELOAD = "SELECT pg_reload_conf()"
WAITING = "SELECT pid, backend_xid::text FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
CANCEL = "SELECT pg_cancel_backend(%s)"
WRITE = "SELECT pg_logical_emit_message(true, 'bench', '')"  # A commit that changes no table.
PAUSE_S = 0.002
START_S = 60.0


class Waited:
    """Holds every commit of a server while the block lasts, and lets each go once it was counted."""

    def __init__(self, url: str) -> None:
        """``url`` is that of any database of the server."""
        self.xids: set[str] = set()  # Transactions whose commit waited for the disk.
        self._url = url
        self._over, self._failure = threading.Event(), ""
        self._thread = threading.Thread(target=self._tend, name="waited", daemon=True)

    def __enter__(self) -> Self:
        self._server: psycopg.Connection[Any] = psycopg.connect(self._url, autocommit=True)
        self._server.execute(HOLD)
        self._server.execute(RELOAD)
        self._thread.start()
        try:
            with psycopg.connect(self._url, autocommit=True) as probe:
                until(lambda: self._is_held(probe), START_S, "the server holds commits")
        except BaseException:
            self._release()
            raise
        self.xids.clear()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._release()
        assert not self._failure, self._failure

    def _is_held(self, probe: "psycopg.Connection[Any]") -> bool:
        """Whether a commit waits by now; the server reads its new setting a moment after it was set."""
        probe.execute(WRITE)
        return bool(self.xids)

    def _release(self) -> None:
        self._server.execute(RELEASE)
        self._server.execute(RELOAD)
        # Who began to wait a moment ago is let go by the thread or by the server, whichever is first.
        self._over.set()
        self._thread.join(START_S)
        self._server.close()

    def _tend(self) -> None:
        try:
            with psycopg.connect(self._url, autocommit=True) as watch:
                while not self._over.wait(PAUSE_S):
                    self._let_go(watch)
        except psycopg.Error as error:
            self._failure = f"Commits could not be watched: {error}"

    def _let_go(self, watch: "psycopg.Connection[Any]") -> None:
        for pid, xid in watch.execute(WAITING).fetchall():
            # Once only: a second one could hit the next statement of the same session.
            if xid is not None and xid not in self.xids:
                self.xids.add(xid)
                watch.execute(CANCEL, (pid,))
