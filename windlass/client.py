"""The client: one object with a noun for each thing the service keeps."""

import os
from types import TracebackType
from typing import Self

from windlass.access import Audit, Keys, Sessions
from windlass.accounts import Accounts
from windlass.batches import Batches
from windlass.clusters import Clusters
from windlass.exchange import Exchange
from windlass.locks import Locks
from windlass.managements import Managements
from windlass.metrics import MetricsOf
from windlass.pooled import Workers
from windlass.pools import Pools
from windlass.retries import Retries
from windlass.runs import Runs
from windlass.schedules import Schedules
from windlass.servers import Servers
from windlass.session import Session
from windlass.transport import Transport
from windlass.types import Types
from windlass.views import Views
from windlass.vms import Vms
from windlass.webhooks import Webhooks
from windlass.whole import Service
from windlass.workflows import Workflows

BASE_URL = "http://127.0.0.1:8080"


def url_of(given: str | None) -> str:
    """The service's address: the given one, else that of the environment."""
    return (given or os.environ.get("WINDLASS_URL") or BASE_URL).rstrip("/")


def key_of(given: str | None) -> str | None:
    """The API key: the given one, else that of the environment."""
    return given or os.environ.get("WINDLASS_API_KEY") or None


def _over_http(base_url: str) -> Transport:
    from windlass.httpx_transport import HttpxTransport  # Here and not above: a command may need no service.

    return HttpxTransport(base_url)


class Client:
    """A connection to one service; safe to share between threads.

        with Client("https://windlass.example", api_key="wlk_…") as client:
            run = client.runs.start("server.inspect", resource_id="srv_…")
            run = client.runs.wait(run.id, timeout_s=600)

    `base_url` and `api_key` default to WINDLASS_URL and WINDLASS_API_KEY of the environment.
    `timeout` is the longest silence of the service in seconds. Requests are repeated when that is safe, as
    `retries` says; every failure is an error of `windlass.errors`. `transport` replaces the HTTP library.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 30.0,
        transport: Transport | None = None,
        retries: Retries | None = None,
    ) -> None:
        self.base_url = url_of(base_url)
        self._transport = transport or _over_http(self.base_url)
        exchange = Exchange(api_key=key_of(api_key), timeout_s=timeout, retries=retries or Retries())
        session = Session(transport=self._transport, exchange=exchange)
        self.workflow = Workflows(session=session)
        self.batches = Batches(session=session)
        self.runs = Runs(session=session)
        self.servers = Servers(session=session)
        self.pools = Pools(session=session)
        self.clusters = Clusters(session=session)
        self.vms = Vms(session=session)
        self.accounts = Accounts(session=session)
        self.managements = Managements(session=session)
        self.schedules = Schedules(session=session)
        self.webhooks = Webhooks(session=session)
        self.workers = Workers(session=session)
        self.views = Views(session=session)
        self.locks = Locks(session=session)
        self.types = Types(session=session)
        self.metrics = MetricsOf(session=session)
        self.keys = Keys(session=session)
        self.sessions = Sessions(session=session)
        self.service = Service(session=session)
        self.audit = Audit(session=session)

    def close(self) -> None:
        """Give back the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
